"""What a JPEG file's markers say, read without decoding (ITU-T T.81; JFIF; CIPA DC-007 for MPO)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectrace.images.directory import MPF_ENTRIES, MPF_IMAGE_COUNT, read_directory, read_header

# Annex K.1 of T.81: the luminance table that the IJG library scales by its quality setting.
_IJG_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.int64,
)
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_COMMON_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
# Real files have some hundred; millions of empty ones are an attack on the reader's time.
_MOST_MARKERS, _MOST_JUNK = 65_536, 2**20
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_SUBSAMPLINGS = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}


def _zigzag() -> NDArray[np.int64]:
    """Place in the row-by-row table of each coefficient in file order."""
    places = [(row, column) for row in range(8) for column in range(8)]
    places.sort(key=lambda p: (p[0] + p[1], p[0] if (p[0] + p[1]) % 2 else p[1]))
    return np.array([8 * row + column for row, column in places], dtype=np.int64)


def _ijg_tables() -> NDArray[np.int64]:
    """The luminance tables of the qualities 1 to 100, ``[100, 64]``."""
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((_IJG_LUMA.reshape(1, 64) * scale[:, None] + 50) // 100, 1, 255)


_ZIGZAG = _zigzag()
_IJG_TABLES = _ijg_tables()


@dataclass
class JpegHeader:
    """A JPEG file's markers up to its first scan.

    Args:
        frame: second byte of the frame marker, 0xC0 for baseline; 0 where no frame was found.
        width: in pixels, as stored.
        height: in pixels, as stored.
        precision: bits a sample.
        components: (id, horizontal, vertical sampling factor, number of its quantisation table).
        tables: number to quantisation table, int64 ``[64]``, row by row.
        adobe: whether an Adobe marker stands (it turns CMYK values around).
        exif: the first EXIF block, or ``None``.
        icc: whether a colour profile stands.
        pictures: how many pictures a multi-picture (MPO) index names, 1 without one.
        gain_map: whether those further pictures are the gain map of a high dynamic range photograph.
        scan: place of the first scan in the file, 0 where none was reached.
        orderly: whether there is so little else before the scan that it was reached in reasonable time.
        code_lengths: bits of the shortest Huffman codes for a block's DC and for the end of its AC values.
    """

    frame: int = 0
    width: int = 0
    height: int = 0
    precision: int = 8
    components: list[tuple[int, int, int, int]] = field(default_factory=list)
    tables: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    adobe: bool = False
    exif: bytes | None = None
    icc: bool = False
    pictures: int = 1
    gain_map: bool = False
    scan: int = 0
    orderly: bool = True
    code_lengths: dict[Literal["DC", "AC"], int] = field(default_factory=dict)

    @property
    def progressive(self) -> bool:
        """Whether the picture is coded in several, finer and finer scans."""
        return self.frame in _PROGRESSIVE

    @property
    def common(self) -> bool:
        """Whether the coding is one that decoders know: Huffman, lossy, 8 bits."""
        return not self.frame or (self.frame in _COMMON_FRAMES and self.precision == 8)

    @property
    def least_bytes(self) -> int:
        """The fewest bytes that could code the pixels, from the number of blocks and the shortest codes."""
        if not self.components or not self.common or min(min(c[1:3]) for c in self.components) < 1:
            return 0
        across, down = (max(c[i] for c in self.components) for i in (1, 2))
        blocks = sum(
            -(-self.width * horizontal // (8 * across)) * -(-self.height * vertical // (8 * down))
            for _, horizontal, vertical, _ in self.components
        )
        # In progressive files most AC values of a flat picture are coded in runs of blocks.
        kinds: tuple[Literal["DC", "AC"], ...] = ("DC",) if self.progressive else ("DC", "AC")
        return blocks * sum(self.code_lengths.get(kind, 1) for kind in kinds) // 8

    @property
    def quality(self) -> int | None:
        """Estimated IJG quality of the luminance, ``None`` where the file has no such table."""
        number = self.components[0][3] if self.components else 0
        return jpeg_quality(self.tables[number]) if number in self.tables else None

    @property
    def subsampling(self) -> str | None:
        """Chroma subsampling as J:a:b, ``grey`` for one component, else the sampling factors."""
        if not self.components:
            return None
        if len(self.components) == 1:
            return "grey"
        factors = [(horizontal, vertical) for _, horizontal, vertical, _ in self.components[:3]]
        (wide, high), *chroma = factors
        if all(chroma[0] == other and 0 not in other for other in chroma):
            across, across_rest = divmod(wide, chroma[0][0])
            down, down_rest = divmod(high, chroma[0][1])
            if not (across_rest or down_rest) and (across, down) in _SUBSAMPLINGS:
                return _SUBSAMPLINGS[across, down]
        return ",".join(f"{horizontal}x{vertical}" for horizontal, vertical in factors)


def jpeg_quality(luma_table: ArrayLike) -> int:
    """Estimates the quality setting behind a JPEG luminance quantisation table.

    Args:
        luma_table: 64 whole numbers, row by row (not in zigzag order).

    Returns:
        1 to 100: the IJG quality whose table is nearest (least sum of absolute differences). Exact for files
        that were written with IJG tables; cameras and editors use tables of their own.

    Example:
        >>> jpeg_quality(np.ones(64, dtype=int))
        100
    """
    table = np.clip(np.asarray(luma_table, dtype=np.int64).reshape(64), 1, 255)
    return int(np.abs(_IJG_TABLES - table).sum(axis=1).argmin()) + 1


def read_jpeg_header(raw: bytes) -> JpegHeader:
    """Reads the markers of a JPEG file up to its first scan; whatever is broken is left out.

    Args:
        raw: the file's bytes.

    Returns:
        What was found.

    Example:
        >>> from spectrace.images.codecs import encode_jpeg
        >>> header = read_jpeg_header(encode_jpeg(np.zeros((8, 8, 3), np.uint8), 85, "4:2:2"))
        >>> header.quality, header.subsampling, header.progressive
        (85, '4:2:2', False)
    """
    header = JpegHeader()
    position, junk = 2, 0
    for _ in range(_MOST_MARKERS):
        marker_place = raw.find(b"\xff", position)
        junk += marker_place - position
        if marker_place < 0 or marker_place + 4 > len(raw):
            return header
        position = marker_place
        marker = raw[position + 1]
        if junk > _MOST_JUNK:
            break
        if marker in (0x00, 0xFF):  # stuffing and fill bytes
            position += 1
        elif marker in _WITHOUT_LENGTH:
            position += 2
        elif marker in (0xD9, 0xDA):
            header.scan = position if marker == 0xDA else 0
            return header
        else:
            (length,) = struct.unpack_from(">H", raw, position + 2)
            _take(header, marker, raw[position + 4 : position + 2 + length])
            position += 2 + length
    header.orderly = False
    return header


def _take(header: JpegHeader, marker: int, segment: bytes) -> None:
    if marker in _FRAMES and len(segment) >= 6:
        header.frame = marker
        header.precision, header.height, header.width = struct.unpack_from(">BHH", segment)
        described = segment[6 : 6 + 3 * segment[5]]
        header.components = [
            (described[i], described[i + 1] >> 4, described[i + 1] & 15, described[i + 2])
            for i in range(0, len(described) - 2, 3)
        ]
    elif marker == 0xC4:
        _take_codes(header, segment)
    elif marker == 0xDB:
        _take_tables(header, segment)
    elif marker == 0xE1 and segment.startswith(b"Exif\0\0"):
        header.exif = header.exif or segment
    elif marker == 0xE1 and b'hdrgm:Version="' in segment:
        header.gain_map = True
    elif marker == 0xE2 and segment.startswith(b"ICC_PROFILE\0"):
        header.icc = True
    elif marker == 0xE2 and segment.startswith(b"MPF\0"):
        header.pictures = _multi_picture_count(segment[4:])
    elif marker == 0xEE and segment.startswith(b"Adobe"):
        header.adobe = True


def _take_tables(header: JpegHeader, segment: bytes) -> None:
    position = 0
    while position < len(segment):
        wide, number = segment[position] >> 4, segment[position] & 15
        size = 128 if wide else 64
        stored = segment[position + 1 : position + 1 + size]
        if len(stored) < size:
            return
        table = np.empty(64, dtype=np.int64)
        table[_ZIGZAG] = np.frombuffer(stored, dtype=">u2" if wide else np.uint8)
        header.tables[number] = table
        position += 1 + size


def _take_codes(header: JpegHeader, segment: bytes) -> None:
    """Notes the shortest DC code, and the code that ends a block, of each Huffman table."""
    position = 0
    kind: Literal["DC", "AC"]
    while position + 17 <= len(segment):
        counts = segment[position + 1 : position + 17]
        symbols = segment[position + 17 : position + 17 + sum(counts)]
        lengths = [length for length, count in enumerate(counts, 1) for _ in range(count)]
        if segment[position] >> 4:
            end_of_block = symbols.find(0)
            # A block filled to its last value needs no end, but three runs of zeros and a value: 5 bits.
            kind, shortest = "AC", min(5, lengths[end_of_block]) if end_of_block >= 0 else 1
        else:
            kind, shortest = "DC", min(lengths, default=1)
        header.code_lengths[kind] = min(shortest, header.code_lengths.get(kind, shortest))
        position += 17 + len(lengths)


def _multi_picture_count(index: bytes) -> int:
    """Pictures in a multi-picture index whose entries are really there, 1 otherwise."""
    head = read_header(index)
    directory = read_directory(index, head, head.first) if head else None
    if directory is None:
        return 1
    count = directory.first(MPF_IMAGE_COUNT, 1)
    return count if count > 1 and directory.counts.get(MPF_ENTRIES, 0) == 16 * count else 1
