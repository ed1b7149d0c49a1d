"""Metadata of JPEG files: EXIF and XMP in APP1, C2PA's JUMBF in APP11.

Sources: ISO/IEC 10918-1 (markers), CIPA DC-008 (EXIF), Adobe XMP part 3 (standard and extended XMP),
ISO/IEC 18477-3 and 19566-5 annex D (JUMBF split over APP11 segments).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from spectrace.provenance.items import C2PA_LIMIT, XMP_LIMIT, Item, Kind

_EXIF = (b"Exif\0\0", b"Exif\0\xff")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_NOT_FILL = re.compile(rb"[^\xff]")
_SEGMENTS = 10_000
_PACKETS = 4

_APP1, _APP11 = 0xE1, 0xEB
_END_OF_HEADER = frozenset({0xDA, 0xD9})  # start of scan, end of image
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def walk(raw: bytes) -> Iterator[Item]:
    """Metadata before the first scan, in the file's order; split packets come joined, last."""
    extended = _Portions()
    boxes: dict[int, list[tuple[int, bytes]]] = {}
    for marker, payload in _segments(raw):
        if marker == _APP1:
            if payload.startswith(_EXIF):
                yield Item(Kind.EXIF, payload[6:])
            elif payload.startswith(_XMP):
                yield Item(Kind.XMP, payload[len(_XMP) :])
            elif payload.startswith(_EXTENDED_XMP):
                extended.add(payload[len(_EXTENDED_XMP) :])
        elif marker == _APP11 and payload.startswith(b"JP") and len(payload) >= 16:
            instance = int.from_bytes(payload[2:4])
            boxes.setdefault(instance, []).append((int.from_bytes(payload[4:8]), payload[8:]))
    for packet in extended.packets():
        yield Item(Kind.XMP, packet)
    for parts in boxes.values():
        yield Item(Kind.C2PA, _joined(parts))


def _segments(raw: bytes) -> Iterator[tuple[int, bytes]]:
    position = 2
    for _ in range(_SEGMENTS):
        if raw[position : position + 1] != b"\xff":
            return
        found = _NOT_FILL.search(raw, position)
        if found is None:
            return
        marker, position = raw[found.start()], found.end()
        if marker in _END_OF_HEADER:
            return
        if marker in _STANDALONE:
            continue
        length = int.from_bytes(raw[position : position + 2])
        if length < 2 or position + length > len(raw):
            return
        yield marker, raw[position + 2 : position + length]
        position += length


def _joined(parts: list[tuple[int, bytes]]) -> bytes:
    """One JUMBF box from its APP11 parts: each repeats the box header, only the first keeps it."""
    parts.sort(key=lambda part: part[0])
    header = 16 if parts[0][1][:4] == b"\0\0\0\1" else 8
    chunks, room = [], C2PA_LIMIT
    for number, (_, part) in enumerate(parts):
        chunks.append((part if number == 0 else part[header:])[:room])
        room -= len(chunks[-1])
    return b"".join(chunks)


class _Portions:
    """Extended XMP: a packet cut into portions that name its digest, its length and their offset."""

    def __init__(self) -> None:
        self._portions: dict[bytes, dict[int, bytes]] = {}

    def add(self, data: bytes) -> None:
        digest, offset, portion = data[:32], int.from_bytes(data[36:40]), data[40:]
        if digest in self._portions or len(self._portions) < _PACKETS:
            self._portions.setdefault(digest, {})[offset] = portion

    def packets(self) -> Iterator[bytes]:
        for portions in self._portions.values():
            packet = bytearray()
            for offset in sorted(portions):
                # One byte past the limit is enough for the reader to see that the packet is too long.
                if offset != len(packet) or len(packet) > XMP_LIMIT:
                    break
                packet += portions[offset]
            yield bytes(packet)
