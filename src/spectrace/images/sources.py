"""Which files a caller means: paths, folders, globs and lists."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from spectrace.errors import UsageError

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .webp .avif .avifs .tif .tiff .bmp .dib .gif".split()
)


def expand(sources: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Paths of the pictures that are meant, each once, lazily.

    A folder gives the files below it whose names end like pictures (hidden ones and linked folders left
    out), in a fixed order; a pattern with ``*``, ``?`` or ``[`` that is no file gives its matches;
    ``@list.txt`` (``@-`` for stdin) gives the sources on its lines, relative to the current folder; anything
    else is given back as it is, so that a missing file is reported where it is read.

    Raises:
        UsageError: a list cannot be read, a pattern matches nothing or a folder holds no picture.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b.png", "a.jpg", "notes.txt"):
        ...     (folder / name).touch()
        >>> [path.name for path in expand([folder, folder / "a.jpg", "missing.png"])]
        ['a.jpg', 'b.png', 'missing.png']
    """
    seen: set[str] = set()
    for source in sources:
        for path in _expand_one(os.fspath(source)):
            key = os.path.normpath(path)
            if key not in seen:
                seen.add(key)
                yield path


def _expand_one(source: str) -> Iterator[Path]:
    path = Path(source)
    if source.startswith("@") and len(source) > 1:
        for line in _lines(source[1:]):
            yield from _expand_one(line)
    elif path.is_dir():
        yield from _some(_walk(path), f"{source} holds no picture: wanted files ending in {_suffix_list()}")
    elif not path.exists() and any(mark in source for mark in "*?["):
        yield from _some(_matches(source), f"{source} matches no picture: quote the pattern and check it")
    else:
        yield path


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(parent, name)


def _matches(pattern: str) -> Iterator[Path]:
    for match in sorted(glob.iglob(pattern, recursive=True)):
        path = Path(match)
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def _some(paths: Iterator[Path], otherwise: str) -> Iterator[Path]:
    found = False
    for path in paths:
        found = True
        yield path
    if not found:
        raise UsageError(otherwise)


def _lines(name: str) -> list[str]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"@{name} cannot be read as a list of paths ({error}): wanted one a line") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _suffix_list() -> str:
    return ", ".join(sorted(SUFFIXES))
