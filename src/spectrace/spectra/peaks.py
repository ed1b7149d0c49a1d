"""Lattice peaks: the periodic prints of upsampling in one picture, named with their period and strength."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.spectra.jpeg_grid import jpeg_grid as find_jpeg_grid
from spectrace.spectra.neighbourhood import FREQUENCIES, line_strength, plane_strength
from spectrace.spectra.traces import STRIDE, Traces, central_luma, traces

Kind = Literal["upsampling", "jpeg-grid"]
Trace = Literal["pattern", "between", "on", "mean-spectrum"]

MIN_SIDE = 2 * STRIDE + 2
"""Shorter side, in pixels, below which nothing is looked for."""

# In dB over the neighbourhood. Chosen on the train and val photographs of the corpus so that about one in a
# hundred camera pictures is called upsampled; results/peaks-false-alarms.json has the counts by source.
THRESHOLDS: dict[Trace, float] = {"pattern": 24.0, "between": 20.0, "on": 20.0}
# How far period 2 in the trace `between` must rise above the block grid's own harmonics in the same direction
# before a picture with JPEG blocks is called upsampled.
GRID_MARGIN = 16.0

_DIRECTIONS = {(False, True): "horizontally", (True, False): "vertically", (True, True): "diagonally"}


class Peak(msgspec.Struct, frozen=True):
    """One periodic print.

    Attributes:
        period: of the lattice in pixels: 2, 3, 4 or 8. Upsampling by a factor f prints period f.
        frequency: ``(fy, fx)`` of its strongest harmonic in cycles per pixel, fx in 0..0.5; see
            :func:`spectrace.spectra.display.peak_position` for its place in a displayed spectrum.
        strength: power over the median power of the neighbouring frequencies, in dB.
        kind: ``upsampling``, or ``jpeg-grid`` where JPEG's 8 x 8 blocks explain the peak.
        trace: where it stands out, see :mod:`spectrace.spectra.traces`; ``mean-spectrum`` for the mean
            spectrum of a set.

    Example:
        >>> Peak(2.0, (0.0, 0.5), 14.2, "upsampling", "between").label
        'period 2 px horizontally, 14 dB over its neighbourhood'
    """

    period: float
    frequency: tuple[float, float]
    strength: float
    kind: Kind
    trace: Trace

    @property
    def direction(self) -> str:
        """``horizontally``, ``vertically`` or ``diagonally``: the way along which it repeats."""
        fy, fx = self.frequency
        return _DIRECTIONS[fy != 0, fx != 0]

    @property
    def label(self) -> str:
        """One line for people."""
        name = "JPEG block grid, " if self.kind == "jpeg-grid" else ""
        return (
            f"{name}period {self.period:g} px {self.direction}, {self.strength:.0f} dB over its neighbourhood"
        )


def find_peaks(pixels: NDArray[np.uint8], *, jpeg_grid: bool | None = None) -> list[Peak]:
    """Find the periodic prints of upsampling by 2, 3, 4 or 8 in one picture.

    Looks at the middle of the picture, at most 768 x 768 pixels, so the cost is bounded. The measured rate
    of false alarms on photographs and the detection rates by kernel and factor are in
    ``results/peaks-false-alarms.json`` and ``docs/guide-spectra.md``. Silence proves nothing: most
    generators hide their lattice, and scaling or strong compression erases it.

    Args:
        pixels: uint8 ``[H, W, 3]`` RGB at native resolution.
        jpeg_grid: whether the picture carries JPEG's block grid: True for a JPEG file; None to find out
            from the pixels. With the grid, periods 4 and 8 along the axes are named ``jpeg-grid``, and
            period 2 is called upsampling only where the grid cannot explain it.

    Returns:
        At most one peak a direction and family of periods (2-4-8, 3), the longest period that is present,
        strongest peak first. Empty for a picture whose shorter side is below 50 pixels.

    Example:
        >>> from spectrace.spectra.upsampling import pink_noise, upsample
        >>> noise = np.clip(upsample(pink_noise(64) * 8 + 128, 2, "nearest"), 0, 255).astype(np.uint8)
        >>> [(peak.period, peak.direction) for peak in find_peaks(np.dstack([noise] * 3))]
        [(2.0, 'horizontally'), (2.0, 'vertically')]
    """
    if min(pixels.shape[:2]) < MIN_SIDE:
        return []
    luma = central_luma(pixels)
    grid = find_jpeg_grid(luma).found if jpeg_grid is None else jpeg_grid
    return _longest(_candidates(traces(luma), grid))


def upsampling_factor(peaks: Iterable[Peak]) -> int | None:
    """The likely upsampling factor behind some peaks.

    Args:
        peaks: as :func:`find_peaks` gives them.

    Returns:
        The longest period of the family (2-4-8 or 3) of the strongest upsampling peak; None without one.

    Example:
        >>> upsampling_factor([Peak(8.0, (0.0, 0.125), 30.0, "jpeg-grid", "between")]) is None
        True
    """
    found = [peak for peak in peaks if peak.kind == "upsampling"]
    if not found:
        return None
    family = _family(max(found, key=lambda peak: peak.strength))
    return int(max(peak.period for peak in found if _family(peak) == family))


def _candidates(found: Traces, grid: bool) -> Iterator[Peak]:
    """Every lattice frequency above its threshold."""
    for (period, fy, fx), strength in plane_strength(found.pattern).items():
        if strength >= THRESHOLDS["pattern"]:
            on_axis = fy == 0 or fx == 0
            blocks = grid and on_axis and period in (4, 8)
            yield Peak(period, (fy, fx), strength, "jpeg-grid" if blocks else "upsampling", "pattern")
    lines: tuple[tuple[Trace, tuple[NDArray[np.float64], NDArray[np.float64]]], ...] = (
        ("between", found.between),
        ("on", found.on),
    )
    for trace, spectra in lines:
        for axis, spectrum in enumerate(spectra):
            strengths = line_strength(spectrum)
            harmonics = max(strengths[f] for f in FREQUENCIES if f * 8 in (1, 2, 3))
            for f, strength in strengths.items():
                if strength < THRESHOLDS[trace]:
                    continue
                period = FREQUENCIES[f]
                blocks = period in (4, 8) or (
                    trace == "between" and period == 2 and strength < harmonics + GRID_MARGIN
                )
                kind: Kind = "jpeg-grid" if grid and blocks else "upsampling"
                yield Peak(period, (f, 0.0) if axis == 0 else (0.0, f), strength, kind, trace)


def _longest(candidates: Iterable[Peak]) -> list[Peak]:
    """One peak for each kind, family and direction: harmonics of a longer period are not news."""
    best: dict[tuple[str, str, bool], Peak] = {}
    for peak in candidates:
        key = (peak.kind, peak.direction, _family(peak))
        known = best.get(key)
        if known is None or (peak.period, peak.strength) > (known.period, known.strength):
            best[key] = peak
    return sorted(best.values(), key=lambda peak: -peak.strength)


def _family(peak: Peak) -> bool:
    return peak.period % 2 == 0
