"""Which files a caller means: paths, folders, globs and lists."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path

from spectrace.errors import UsageError
from spectrace.images.video_formats import VIDEO_SUFFIXES

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .webp .avif .avifs .tif .tiff .bmp .dib .gif".split()
)
_AT_ONCE = 100_000  # names of one folder: sorted as far as memory stays small


def ends_like_a_picture(path: Path) -> bool:
    """Whether a file's name ends as pictures' names do; what the file holds does not count.

    Example:
        >>> [ends_like_a_picture(Path(name)) for name in ("a.JPG", "b.txt", "png")]
        [True, False, False]
    """
    return path.suffix.lower() in SUFFIXES


def _refuse(problem: str) -> None:
    raise UsageError(problem)


def _no_video(path: Path) -> bool:
    return False


def expand(
    sources: Iterable[str | os.PathLike[str]],
    on_problem: Callable[[str], None] = _refuse,
    *,
    take_video: Callable[[Path], bool] = _no_video,
) -> Iterator[Path]:
    """Paths of the pictures that are meant, each once, lazily.

    A folder gives the files below it whose names end like pictures (hidden ones and linked folders left
    out), in a fixed order; a pattern with ``*``, ``?`` or ``[`` that is no file gives its matches;
    ``@list.txt`` (``@-`` for stdin) gives the sources on its lines, relative to the current folder; anything
    else is given back as it is, so that a missing file is reported where it is read.

    Args:
        sources: what the caller named.
        on_problem: called with one line when a list cannot be read, a pattern matches nothing or a folder
            holds no picture; the other sources go on. Without it the first such problem is an error.
        take_video: asked of each file in a folder whose name ends like a video's; without it none is taken.

    Raises:
        UsageError: such a problem, when no ``on_problem`` is given.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b.png", "a.jpg", "notes.txt"):
        ...     (folder / name).touch()
        >>> [path.name for path in expand([folder, folder / "a.jpg", "missing.png"])]
        ['a.jpg', 'b.png', 'missing.png']
    """
    seen: set[str] = set()
    for path in stream(sources, on_problem, take_video=take_video):
        key = os.path.normpath(path)
        if key not in seen:
            seen.add(key)
            yield path


def stream(
    sources: Iterable[str | os.PathLike[str]],
    on_problem: Callable[[str], None] = _refuse,
    *,
    take_video: Callable[[Path], bool] = _no_video,
    endings: Collection[str] = SUFFIXES,
) -> Iterator[Path]:
    """Paths as :func:`expand` gives them, but one that is meant twice comes twice: nothing is remembered.

    Args:
        sources: as for :func:`expand`.
        on_problem: as for it.
        take_video: as for it.
        endings: of the names that are taken from folders, in lower case.

    Example:
        >>> [path.name for path in stream(["a.png", "b.png", "a.png"])]
        ['a.png', 'b.png', 'a.png']
    """

    def wanted(path: Path) -> bool:
        suffix = path.suffix.lower()
        return suffix in endings or (suffix in VIDEO_SUFFIXES and take_video(path))

    for source in sources:
        yield from _expand_one(os.fspath(source), on_problem, wanted, endings)


def _expand_one(
    source: str,
    on_problem: Callable[[str], None],
    wanted: Callable[[Path], bool],
    endings: Collection[str],
) -> Iterator[Path]:
    path = Path(source)
    if source.startswith("@") and len(source) > 1:
        for line in _lines(source[1:], on_problem):
            yield from _expand_one(line, on_problem, wanted, endings)
        return
    if path.is_dir():
        found = _walk(path, wanted, on_problem)
        otherwise = f"{source} holds no picture: wanted files ending in {' '.join(sorted(endings))}"
    elif any(mark in source for mark in "*?[") and not path.exists():
        found = _matches(source, wanted, on_problem)
        otherwise = f"{source} matches no file: check the pattern"
    else:
        yield path
        return
    empty = True
    for path in found:
        empty = False
        yield path
    if empty:
        on_problem(otherwise)


def _walk(folder: Path, wanted: Callable[[Path], bool], on_problem: Callable[[str], None]) -> Iterator[Path]:
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        below: list[Path] = []
        try:
            with os.scandir(parent) as entries:
                shown = (entry for entry in entries if not entry.name.startswith("."))
                while part := list(islice(shown, _AT_ONCE)):
                    below += [Path(entry) for entry in part if _is_folder(entry) and not entry.is_symlink()]
                    names = sorted(entry.name for entry in part if not _is_folder(entry))
                    yield from filter(wanted, (parent / name for name in names))
        except OSError as error:
            on_problem(f"{parent} cannot be listed ({error.strerror}): what is in it is left out")
        waiting += sorted(below, reverse=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say: told where it is read
        return False


def _matches(
    pattern: str, wanted: Callable[[Path], bool], on_problem: Callable[[str], None]
) -> Iterator[Path]:
    in_loop = cache(_in_loop)
    for match in sorted(glob.iglob(pattern, recursive=True)):
        path = Path(match)
        is_folder = path.is_dir()
        if in_loop(path if is_folder else path.parent):
            continue
        if is_folder:
            yield from _walk(path, wanted, on_problem)
        else:
            yield path


def _in_loop(folder: Path) -> bool:
    """Whether a path leads through a link to a folder that it has passed already: ``**`` follows links."""
    return any(
        os.path.realpath(part) in map(os.path.realpath, part.parents)
        for part in (folder, *folder.parents)
        if part.is_symlink()
    )


def _lines(name: str, on_problem: Callable[[str], None]) -> list[str]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        on_problem(f"@{name} cannot be read as a list of paths ({error}): wanted one path a line")
        return []
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
