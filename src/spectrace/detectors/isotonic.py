"""Isotonic regression: the best calibration that does nothing but keep the order of the scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from spectrace.detectors.card import Calibration

Floats = NDArray[np.float64]


def isotonic_shares(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike) -> Floats:
    """Share of generated pictures around each picture's score, never falling with the score.

    Source: pool adjacent violators; Ayer et al., *An empirical distribution function for sampling with
    incomplete information*, 1955.

    Args:
        scores: float [N]; equal scores get one share.
        labels: bool or 0/1 [N], 1 means generated.
        weights: float [N], above 0.

    Returns:
        float64 [N], 0..1.

    Example:
        >>> isotonic_shares([1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1], np.ones(4)).tolist()
        [0.0, 0.5, 0.5, 1.0]
    """
    _, generated, total, index = _by_score(scores, labels, weights)
    fitted: Floats = isotonic_regression(generated / total, weights=total).x[index]
    return fitted


def fit_isotonic(logits: ArrayLike, labels: ArrayLike, weights: ArrayLike) -> Calibration:
    """Fit the log-likelihood ratio as a function of the logit that never falls.

    Pictures are pooled into blocks whose share of generated ones rises. One more picture of each class at
    either end (Laplace's rule) keeps every ratio finite: none exceeds what so many pictures can show. Scores
    between the blocks' centres lie on straight lines, so that the order within a block is kept; below the
    first centre and above the last all scores are equal.

    Source: Zadrozny and Elkan, *Transforming classifier scores into accurate multiclass probability
    estimates*, 2002; centres: Oron and Flournoy, *Centered isotonic regression*, 2017.

    Args:
        logits: float [N], pooled logits.
        labels: bool or 0/1 [N], 1 means generated; both must be there.
        weights: float [N], above 0.

    Returns:
        The calibration. A detector that is wrong on the calibration pictures becomes one that says nothing.

    Example:
        >>> fitted = fit_isotonic([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1], np.full(4, 0.25))
        >>> [(logit, round(score, 3)) for logit, score in fitted.knots]  # ln(3 / 1): two and one more of each
        [(-1.5, -1.099), (1.5, 1.099)]
    """
    weighed = np.asarray(weights, np.float64)
    truth = np.asarray(labels).astype(bool)
    values, generated, total, _ = _by_score(logits, truth, weighed)
    of_camera, of_generated = _one_picture(weighed[~truth]), _one_picture(weighed[truth])
    generated = np.concatenate([[of_generated], generated, [of_generated]])
    total = np.concatenate([[of_generated + of_camera], total, [of_generated + of_camera]])
    blocks = isotonic_regression(generated / total, weights=total).blocks
    # The ends carry no logit: they count in a block's ratio and not in its centre.
    bearing = np.concatenate([[0.0], total[1:-1], [0.0]])
    moment = bearing * np.concatenate([[0.0], values, [0.0]])
    bearing, moment, above, all_of_block = (
        np.add.reduceat(sums, blocks[:-1]) for sums in (bearing, moment, generated, total)
    )
    odds = (above / generated.sum()) / ((all_of_block - above) / (total - generated).sum())
    seen = bearing > 0.0
    # Rounding may lower a score, or put neighbours in one place, by the last bit.
    scores = np.maximum.accumulate(np.log(odds[seen]))
    centres, first = np.unique(np.maximum.accumulate(moment[seen] / bearing[seen]), return_index=True)
    knots = [(float(centre), float(score)) for centre, score in zip(centres, scores[first], strict=True)]
    return Calibration(method="isotonic", knots=knots)


def _by_score(
    scores: ArrayLike, labels: ArrayLike, weights: ArrayLike
) -> tuple[Floats, Floats, Floats, NDArray[np.intp]]:
    """Distinct scores, weight of the generated and of all pictures at each, each picture's place there."""
    values, index = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    weighed = np.asarray(weights, np.float64)
    generated: Floats = np.bincount(index, weighed * np.asarray(labels, np.float64)).astype(np.float64)
    total: Floats = np.bincount(index, weighed).astype(np.float64)
    return values, generated, total, index


def _one_picture(weights: Floats) -> float:
    """What one picture weighs, if as many alike were to say as much as these (Kish's effective number)."""
    return float((weights**2).sum() / weights.sum())
