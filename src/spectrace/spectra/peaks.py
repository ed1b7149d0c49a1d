"""Lattice peaks: the periodic prints of upsampling in one picture, named with their period and strength."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.spectra.jpeg_grid import jpeg_grid as find_jpeg_grid
from spectrace.spectra.neighbourhood import FREQUENCIES, PERIODS, line_strength, plane_strength
from spectrace.spectra.traces import STRIDE, Swing, Traces, central_luma, traces

Kind = Literal["upsampling", "jpeg-grid"]
Trace = Literal["pattern", "between", "on", "detail", "mean-spectrum"]

MIN_SIDE = 2 * STRIDE + 2
"""Shorter side, in pixels, below which nothing is looked for."""

# All in dB, chosen on the train and val photographs of the corpus for under one false alarm in a hundred
# pictures; results/peaks-false-alarms.json has the counts by source and the detection rates.
THRESHOLDS: dict[Trace, float] = {"pattern": 30.0, "between": 18.0, "on": 18.0, "detail": 24.0}
"""What a peak must reach: a pattern by itself, the swings on average over rows and columns."""
MARGINS = {False: 9.0, True: 12.0}
"""How far period 2 or 4 must rise above the lattices it is a harmonic of, without and with JPEG's grid."""
LEAD = 3.0
"""How far period 4 must be stronger in `between` than in `on`, unless it is deep: in lossy WebP, whose blocks
are 4 x 4, it seldom is."""
DEPTH = 0.9
"""How deep a swing of period 8 must be: coded blocks swing too, but hardly ever down to no residual."""

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

    Looks at the middle of the picture, at most 768 x 768 pixels, so the cost is bounded. A factor was named
    in 17 of 2,932 camera pictures (0.6 %, 95 % interval 0.3 to 0.9), most of them enlarged ones; counts by
    source and detection rates by kernel and factor are in ``results/peaks-false-alarms.json``. Silence proves
    nothing: most generators hide their lattice, and scaling or strong compression erases it.

    Args:
        pixels: uint8 ``[H, W, 3]`` RGB at native resolution.
        jpeg_grid: whether the picture carries JPEG's block grid: True for a JPEG file; None to find out
            from the pixels. Peaks that the grid explains are named ``jpeg-grid``: period 8, and its
            harmonics of period 2 and 4 unless they rise well above it.

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
    return longest(_candidates(traces(luma), grid))


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
    for (period, fy, fx), strength in plane_strength(found.pattern).items():
        # A pattern of period 2 along the diagonal alone is a camera's: its mosaic of green pixels.
        if strength >= THRESHOLDS["pattern"] and (fy, fx) != (0.5, 0.5):
            blocks = grid and period in (4, 8) and (fy == 0 or fx == 0)
            yield Peak(period, (fy, fx), strength, "jpeg-grid" if blocks else "upsampling", "pattern")
    between, on = _joint(found.between), _joint(found.on)
    deep = min(found.between.depth, found.on.depth) >= DEPTH
    four = deep or between[1 / 4] - on[1 / 4] >= LEAD
    eight = deep and not grid
    yield from _swinging("between", found.between, grid=grid, four=four, eight=eight)
    yield from _swinging("on", found.on, grid=grid, four=four, eight=eight)
    yield from _swinging("detail", found.detail, grid=grid, four=four, eight=eight)


def _joint(swing: Swing) -> dict[float, float]:
    """Upsampling swings along rows and columns alike, so both are judged together."""
    rows, columns = line_strength(swing.rows), line_strength(swing.columns)
    return {f: (rows[f] + columns[f]) / 2 for f in FREQUENCIES}


def _swinging(trace: Trace, swing: Swing, *, grid: bool, four: bool, eight: bool) -> Iterator[Peak]:
    """The peaks of one swing, given whether periods 4 and 8 may be upsampling at all."""
    joint = _joint(swing)
    threshold, margin = THRESHOLDS[trace], MARGINS[grid]
    by_period = {period: max(joint[f] for f in FREQUENCIES if FREQUENCIES[f] == period) for period in PERIODS}
    found: list[tuple[int, Kind]] = []
    if by_period[2] >= max(threshold, by_period[4] + margin, by_period[8] + margin):
        found.append((2, "upsampling"))
    elif by_period[4] >= max(threshold, by_period[8] + margin):
        if four:
            found.append((4, "upsampling"))
    elif max(by_period[2], by_period[4], by_period[8]) >= threshold:
        if eight:
            found.append((8, "upsampling"))
        elif grid or joint[1 / 8] >= threshold:
            found.append((8, "jpeg-grid"))
    if by_period[3] >= threshold:
        found.append((3, "upsampling"))
    for period, kind in found:
        for axis, strengths in enumerate((line_strength(swing.rows), line_strength(swing.columns))):
            f = max((f for f in FREQUENCIES if FREQUENCIES[f] == period), key=strengths.__getitem__)
            if strengths[f] >= threshold / 2:
                at = (f, 0.0) if axis == 0 else (0.0, f)
                yield Peak(float(period), at, strengths[f], kind, trace)


def longest(candidates: Iterable[Peak]) -> list[Peak]:
    """One peak for each kind, family (2-4-8, 3) and direction: harmonics of a longer period are not news.

    Args:
        candidates: in any order.

    Returns:
        The longest period of each group, its strongest harmonic, strongest peak first.
    """
    best: dict[tuple[str, str, bool], Peak] = {}
    for peak in candidates:
        key = (peak.kind, peak.direction, _family(peak))
        known = best.get(key)
        if known is None or (peak.period, peak.strength) > (known.period, known.strength):
            best[key] = peak
    return sorted(best.values(), key=lambda peak: -peak.strength)


def _family(peak: Peak) -> bool:
    return peak.period % 2 == 0
