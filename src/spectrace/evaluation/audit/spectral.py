"""What resampling leaves in the spectrum, and how much fine detail there is.

These traits are not only the history of the files: generators leave resampling traces of their own, and
cameras have optics and noise that generators have not. Formats can be made alike, these need not become so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spectrace.evaluation.audit.grid import middle_pixels
from spectrace.images.decode import Pixels
from spectrace.spectra.neighbourhood import FREQUENCIES, line_strength, plane_strength
from spectrace.spectra.peaks import MIN_SIDE
from spectrace.spectra.traces import Swing, traces
from spectrace.spectra.transforms import luma

_PERIODS = (2, 3, 4)
_FLOOR = 1e-3  # of power: below it lies rounding
_LEAST_FREQUENCY = 0.06  # slower swings are content
_REACH = 9  # bins to either side that a bin is compared with


def spectral_traits(pixels: Pixels) -> dict[str, float]:
    """Traits of the kind ``spectral``.

    * ``resampling_strength``, ``resampling_frequency``: the strongest periodic swing of the residual's size
      over its neighbouring frequencies, rows and columns together, and where it is; JPEG's grid is one of
      them, and so is interpolation by any factor (Gallagher 2005).
    * ``period_2``, ``period_3``, ``period_4``: the same at the lattices of upsampling, in residuals centred
      on pixels, which are blind to the grid of JPEG and to nearest at period 2.
    * ``pattern``: the strongest fixed pattern of these periods.
    * ``fine_detail``: power above 0.35 cycles per pixel over that of 0.15 to 0.25.
    * ``chroma_detail``: power of chroma above 0.25 cycles per pixel over that of luma.

    Args:
        pixels: uint8 ``[H, W, 3]``; the middle is looked at, at most 256 x 256 pixels.

    Returns:
        Their values; nothing for a picture below 50 pixels.

    Example:
        >>> from spectrace.spectra.upsampling import noise_picture
        >>> plain, doubled = (np.dstack([noise_picture(128, kernel)] * 3) for kernel in (None, "bilinear"))
        >>> spectral_traits(doubled)["period_2"] > spectral_traits(plain)["period_2"] + 20
        True
    """
    part = middle_pixels(pixels)
    if min(part.shape[:2]) < MIN_SIDE:
        return {}
    grey = luma(part)
    found = traces(grey)
    strength, frequency = _strongest(found.between)
    on = [line_strength(profile) for profile in (found.on.rows, found.on.columns)]
    swings = {
        period: max(sum(one[f] for one in on) / 2 for f, of in FREQUENCIES.items() if of == period)
        for period in _PERIODS
    }
    plane = plane_strength(found.pattern)
    ring, power = _power(grey)
    chroma = np.mean([_power(part[..., channel] - grey)[1] for channel in (0, 2)], axis=0)
    return {
        "resampling_strength": strength,
        "resampling_frequency": frequency,
        **{f"period_{period}": value for period, value in swings.items()},
        "pattern": max(value for (period, *_), value in plane.items() if period in _PERIODS),
        "fine_detail": _ratio(power, ring > 0.35, power, (ring > 0.15) & (ring <= 0.25)),
        "chroma_detail": _ratio(chroma, ring > 0.25, power, ring > 0.25),
    }


def _strongest(swing: Swing) -> tuple[float, float]:
    """The frequency at which a swing rises most over its neighbours, rows and columns together."""
    curves = []
    bins = np.linspace(_LEAST_FREQUENCY, 0.5, 257)
    for power in (swing.rows, swing.columns):
        half = power[: power.size // 2 + 1] + _FLOOR
        padded = np.pad(half, _REACH, mode="reflect")
        level = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1), axis=1)
        decibel = 10 * np.log10(half / level)
        curves.append(decibel[np.rint(bins * power.size).astype(np.int64)])
    joint = (curves[0] + curves[1]) / 2
    best = int(joint.argmax())
    return float(joint[best]), float(bins[best])


def _power(plane: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance from the zero frequency, and power, of a Hann-windowed plane."""
    height, width = plane.shape
    window = np.asarray(np.hanning(height)[:, None] * np.hanning(width), dtype=np.float32)
    spectrum = fft.rfft2((plane - plane.mean()) * window)
    distance = np.hypot(fft.fftfreq(height)[:, None], fft.rfftfreq(width))
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return distance, np.asarray(power / np.square(window).sum(), dtype=np.float64)


def _ratio(
    above: NDArray[np.float64], here: NDArray[np.bool_], below: NDArray[np.float64], there: NDArray[np.bool_]
) -> float:
    return float(10 * np.log10((above[here].mean() + _FLOOR) / (below[there].mean() + _FLOOR)))
