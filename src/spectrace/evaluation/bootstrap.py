"""How far a figure could be off: intervals from resampling, and for proportions from a formula.

Pictures of one source share a pipeline, so they are not independent: resampling pictures alone gives
intervals that are far too narrow. Sources are resampled first, then the pictures within each drawn source,
each class by itself (Davison and Hinkley, *Bootstrap Methods and their Application*, 1997, chapter 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectrace.errors import UsageError
from spectrace.evaluation.kernels import Floats, Kernel
from spectrace.evaluation.metrics import checked

CONFIDENCE = 0.95
RESAMPLES = 1000

# Resamples at a time: a block of this many stays in the processor's cache, which is three times faster.
_BLOCK = 50


class Bounds(NamedTuple):
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float


def resampled_weights(
    labels: ArrayLike, sources: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Floats:
    """How often each picture is drawn in each resample.

    In each class as many sources are drawn as there are, with replacement; a source that was drawn k times
    gives k times its number of pictures, with replacement.

    Args:
        labels: [n], true for generated.
        sources: [n], the collection that each picture comes from.
        resamples: how many.
        seed: the same seed gives the same resamples.

    Returns:
        float64 [resamples, n], whole numbers.

    Raises:
        UsageError: lengths differ, or fewer than 1 resample.

    Example:
        >>> weights = resampled_weights([0, 0, 1, 1], ["a", "b", "c", "c"], resamples=5)
        >>> weights[:, 2:].sum(axis=1).tolist()
        [2.0, 2.0, 2.0, 2.0, 2.0]
    """
    generated, _, _ = checked(labels, np.zeros(len(sources)), None)
    if resamples < 1:
        raise UsageError(f"{resamples} resamples: wanted at least 1")
    rng = np.random.default_rng(seed)
    names = np.asarray(sources, dtype=np.str_)
    weights = np.zeros((resamples, len(generated)))
    for label in (False, True):
        of_class = np.flatnonzero(generated == label)
        weights[:, of_class] = _draw(names[of_class], resamples, rng)
    return weights


def _draw(names: NDArray[np.str_], resamples: int, rng: np.random.Generator) -> Floats:
    weights = np.zeros((resamples, len(names)))
    found, member = np.unique(names, return_inverse=True)
    if not len(found):
        return weights
    drawn = rng.multinomial(len(found), np.full(len(found), 1.0 / len(found)), size=resamples)
    for index in range(len(found)):
        pictures = np.flatnonzero(member == index)
        share = np.full(len(pictures), 1.0 / len(pictures))
        weights[:, pictures] = rng.multinomial(drawn[:, index] * len(pictures), share)
    return weights


def interval(
    kernel: Kernel,
    labels: ArrayLike,
    scores: ArrayLike,
    resampled: Floats,
    *,
    weights: ArrayLike | None = None,
    confidence: float = CONFIDENCE,
) -> Bounds:
    """A figure with its percentile bootstrap interval.

    Args:
        kernel: one of :mod:`spectrace.evaluation.kernels`.
        labels: [n], true for generated.
        scores: [n].
        resampled: float64 [B, n] from :func:`resampled_weights`.
        weights: [n], multiplied into every resample (:func:`~spectrace.evaluation.metrics.source_weights`).
        confidence: share of the resamples inside, 0 to 1.

    Returns:
        The figure on all pictures and the interval's ends, which are widened to it if need be; resamples on
        which the figure is not defined are left out. All NaN where the figure itself is not defined.

    Example:
        >>> from spectrace.evaluation import kernels
        >>> labels, scores, sources = [0, 0, 1, 1], [1.0, 2.0, 3.0, 4.0], ["a", "b", "c", "d"]
        >>> interval(kernels.auroc, labels, scores, resampled_weights(labels, sources, resamples=9))
        Bounds(value=1.0, low=1.0, high=1.0)
    """
    generated, values, base = checked(labels, scores, weights)
    if resampled.ndim != 2 or resampled.shape[1] != len(generated):
        raise UsageError(f"resamples of shape {resampled.shape}: wanted [B, {len(generated)}]")
    value = float(kernel(generated, values, base[None])[0])
    if math.isnan(value):
        return Bounds(math.nan, math.nan, math.nan)
    blocks = range(0, len(resampled), _BLOCK)
    again = np.concatenate(
        [np.empty(0), *(kernel(generated, values, resampled[i : i + _BLOCK] * base) for i in blocks)]
    )
    again = again[~np.isnan(again)]
    if not len(again):
        return Bounds(value, math.nan, math.nan)
    tail = 0.5 * (1.0 - confidence)
    # The method "nearest" never mixes two values, so infinite ones do no harm.
    low, high = np.quantile(again, [tail, 1.0 - tail], method="nearest")
    return Bounds(value, min(float(low), value), max(float(high), value))


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Bounds:
    """A proportion with its score interval, right also at 0, at 1 and for few trials.

    Source: Wilson, *Probable inference, the law of succession, and statistical inference*, 1927.

    Args:
        successes: 0 to ``trials``.
        trials: how many; independent of each other (pictures of one source at best).
        confidence: 0 to 1.

    Returns:
        The proportion and its interval within 0 and 1; all NaN without trials.

    Raises:
        UsageError: successes below 0 or above the trials.

    Example:
        >>> [round(number, 3) for number in wilson(0, 10)]
        [0.0, 0.0, 0.278]
    """
    if not 0 <= successes <= trials:
        raise UsageError(f"{successes} successes in {trials} trials: wanted 0 to {trials}")
    if trials == 0:
        return Bounds(math.nan, math.nan, math.nan)
    z = NormalDist().inv_cdf(0.5 * (1.0 + confidence))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    # Rounding must not push an end past the proportion itself.
    return Bounds(share, min(low, share), max(high, share))
