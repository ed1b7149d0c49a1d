"""Bytes of a source, within a limit, and the name by which messages call it."""

from __future__ import annotations

import os
import stat
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from spectrace.errors import ImageError, ImageProblem

_PIECE = 2**20
_LONGEST_NAME = 300


def source_name(source: object) -> str:
    r"""What messages call a source: its path where it has one. One printable line.

    Example:
        >>> source_name("holiday\n.jpg"), source_name(b"..."), source_name(np.zeros((2, 2)))
        ('holiday\\n.jpg', 'the bytes given', 'the array')
    """
    if isinstance(source, np.ndarray):
        return "the array"
    if isinstance(source, bytes | bytearray | memoryview):
        return "the bytes given"
    if isinstance(source, Image.Image):
        name = getattr(source, "filename", None) or "the PIL image"
    elif isinstance(source, str | os.PathLike):
        name = source
    else:
        name = getattr(source, "name", None)
    try:
        text = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""
    except Exception:  # an os.PathLike may raise anything
        text = ""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if len(shown) > _LONGEST_NAME:
        shown = f"{shown[: _LONGEST_NAME // 2]}...{shown[-_LONGEST_NAME // 2 :]}"
    return shown or f"the {type(source).__name__} given"


def read_path(path: str | os.PathLike[str], limit: int) -> bytes:
    """Reads a file.

    Args:
        path: of a regular file; a directory, pipe or device is refused.
        limit: the most bytes to read.

    Raises:
        ImageError: it cannot be read, or is longer than the limit; the message lacks the file's name.
    """
    try:
        with open(path, "rb", buffering=0, opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ImageError(
                    ImageProblem.UNREADABLE,
                    "is a directory, pipe or device: wanted the path of a picture file",
                )
            _check_bytes(status.st_size, limit)
            return _read_all(file, limit, status.st_size + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(ImageProblem.MISSING, "is not there: check the path") from None
    except IsADirectoryError:
        raise ImageError(
            ImageProblem.UNREADABLE, "is a directory: wanted the path of a picture file"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(ImageProblem.UNREADABLE, f"cannot be read ({reason}): check the file") from None


def read_file_object(file: BinaryIO, limit: int) -> bytes:
    """Reads a binary file object from its beginning (from where it stands, if it cannot seek) to its end.

    Args:
        file: open for reading, in binary mode.
        limit: the most bytes to read.

    Raises:
        ImageError: it cannot be read, or is longer than the limit; the message lacks the file's name.
    """
    try:
        if file.seekable():
            file.seek(0)
    except Exception:  # a file object that cannot tell is read from where it stands
        pass
    try:
        return _read_all(file, limit, _PIECE)
    except ImageError:
        raise
    except Exception as error:  # somebody else's object may raise anything
        raise ImageError(ImageProblem.UNREADABLE, f"cannot be read ({one_line(error)}): check it") from None


def limited_bytes(data: bytes | bytearray | memoryview, limit: int) -> bytes:
    """The bytes themselves, or ImageError (without the source's name) when they are more than the limit."""
    _check_bytes(memoryview(data).nbytes, limit)
    return bytes(data)


def escaped(name: str) -> str:
    r"""A name as text that any file takes: what is no UTF-8 in it is escaped.

    Example:
        >>> escaped("\udcff.jpg")
        '\\udcff.jpg'
    """
    return name.encode("utf-8", "backslashreplace").decode()


def one_line(error: BaseException) -> str:
    """An error's own words, or its kind where it has none, as one short line."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 200 else words[:200] + "..."


def _open_without_waiting(path: str, flags: int) -> int:
    # Opening a pipe for reading waits for a writer, for ever if there is none.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_all(file: Any, limit: int, piece: int) -> bytes:
    pieces: list[bytes] = []
    total = 0
    while True:
        data = file.read(piece)
        if not isinstance(data, bytes | bytearray | memoryview):
            raise ImageError(
                ImageProblem.UNREADABLE,
                f"gives {type(data).__name__} when read, not bytes: open it in mode 'rb'",
            )
        if not data:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        total += len(data)
        _check_bytes(total, limit)
        pieces.append(bytes(data))


def _check_bytes(found: int, limit: int) -> None:
    if found > limit:
        raise ImageError(
            ImageProblem.TOO_MANY_BYTES,
            f"has more than {limit:,} bytes, the limit: raise it to read the file",
        )
