"""How much of a heatmap is left after a perturbation: is the same part of the picture still pointed at?

Compared are the scores of the patches, before and after, of one picture. Perturbations that move the content
are refused: the same patch would show something else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import RESAMPLES, interval, resampled_weights
from spectrace.evaluation.evaluate import PictureDetector, picture_seed
from spectrace.evaluation.results import Estimate
from spectrace.evaluation.versions import look_at_each
from spectrace.images import perturbations
from spectrace.images.decode import Pixels

FEWEST_PATCHES = 16
"""Fewer patches make no map: a rank correlation of them would be chance."""
STRONGEST = 0.1
MOVING = ("crop-resize", "flip", "resize", "rotate", "shift")
"""Operations after which a patch shows another part of the picture."""


class Kept(NamedTuple):
    """What is left of one picture's map.

    Attributes:
        rank_correlation: Spearman's, -1 to 1; NaN for a map that is the same everywhere.
        strongest_kept: share of the strongest tenth of the patches that is among the strongest tenth
            again; a tenth by chance.
    """

    rank_correlation: float
    strongest_kept: float


class MapStability(msgspec.Struct, frozen=True):
    """What a perturbation leaves of a detector's heatmaps, as means over pictures.

    Attributes:
        perturbation: its specification.
        pictures: that took part: those that could be read and have enough patches.
        rank_correlation: see :class:`Kept`.
        strongest_kept: see :class:`Kept`.
    """

    perturbation: str
    pictures: int
    rank_correlation: Estimate
    strongest_kept: Estimate


def compare_maps(before: ArrayLike, after: ArrayLike) -> Kept:
    """Compare a picture's map with that of the same picture perturbed.

    Args:
        before: float, scores of the patches, of any shape.
        after: float, of the same shape.

    Raises:
        UsageError: the shapes differ.

    Example:
        >>> compare_maps([[1.0, 2.0], [3.0, 4.0]], [[10.0, 20.0], [40.0, 30.0]])
        Kept(rank_correlation=0.8, strongest_kept=0.0)
    """
    first, second = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if first.shape != second.shape:
        raise UsageError(f"maps of {first.shape} and {second.shape} patches: wanted the same picture twice")
    ranks = [rankdata(scores.ravel()) for scores in (first, second)]
    if min(np.ptp(one) for one in ranks) == 0.0:
        return Kept(math.nan, math.nan)
    count = max(1, round(STRONGEST * first.size))
    tops = [set(np.argsort(-one, kind="stable")[:count].tolist()) for one in ranks]
    correlation = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    return Kept(round(correlation, 12), len(tops[0] & tops[1]) / count)


def map_stability(
    detector: PictureDetector,
    manifest: Manifest,
    specs: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    workers: int | None = None,
    visit: Callable[[], object] | None = None,
) -> list[MapStability]:
    """Compare a detector's heatmaps before and after perturbations.

    Args:
        detector: one that scores patches, or tiles of pictures with at least :data:`FEWEST_PATCHES` of them.
        manifest: pictures; those that cannot be read or have fewer patches are left out.
        specs: perturbations that leave everything where it is.
        seed: of the perturbations, with each picture's path, and of the resamples.
        resamples: bootstrap resamples, clustered by source, each class by itself.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.

    Returns:
        One a perturbation. Estimates are None where no picture took part.

    Raises:
        UsageError: a perturbation that is bad or moves the content.
    """
    changes = [_in_place(spec) for spec in specs]

    def look(row: Row, pixels: Pixels) -> list[Kept] | None:
        before = _map(detector, pixels)
        if before is None:
            return None
        kept = []
        for change in changes:
            after = _map(detector, perturbations.apply(change, pixels, picture_seed(seed, row.path)))
            assert after is not None, "what leaves everything where it is keeps the size"
            kept.append(compare_maps(before, after))
        return kept

    rows, kept = look_at_each(manifest, look, workers=workers, visit=visit)
    return [
        MapStability(
            str(change),
            len(rows),
            *(
                _mean(rows, [picture[index][which] for picture in kept], resamples, seed)
                for which in range(len(Kept._fields))
            ),
        )
        for index, change in enumerate(changes)
    ]


def _in_place(spec: str) -> perturbations.Perturbation | perturbations.Chain:
    change = perturbations.parse(spec)
    steps = change.steps if isinstance(change, perturbations.Chain) else (change,)
    for step in steps:
        if step.name in MOVING:
            raise UsageError(f"{spec} moves what is in a picture: maps are compared place by place")
    return change


def _map(detector: PictureDetector, pixels: Pixels) -> kernels.Floats | None:
    evidence = detector.detect(pixels).evidence
    if evidence is None or evidence.scores.size < FEWEST_PATCHES:
        return None
    scores: kernels.Floats = evidence.scores.astype(np.float64)
    return scores


def _mean(rows: Sequence[Row], values: Sequence[float], resamples: int, seed: int) -> Estimate:
    defined = [(row, value) for row, value in zip(rows, values, strict=True) if not math.isnan(value)]
    if not defined:
        return Estimate(None)
    labels = np.array([row.is_generated for row, _ in defined])
    weights = resampled_weights(labels, [row.source for row, _ in defined], resamples=resamples, seed=seed)
    return Estimate(*interval(_weighted_mean, labels, [value for _, value in defined], weights))


def _weighted_mean(_: kernels.Bools, values: kernels.Floats, weights: kernels.Floats) -> kernels.Floats:
    return kernels.mean(values, weights)
