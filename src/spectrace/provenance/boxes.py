"""Metadata of AVIF, HEIF and MP4 files: boxes of the ISO base media file format.

Sources: ISO/IEC 14496-12 (boxes, item information and location), 23008-12 (EXIF and XMP items of HEIF),
Adobe XMP part 3 (the XMP uuid box of MP4), C2PA 2.x annex A (the C2PA uuid box).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from spectrace.provenance.items import C2PA_LIMIT, XMP_LIMIT, Item, Kind

_C2PA = UUID("d8fec3d6-1b0e-483c-9297-5828877ec481").bytes
_XMP = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes
_BOXES = 10_000
_ITEMS = 10_000
_METADATA_ITEMS = 16
_EXTENTS = 64


class _Box(NamedTuple):
    """A box's type and where its content lies in the file."""

    type: bytes
    start: int
    end: int


class _Extents(NamedTuple):
    """Where an item lies: construction method (0 in the file, 1 in idat), then (offset, length) pairs."""

    method: int
    extents: list[tuple[int, int]]


def walk(raw: bytes) -> Iterator[Item]:
    """C2PA and XMP uuid boxes, EXIF and XMP items."""
    for box in _boxes(raw, 0, len(raw)):
        if box.type == b"uuid":
            name, start = raw[box.start : box.start + 16], box.start + 16
            if name == _C2PA:
                yield from _c2pa(raw[start : min(box.end, start + C2PA_LIMIT)])
            elif name == _XMP:
                yield Item(Kind.XMP, raw[start : min(box.end, start + XMP_LIMIT + 1)])
        elif box.type == b"meta":
            yield from _items(raw, box)


def _c2pa(content: bytes) -> Iterator[Item]:
    # Version and flags, then a purpose ended by zero; manifests name the offset of a hash tree besides.
    purpose, zero, rest = content[4:].partition(b"\0")
    if zero and purpose in (b"manifest", b"original", b"update"):
        yield Item(Kind.C2PA, rest[8:])


def _boxes(raw: bytes, position: int, end: int) -> Iterator[_Box]:
    for _ in range(_BOXES):
        size, kind = int.from_bytes(raw[position : position + 4]), raw[position + 4 : position + 8]
        start = position + 8
        if size == 1:
            size, start = int.from_bytes(raw[start : start + 8]), start + 8
        elif size == 0:
            size = end - position
        if len(kind) < 4 or position + size > end or position + size < start:
            return
        yield _Box(kind, start, position + size)
        position += size


def _items(raw: bytes, meta: _Box) -> Iterator[Item]:
    children = {box.type: box for box in _boxes(raw, meta.start + 4, meta.end)}
    if b"iinf" not in children or b"iloc" not in children:
        return
    kinds = _kinds(raw, children[b"iinf"])
    if not kinds:
        return
    idat = children.get(b"idat")
    for number, place in _places(raw, children[b"iloc"]).items():
        kind = kinds.get(number)
        if kind is None or place.method > 1 or (place.method == 1 and idat is None):
            continue
        base, end = (idat.start, idat.end) if place.method == 1 and idat else (0, len(raw))
        data = b""
        for offset, length in place.extents:
            # Length 0 means up to the end of the file.
            wanted = min(length or end, XMP_LIMIT + 1 - len(data))
            data += raw[base + offset : min(base + offset + wanted, end)]
        if kind is Kind.EXIF:
            # Four bytes say how far the TIFF stream lies behind them.
            data = data[4 + int.from_bytes(data[:4]) :]
        yield Item(kind, data)


def _kinds(raw: bytes, iinf: _Box) -> dict[int, Kind]:
    """EXIF and XMP items by number."""
    start = iinf.start + (6 if raw[iinf.start : iinf.start + 1] == b"\0" else 8)
    kinds: dict[int, Kind] = {}
    for box in _boxes(raw, start, iinf.end):
        entry = raw[box.start : min(box.end, box.start + 256)]
        if box.type != b"infe" or len(entry) < 4 or entry[0] not in (2, 3):
            continue
        width = 2 if entry[0] == 2 else 4
        number, after = int.from_bytes(entry[4 : 4 + width]), 4 + width + 2
        kind, names = entry[after : after + 4], entry[after + 4 :].split(b"\0")
        if kind == b"Exif":
            kinds[number] = Kind.EXIF
        elif kind == b"mime" and len(names) > 1 and names[1] == b"application/rdf+xml":
            kinds[number] = Kind.XMP
        if len(kinds) == _METADATA_ITEMS:
            break
    return kinds


def _places(raw: bytes, iloc: _Box) -> dict[int, _Extents]:
    """Where items lie, by number (ISO/IEC 14496-12, 8.11.3)."""
    cursor = _Cursor(raw, iloc.start, iloc.end)
    version = cursor.take(1)
    cursor.take(3)
    sizes = cursor.take(2)
    offset_size, length_size, base_size, index_size = ((sizes >> shift) & 15 for shift in (12, 8, 4, 0))
    number_size = 2 if version < 2 else 4
    places: dict[int, _Extents] = {}
    for _ in range(min(cursor.take(number_size), _ITEMS)):
        number = cursor.take(number_size)
        method = cursor.take(2) & 15 if version in (1, 2) else 0
        cursor.take(2)
        base = cursor.take(base_size)
        extents = []
        for _ in range(min(cursor.take(2), _EXTENTS)):
            if version in (1, 2):
                cursor.take(index_size)
            offset = cursor.take(offset_size)
            extents.append((base + offset, cursor.take(length_size)))
        if cursor.spent:
            break
        places[number] = _Extents(method, extents)
    return places


class _Cursor:
    """Reads big-endian numbers up to an end; past it, zeros."""

    def __init__(self, raw: bytes, position: int, end: int) -> None:
        self._raw, self._position, self._end = raw, position, end

    @property
    def spent(self) -> bool:
        return self._position > self._end

    def take(self, size: int) -> int:
        value = int.from_bytes(self._raw[self._position : min(self._position + size, self._end)])
        self._position += size
        return value
