"""Metadata of an ONNX file, read and changed without the onnx package.

An ONNX file is one protobuf message, ``ModelProto``; its metadata are field 14, repeated messages of a key
(field 1) and a value (field 2). Only those are touched: every other field, known or not, is copied as it is.

Source: ONNX, ``onnx.proto``; Protocol Buffers, *Encoding*.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from spectrace.errors import ModelError

_METADATA = 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_MOST_FIELDS = 2**29 - 1


def read_metadata(data: bytes) -> dict[str, str]:
    """The metadata of a model.

    Args:
        data: an ONNX file's bytes.

    Raises:
        ModelError: the bytes are no protobuf message.

    Example:
        >>> read_metadata(with_metadata(b"", "author", "me"))
        {'author': 'me'}
    """
    return dict(_entry(data, inner) for number, _, inner, _ in _fields(data) if number == _METADATA)


def with_metadata(data: bytes, key: str, value: str) -> bytes:
    """A model with one entry of its metadata added or replaced.

    Args:
        data: an ONNX file's bytes.
        key: of the entry.
        value: its new value.

    Returns:
        The file's new bytes: the old ones without the entries of that key, and the new entry at the end.

    Raises:
        ModelError: the bytes are no protobuf message.
    """
    kept = [
        data[start:end]
        for number, start, inner, end in _fields(data)
        if number != _METADATA or _entry(data, inner)[0] != key
    ]
    entry = _text(_KEY, key) + _text(_VALUE, value)
    return b"".join([*kept, _tag(_METADATA), _varint(len(entry)), entry])


def replace_metadata(path: Path, key: str, value: str, *, output: Path | None = None) -> None:
    """Add or replace one entry of a model file's metadata; the file is replaced at once, never half written.

    Args:
        path: of the ONNX file.
        key: of the entry.
        value: its new value.
        output: write the changed model here and leave the file as it is; the folder is made if need be.

    Raises:
        ModelError: the file is no protobuf message.
    """
    try:
        changed = with_metadata(path.read_bytes(), key, value)
    except ModelError as error:
        raise ModelError(f"{path} is no ONNX model: {error}") from error
    # A link is followed: what it points to is what is replaced.
    target = (output or path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(changed)
        shutil.copymode(path, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _fields(data: bytes) -> Iterator[tuple[int, int, slice, int]]:
    """The fields of one message: number, where it starts, where its contents lie, where it ends."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _read_varint(data, at)
        number, kind = tag >> 3, tag & 7
        length = 0
        if not 1 <= number <= _MOST_FIELDS:
            raise ModelError(f"field {number} at byte {start}: not a model's protobuf")
        if kind == _LENGTH:
            length, at = _read_varint(data, at)
        elif kind == _VARINT:
            length = _read_varint(data, at)[1] - at
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ModelError(f"field of type {kind} at byte {start}: not a model's protobuf")
        if at + length > len(data):
            raise ModelError(f"the field at byte {start} reaches beyond the end: the file is cut off")
        yield number, start, slice(at, at + length), at + length
        at += length


def _entry(data: bytes, inner: slice) -> tuple[str, str]:
    """Key and value of an entry; what is absent is empty, of several the last counts, as protobuf has it."""
    message = data[inner]
    parts = {number: message[text] for number, _, text, _ in _fields(message)}
    try:
        return parts.get(_KEY, b"").decode(), parts.get(_VALUE, b"").decode()
    except UnicodeDecodeError as error:
        raise ModelError(f"metadata at byte {inner.start} are not text: not a model's protobuf") from error


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    number = 0
    for index, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, at + index + 1
    raise ModelError(f"the number at byte {at} has no end: not a model's protobuf, or cut off")


def _varint(number: int) -> bytes:
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def _tag(number: int) -> bytes:
    return _varint(number << 3 | _LENGTH)


def _text(number: int, text: str) -> bytes:
    encoded = text.encode()
    return _tag(number) + _varint(len(encoded)) + encoded
