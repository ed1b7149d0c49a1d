"""How well a score map finds the manipulated pixels of a picture.

A score map is float [H, W], higher speaks for generated; a mask is bool [H, W], true where pixels were
manipulated. Pixels without a score (NaN) are left out of every figure and counted. A pixel is called
manipulated when its score is at least the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError
from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import RESAMPLES, Bounds, interval, resampled_weights
from spectrace.evaluation.metrics import auroc

Scores = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

_CANDIDATES = 512


class Localisation(NamedTuple):
    """Figures of one picture.

    Attributes:
        auroc: chance that a manipulated pixel outscores an untouched one; NaN when either kind is absent.
        iou: intersection over union of the pixels called manipulated and those that are, at a given
            threshold; NaN when there are neither.
        best_iou: the same at the picture's own best threshold: what any threshold could have reached.
        unscored: number of pixels without a score.
    """

    auroc: float
    iou: float
    best_iou: float
    unscored: int


def localise(scores: Scores, mask: Mask, threshold: float = 0.0) -> Localisation:
    """Measure one score map against its mask.

    Args:
        scores: float [H, W], NaN where there is no score.
        mask: bool [H, W].
        threshold: of the score; 0 is where a calibrated score changes sides.

    Raises:
        UsageError: the shapes differ.

    Example:
        >>> scores = np.array([[2.0, 1.0], [-1.0, np.nan]])
        >>> localise(scores, np.array([[True, False], [False, True]]))
        Localisation(auroc=1.0, iou=0.5, best_iou=1.0, unscored=1)
    """
    values, marked = _scored(scores, mask)
    return Localisation(
        auroc=auroc(marked, values),
        iou=float(_ratio(*_counts(values, marked, np.array([threshold])), marked)[0]),
        best_iou=_best(values, marked),
        unscored=scores.size - len(values),
    )


def choose_threshold(pictures: Iterable[tuple[Scores, Mask]]) -> float:
    """The threshold with the highest mean intersection over union; choose it on other pictures than tested.

    Args:
        pictures: score maps and masks; pictures without manipulated pixels say nothing here and are left out.

    Returns:
        One of up to 512 quantiles of the pictures' scores.

    Raises:
        UsageError: no picture with a scored manipulated pixel.

    Example:
        >>> scores = np.array([[3.0, 2.0, 1.0, 0.0]])
        >>> choose_threshold([(scores, scores > 1.5)])
        2.0
    """
    scored = [_scored(scores, mask) for scores, mask in pictures]
    scored = [(values, marked) for values, marked in scored if marked.any()]
    if not scored:
        raise UsageError("no picture has a manipulated pixel with a score: no threshold to choose")
    pooled = np.concatenate([values for values, _ in scored])
    steps = np.linspace(0.0, 1.0, min(_CANDIDATES, len(pooled)))
    candidates = np.unique(np.quantile(pooled, steps, method="nearest"))
    ratios = [_ratio(*_counts(values, marked, candidates), marked) for values, marked in scored]
    return float(candidates[int(np.mean(ratios, axis=0).argmax())])


def mean_over_pictures(values: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0) -> Bounds:
    """The mean of a figure over pictures, with its 95 % bootstrap interval by picture.

    Args:
        values: one a picture; pictures where the figure is not defined (NaN) are left out.
        resamples: how many.
        seed: of the resamples.

    Example:
        >>> mean_over_pictures([0.5, 0.5, math.nan])
        Bounds(value=0.5, low=0.5, high=0.5)
    """
    defined = np.array([value for value in values if not math.isnan(value)])
    everything = np.ones(len(defined), np.bool_)
    weights = resampled_weights(everything, ["picture"] * len(defined), resamples=resamples, seed=seed)
    return interval(_mean, everything, defined, weights)


def _mean(_: kernels.Bools, values: kernels.Floats, weights: kernels.Floats) -> kernels.Floats:
    return kernels.mean(values, weights)


def _scored(scores: Scores, mask: Mask) -> tuple[kernels.Floats, Mask]:
    if scores.shape != mask.shape:
        raise UsageError(f"score map {scores.shape} and mask {mask.shape}: wanted the same shape")
    known = ~np.isnan(scores)
    return scores[known].astype(np.float64), mask[known].astype(np.bool_)


def _counts(
    values: kernels.Floats, marked: Mask, thresholds: kernels.Floats
) -> tuple[kernels.Floats, kernels.Floats]:
    """How many manipulated and how many untouched pixels each threshold calls manipulated."""

    def at_least(chosen: kernels.Floats) -> kernels.Floats:
        return (len(chosen) - np.searchsorted(np.sort(chosen), thresholds, side="left")).astype(np.float64)

    return at_least(values[marked]), at_least(values[~marked])


def _ratio(true: kernels.Floats, false: kernels.Floats, marked: Mask) -> kernels.Floats:
    union = marked.sum() + false
    ratio: kernels.Floats = np.divide(true, union, out=np.full(union.shape, np.nan), where=union > 0)
    return ratio


def _best(values: kernels.Floats, marked: Mask) -> float:
    if not marked.any():
        return math.nan
    return float(_ratio(*_counts(values, marked, np.unique(values)), marked).max())
