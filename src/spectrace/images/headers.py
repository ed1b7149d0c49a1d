"""One question for every format: what does the header say?"""

from __future__ import annotations

from collections.abc import Callable

from spectrace.errors import ImageError, ImageProblem
from spectrace.images import containers
from spectrace.images.directory import exif_orientation
from spectrace.images.formats import FileHeader, sniff
from spectrace.images.jpeg import read_jpeg_header
from spectrace.images.png import LEAST_PNG, read_png_header


def read_header(raw: bytes, most_frames: int) -> FileHeader:
    """Reads a file's header without decoding a pixel.

    Args:
        raw: the file's bytes.
        most_frames: frames are counted up to one more than this.

    Returns:
        The header.

    Raises:
        ImageError: it is no picture, of a kind that is not read, or built to exhaust the decoder; the
            message lacks the file's name.

    Example:
        >>> import numpy as np
        >>> from spectrace.images.codecs import encode_jpeg
        >>> header = read_header(encode_jpeg(np.zeros((8, 16, 3), np.uint8), 90), most_frames=1)
        >>> header.format, header.width, header.height, header.jpeg_quality
        ('JPEG', 16, 8, 90)
    """
    return _READERS[sniff(raw)](raw, most_frames)


def _jpeg(raw: bytes, most_frames: int) -> FileHeader:
    header = read_jpeg_header(raw)
    if not header.orderly:
        raise ImageError(
            ImageProblem.CORRUPT, "is a JPEG with more junk than picture at its start: save it anew"
        )
    if not header.scan:
        raise ImageError(ImageProblem.TRUNCATED, "is a JPEG that ends before its pixels: get the file again")
    fault = None
    if header.least_bytes > len(raw) - header.scan:
        fault = f"states {header.width}x{header.height} pixels, which {len(raw):,} bytes cannot hold"
    several = header.pictures > 1 and not header.gain_map
    return FileHeader(
        "MPO" if several else "JPEG",
        header.width,
        header.height,
        header.precision,
        frames=header.pictures if several else 1,
        orientation=exif_orientation(header.exif or b""),
        jpeg_quality=header.quality,
        subsampling=header.subsampling,
        progressive=header.progressive,
        icc=header.icc,
        exif=header.exif is not None,
        complete=b"\xff\xd9" in raw[-64:],
        fault=fault,
        common=header.common,
        inverted=header.adobe,
    )


def _png(raw: bytes, most_frames: int) -> FileHeader:
    header = read_png_header(raw)
    if header is None:
        problem = ImageProblem.TRUNCATED if len(raw) < LEAST_PNG else ImageProblem.CORRUPT
        raise ImageError(problem, "is a PNG without a header chunk: get the file again")
    if not header.orderly:
        raise ImageError(ImageProblem.CORRUPT, "is a PNG in more pieces than any picture needs: save it anew")
    return FileHeader(
        "PNG",
        header.width,
        header.height,
        header.bit_depth,
        header.frames,
        exif_orientation(header.exif or b""),
        icc=header.icc,
        exif=header.exif is not None,
        complete=header.complete,
    )


_READERS: dict[str, Callable[[bytes, int], FileHeader]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": containers.read_webp_header,
    "AVIF": containers.read_avif_header,
    "TIFF": containers.read_tiff_header,
    "BMP": containers.read_bmp_header,
    "GIF": containers.read_gif_header,
}
