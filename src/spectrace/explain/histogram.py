"""Which regions predictive patches lie in: shares, and how far they exceed the regions' areas."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.evaluation.bootstrap import CONFIDENCE, RESAMPLES, Bounds

_Floats = NDArray[np.float64]
_BLOCK = 50


class RegionBar(msgspec.Struct, frozen=True, kw_only=True):
    """One region of the histogram.

    Attributes:
        region: its name.
        area: share of the pictures' pixels, 0..1; each picture counts as often as it has predictive patches.
        share: share of the predictive patches' pixels, 0..1; every patch counts alike.
        random_share: the same of the random patches.
        ratio: share over area, with its interval.
        random_ratio: random share over area: away from 1 where patches cannot reach a region evenly.
        against_random: share over random share.
    """

    region: str
    area: float
    share: float
    random_share: float
    ratio: Bounds
    random_ratio: Bounds
    against_random: Bounds


def region_histogram(
    names: Sequence[str],
    shares: _Floats,
    random_shares: _Floats,
    areas: _Floats,
    pictures: NDArray[np.int64],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[RegionBar]:
    """The histogram of predictive patches over regions.

    Args:
        names: of the R regions.
        shares: float64 [n, R], share of each predictive patch's pixels in each region.
        random_shares: float64 [n, R], mean of the random patches drawn beside it.
        areas: float64 [n, R], share of its picture's pixels in each region.
        pictures: int64 [n], number of the picture it comes from.
        resamples: bootstrap resamples of the pictures.
        seed: of the resamples.

    Returns:
        One bar a region, in the order of the names. A ratio without an area is NaN, as are the ends of an
        interval from a single picture. Pictures are resampled, not patches: those of one picture are alike.

    Example:
        >>> shares = np.array([[1.0, 0.0], [0.5, 0.5]])
        >>> even = np.full((2, 2), 0.5)
        >>> bars = region_histogram(["sky", "sea"], shares, even, even, np.array([0, 1]))
        >>> [(bar.region, bar.share, bar.ratio.value) for bar in bars]
        [('sky', 0.75, 1.5), ('sea', 0.25, 0.5)]
    """
    found, member = np.unique(pictures, return_inverse=True)
    totals = np.zeros((len(found), 3 * len(names)))
    np.add.at(totals, member, np.concatenate([shares, random_shares, areas], axis=1))
    rng = np.random.default_rng(seed)
    again = np.concatenate(
        [
            _ratios(_draw(len(found), min(_BLOCK, resamples - start), rng) @ totals)
            for start in range(0, resamples, _BLOCK)
        ]
    )
    values = _ratios(totals.sum(axis=0)[None])[0]
    share, random_share, area = totals.sum(axis=0).reshape(3, -1) / max(len(pictures), 1)
    single = len(found) < 2
    bars = []
    for index, name in enumerate(names):
        ratio, random_ratio, against = (
            _bounds(float(values[kind, index]), again[:, kind, index], single=single) for kind in range(3)
        )
        bars.append(
            RegionBar(
                region=name,
                area=float(area[index]),
                share=float(share[index]),
                random_share=float(random_share[index]),
                ratio=ratio,
                random_ratio=random_ratio,
                against_random=against,
            )
        )
    return bars


def _draw(count: int, resamples: int, rng: np.random.Generator) -> _Floats:
    """How often each picture is drawn in each resample, float64 [resamples, count]."""
    return rng.multinomial(count, np.full(count, 1.0 / max(count, 1)), size=resamples).astype(np.float64)


def _ratios(totals: _Floats) -> _Floats:
    """[B, 3R] sums of share, random share and area to [B, 3, R]: share/area, random/area, share/random."""
    share, random_share, area = np.split(totals, 3, axis=1)
    over = np.stack([share, random_share, share], axis=1)
    under = np.stack([area, area, random_share], axis=1)
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)


def _bounds(value: float, again: _Floats, *, single: bool) -> Bounds:
    """Percentile interval; resamples that never met the region are left out."""
    again = again[~np.isnan(again)]
    if math.isnan(value) or single or not len(again):
        return Bounds(value, math.nan, math.nan)
    tail = 0.5 * (1.0 - CONFIDENCE)
    low, high = np.quantile(again, [tail, 1.0 - tail])
    return Bounds(value, min(float(low), value), max(float(high), value))
