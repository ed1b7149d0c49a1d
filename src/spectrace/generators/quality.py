"""What an attack costs in picture quality: PSNR and SSIM against the picture before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from spectrace.errors import UsageError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

_SIGMA, _RADIUS = 1.5, 5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(before: Pixels, after: Pixels) -> Floats:
    """Peak signal-to-noise ratio of each picture in dB: ``10 log10(255^2 / mean squared difference)``.

    Args:
        before: uint8 [N, H, W, 3].
        after: the same shape.

    Returns:
        float64 [N]; infinite where nothing was changed.

    Raises:
        UsageError: the shapes differ.

    Example:
        >>> black = np.zeros((1, 8, 8, 3), np.uint8)
        >>> psnr(black, black + 1).round(2).tolist(), psnr(black, black).tolist()
        ([48.13], [inf])
    """
    _check(before, after)
    error = ((before.astype(np.float64) - after) ** 2).mean((1, 2, 3))
    with np.errstate(divide="ignore"):
        decibels: Floats = 10.0 * np.log10(255.0**2 / error)
    return decibels


def ssim(before: Pixels, after: Pixels) -> Floats:
    """Structural similarity of each picture: means over the channels and all places of the window.

    The window is a Gaussian of 1.5 pixels, cut off at 5, population moments, and lies inside the picture, as
    published: Wang et al. 2004, *Image quality assessment: from error visibility to structural similarity*.

    Args:
        before: uint8 [N, H, W, 3], no side below 11.
        after: the same shape.

    Returns:
        float64 [N], at most 1.

    Raises:
        UsageError: the shapes differ, or pictures smaller than the window.

    Example:
        >>> grey = np.full((1, 16, 16, 3), 128, np.uint8)
        >>> ssim(grey, grey).tolist()
        [1.0]
    """
    _check(before, after)
    if min(before.shape[1:3]) < 2 * _RADIUS + 1:
        raise UsageError(f"pictures of {before.shape[2]}x{before.shape[1]} pixels: SSIM needs 11 a side")
    return np.array([_ssim(x, y) for x, y in zip(before, after, strict=True)], dtype=np.float64)


def _ssim(before: Pixels, after: Pixels) -> float:
    x, y = before.astype(np.float64), after.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    luminance = (2.0 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2.0 * covariance + _C2) / (variance_x + variance_y + _C2)
    return float((luminance * structure)[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS].mean())


def _blurred(values: Floats) -> Floats:
    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    return correlate1d(correlate1d(values, weights, axis=0), weights, axis=1)


def _check(before: Pixels, after: Pixels) -> None:
    if before.shape != after.shape or before.ndim != 4:
        raise UsageError(
            f"pictures to compare are {list(before.shape)} and {list(after.shape)}: "
            "wanted [N, H, W, 3] of the same shape"
        )
