"""What a PNG file's chunks say, read without decoding (PNG, third edition; includes animated PNG)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Signature and header chunk without its checksum.
LEAST_PNG = 29

# First column and row, and steps, of each pass over the picture.
_PLAIN = ((0, 0, 1, 1),)
_INTERLACED = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_INFLATE_PIECE = 2**20

_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_DATA_CHUNKS = frozenset({b"IDAT", b"fdAT", b"fcTL"})
# A picture of 120 megapixels in the 8 KiB pieces that libpng writes has some 50,000 chunks of data.
_MOST_CHUNKS, _MOST_OTHER_CHUNKS = 1_000_000, 10_000


@dataclass(frozen=True)
class PngHeader:
    """A PNG file's chunks.

    Args:
        width: in pixels.
        height: in pixels.
        bit_depth: bits a sample (bits an index for palette pictures).
        frames: number of frames of an animated PNG, 1 otherwise.
        exif: the EXIF block, or ``None``.
        icc: whether a colour profile stands.
        complete: whether the end chunk was reached.
        orderly: whether there are few enough chunks to be walked in reasonable time.
    """

    width: int
    height: int
    bit_depth: int
    frames: int
    exif: bytes | None
    icc: bool
    complete: bool
    orderly: bool


def read_png_header(raw: bytes) -> PngHeader | None:
    """Reads the chunks of a PNG file; ``None`` where the first one is not a header."""
    if raw[12:16] != b"IHDR" or len(raw) < LEAST_PNG:
        return None
    width, height, bit_depth = struct.unpack_from(">IIB", raw, 16)
    frames, exif, icc, complete, others = 1, None, False, False, 0
    for count, (kind, start, length) in enumerate(_chunks(raw)):
        others += kind not in _DATA_CHUNKS
        if count > _MOST_CHUNKS or others > _MOST_OTHER_CHUNKS:
            return PngHeader(width, height, bit_depth, frames, exif, icc, complete, orderly=False)
        if kind == b"acTL" and length >= 8:
            frames = max(1, int.from_bytes(raw[start : start + 4], "big"))
        elif kind == b"eXIf":
            exif = raw[start : start + length]
        elif kind == b"iCCP":
            icc = True
        elif kind == b"IEND":
            complete = True
    return PngHeader(width, height, bit_depth, frames, exif, icc, complete, orderly=True)


def holds_all_rows(raw: bytes) -> bool:
    """Whether the compressed data of a PNG file unpack to as many bytes as its header's size takes.

    Decoders leave the rows that are missing black and say nothing. Takes about as long as decoding.
    """
    width, height, depth, colour = struct.unpack_from(">IIBB", raw, 16)
    bits = depth * _SAMPLES.get(colour, 1)
    passes = _INTERLACED if raw[28] else _PLAIN
    missing = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        missing += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    inflater = zlib.decompressobj()
    for kind, start, length in _chunks(raw):
        data = raw[start : start + length] if kind == b"IDAT" else b""
        while data and missing > 0:
            missing -= len(inflater.decompress(data, _INFLATE_PIECE))
            data = inflater.unconsumed_tail
    return missing <= 0


def only_pixels(raw: bytes) -> bytes:
    """The same PNG file without the chunks that its pixels do not need (texts, profiles, animation)."""
    kept = [
        raw[start - 8 : start + length + 4] for kind, start, length in _chunks(raw) if kind in _PIXEL_CHUNKS
    ]
    return SIGNATURE + b"".join(kept)


def _chunks(raw: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yields (kind, start, length) of each chunk that lies wholly in the file, up to the end chunk."""
    position = len(SIGNATURE)
    while position + 12 <= len(raw):
        length, kind = struct.unpack_from(">I4s", raw, position)
        if position + 12 + length > len(raw):
            return
        yield kind, position + 8, length
        if kind == b"IEND":
            return
        position += 12 + length
