"""The operations behind the perturbations, each a function of pixels, generator and plain numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from spectrace.errors import UsageError
from spectrace.images import codecs
from spectrace.images.registry import Parameter, register

Pixels = NDArray[np.uint8]

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Beyond this a resize is a slip of the pen, not a perturbation, and would only exhaust the memory.
MOST_PIXELS = 2**28

_KERNEL = Parameter("kernel", "word", words=tuple(KERNELS), default="bicubic")


@register("identity")
def identity(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Leaves the picture as it is."""
    return pixels


@register("flip")
def flip(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Mirrors left and right."""
    return pixels[:, ::-1]


@register(
    "jpeg",
    Parameter("quality", "int", 1, 100),
    Parameter("subsampling", "word", words=codecs.SUBSAMPLINGS, default="4:2:0"),
)
def jpeg(pixels: Pixels, rng: np.random.Generator, *, quality: int, subsampling: str) -> Pixels:
    """Encodes as baseline JPEG and decodes again."""
    return codecs.decode_jpeg(codecs.encode_jpeg(pixels, quality, subsampling))


@register("webp", Parameter("quality", "int", 0, 100))
def webp(pixels: Pixels, rng: np.random.Generator, *, quality: int) -> Pixels:
    """Encodes as lossy WebP and decodes again."""
    return codecs.decode_webp(codecs.encode_webp(pixels, quality))


@register("resize", Parameter("scale", "float", 0, 16, above_low=True), _KERNEL)
def resize(pixels: Pixels, rng: np.random.Generator, *, scale: float, kernel: str) -> Pixels:
    """Resizes both sides by a factor; all kernels but nearest are widened when shrinking (antialiased)."""
    height, width = pixels.shape[:2]
    return _resize_to(pixels, max(1, round(height * scale)), max(1, round(width * scale)), kernel)


@register("crop-resize", Parameter("fraction", "float", 0, 0.99), _KERNEL)
def crop_resize(pixels: Pixels, rng: np.random.Generator, *, fraction: float, kernel: str) -> Pixels:
    """Cuts a fraction off each side's length, at a random place, and resizes back to the old size."""
    height, width = pixels.shape[:2]
    kept_height, kept_width = max(1, round(height * (1 - fraction))), max(1, round(width * (1 - fraction)))
    top = int(rng.integers(height - kept_height, endpoint=True))
    left = int(rng.integers(width - kept_width, endpoint=True))
    return _resize_to(pixels[top : top + kept_height, left : left + kept_width], height, width, kernel)


@register(
    "shift", Parameter("rows", "int", 0, 1024, default=0), Parameter("columns", "int", 0, 1024, default=0)
)
def shift(pixels: Pixels, rng: np.random.Generator, *, rows: int, columns: int) -> Pixels:
    """Cuts rows off the top and columns off the left: what was encoded before lies on another grid then."""
    height, width = pixels.shape[:2]
    return pixels[min(rows, height - 1) :, min(columns, width - 1) :]


@register("blur", Parameter("sigma", "float", 0, 100))
def blur(pixels: Pixels, rng: np.random.Generator, *, sigma: float) -> Pixels:
    """Blurs with a true Gaussian, cut off at 4 sigma; the border is mirrored."""
    # scipy.ndimage takes longer to import than most perturbations take to run.
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415

    blurred = gaussian_filter(pixels, (sigma, sigma, 0), output=np.float32, mode="reflect")
    return _to_uint8(blurred)


@register("noise", Parameter("std", "float", 0, 255))
def noise(pixels: Pixels, rng: np.random.Generator, *, std: float) -> Pixels:
    """Adds white Gaussian noise, independent in each pixel and channel."""
    grain = rng.standard_normal(pixels.shape, dtype=np.float32)
    grain *= np.float32(std)
    grain += pixels
    return _to_uint8(grain)


@register("gamma", Parameter("gamma", "float", 0.05, 20))
def gamma(pixels: Pixels, rng: np.random.Generator, *, gamma: float) -> Pixels:
    """Raises pixels, scaled to 0..1, to a power: above 1 darkens."""
    table = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return table[pixels]


@register("rotate", Parameter("degrees", "float", -180, 180))
def rotate(pixels: Pixels, rng: np.random.Generator, *, degrees: float) -> Pixels:
    """Turns the picture about its centre, counter-clockwise, bilinear; what comes in is black."""
    return np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BILINEAR))


@register(
    "jitter",
    Parameter("brightness", "float", 0, 1, default=0.0),
    Parameter("contrast", "float", 0, 1, default=0.0),
    Parameter("saturation", "float", 0, 1, default=0.0),
)
def jitter(
    pixels: Pixels, rng: np.random.Generator, *, brightness: float, contrast: float, saturation: float
) -> Pixels:
    """Scales brightness, contrast and saturation, each by a factor within 1 - strength to 1 + strength."""
    image = Image.fromarray(pixels)
    steps = (
        (ImageEnhance.Brightness, brightness),
        (ImageEnhance.Contrast, contrast),
        (ImageEnhance.Color, saturation),
    )
    for enhance, strength in steps:
        image = enhance(image).enhance(float(rng.uniform(1 - strength, 1 + strength)))
    return np.asarray(image)


@register("mask", Parameter("share", "float", 0, 1), Parameter("side", "int", 1, 1024, default=16))
def mask(pixels: Pixels, rng: np.random.Generator, *, share: float, side: int) -> Pixels:
    """Blackens squares of a grid from the top left, each with the probability ``share``."""
    height, width = pixels.shape[:2]
    hidden = rng.random((-(-height // side), -(-width // side))) < share
    squares = np.kron(hidden, np.ones((side, side), bool))[:height, :width]
    return np.where(squares[:, :, None], np.uint8(0), pixels)


def _resize_to(pixels: Pixels, height: int, width: int, kernel: str) -> Pixels:
    if height * width > MOST_PIXELS:
        raise UsageError(
            f"resizing to {width}x{height} pixels is beyond the {MOST_PIXELS:,} allowed: take a smaller scale"
        )
    return np.asarray(Image.fromarray(pixels).resize((width, height), KERNELS[kernel]))


def _to_uint8(values: NDArray[np.float32]) -> Pixels:
    np.rint(values, out=values)
    return np.clip(values, 0, 255, out=values).astype(np.uint8)
