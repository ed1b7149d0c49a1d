"""The one decoder: any source to pixels and facts, within limits, with one kind of error."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from spectrace.errors import ImageError, ImageProblem
from spectrace.images.colour import Pixels, array_to_rgb, image_to_rgb
from spectrace.images.directory import ORIENTATION, exif_orientation
from spectrace.images.facts import Facts, file_facts, jpeg_quality
from spectrace.images.formats import FileHeader
from spectrace.images.headers import read_header
from spectrace.images.pillow import open_image, quiet
from spectrace.images.png import holds_all_rows, only_pixels
from spectrace.images.reading import limited_bytes, one_line, read_file_object, read_path, source_name

__all__ = ["Limits", "Picture", "Pixels", "Source", "decode"]

Source = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | NDArray[Any]

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BIT_DEPTHS = {"1": 1, "I": 32, "F": 32}
_SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_NOT_SUPPORTED = ("not supported", "unsupported", "cannot handle", "unknown pixel mode", "conversion from")


@dataclass(frozen=True)
class Limits:
    """What a source may ask for before it is refused.

    Args:
        pixels: width times height, judged from the header before anything is decoded.
        file_bytes: size of the file.
        frames: number of frames, although only the first one is read.
    """

    pixels: int = 120_000_000
    file_bytes: int = 512 * 2**20
    frames: int = 10_000


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture.

    Args:
        pixels: uint8 ``[H, W, 3]`` RGB in displayed orientation, read-only.
        facts: of the file, or of the array where there was none.
        raw: the file's bytes where the source was a file, bytes or a file object.
    """

    pixels: Pixels
    facts: Facts
    raw: bytes | None = None


def decode(source: Source, limits: Limits = Limits()) -> Picture:
    """Decodes a picture.

    Reads JPEG, MPO, PNG, WebP, AVIF, TIFF, BMP and GIF, the first frame of several. The format is told from
    the content, never from the name. EXIF orientation is applied, alpha composited over white, everything
    brought to 8-bit RGB (see :mod:`spectrace.images.colour`); pixels are never resampled and colour profiles
    not applied. May be called from many threads; emits no warnings and changes no setting of Pillow.

    Args:
        source: path, bytes, binary file object (read from its beginning), PIL image (its current frame) or
            array (uint8, uint16, float 0..1 or bool; ``[H, W]`` or ``[H, W, C]`` with C of 1, 3 or 4).
        limits: what to refuse.

    Returns:
        Pixels, facts and the file's bytes.

    Raises:
        ImageError: the only kind of error for a source that cannot be decoded; its ``problem`` says why, its
            message is one line that begins with the source's name.

    Example:
        >>> picture = decode(np.zeros((4, 6), dtype=np.uint8))
        >>> picture.pixels.shape, picture.facts.format
        ((4, 6, 3), 'array')
        >>> decode(b"not a picture")
        Traceback (most recent call last):
        ...
        spectrace.errors.ImageError: the bytes given is not a picture (13 bytes): wanted JPEG, MPO, PNG, ...
    """
    try:
        with quiet():
            return _decode(source, limits)
    except ImageError as error:
        raise ImageError(error.problem, f"{source_name(source)} {error}") from None


def _decode(source: Source, limits: Limits) -> Picture:
    if isinstance(source, np.ndarray):
        return _decode_array(source, limits)
    if isinstance(source, Image.Image):
        return _decode_image(source, limits)
    if isinstance(source, str | os.PathLike):
        return _decode_file(read_path(source, limits.file_bytes), limits)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode_file(limited_bytes(source, limits.file_bytes), limits)
    if callable(getattr(source, "read", None)):
        return _decode_file(read_file_object(source, limits.file_bytes), limits)
    raise ImageError(
        ImageProblem.UNSUPPORTED,
        "is no picture: wanted a path, bytes, binary file object, PIL image or array",
    )


def _decode_array(array: NDArray[Any], limits: Limits) -> Picture:
    if array.ndim >= 2:
        _check("pixels", array.shape[0] * array.shape[1], limits.pixels)
    pixels = array_to_rgb(array)
    height, width, _ = pixels.shape
    mode = {1: "L", 4: "RGBA"}.get(1 if array.ndim == 2 else array.shape[2], "RGB")
    depth = 1 if array.dtype == np.bool_ else 8 * array.dtype.itemsize
    return Picture(pixels, Facts("array", width, height, mode, depth))


def _decode_file(raw: bytes, limits: Limits) -> Picture:
    header = read_header(raw, limits.frames)
    _check("pixels", header.width * header.height, limits.pixels)
    _check("frames", header.frames, limits.frames)
    fault = header.fault
    if header.format != "AVIF" and not header.width * header.height:
        fault = f"states a size of {header.width}x{header.height} pixels"
    if fault is not None:
        problem = ImageProblem.CORRUPT if header.complete else ImageProblem.TRUNCATED
        raise ImageError(problem, f"is a {header.format} that {fault}: get the file again")
    try:
        return _load(raw, raw, header, limits)
    except ImageError:
        raise
    except Exception as error:  # broken files make Pillow raise errors of almost any kind
        if header.format == "PNG" and header.complete:
            return _decode_png_pixels(raw, header, limits)
        raise _explain(error, header, raw) from None


def _decode_png_pixels(raw: bytes, header: FileHeader, limits: Limits) -> Picture:
    """Second try on a PNG: a bad or huge text chunk is no reason to refuse its pixels."""
    try:
        return _load(raw, only_pixels(raw), header, limits)
    except ImageError:
        raise
    except Exception as error:
        raise _explain(error, header, raw) from None


def _load(raw: bytes, decodable: bytes, header: FileHeader, limits: Limits) -> Picture:
    image = open_image(decodable, header.format)
    if header.format == "AVIF":
        header = replace(header, frames=int(getattr(image, "n_frames", 1)))
        _check("frames", header.frames, limits.frames)
    if header.format in ("AVIF", "WEBP"):
        header = replace(header, orientation=exif_orientation(image.info.get("exif") or b""))
    # Once more: this is the size that would be allocated, whatever the header seemed to say.
    _check("pixels", image.width * image.height, limits.pixels)
    mode = image.mode
    image.load()
    if header.format == "PNG" and _may_lack_rows(image) and not holds_all_rows(decodable):
        fault = f"is a PNG that states {image.height} rows of pixels, but has fewer: get the file again"
        raise ImageError(ImageProblem.TRUNCATED, fault)
    # Pillow turns a TIFF itself, and only a TIFF.
    upright = image if header.format == "TIFF" else _turn(image, header.orientation)
    pixels = image_to_rgb(upright, header.bit_depth, inverted=header.inverted)
    height, width, _ = pixels.shape
    return Picture(pixels, file_facts(raw, header, mode, width, height), raw)


def _decode_image(image: Image.Image, limits: Limits) -> Picture:
    if not (image.width and image.height):
        raise ImageError(ImageProblem.EMPTY, f"holds no pixel, it is {image.width}x{image.height}")
    _check("pixels", image.width * image.height, limits.pixels)
    try:
        frames = int(getattr(image, "n_frames", 1))
        _check("frames", frames, limits.frames)
        mode = image.mode
        image.load()
        orientation = int(image.getexif().get(ORIENTATION, 1))
        pixels = image_to_rgb(_turn(image, orientation), _BIT_DEPTHS.get(mode, 16 if "16" in mode else 8))
    except ImageError:
        raise
    except Exception as error:  # a lazy image is a file that may be broken
        raise _explain(error, FileHeader(image.format or "image"), None) from None
    height, width, _ = pixels.shape
    tables = getattr(image, "quantization", None) or {}
    return Picture(
        pixels,
        Facts(
            format=image.format or "array",
            width=width,
            height=height,
            mode=mode,
            bit_depth=_BIT_DEPTHS.get(mode, 16 if "16" in mode else 8),
            frames=frames,
            orientation=orientation if orientation in _TRANSPOSITIONS else 1,
            jpeg_quality=jpeg_quality(tables[0]) if 0 in tables else None,
            subsampling=_SAMPLINGS.get(get_sampling(image)) if tables else None,
            progressive="progressive" in image.info if tables else None,
            icc=bool(image.info.get("icc_profile")),
            exif=bool(image.info.get("exif")),
        ),
    )


def _may_lack_rows(image: Image.Image) -> bool:
    """Whether the end of the picture looks as Pillow leaves it where there are no data: zero."""
    last = image.crop((0, image.height - 1, image.width, image.height))
    return bool(image.info.get("interlace")) or not np.asarray(last).any()


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    turn = _TRANSPOSITIONS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _check(what: Literal["pixels", "frames"], found: int, limit: int) -> None:
    if found > limit:
        problem = ImageProblem.TOO_MANY_PIXELS if what == "pixels" else ImageProblem.TOO_MANY_FRAMES
        # Counting frames stops at the limit, so their number is not known.
        count = f"{found:,}" if what == "pixels" else f"more than {limit:,}"
        raise ImageError(problem, f"has {count} {what}, the limit is {limit:,}: raise the limit to read it")


def _explain(error: Exception, header: FileHeader, raw: bytes | None) -> ImageError:
    """What a decoder's error means, in the words of this package."""
    words = one_line(error)
    kind = f"{'an' if header.format in ('AVIF', 'MPO') else 'a'} {header.format}"
    if raw is not None:
        kind += f" of {len(raw):,} bytes"
    if isinstance(error, MemoryError):
        return ImageError(
            ImageProblem.UNREADABLE, f"is {kind} that needs more memory than there is: make it smaller"
        )
    if isinstance(error, Image.DecompressionBombError):
        return ImageError(
            ImageProblem.TOO_MANY_PIXELS,
            f"is {kind} with more pixels than Pillow allows: raise PIL.Image.MAX_IMAGE_PIXELS too",
        )
    if not header.complete or "truncated" in words.lower():
        return ImageError(ImageProblem.TRUNCATED, f"is {kind} whose end is missing: get the file again")
    if not header.common or any(phrase in words.lower() for phrase in _NOT_SUPPORTED):
        return ImageError(
            ImageProblem.UNSUPPORTED,
            f"is {kind} in a coding that is not read ({words}): save it as PNG first",
        )
    return ImageError(ImageProblem.CORRUPT, f"is {kind} that is damaged ({words}): get the file again")
