"""Lattice peaks in the mean spectrum of a set of pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spectrace.spectra.neighbourhood import plane_strength
from spectrace.spectra.peaks import Peak, longest

# The mean of n log spectra scatters by 5.6 / sqrt(n) dB around its level: 4.5 such deviations, and 3 dB for
# what real sets show beyond chance. No set of lossless camera pictures of the corpus reaches this; sets of
# JPEG files do, up to 11 dB, at every lattice frequency: hence the flag.
_FLOOR = 3.0
_SCATTER = 25.0


def find_mean_peaks(mean_decibel: NDArray[Any], count: int, *, jpeg: bool) -> list[Peak]:
    """Find the lattice peaks that a whole set has in common.

    Works on the mean of log power, which a single picture with a strong texture cannot sway. Interpolation
    that leaves no peak in any spectrum (nearest, bilinear) does not show here; it does picture by picture,
    see :class:`~spectrace.spectra.census.PeakCensus`.

    Args:
        mean_decibel: ``[S, S]``, mean over the pictures of their FFT power in dB (Hann-windowed crops), zero
            frequency in the middle.
        count: pictures in the mean.
        jpeg: whether a good part of the set are JPEG files or carry their block grid: then its periods 2, 4
            and 8 are named ``jpeg-grid``, since JPEG coding prints all of them.

    Returns:
        At most one peak a direction and family of periods, strongest first, with trace ``mean-spectrum``.

    Example:
        >>> level = np.random.default_rng(0).normal(20, 0.5, (64, 64))
        >>> level[32, 0] += 15
        >>> [peak.label for peak in find_mean_peaks(level, 100, jpeg=False)]
        ['period 2 px horizontally, 15 dB over its neighbourhood']
    """
    strengths = plane_strength(fft.ifftshift(10.0 ** (mean_decibel / 10)))
    threshold = _FLOOR + _SCATTER / np.sqrt(max(count, 1))
    return longest(
        Peak(
            period, (fy, fx), strength, "jpeg-grid" if jpeg and period != 3 else "upsampling", "mean-spectrum"
        )
        for (period, fy, fx), strength in strengths.items()
        if strength >= threshold
    )
