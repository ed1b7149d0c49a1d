"""Which format a file is, told from its first bytes (its name does not count), and what a header says."""

from __future__ import annotations

from dataclasses import dataclass

from spectrace.errors import ImageError, ImageProblem

READABLE = ("JPEG", "MPO", "PNG", "WebP", "AVIF", "TIFF", "BMP", "GIF")

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
)
# Pictures and documents that people hand in and that are not read, so that the message can say what they are.
_FOREIGN = (
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"8BPS", "a Photoshop document"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\0\0\1\0", "an icon"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"DDS ", "a DDS texture"),
    (b"qoif", "a QOI picture"),
    (b"FUJIFILMCCD-RAW", "a camera raw file"),
    (b"IIU\0", "a camera raw file"),
    (b"IIRO", "a camera raw file"),
    (b"<svg", "an SVG drawing"),
)
_RAW_TIFF_PLACE, _RAW_TIFF_MARK = 8, b"CR\x02"


@dataclass(frozen=True)
class FileHeader:
    """What a file's header says before anything is decoded.

    Args:
        format: ``JPEG``, ``MPO``, ``PNG``, ``WEBP``, ``AVIF``, ``TIFF``, ``BMP`` or ``GIF``.
        width: in pixels, as stored; 0 where only the decoder can tell.
        height: in pixels, as stored; 0 where only the decoder can tell.
        bit_depth: bits a sample (bits an index for palette pictures).
        frames: number of frames.
        orientation: 1 to 8 as in EXIF.
        jpeg_quality: estimated IJG quality, for JPEG.
        subsampling: of the chroma, where there is such.
        progressive: whether it is coded in finer and finer scans, for JPEG.
        icc: whether a colour profile stands.
        exif: whether EXIF stands.
        complete: whether the file reaches the end that its structure announces.
        fault: why the file is not worth decoding although it could be, for the message.
        common: whether the coding is one that decoders know.
        inverted: whether CMYK values are stored turned around, as Adobe does.
    """

    format: str
    width: int = 0
    height: int = 0
    bit_depth: int = 8
    frames: int = 1
    orientation: int = 1
    jpeg_quality: int | None = None
    subsampling: str | None = None
    progressive: bool | None = None
    icc: bool = False
    exif: bool = False
    complete: bool = True
    fault: str | None = None
    common: bool = True
    inverted: bool = True


def sniff(raw: bytes) -> str:
    """Tells the format of a file from its bytes.

    Args:
        raw: the file's bytes.

    Returns:
        ``JPEG`` (also MPO), ``PNG``, ``WEBP``, ``AVIF``, ``TIFF``, ``BMP`` or ``GIF``.

    Raises:
        ImageError: it is no picture, or one of a kind that is not read; the message lacks the file's name.

    Example:
        >>> sniff(b"GIF89a...")
        'GIF'
    """
    if not raw:
        raise ImageError(ImageProblem.EMPTY, "is empty (0 bytes): nothing to decode")
    if raw[_RAW_TIFF_PLACE : _RAW_TIFF_PLACE + 3] == _RAW_TIFF_MARK and raw[:4] == b"II*\0":
        raise not_read("a camera raw file")
    for signature, name in _SIGNATURES:
        if raw.startswith(signature):
            return name
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "WEBP"
    if raw[4:8] == b"ftyp":
        return _sniff_boxes(raw)
    for signature, name in _FOREIGN:
        if raw.startswith(signature):
            raise not_read(name)
    raise ImageError(
        ImageProblem.NOT_AN_IMAGE, f"is not a picture ({len(raw):,} bytes): wanted {', '.join(READABLE)}"
    )


def not_read(what: str) -> ImageError:
    """The error for a kind of picture that is not read; the message lacks the file's name.

    Example:
        >>> str(not_read("an icon"))
        'is an icon, which is not read: save it as PNG or JPEG first'
    """
    return ImageError(ImageProblem.UNSUPPORTED, f"is {what}, which is not read: save it as PNG or JPEG first")


def _sniff_boxes(raw: bytes) -> str:
    """Tells AVIF from the other formats that are made of ISO base media boxes (ISO 14496-12)."""
    size = min(int.from_bytes(raw[:4], "big"), 256)
    if len(raw) < max(size, 12):
        raise ImageError(ImageProblem.TRUNCATED, "ends within its first box: get the file again")
    major, compatible = raw[8:12], raw[16:size]
    brands = {major, *(compatible[i : i + 4] for i in range(0, len(compatible) - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if major == b"crx ":
        raise not_read("a camera raw file")
    if brands & {b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"heim", b"heis"}:
        raise not_read("a HEIC picture")
    raise not_read("a video")
