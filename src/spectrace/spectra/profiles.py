"""One-dimensional profiles of spectra: over the radius, over the direction, along the diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Profile = tuple[NDArray[np.float64], NDArray[np.float64]]


def _frequencies(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    fy = (np.arange(height) - height // 2) / height
    fx = (np.arange(width) - width // 2) / width
    return fy[:, None], fx[None, :]


def radial_profile(power: NDArray[Any], bins: int | None = None) -> Profile:
    """Mean power over rings of equal width around the zero frequency (azimuthal average).

    Args:
        power: ``[..., H, W]`` with the zero frequency at ``[H // 2, W // 2]``, as :func:`power` gives it.
        bins: rings up to 0.5 cycles per pixel; by default half the shorter side, one ring a frequency.

    Returns:
        The frequency in the middle of each ring (cycles per pixel, the last one 0.5), float64 ``[bins]``,
        and the mean power ``[..., bins]``. The zero frequency and the corners beyond 0.5 are left out; a
        ring without any frequency is NaN (only with more bins than the picture has frequencies).

    Example:
        >>> frequency, mean = radial_profile(np.full((8, 8), 3.0))
        >>> frequency.tolist(), mean.tolist()
        ([0.125, 0.25, 0.375, 0.5], [3.0, 3.0, 3.0, 3.0])
    """
    height, width = power.shape[-2:]
    count = bins or max(min(height, width) // 2, 1)
    fy, fx = _frequencies(height, width)
    ring = np.rint(np.hypot(fy, fx) * 2 * count).astype(np.int64) - 1
    inside = (ring >= 0) & (ring < count)
    means = _mean_by(power, np.where(inside, ring, count), count)
    return np.asarray(np.arange(1, count + 1) / (2 * count), dtype=np.float64), means


def angular_profile(
    power: NDArray[Any], bins: int = 36, *, lowest: float = 0.05, highest: float = 0.5
) -> Profile:
    """Mean power by direction, over the half circle (a real picture's spectrum is symmetric).

    Args:
        power: ``[..., H, W]`` with the zero frequency at ``[H // 2, W // 2]``.
        bins: sectors over 180 degrees; the first is centred on 0 degrees.
        lowest: rings below are left out, in cycles per pixel.
        highest: rings above are left out, in cycles per pixel.

    Returns:
        The direction of each sector in degrees (0 = horizontal frequencies, 90 = vertical ones, rows counted
        downwards), float64 ``[bins]``, and the mean power ``[..., bins]``, NaN for an empty sector.

    Example:
        >>> x = np.tile(np.cos(2 * np.pi * 0.25 * np.arange(16)), (16, 1))  # a horizontal frequency
        >>> from spectrace.spectra.transforms import power
        >>> degrees, mean = angular_profile(power(x), bins=4)
        >>> float(degrees[mean.argmax()])
        0.0
    """
    fy, fx = _frequencies(*power.shape[-2:])
    radius = np.hypot(fy, fx)
    angle = np.degrees(np.arctan2(fy, fx)) % 180.0
    width = 180.0 / bins
    sector = np.rint(angle / width).astype(np.int64) % bins
    inside = (radius > 0) & (radius >= lowest) & (radius <= highest)
    means = _mean_by(power, np.where(inside, sector, bins), bins)
    return np.asarray(np.arange(bins) * width, dtype=np.float64), means


def diagonal_profile(coefficients: NDArray[Any]) -> Profile:
    """A DCT spectrum along its diagonal, where both frequencies rise together.

    Args:
        coefficients: ``[..., S, S]``, such as the mean of ``ln|DCT|``.

    Returns:
        The frequency along each axis (cycles per pixel: index / 2S), float64 ``[S]``, and the values
        ``[..., S]``.

    Raises:
        ValueError: the spectrum is not square.

    Example:
        >>> frequency, values = diagonal_profile(np.diag([5.0, 4.0, 3.0, 2.0]))
        >>> frequency.tolist(), values.tolist()
        ([0.0, 0.125, 0.25, 0.375], [5.0, 4.0, 3.0, 2.0])
    """
    height, width = coefficients.shape[-2:]
    if height != width:
        raise ValueError(f"the diagonal of a {height} x {width} spectrum: wanted a square one")
    values = np.diagonal(coefficients, axis1=-2, axis2=-1)
    frequency = np.asarray(np.arange(height) / (2 * height), dtype=np.float64)
    return frequency, np.asarray(values, dtype=np.float64)


def _mean_by(power: NDArray[Any], label: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Mean of ``power`` over the frequencies of each label below ``count``."""
    flat = np.asarray(power, dtype=np.float64).reshape(-1, label.size)
    members = np.bincount(label.ravel(), minlength=count + 1)[:count]
    sums = np.stack([np.bincount(label.ravel(), row, minlength=count + 1)[:count] for row in flat])
    with np.errstate(invalid="ignore"):
        means = sums / members
    return np.asarray(means.reshape(*power.shape[:-2], count), dtype=np.float64)
