"""Figures of merit of a detector.

The positive class is always *generated*: ``labels`` are true (or 1) for generated pictures and false (or 0)
for real ones, and a higher score speaks for generated. All are pure numpy and take optional weights, one a
picture; with :func:`source_weights` every source counts alike however many pictures it has.

A figure that needs both classes is NaN when one of them has no picture (or no weight).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectrace.errors import UsageError
from spectrace.evaluation import kernels
from spectrace.evaluation.kernels import Bools, Floats


def auroc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Area under the ROC curve: the chance that a generated picture outscores a real one, ties half.

    Args:
        labels: [n], true for generated.
        scores: [n], higher speaks for generated; infinities are allowed, NaN is not.
        weights: [n], finite and none negative; None weighs all alike.

    Returns:
        0 to 1, 0.5 for guessing; NaN when a class is absent.

    Raises:
        UsageError: shapes differ, labels are not binary, a score is NaN, a weight negative.

    Example:
        >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
        0.875
    """
    return _value(kernels.auroc, *checked(labels, scores, weights))


def average_precision(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Average precision: precision at every threshold, weighted by the gain in recall.

    Args, raises: as :func:`auroc`.

    Returns:
        0 to 1; guessing gives the share of generated pictures. NaN when a class is absent.

    Example:
        >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
        0.8333
    """
    return _value(kernels.average_precision, *checked(labels, scores, weights))


def roc_points(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """The ROC curve's points, one for each distinct score.

    Args, raises: as :func:`auroc`; both classes must be there.

    Returns:
        False-positive rate, true-positive rate (both ascending from 0 to 1) and threshold (descending from
        infinity): float64 [K + 1]; a picture is called generated when its score is at least the threshold.

    Example:
        >>> false_rate, true_rate, threshold = roc_points([0, 0, 1, 1], [1.0, 2.0, 2.0, 3.0])
        >>> false_rate.tolist(), true_rate.tolist(), threshold.tolist()
        ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0], [inf, 3.0, 2.0, 1.0])
    """
    generated, values, weighed = checked(labels, scores, weights)
    thresholds, true, false = kernels.curve(generated, values, weighed[None])
    if not (true.size and true[0, -1] > 0.0 and false[0, -1] > 0.0):
        raise UsageError("a ROC curve needs real and generated pictures: one class has none")
    start = [0.0]
    return (
        np.concatenate([start, false[0] / false[0, -1]]),
        np.concatenate([start, true[0] / true[0, -1]]),
        np.concatenate([[np.inf], thresholds]),
    )


def tpr_at_fpr(
    labels: ArrayLike, scores: ArrayLike, target: float = 0.01, weights: ArrayLike | None = None
) -> float:
    """Share of generated pictures found when at most ``target`` of the real ones are called generated.

    Only thresholds that occur are considered, without interpolation: with fewer than ``1 / target`` real
    pictures it is the share that outscores every real one.

    Args:
        labels: [n], true for generated.
        scores: [n], higher speaks for generated.
        target: highest false-positive rate allowed, 0 to 1.
        weights: [n] or None.

    Raises:
        UsageError: as :func:`auroc`, or a target outside 0 to 1.

    Example:
        >>> tpr_at_fpr([0, 0, 0, 0, 1, 1], [1, 2, 3, 4, 3.5, 5], target=0.25)
        1.0
    """
    if not 0.0 <= target <= 1.0:
        raise UsageError(f"false-positive rate {target}: wanted 0 to 1")
    return _value(kernels.tpr_at_fpr(target), *checked(labels, scores, weights))


def balanced_accuracy(
    labels: ArrayLike, scores: ArrayLike, threshold: float = 0.0, weights: ArrayLike | None = None
) -> float:
    """Mean of both classes' accuracies when scores at or above the threshold are called generated.

    Args, raises: as :func:`auroc`.

    Example:
        >>> balanced_accuracy([0, 0, 0, 0, 1], [-1, -1, -1, 2, 3])
        0.875
    """
    return _value(kernels.balanced_accuracy(threshold), *checked(labels, scores, weights))


def cllr(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Log-likelihood-ratio cost, in bits: what the scores are worth as evidence, calibration included.

    Source: Brümmer and du Preez, *Application-independent evaluation of speaker detection*, 2006.

    Args:
        labels: [n], true for generated.
        scores: [n], natural-log likelihood ratios.
        weights: [n] or None.

    Returns:
        0 for perfect certainty, 1 for a detector that always says 0, infinite for certainty gone wrong. Each
        class counts for half whatever its size. NaN when a class is absent.

    Example:
        >>> cllr([0, 1, 1], [0.0, 0.0, 0.0])
        1.0
    """
    return _value(kernels.cllr, *checked(labels, scores, weights))


def minimum_cllr(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Cllr after the best calibration that keeps the order of the scores: what the order alone is worth.

    The difference to :func:`cllr` is what calibration loses. It is fitted to these very pictures, so it is a
    bound and no promise. Source: Brümmer and du Preez, as :func:`cllr`.

    Args, raises: as :func:`auroc`.

    Returns:
        0 (the classes are parted) to 1 (the order says nothing); NaN when a class is absent.

    Example:
        >>> [abs(minimum_cllr(labels, [-9.0, -8.0])) for labels in ([0, 1], [1, 0])]
        [0.0, 1.0]
    """
    return _value(kernels.minimum_cllr, *checked(labels, scores, weights))


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 15, weights: ArrayLike | None = None
) -> float:
    """Mean distance between the probability of *generated* that is claimed and the frequency that is seen.

    Pictures are binned by probability in bins of equal width; each bin counts by its weight.
    Source: Naeini et al., *Obtaining well calibrated probabilities using Bayesian binning*, 2015, for the
    positive class. A probability at even prior odds wants :func:`class_weights`.

    Args:
        labels: [n], true for generated.
        probabilities: [n], of generated, 0 to 1.
        bins: number of bins, at least 1.
        weights: [n] or None.

    Returns:
        0 (calibrated) to 1; NaN without pictures.

    Raises:
        UsageError: as :func:`auroc`, a probability outside 0 to 1, or no bins.

    Example:
        >>> expected_calibration_error([0, 1, 1, 1], [0.75, 0.75, 0.75, 0.75])
        0.0
    """
    if bins < 1:
        raise UsageError(f"{bins} bins: wanted at least 1")
    generated, values, weighed = checked(labels, probabilities, weights)
    if values.size and not (values.min() >= 0.0 and values.max() <= 1.0):
        raise UsageError(f"probabilities from {values.min():g} to {values.max():g}: wanted 0 to 1")
    return _value(kernels.expected_calibration_error(bins), generated, values, weighed)


def decided_share(decisions: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Coverage: the share of pictures on which the detector committed itself.

    Args:
        decisions: [n], 1 for *generated*, -1 for *camera*, 0 for *inconclusive*.
        weights: [n] or None.

    Returns:
        0 to 1; NaN without pictures.

    Raises:
        UsageError: as :func:`auroc`.

    Example:
        >>> decided_share([1, -1, 0, 0])
        0.5
    """
    values = _floats(decisions, "decisions")
    return _value(kernels.decided, *checked(np.zeros(len(values)), values, weights))


def accuracy_of_decided(labels: ArrayLike, decisions: ArrayLike, weights: ArrayLike | None = None) -> float:
    """How often the detector is right when it commits itself.

    Args:
        labels: [n], true for generated.
        decisions: [n], 1 for *generated*, -1 for *camera*, 0 for *inconclusive*.
        weights: [n] or None; :func:`class_weights` gives the accuracy at even prior odds.

    Returns:
        0 to 1; NaN when nothing was decided.

    Raises:
        UsageError: as :func:`auroc`.

    Example:
        >>> accuracy_of_decided([1, 1, 0, 0], [1, -1, -1, 0], class_weights([1, 1, 0, 0]))
        0.6666666666666666
    """
    return _value(kernels.accuracy_of_decided, *checked(labels, decisions, weights))


def source_weights(labels: ArrayLike, sources: Sequence[str]) -> Floats:
    """Weights under which every source counts alike within its class, and both classes alike.

    Args:
        labels: [n], true for generated.
        sources: [n], the collection that each picture comes from.

    Returns:
        float64 [n]; the weights of each class that is there sum to 1.

    Example:
        >>> source_weights([0, 0, 0, 1], ["phone", "phone", "film", "gan"]).tolist()
        [0.25, 0.25, 0.5, 1.0]
    """
    generated = _binary(labels)
    if len(sources) != len(generated):
        raise UsageError(f"{len(sources)} sources for {len(generated)} labels: wanted one a picture")
    groups = list(zip(generated.tolist(), sources, strict=True))
    sizes: dict[tuple[bool, str], int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    count = {label: sum(1 for is_generated, _ in sizes if is_generated is label) for label in (False, True)}
    return np.array([1.0 / (sizes[group] * count[group[0]]) for group in groups], dtype=np.float64)


def class_weights(labels: ArrayLike) -> Floats:
    """Weights under which both classes count alike: those of each class that is there sum to 1.

    Example:
        >>> class_weights([0, 0, 1]).tolist()
        [0.5, 0.5, 1.0]
    """
    generated = _binary(labels)
    return source_weights(generated, [""] * len(generated))


def checked(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None) -> tuple[Bools, Floats, Floats]:
    """Validate once, at the border: bool [n], float64 [n], float64 [n].

    Raises:
        UsageError: shapes differ, labels are not binary, a score is NaN, a weight negative or not finite.
    """
    generated = _binary(labels)
    values = _floats(scores, "scores")
    weighed = np.ones(len(generated)) if weights is None else _floats(weights, "weights")
    if not generated.shape == values.shape == weighed.shape:
        raise UsageError(
            f"{len(generated)} labels, {len(values)} scores, {len(weighed)} weights: wanted as many of each"
        )
    if np.isnan(values).any():
        raise UsageError(f"{int(np.isnan(values).sum())} scores are NaN: leave out pictures without a score")
    if not (np.isfinite(weighed).all() and (weighed >= 0.0).all()):
        raise UsageError("a weight is negative or not finite: wanted finite weights of 0 or more")
    return generated, values, weighed


def _binary(labels: ArrayLike) -> Bools:
    array = np.asarray(labels)
    if array.ndim != 1:
        raise UsageError(f"labels of shape {array.shape}: wanted one label a picture")
    generated: NDArray[np.bool_] = array.astype(np.bool_)
    if (array.dtype.kind not in "biuf" and array.size) or not (array == generated).all():
        raise UsageError("labels are not binary: wanted true (or 1) for generated and false (or 0) for real")
    return generated


def _floats(values: ArrayLike, name: str) -> Floats:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} are not numbers: wanted one number a picture") from error
    if array.ndim != 1:
        raise UsageError(f"{name} of shape {array.shape}: wanted one number a picture")
    return array


def _value(kernel: kernels.Kernel, generated: Bools, scores: Floats, weights: Floats) -> float:
    return float(kernel(generated, scores, weights[None])[0])
