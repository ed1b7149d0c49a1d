"""What the headers of WebP, AVIF, GIF, BMP and TIFF files say, read without decoding."""

from __future__ import annotations

import struct

from spectrace.errors import ImageError, ImageProblem
from spectrace.images import directory
from spectrace.images.formats import FileHeader, not_read

# Legal files stay far below these; beyond them the decoder's time or memory would be at the file's mercy.
_MOST_GIF_BLOCKS, _MOST_GIF_BLOCKS_BEFORE_FRAMES = 4_000_000, 100_000
_MOST_BOXES = 1_000_000
# The boxes that describe an AVIF picture come first and are small.
_AVIF_HEAD = 2**16
_MOST_TIFF_SAMPLES = 6
_RUN_LENGTH_BMP_SIDE, _RUN_LENGTH_BMP_PIXELS = 16_384, 4_000_000


def read_webp_header(raw: bytes, most_frames: int) -> FileHeader:
    """Reads the header of a WebP file (RFC 9649).

    Example:
        >>> import numpy as np
        >>> from spectrace.images.codecs import encode_webp
        >>> header = read_webp_header(encode_webp(np.zeros((5, 7, 3), np.uint8), 80), 10)
        >>> header.width, header.height, header.subsampling
        (7, 5, '4:2:0')
    """
    complete = int.from_bytes(raw[4:8], "little") + 8 <= len(raw)
    width = height = frames = 0
    subsampling, flags, position = None, 0, 12
    for _ in range(_MOST_BOXES):
        if position + 8 > len(raw) or frames > most_frames:
            break
        kind, length = struct.unpack_from("<4sI", raw, position)
        body = raw[position + 8 : position + 8 + min(length, 32)]
        if kind == b"VP8X" and len(body) >= 10:
            flags = body[0]
            width = int.from_bytes(body[4:7], "little") + 1
            height = int.from_bytes(body[7:10], "little") + 1
        elif kind == b"ANMF":
            frames += 1
        elif kind == b"VP8 " and len(body) >= 10:
            subsampling = "4:2:0"
            if not width:
                width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
        elif kind == b"VP8L" and len(body) >= 5:
            subsampling = "4:4:4"
            if not width:
                bits = int.from_bytes(body[1:5], "little")
                width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        position += 8 + length + (length & 1)
    return FileHeader(
        "WEBP",
        width,
        height,
        frames=max(1, frames),
        subsampling=subsampling,
        icc=bool(flags & 0x20),
        exif=bool(flags & 0x08),
        complete=complete,
    )


def read_avif_header(raw: bytes, most_frames: int) -> FileHeader:
    """Reads bit depth and subsampling of an AVIF file from its AV1 configuration (AV1-ISOBMFF 2.3.3).

    Size and frames are left to the decoder, which reads them without decoding.
    """
    position, complete = 0, True
    for _ in range(_MOST_BOXES):
        if position >= len(raw):
            break
        size = int.from_bytes(raw[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(raw[position + 8 : position + 16], "big")
        complete = size == 0 or (size >= 8 and position + size <= len(raw))
        if not complete or size == 0:
            break
        position += size
    head = raw[:_AVIF_HEAD]
    configuration = head.find(b"av1C")
    if configuration < 0 or configuration + 8 > len(head):
        return FileHeader("AVIF", complete=complete)
    flags = head[configuration + 6]
    depth = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    chroma = {0x0C: "4:2:0", 0x08: "4:2:2"}.get(flags & 0x0C, "4:4:4")
    subsampling = "grey" if flags & 0x10 else chroma
    return FileHeader(
        "AVIF",
        bit_depth=depth,
        subsampling=subsampling,
        icc=b"colrprof" in head or b"colrrICC" in head,
        exif=b"Exif" in head,
        complete=complete,
    )


def read_bmp_header(raw: bytes, most_frames: int) -> FileHeader:
    """Reads the header of a BMP file.

    Raises:
        ImageError: it is run-length coded and large, which the decoder cannot do in reasonable time.
    """
    if len(raw) < 26:
        return FileHeader("BMP", complete=False)
    if int.from_bytes(raw[14:18], "little") == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", raw, 18)
        compression = 0
    elif len(raw) >= 34:
        width, height, _, bits, compression = struct.unpack_from("<IiHHI", raw, 18)
        height = abs(height)
    else:
        return FileHeader("BMP", complete=False)
    large = max(width, height) > _RUN_LENGTH_BMP_SIDE or width * height > _RUN_LENGTH_BMP_PIXELS
    if compression in (1, 2) and large:
        raise not_read(f"a run-length coded BMP of {width}x{height} pixels")
    # With run lengths the size cannot be foretold; elsewhere every row takes whole groups of 4 bytes.
    least = 0 if compression in (1, 2) else (width * bits + 31) // 32 * 4 * height
    depth = bits if bits <= 8 else (5 if bits == 16 else 8)
    return FileHeader("BMP", width, height, bit_depth=depth, complete=len(raw) >= least)


def read_gif_header(raw: bytes, most_frames: int) -> FileHeader:
    """Reads the header of a GIF file and counts its frames, up to one more than ``most_frames``.

    Raises:
        ImageError: it consists of so many blocks that it cannot be read in reasonable time.
    """
    if len(raw) < 13:
        return FileHeader("GIF", complete=False)
    width, height, flags = struct.unpack_from("<HHB", raw, 6)
    depth = (flags & 7) + 1
    position = 13 + (3 << depth if flags & 0x80 else 0)
    frames, budget = 0, _MOST_GIF_BLOCKS_BEFORE_FRAMES
    while budget and frames <= most_frames:
        introducer = raw[position : position + 1]
        if introducer == b"," and position + 10 <= len(raw):
            left, top, across, down, flags = struct.unpack_from("<HHHHB", raw, position + 1)
            frames += 1
            if frames == 1:
                budget = _MOST_GIF_BLOCKS
                width, height = max(width, left + across), max(height, top + down)
                depth = (flags & 7) + 1 if flags & 0x80 else depth
            position += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        elif introducer == b"!":
            position += 2
        else:
            return FileHeader("GIF", width, height, depth, max(1, frames), complete=introducer == b";")
        position, budget = _skip_gif_blocks(raw, position, budget)
    if not budget:
        raise ImageError(ImageProblem.CORRUPT, "is a GIF in more pieces than any picture needs: save it anew")
    return FileHeader("GIF", width, height, depth, frames)


def read_tiff_header(raw: bytes, most_frames: int) -> FileHeader:
    """Reads the first directory of a TIFF file and counts the others, up to one more than ``most_frames``.

    Raises:
        ImageError: it is a camera raw file, or built so that decoding it would take unreasonable resources.
    """
    header = directory.read_header(raw)
    first = directory.read_directory(raw, header, header.first) if header else None
    if header is None or first is None:
        raise ImageError(ImageProblem.TRUNCATED, "is a TIFF whose directory is not in the file: get it again")
    if directory.DNG_VERSION in first.counts or first.first(directory.NEW_SUBFILE_TYPE, 0) & 1:
        raise not_read("a camera raw file or begins with a thumbnail")
    width, height = first.first(directory.WIDTH, 0), first.first(directory.HEIGHT, 0)
    samples = first.first(directory.SAMPLES_PER_PIXEL, 1)
    rows = first.first(directory.ROWS_PER_STRIP, height) or height
    strips = first.counts.get(directory.STRIP_OFFSETS, 0)
    pieces = max(first.counts.get(tag, 0) for tag in (directory.STRIP_OFFSETS, directory.TILE_OFFSETS))
    tile = first.first(directory.TILE_WIDTH, 0) * first.first(directory.TILE_HEIGHT, 0)
    if samples > _MOST_TIFF_SAMPLES:
        raise not_read(f"a TIFF of {samples} samples a pixel")
    lacking = 0 < strips < -(-height // max(1, rows))
    if pieces > directory.MOST_PIECES or first.outside > len(raw) or tile > 4 * max(width * height, 2**20):
        raise ImageError(ImageProblem.CORRUPT, "is a TIFF whose directory makes no sense: save it anew")
    ends = [
        place + size
        for places, sizes in (
            (directory.STRIP_OFFSETS, directory.STRIP_SIZES),
            (directory.TILE_OFFSETS, directory.TILE_SIZES),
        )
        for place, size in zip(first.values.get(places, ()), first.values.get(sizes, ()), strict=False)
    ]
    orientation = first.first(directory.ORIENTATION, 1)
    return FileHeader(
        "TIFF",
        width,
        height,
        bit_depth=max(first.values.get(directory.BITS_PER_SAMPLE, (1,))),
        frames=max(1, directory.count_directories(raw, header, most_frames + 1)),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        icc=directory.ICC_PROFILE in first.counts,
        exif=directory.EXIF_DIRECTORY in first.counts,
        fault=f"states {height} rows of pixels, but has {strips * rows}" if lacking else None,
        complete=max(first.reach, *ends, 0) <= len(raw),
    )


def _skip_gif_blocks(raw: bytes, position: int, budget: int) -> tuple[int, int]:
    """Steps over length-prefixed blocks; returns where they end and how many more steps are allowed."""
    while budget and position < len(raw) and raw[position]:
        position += 1 + raw[position]
        budget -= 1
    return position + 1, max(0, budget - 1)
