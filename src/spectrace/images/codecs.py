"""JPEG and WebP as perturbations: what an encoder does to the pixels it is given."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, WebPImagePlugin

from spectrace.errors import UsageError

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
JPEG_SIDE = 65_500
WEBP_SIDE = 16_383


def encode_jpeg(pixels: NDArray[np.uint8], quality: int, subsampling: str = "4:2:0") -> bytes:
    """Encodes a picture as baseline JPEG with the IJG quantisation tables.

    Args:
        pixels: uint8 ``[H, W, 3]`` RGB.
        quality: IJG quality, 1 to 100.
        subsampling: of the chroma, one of ``4:4:4``, ``4:2:2``, ``4:2:0``.

    Returns:
        The bytes of a JPEG file.

    Raises:
        UsageError: the quality or subsampling does not exist, or a side is beyond 65,500 pixels.

    Example:
        >>> encode_jpeg(np.zeros((16, 16, 3), np.uint8), quality=75)[:3].hex()
        'ffd8ff'
    """
    if not 1 <= quality <= 100:
        raise UsageError(f"a JPEG quality of {quality} does not exist: give 1 to 100")
    if subsampling not in SUBSAMPLINGS:
        raise UsageError(
            f"a JPEG subsampling of {subsampling!r} is not known: give {', '.join(SUBSAMPLINGS)}"
        )
    _check_side(pixels, "JPEG", JPEG_SIDE)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def encode_webp(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encodes a picture as lossy WebP.

    Args:
        pixels: uint8 ``[H, W, 3]`` RGB.
        quality: libwebp's quality, 0 (smallest) to 100.

    Returns:
        The bytes of a WebP file.

    Raises:
        UsageError: the quality does not exist, or a side is beyond 16,383 pixels.

    Example:
        >>> encode_webp(np.zeros((16, 16, 3), np.uint8), quality=80)[8:16]
        b'WEBPVP8 '
    """
    if not 0 <= quality <= 100:
        raise UsageError(f"a WebP quality of {quality} does not exist: give 0 to 100")
    _check_side(pixels, "WebP", WEBP_SIDE)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=quality)
    return file.getvalue()


def decode_jpeg(encoded: bytes) -> NDArray[np.uint8]:
    """Decodes what :func:`encode_jpeg` wrote; files from outside go through ``spectrace.images.decode``."""
    return np.asarray(JpegImagePlugin.JpegImageFile(io.BytesIO(encoded)))


def decode_webp(encoded: bytes) -> NDArray[np.uint8]:
    """Decodes what :func:`encode_webp` wrote; files from outside go through ``spectrace.images.decode``."""
    return np.asarray(WebPImagePlugin.WebPImageFile(io.BytesIO(encoded)))


def _check_side(pixels: NDArray[np.uint8], format_name: str, most: int) -> None:
    height, width = pixels.shape[:2]
    if max(height, width) > most:
        raise UsageError(
            f"{format_name} holds at most {most} pixels a side, this picture has {width}x{height}: "
            "make it smaller first, with resize"
        )
