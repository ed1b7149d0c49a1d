"""Image file directories: the tag tables that TIFF, EXIF and MPO share (TIFF 6.0, BigTIFF, EXIF 2.3).

Only small whole numbers are read, and only as many as a picture's facts need, so that a hostile table costs
nothing: its entries are walked once and no value is copied.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Tags of the standards named above.
NEW_SUBFILE_TYPE, WIDTH, HEIGHT, BITS_PER_SAMPLE = 254, 256, 257, 258
STRIP_OFFSETS, ORIENTATION, SAMPLES_PER_PIXEL, ROWS_PER_STRIP, STRIP_SIZES = 273, 274, 277, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES = 322, 323, 324, 325
ICC_PROFILE, EXIF_DIRECTORY, DNG_VERSION = 34675, 34665, 50706
MPF_IMAGE_COUNT, MPF_ENTRIES = 0xB001, 0xB002

# Bytes of one value of each field type of TIFF 6.0 and BigTIFF.
TYPE_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
_MOST_VALUES = 8
# The pieces of a TIFF picture: all of them are read, to tell whether they lie in the file.
MOST_PIECES = 2**18
_PIECES = frozenset({STRIP_OFFSETS, STRIP_SIZES, TILE_OFFSETS, TILE_SIZES})
# A classic directory cannot hold more; a BigTIFF one that does is an attack on the reader's time.
_MOST_ENTRIES = 65_535


@dataclass(frozen=True)
class Header:
    """The head of a TIFF structure: byte order (``<`` or ``>``), BigTIFF or not, first directory's place."""

    order: str
    big: bool
    first: int


@dataclass(frozen=True)
class Directory:
    """One directory.

    Args:
        values: the first few whole numbers of each tag that holds such (all places and sizes of pieces).
        counts: how many values each tag claims to hold.
        outside: bytes that the tags claim to hold outside the directory, all together.
        reach: where the last of those bytes would end.
    """

    values: dict[int, tuple[int, ...]]
    counts: dict[int, int]
    outside: int
    reach: int

    def first(self, tag: int, default: int) -> int:
        """The first value of a tag, or the default where the tag is absent or no whole number."""
        values = self.values.get(tag)
        return values[0] if values else default


def read_header(data: bytes) -> Header | None:
    """Reads the head of a TIFF structure; ``None`` where there is none.

    Example:
        >>> read_header(b"II*" + bytes([0, 8, 0, 0, 0]))
        Header(order='<', big=False, first=8)
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return None
    (version,) = struct.unpack_from(order + "H", data, 2)
    if version == 42:
        return Header(order, False, struct.unpack_from(order + "I", data, 4)[0])
    if version == 43 and len(data) >= 16:
        return Header(order, True, struct.unpack_from(order + "Q", data, 8)[0])
    return None


def read_directory(data: bytes, header: Header, offset: int) -> Directory | None:
    """Reads the directory at an offset; ``None`` where it does not lie inside the data."""
    extent = _extent(data, header, offset)
    if extent is None:
        return None
    entry_format, offset_format, inline = ("HHQ", "Q", 8) if header.big else ("HHI", "I", 4)
    start, end, entry_size = extent
    values: dict[int, tuple[int, ...]] = {}
    counts: dict[int, int] = {}
    outside = reach = 0
    for entry in range(start, end, entry_size):
        tag, kind, count = struct.unpack_from(header.order + entry_format, data, entry)
        if tag in counts:  # readers take the first of several
            continue
        size = TYPE_SIZES.get(kind, 0) * count
        counts[tag] = count
        place = entry + entry_size - inline
        if size > inline:
            (place,) = struct.unpack_from(header.order + offset_format, data, place)
            outside += size
            reach = max(reach, place + size)
        if kind not in _WHOLE_NUMBERS or count < 1:
            continue
        wanted = min(count, MOST_PIECES if tag in _PIECES else _MOST_VALUES)
        layout = f"{header.order}{wanted}{_WHOLE_NUMBERS[kind]}"
        if place + struct.calcsize(layout) <= len(data):
            values[tag] = struct.unpack_from(layout, data, place)
    return Directory(values, counts, outside, reach)


def count_directories(data: bytes, header: Header, most: int) -> int:
    """How many directories a TIFF file chains, counted up to ``most`` and without walking in circles."""
    following_format = header.order + ("Q" if header.big else "I")
    seen: set[int] = set()
    offset = header.first
    while offset and offset not in seen and len(seen) < most:
        extent = _extent(data, header, offset)
        if extent is None:
            break
        seen.add(offset)
        if extent[1] + struct.calcsize(following_format) > len(data):
            break
        (offset,) = struct.unpack_from(following_format, data, extent[1])
    return len(seen)


def exif_orientation(exif: bytes) -> int:
    """The orientation that an EXIF block states, 1 to 8; 1 (upright) where it states none that exists.

    Example:
        >>> exif_orientation(b"Exif" + bytes(2) + b"garbage")
        1
    """
    data = exif.removeprefix(b"Exif\0\0")
    header = read_header(data)
    directory = read_directory(data, header, header.first) if header else None
    stated = directory.first(ORIENTATION, 1) if directory else 1
    return stated if 1 <= stated <= 8 else 1


def _extent(data: bytes, header: Header, offset: int) -> tuple[int, int, int] | None:
    """Start and end of a directory's entries and the size of one; ``None`` where they are not in the data."""
    count_format, entry_size = ("Q", 20) if header.big else ("H", 12)
    start = offset + struct.calcsize(header.order + count_format)
    if start > len(data):
        return None
    (count,) = struct.unpack_from(header.order + count_format, data, offset)
    end = start + count * entry_size
    return (start, end, entry_size) if count <= _MOST_ENTRIES and end <= len(data) else None
