"""Facts of a picture file: what it is, apart from what it shows."""

from __future__ import annotations

import hashlib

import msgspec

from spectrace.images.formats import FileHeader
from spectrace.images.jpeg import jpeg_quality

__all__ = ["Facts", "file_facts", "jpeg_quality"]


class Facts(msgspec.Struct, frozen=True):
    """Facts of a picture.

    Attributes:
        format: ``JPEG``, ``MPO``, ``PNG``, ``WEBP``, ``AVIF``, ``TIFF``, ``BMP``, ``GIF``; ``array`` for
            pixels that came without a file.
        width: in pixels, as displayed.
        height: in pixels, as displayed.
        mode: of the samples as stored, in Pillow's terms (``L``, ``RGB``, ``P``, ``CMYK``, ``I;16`` ...).
        bit_depth: bits a sample as stored; bits an index for palette pictures.
        bytes: size of the file, or ``None`` without one.
        sha256: of the file's bytes, 64 hexadecimal digits, or ``None`` without a file.
        frames: number of frames; only the first one is read.
        orientation: 1 to 8 as in EXIF; already applied to the pixels.
        jpeg_quality: IJG quality 1 to 100 whose luminance table is nearest, for JPEG.
        subsampling: of the chroma as J:a:b (``4:4:4``, ``4:2:2``, ``4:2:0`` ...), ``grey`` without chroma.
        progressive: whether it is coded in finer and finer scans, for JPEG.
        icc: whether a colour profile stands.
        exif: whether EXIF stands.

    Example:
        >>> Facts("array", width=2, height=1, mode="RGB", bit_depth=8).frames
        1
    """

    format: str
    width: int
    height: int
    mode: str
    bit_depth: int
    bytes: int | None = None
    sha256: str | None = None
    frames: int = 1
    orientation: int = 1
    jpeg_quality: int | None = None
    subsampling: str | None = None
    progressive: bool | None = None
    icc: bool = False
    exif: bool = False


def file_facts(raw: bytes, header: FileHeader, mode: str, width: int, height: int) -> Facts:
    """Gathers the facts of a file.

    Args:
        raw: the file's bytes.
        header: what its header says.
        mode: of the samples as stored.
        width: in pixels, as displayed.
        height: in pixels, as displayed.
    """
    return Facts(
        format=header.format,
        width=width,
        height=height,
        mode=mode,
        bit_depth=header.bit_depth,
        bytes=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        frames=header.frames,
        orientation=header.orientation,
        jpeg_quality=header.jpeg_quality,
        subsampling=header.subsampling,
        progressive=header.progressive,
        icc=header.icc,
        exif=header.exif,
    )
