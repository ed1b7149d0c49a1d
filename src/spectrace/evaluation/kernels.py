"""The metrics' mathematics, for many weightings of the same pictures at once.

A bootstrap resample is nothing but a weight a picture (how often it was drawn), so a metric that takes
weights ``[B, n]`` gives B resampled values in one pass over pictures that were sorted once.

Inputs were validated by the callers (:mod:`spectrace.evaluation.metrics`): ``generated`` is bool [n] (True is
the positive class), ``scores`` float64 [n] without NaN, ``weights`` float64 [B, n], finite, none negative.
Where the scores are decisions, above 0 is "generated", below 0 "camera" and 0 undecided.
Every kernel returns float64 [B]; a value that is not defined (a class without weight) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectrace.detectors.isotonic import isotonic_shares

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Kernel = Callable[[Bools, Floats, Floats], Floats]

# Sums of weights are off by rounding: a rate this close above its target still meets it.
_SLACK = 1e-12


class Curve(NamedTuple):
    """Cumulated weights of both classes at each distinct score, from the highest score downwards.

    Attributes:
        thresholds: float64 [K], the distinct scores, descending.
        true: float64 [B, K], weight of generated pictures that score at least the threshold.
        false: float64 [B, K], weight of real pictures that do.
    """

    thresholds: Floats
    true: Floats
    false: Floats


def curve(generated: Bools, scores: Floats, weights: Floats) -> Curve:
    """Cumulate both classes over the distinct scores; pictures that tie share one step."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    # Compared and not subtracted: two infinities tie, but their difference is not zero.
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(ordered) else np.empty(0, int)
    weighed = weights[:, order]
    positive = generated[order]
    return Curve(
        ordered[last],
        np.cumsum(np.where(positive, weighed, 0.0), axis=1)[:, last],
        np.cumsum(np.where(positive, 0.0, weighed), axis=1)[:, last],
    )


def auroc(generated: Bools, scores: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve: P(generated > real) + P(equal) / 2."""
    _, true, false = curve(generated, scores, weights)
    before = _shifted(true)
    area = (np.diff(_padded(false), axis=1) * 0.5 * (true + before)).sum(axis=1)
    return _divide(area, _last(true) * _last(false))


def average_precision(generated: Bools, scores: Floats, weights: Floats) -> Floats:
    """Sum over thresholds of the precision times the gain in recall; no interpolation."""
    _, true, false = curve(generated, scores, weights)
    precision = _divide(true, true + false, otherwise=0.0)
    total = (np.diff(_padded(true), axis=1) * precision).sum(axis=1)
    # Without any real picture precision is 1 by construction and says nothing.
    precision_mean: Floats = np.where(_last(false) > 0.0, _divide(total, _last(true)), np.nan)
    return precision_mean


def tpr_at_fpr(target: float) -> Kernel:
    """Kernel of the highest true-positive rate whose false-positive rate is at most ``target``."""

    def kernel(generated: Bools, scores: Floats, weights: Floats) -> Floats:
        _, true, false = curve(generated, scores, weights)
        allowed = false <= (target + _SLACK) * _last(false)[:, None]
        best = np.where(allowed, true, 0.0).max(axis=1, initial=0.0)
        rate: Floats = np.where(_last(false) > 0.0, _divide(best, _last(true)), np.nan)
        return rate

    return kernel


def balanced_accuracy(threshold: float) -> Kernel:
    """Kernel of the mean of both classes' accuracies at a threshold."""

    def kernel(generated: Bools, scores: Floats, weights: Floats) -> Floats:
        called = scores >= threshold
        of_both: Floats = mean(called, weights * generated) + mean(~called, weights * ~generated)
        return 0.5 * of_both

    return kernel


def cllr(generated: Bools, scores: Floats, weights: Floats) -> Floats:
    """Log-likelihood-ratio cost in bits of natural-log likelihood ratios."""
    of_generated = mean(np.logaddexp(0.0, -scores), weights * generated)
    of_real = mean(np.logaddexp(0.0, scores), weights * ~generated)
    cost: Floats = 0.5 * (of_generated + of_real) / np.log(2.0)
    return cost


def minimum_cllr(generated: Bools, scores: Floats, weights: Floats) -> Floats:
    """Cost in bits that would be left after the best calibration that keeps the order of the scores."""
    costs = np.full(len(weights), np.nan)
    for row, weighed in enumerate(weights):
        of_class = [weighed[generated == label].sum() for label in (False, True)]
        if min(of_class) > 0.0:
            drawn = weighed > 0.0
            truth = generated[drawn]
            alike = weighed[drawn] / np.where(truth, of_class[1], of_class[0])
            share = isotonic_shares(scores[drawn], truth, alike)
            costs[row] = -0.5 * (alike @ np.log2(np.where(truth, share, 1.0 - share)))
    return costs


def expected_calibration_error(bins: int) -> Kernel:
    """Kernel of the mean distance of probability and frequency; ``scores`` are probabilities, 0..1."""

    def kernel(generated: Bools, scores: Floats, weights: Floats) -> Floats:
        index = np.minimum((scores * bins).astype(int), bins - 1)
        member = np.zeros((len(scores), bins))
        member[np.arange(len(scores)), index] = 1.0
        # Sum over bins of |sum of (probability - outcome)|: the bin's weight cancels its mean's divisor.
        gaps = (weights * (scores - generated)) @ member
        return _divide(np.abs(gaps).sum(axis=1), weights.sum(axis=1))

    return kernel


def called_generated(of_generated: bool) -> Kernel:
    """Kernel of the share of one class that was decided to be generated; ``scores`` are decisions."""

    def kernel(generated: Bools, scores: Floats, weights: Floats) -> Floats:
        return mean(scores > 0.0, weights * (generated == of_generated))

    return kernel


def called_camera(of_generated: bool) -> Kernel:
    """Kernel of the share of one class that was decided to be a camera's; ``scores`` are decisions."""

    def kernel(generated: Bools, scores: Floats, weights: Floats) -> Floats:
        return mean(scores < 0.0, weights * (generated == of_generated))

    return kernel


def decided(generated: Bools, scores: Floats, weights: Floats) -> Floats:
    """Share of pictures that were decided; ``scores`` are decisions."""
    return mean(scores != 0.0, weights)


def accuracy_of_decided(generated: Bools, scores: Floats, weights: Floats) -> Floats:
    """Share of the decided pictures that were decided rightly; ``scores`` are decisions."""
    return mean((scores > 0.0) == generated, weights * (scores != 0.0))


def mean(values: NDArray[np.bool_] | Floats, weights: Floats) -> Floats:
    """Weighted mean of [n] values; NaN where all weights are zero.

    Pictures of weight zero take no part even where their value is infinite.
    """
    counted = np.where(weights > 0.0, values, 0.0)
    return _divide((weights * counted).sum(axis=1), weights.sum(axis=1))


def _padded(cumulated: Floats) -> Floats:
    return np.concatenate([np.zeros((len(cumulated), 1)), cumulated], axis=1)


def _shifted(cumulated: Floats) -> Floats:
    return _padded(cumulated)[:, :-1]


def _last(cumulated: Floats) -> Floats:
    return cumulated[:, -1] if cumulated.shape[1] else np.zeros(len(cumulated))


def _divide(above: Floats, below: Floats, otherwise: float = np.nan) -> Floats:
    ratio: Floats = np.divide(above, below, out=np.full(np.shape(below), otherwise), where=below > 0.0)
    return ratio
