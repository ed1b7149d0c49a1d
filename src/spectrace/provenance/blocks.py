"""Metadata of WebP files (RIFF chunks) and of GIF files (extension blocks).

Sources: RFC 9649 (WebP); GIF89a; Adobe XMP part 3 (XMP in GIF, with its magic trailer); C2PA 2.x annex A
(RIFF chunk ``C2PA``, GIF application extension ``C2PA_GIF``).
"""

from __future__ import annotations

from collections.abc import Iterator

from spectrace.provenance.items import BLOCK_LIMIT, C2PA_LIMIT, XMP_LIMIT, Item, Kind

_RIFF_KINDS = {b"EXIF": Kind.EXIF, b"XMP ": Kind.XMP, b"C2PA": Kind.C2PA}
# After raw XMP come 1, 255..0 and 0: wherever a reader of sub-blocks lands in it, it is led to the end.
_MAGIC_TRAILER = b"\1" + bytes(range(255, -1, -1)) + b"\0"
_SUB_BLOCKS = 2_000_000


def walk_webp(raw: bytes) -> Iterator[Item]:
    """Metadata chunks of a WebP file, in the file's order."""
    position = 12
    for _ in range(BLOCK_LIMIT):
        length = int.from_bytes(raw[position + 4 : position + 8], "little")
        start, end = position + 8, position + 8 + length
        if end > len(raw):
            return
        kind = _RIFF_KINDS.get(raw[position : position + 4])
        if kind is not None:
            data = raw[start : min(end, start + C2PA_LIMIT)]
            yield Item(kind, data.removeprefix(b"Exif\0\0") if kind is Kind.EXIF else data)
        position = end + length % 2
        if position >= len(raw):
            return


def walk_gif(raw: bytes) -> Iterator[Item]:
    """XMP and C2PA application extensions of a GIF file, in the file's order."""
    position = 13 + _colour_table(raw[10:11])
    left = _SUB_BLOCKS
    for _ in range(BLOCK_LIMIT):
        introducer = raw[position : position + 1]
        if introducer == b"\x21":
            start = position + 2
        elif introducer == b"\x2c":
            start = position + 11 + _colour_table(raw[position + 9 : position + 10])
        else:
            return
        end, used = _skip_sub_blocks(raw, start, left)
        left -= used
        if introducer == b"\x21" and raw[position + 1 : position + 3] == b"\xff\x0b":
            application, data = raw[start + 1 : start + 12], start + 12
            if application == b"XMP DataXMP":
                packet = raw[data : min(end, data + XMP_LIMIT + len(_MAGIC_TRAILER) + 1)]
                yield Item(Kind.XMP, packet.removesuffix(_MAGIC_TRAILER))
            elif application.startswith(b"C2PA_GIF"):
                yield Item(Kind.C2PA, _sub_blocks(raw, data, end))
        position = end


def _colour_table(flags: bytes) -> int:
    """Bytes of the colour table that a descriptor's flags announce."""
    packed = flags[0] if flags else 0
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _skip_sub_blocks(raw: bytes, position: int, limit: int) -> tuple[int, int]:
    """Where a chain of sub-blocks ends, and how many there were."""
    for used in range(1, limit + 1):
        size = raw[position] if position < len(raw) else 0
        position += 1 + size
        if size == 0:
            return position, used
    return len(raw), limit


def _sub_blocks(raw: bytes, position: int, end: int) -> bytes:
    data = bytearray()
    while position < end and position < len(raw) and len(data) < C2PA_LIMIT:
        size = raw[position]
        data += raw[position + 1 : position + 1 + size]
        position += 1 + size
    return bytes(data)
