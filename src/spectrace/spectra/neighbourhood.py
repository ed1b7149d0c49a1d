"""How far the frequencies of an upsampling lattice rise above their neighbours."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERIODS = (2, 3, 4, 8)

FREQUENCIES: dict[float, float] = {
    k / period: float(period)
    for period in PERIODS
    for k in range(1, period // 2 + 1)
    if Fraction(k, period).denominator == period
}
"""Lattice frequencies along one axis (cycles per pixel, up to 0.5) and the period of each in pixels."""


def _lattice() -> tuple[tuple[float, float, float], ...]:
    """Every lattice frequency of a plane once: those at ``-f`` are the same in a real picture."""
    points: dict[tuple[Fraction, Fraction], int] = {}
    for period in PERIODS:
        steps = [Fraction(k, period) for k in range(-((period - 1) // 2), period // 2 + 1)]
        for fy in steps:
            for fx in steps:
                mirror = tuple(-f if abs(f) < Fraction(1, 2) else f for f in (fy, fx))
                upper = fx > 0 or (fx == 0 and fy > 0)
                if upper and mirror not in points:
                    points[fy, fx] = lcm(fy.denominator, fx.denominator)
    return tuple((float(period), float(fy), float(fx)) for (fy, fx), period in points.items())


LATTICE = _lattice()
"""``(period, fy, fx)`` of every lattice frequency of a plane."""

_REACH = 14  # bins to either side along a line
_REACH_2D = 6
_LOBE = 1  # bins to either side that a Hann window spreads a pure frequency over
_FLOOR = 1e-9  # of the power a sample: below it lies rounding


def line_strength(power: NDArray[np.float64]) -> dict[float, float]:
    """Strength of each lattice frequency in a one-dimensional power spectrum.

    Args:
        power: ``[n]``, zero frequency first, n a multiple of 24, of a Hann-windowed signal.

    Returns:
        Frequency (cycles per pixel) to its power over the median of its neighbours, in dB.

    Example:
        >>> power = np.ones(96)
        >>> power[48] = 1000.0
        >>> round(line_strength(power)[0.5], 2)
        30.0
    """
    n = power.size
    lattice = {round(sign * f * n) % n for f in (0.0, *FREQUENCIES) for sign in (-1, 1)}
    taken = {(bin_ + shift) % n for bin_ in lattice for shift in range(-_LOBE, _LOBE + 1)}
    reach = min(_REACH, max(n // 12, 5))
    result = {}
    for f in FREQUENCIES:
        bin_ = round(f * n)
        around = [(bin_ + shift) % n for shift in range(-reach, reach + 1)]
        neighbours = power[[other for other in around if other not in taken]]
        result[f] = _decibel(power[bin_], float(np.median(neighbours)), _FLOOR * n)
    return result


def plane_strength(power: NDArray[Any]) -> dict[tuple[float, float, float], float]:
    """Strength of each lattice frequency in a two-dimensional power spectrum.

    On an axis the neighbours along the axis count as well where they are stronger: the straight edges of
    buildings and horizons raise the whole axis.

    Args:
        power: ``[H, W]``, zero frequency at ``[0, 0]``, sides multiples of 24, of a Hann-windowed picture.

    Returns:
        ``(period, fy, fx)`` to its power over the median of its neighbours, in dB.

    Example:
        >>> power = np.ones((48, 48))
        >>> power[24, 0] = 100.0
        >>> round(plane_strength(power)[2, 0.5, 0.0], 2)
        20.0
    """
    height, width = power.shape
    shifts = np.arange(-_REACH_2D, _REACH_2D + 1)
    ring = np.maximum(np.abs(shifts)[:, None], np.abs(shifts)) > _LOBE
    far = shifts[np.abs(shifts) > _LOBE]
    result = {}
    for period, fy, fx in LATTICE:
        y, x = round(fy * height), round(fx * width)
        patch = power[np.ix_((y + shifts) % height, (x + shifts) % width)]
        level = float(np.median(patch[ring]))
        if fy == 0 or fx == 0:
            along = power[0, (x + far) % width] if fy == 0 else power[(y + far) % height, 0]
            level = max(level, float(np.median(along)))
        result[period, fy, fx] = _decibel(power[y, x], level, _FLOOR * height * width)
    return result


def _decibel(power: float, level: float, floor: float) -> float:
    return float(10 * np.log10((power + floor) / (level + floor)))
