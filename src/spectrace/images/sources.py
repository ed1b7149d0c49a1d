"""Which files a caller means: paths, folders, globs and lists."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spectrace.errors import UsageError
from spectrace.images.video_formats import VIDEO_SUFFIXES

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .webp .avif .avifs .tif .tiff .bmp .dib .gif".split()
)
_ENDINGS = " ".join(sorted(SUFFIXES))


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
) -> Iterator[Path]:
    """Paths as :func:`expand` gives them, but one that is meant twice comes twice: nothing is remembered.

    Example:
        >>> [path.name for path in stream(["a.png", "b.png", "a.png"])]
        ['a.png', 'b.png', 'a.png']
    """
    for source in sources:
        yield from _expand_one(os.fspath(source), on_problem, take_video)


def _expand_one(
    source: str, on_problem: Callable[[str], None], take_video: Callable[[Path], bool]
) -> Iterator[Path]:
    path = Path(source)
    if source.startswith("@") and len(source) > 1:
        for line in _lines(source[1:], on_problem):
            yield from _expand_one(line, on_problem, take_video)
        return
    if path.is_dir():
        found, otherwise = (
            _walk(path, take_video),
            f"{source} holds no picture: wanted files ending in {_ENDINGS}",
        )
    elif any(mark in source for mark in "*?[") and not path.exists():
        found, otherwise = _matches(source, take_video), f"{source} matches no file: check the pattern"
    else:
        yield path
        return
    empty = True
    for path in found:
        empty = False
        yield path
    if empty:
        on_problem(otherwise)


def _walk(folder: Path, take_video: Callable[[Path], bool]) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if ends_like_a_picture(path) or (path.suffix.lower() in VIDEO_SUFFIXES and take_video(path)):
                yield path


def _matches(pattern: str, take_video: Callable[[Path], bool]) -> Iterator[Path]:
    for match in sorted(glob.iglob(pattern, recursive=True)):
        path = Path(match)
        if path.is_dir():
            yield from _walk(path, take_video)
        else:
            yield path


def _lines(name: str, on_problem: Callable[[str], None]) -> list[str]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        on_problem(f"@{name} cannot be read as a list of paths ({error}): wanted one path a line")
        return []
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
