"""Any pixels to 8-bit RGB: modes of Pillow, and arrays.

One rule for each kind. Alpha is composited over white. 16-bit samples are reduced to their high byte, which
gives pictures that once had 8 bits back exactly, however they were widened. Samples without a stated range
(32-bit whole numbers, floats in files) are taken as 0..1, 0..255 or 0..65535, whichever is the narrowest that
holds them all, and are else stretched from their least to their largest. Colour profiles are not applied:
detectors read the stored values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.errors import ImageError, ImageProblem

Pixels = NDArray[np.uint8]

# Measured: up to a megapixel one piece is fastest, beyond that bands that stay in the processor's cache.
_ONE_PIECE_PIXELS, _BAND_PIXELS = 2**20, 2**17
_WANTED = "uint8, uint16, float 0..1 or bool, shaped [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]"


def image_to_rgb(image: Image.Image, bit_depth: int, *, inverted: bool = True) -> Pixels:
    """Converts a loaded Pillow image.

    Args:
        image: in any mode that Pillow reads pictures into.
        bit_depth: bits a sample as stored, for modes wider than that.
        inverted: whether CMYK values of a JPEG were stored turned around, as Pillow takes for granted.

    Returns:
        uint8 ``[H, W, 3]``, read-only.

    Raises:
        ImageError: there is no way from the mode to RGB; the message lacks the source's name.

    Example:
        >>> image_to_rgb(Image.new("LA", (1, 1), (0, 128)), 8).tolist()
        [[[127, 127, 127]]]
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _samples_to_rgb(image, bit_depth)
    if image.mode == "CMYK" and not inverted:
        image = Image.eval(image, lambda ink: 255 - ink)
    if image.has_transparency_data:
        image = _over_white(image)
    elif image.mode != "RGB":
        image = image.convert("RGB")
    return _rgb_pixels(image)


def array_to_rgb(array: NDArray[Any]) -> Pixels:
    """Converts an array.

    Args:
        array: uint8, uint16 (0..65535), float (0..1) or bool, shaped ``[H, W]`` or ``[H, W, 1]`` (grey),
            ``[H, W, 3]`` (RGB) or ``[H, W, 4]`` (RGBA).

    Returns:
        uint8 ``[H, W, 3]``, read-only, a copy.

    Raises:
        ImageError: the array is anything else, or empty; the message lacks the source's name.

    Example:
        >>> array_to_rgb(np.array([[0.0, 1.0]])).tolist()
        [[[0, 0, 0], [255, 255, 255]]]
    """
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(ImageProblem.UNSUPPORTED, f"is shaped {list(array.shape)}: wanted {_WANTED}")
    if array.size == 0:
        raise ImageError(ImageProblem.EMPTY, f"holds no pixel, it is shaped {list(array.shape)}")
    values = _array_bytes(array)
    if values.shape[2] == 4:
        return _rgb_pixels(_over_white(Image.fromarray(np.ascontiguousarray(values))))
    pixels = np.empty((*values.shape[:2], 3), dtype=np.uint8)
    pixels[...] = values
    pixels.flags.writeable = False
    return pixels


def _array_bytes(array: NDArray[Any]) -> Pixels:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return _stated_samples(array, 16)
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if low >= 0 and high <= 1:
            return np.rint(array.astype(np.float64) * 255).astype(np.uint8)
        raise ImageError(
            ImageProblem.UNSUPPORTED,
            f"holds floats from {low:g} to {high:g}: wanted 0 to 1, scale them first",
        )
    raise ImageError(ImageProblem.UNSUPPORTED, f"is of type {array.dtype}: wanted {_WANTED}")


def _samples_to_rgb(image: Image.Image, bit_depth: int) -> Pixels:
    samples = np.asarray(image)
    grey = _stated_samples(samples, bit_depth) if image.mode.startswith("I;16") else _free_samples(samples)
    transparency = image.info.get("transparency")
    if isinstance(transparency, int):
        grey = np.where(samples == transparency, np.uint8(255), grey)
    pixels = np.repeat(grey[:, :, None], 3, axis=2)
    pixels.flags.writeable = False
    return pixels


def _stated_samples(samples: NDArray[Any], bit_depth: int) -> Pixels:
    shifted = samples >> max(0, min(bit_depth, 16) - 8)
    pixels: Pixels = np.minimum(shifted, 255).astype(np.uint8)
    return pixels


def _free_samples(samples: NDArray[Any]) -> Pixels:
    low, high = float(samples.min()), float(samples.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(
            ImageProblem.UNSUPPORTED, "holds samples that are not finite numbers: mend them first"
        )
    whole = samples.dtype.kind != "f"
    if low >= 0 and high <= (0 if whole else 1):
        scaled = samples * 255.0
    elif low >= 0 and high <= 255:
        scaled = samples.astype(np.float64)
    elif low >= 0 and high <= 65535:
        scaled = np.floor(samples / 256.0)
    else:
        scaled = (samples.astype(np.float64) - low) * (255.0 / (high - low or 1.0))
    return np.rint(scaled).astype(np.uint8)


def _over_white(image: Image.Image) -> Image.Image:
    transparency = image.info.get("transparency")
    if isinstance(transparency, tuple) and max(transparency) > 255:
        # The key colour has the file's 16 bits, the pixels were reduced to 8 while decoding.
        image = image.copy()
        image.info["transparency"] = tuple(sample >> 8 for sample in transparency)
    if image.mode in ("La", "PA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.mode != "RGBA":
        image = image.convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image)
    return page


def _rgb_pixels(image: Image.Image) -> Pixels:
    """Copies the pixels out; ``np.asarray`` of a large picture would build it twice."""
    width, height = image.size
    if width * height <= _ONE_PIECE_PIXELS:
        return np.asarray(image)
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    pixels.flags.writeable = False
    return pixels
