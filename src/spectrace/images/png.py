"""What a PNG file's chunks say, read without decoding (PNG, third edition; includes animated PNG)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
# A picture of 120 megapixels in the 8 KiB pieces that libpng writes has some 50,000 chunks.
_MOST_CHUNKS = 1_000_000


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
    if raw[12:16] != b"IHDR" or len(raw) < 29:
        return None
    width, height, bit_depth = struct.unpack_from(">IIB", raw, 16)
    frames, exif, icc, complete, count = 1, None, False, False, 0
    for kind, start, length in _chunks(raw):
        count += 1
        if count > _MOST_CHUNKS:
            break
        if kind == b"acTL" and length >= 8:
            frames = max(1, int.from_bytes(raw[start : start + 4], "big"))
        elif kind == b"eXIf":
            exif = raw[start : start + length]
        elif kind == b"iCCP":
            icc = True
        elif kind == b"IEND":
            complete = True
    return PngHeader(width, height, bit_depth, frames, exif, icc, complete, count <= _MOST_CHUNKS)


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
