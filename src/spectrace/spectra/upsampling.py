"""Integer upsampling by zero insertion and a kernel, and the 1/f noise to try it on.

This is the mechanism behind a generator's prints: zero insertion repeats the low-resolution spectrum with a
period of ``1 / factor`` cycles per pixel, and the kernel only dampens the copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from spectrace.errors import UsageError

KERNELS: dict[str, tuple[float, ...]] = {
    "zero-insertion": (1.0,),
    "nearest": (1.0, 1.0),
    "bilinear": (0.5, 1.0, 0.5),
    "binomial": (0.25, 0.75, 0.75, 0.25),
    "binomial5": (0.125, 0.5, 0.75, 0.5, 0.125),
}
"""One-dimensional kernels that follow zero insertion by 2 (Frank et al. 2020, section 4.2)."""
PHOTOGRAPHIC_SLOPE = 1.3
"""Amplitudes of the corpus' photographs fall about as the frequency to this power."""


def upsample(x: NDArray[Any], factor: int, kernel: str) -> NDArray[np.float64]:
    """Upsample by doubling again and again, as generators do.

    Args:
        x: ``[H, W]`` or ``[H, W, C]``.
        factor: 1, 2, 4, 8 or a higher power of two.
        kernel: a name in :data:`KERNELS`.

    Returns:
        float64 ``[H factor, W factor]`` (or with C), values as the kernel gives them, not clipped.

    Raises:
        UsageError: an unknown kernel or a factor that is no power of two.

    Example:
        >>> upsample(np.array([[1, 2]]), 2, "nearest").tolist()
        [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]
        >>> upsample(np.array([[1, 2]]), 2, "zero-insertion").tolist()
        [[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    if kernel not in KERNELS:
        raise UsageError(f"upsampling kernel {kernel!r} is unknown: use one of {', '.join(KERNELS)}")
    if factor < 1 or factor & (factor - 1):
        raise UsageError(f"upsampling by {factor}: wanted 1, 2, 4, 8 or a higher power of two")
    weights = np.array(KERNELS[kernel])
    # An even kernel reaches one sample further to the right, so that nearest copies a sample onto its own
    # pair and binomial stays centred on it.
    origin = -1 if weights.size % 2 == 0 else 0
    result = np.asarray(x, dtype=np.float64)
    while factor > 1:
        doubled = np.zeros((result.shape[0] * 2, result.shape[1] * 2, *result.shape[2:]))
        doubled[::2, ::2] = result
        for axis in (0, 1):
            doubled = ndimage.convolve1d(doubled, weights, axis=axis, mode="grid-wrap", origin=origin)
        result = doubled
        factor //= 2
    return result


def predicted_ratio(
    kernel: str, frequency: NDArray[np.float64], slope: float = PHOTOGRAPHIC_SLOPE
) -> NDArray[np.float64]:
    """What doubling with a kernel does to the amplitude along a spectrum's diagonal, as a formula.

    Pictures whose amplitude falls as ``1 / frequency ** slope``, at half the size, after :func:`upsample` by
    2, against such pictures at full size.

    Args:
        kernel: a name in :data:`KERNELS`.
        frequency: along each axis, in cycles per pixel, above 0 and below 0.5.
        slope: 1 for 1/f noise, about 1.3 for photographs.

    Returns:
        Natural log of the ratio, float64 of the same shape; 0 towards the zero frequency.

    Example:
        >>> predicted_ratio("nearest", np.array([0.01, 0.25, 0.49]), slope=1.0).round(1).tolist()
        [-0.0, -0.7, -3.0]
        >>> predicted_ratio("zero-insertion", np.array([0.01, 0.25, 0.49]), slope=1.0).round(1).tolist()
        [0.0, 0.0, 3.9]
    """
    weights = np.array(KERNELS[kernel])
    turns = np.exp(-2j * np.pi * np.multiply.outer(frequency, np.arange(weights.size)))
    response = np.abs(turns @ weights) / weights.sum()
    copied = np.minimum(frequency, 0.5 - frequency)
    return np.asarray(2 * np.log(response) + slope * np.log(frequency / copied), dtype=np.float64)


def noise_picture(
    size: int, kernel: str | None = None, factor: int = 2, seed: int | np.random.Generator = 0
) -> NDArray[np.uint8]:
    """Grey noise with the spectrum of photographs, upsampled as a generator does.

    Args:
        size: side in pixels, a multiple of the factor.
        kernel: a name in :data:`KERNELS`; None for noise at its native size.
        factor: a power of two.
        seed: an integer, or a generator to draw from.

    Returns:
        uint8 ``[size, size]``, around 128, standard deviation 40 before upsampling.

    Raises:
        UsageError: an unknown kernel or a factor that is no power of two.

    Example:
        >>> noise_picture(64, "nearest")[:2, :2].std()
        np.float64(0.0)
    """
    noise = pink_noise(size // factor if kernel else size, seed, PHOTOGRAPHIC_SLOPE)
    noise = noise * (40 / noise.std()) + 128
    large = upsample(noise, factor, kernel) if kernel else noise
    return np.clip(np.rint(large), 0, 255).astype(np.uint8)


def pink_noise(size: int, seed: int | np.random.Generator = 0, slope: float = 1.0) -> NDArray[np.float64]:
    """Noise whose amplitude falls as one over the frequency, like that of photographs.

    White Gaussian noise of variance one whose spectrum is divided by the frequency in cycles per pixel; the
    mean is zero.

    Args:
        size: side in pixels.
        seed: an integer, or a generator to draw from.
        slope: the power of the frequency by which it falls.

    Returns:
        float64 ``[size, size]``.

    Example:
        >>> noise = pink_noise(64)
        >>> noise.shape, abs(float(noise.mean())) < 1e-12
        ((64, 64), True)
    """
    white = np.random.default_rng(seed).standard_normal((size, size))
    radius = np.hypot(fft.fftfreq(size)[:, None], fft.rfftfreq(size)[None, :])
    radius[0, 0] = np.inf
    return np.asarray(fft.irfft2(fft.rfft2(white) / radius**slope, s=(size, size)), dtype=np.float64)
