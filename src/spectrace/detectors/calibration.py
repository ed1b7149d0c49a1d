"""Calibration: which score a pooled logit stands for, and where the verdict's thresholds lie.

Every picture weighs so that the two classes count alike and, within a class, every source counts alike: a big
source must not decide the threshold for all. Which method to take when: ``docs/guide-calibrate.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectrace.detectors.card import Calibration, Thresholds
from spectrace.detectors.isotonic import fit_isotonic
from spectrace.errors import UsageError

Floats = NDArray[np.float64]

_RIDGE = 1e-6
_NEWTON_STEPS = 50


def balanced_weights(labels: ArrayLike, sources: Sequence[str]) -> Floats:
    """Weights under which both classes count 0.5, and each source alike within its class.

    Args:
        labels: bool or 0/1 [N], 1 means generated.
        sources: [N] names.

    Returns:
        float64 [N], summing to 1.

    Raises:
        UsageError: a class is empty or the lengths differ.

    Example:
        >>> balanced_weights([0, 0, 0, 1], ["phone", "phone", "web", "gan"]).tolist()
        [0.125, 0.125, 0.25, 0.5]
    """
    truth = np.asarray(labels).astype(bool)
    if len(truth) != len(sources):
        raise UsageError(f"{len(truth)} labels for {len(sources)} sources: wanted one source a picture")
    if truth.all() or not truth.any():
        raise UsageError("calibration needs pictures of both classes: found only one")
    weights = np.zeros(len(truth))
    names = np.asarray(sources)
    for label in (False, True):
        of_class = truth == label
        found = np.unique(names[of_class])
        for name in found:
            members = of_class & (names == name)
            weights[members] = 0.5 / len(found) / members.sum()
    return weights


def fit_platt(logits: ArrayLike, labels: ArrayLike, weights: Floats) -> Calibration:
    """Fit ``score = slope * logit + intercept`` by weighted logistic regression.

    With both classes weighing alike, the fitted log-odds are a natural-log likelihood ratio.

    Args:
        logits: float [N], pooled logits.
        labels: bool or 0/1 [N], 1 means generated.
        weights: float [N], as :func:`balanced_weights` gives them.

    Returns:
        The calibration. The slope is never negative: a detector that is wrong on the calibration pictures
        becomes one that says nothing (slope 0), not one that is turned round.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> logits = np.concatenate([rng.normal(-1, 1, 5000), rng.normal(1, 1, 5000)])
        >>> labels = np.repeat([0, 1], 5000)
        >>> fitted = fit_platt(logits, labels, np.full(10000, 1e-4))
        >>> round(fitted.slope, 1), round(abs(fitted.intercept), 1)  # two unit Gaussians, 2 apart: LLR = 2 x
        (2.0, 0.0)
    """
    x = np.asarray(logits, np.float64)
    centre, spread = float(x.mean()), float(x.std()) or 1.0
    design = np.stack([(x - centre) / spread, np.ones_like(x)], axis=1)
    theta = _logistic_regression(design, labels, weights)
    slope = float(theta[0]) / spread
    if slope <= 0.0:
        return Calibration(slope=0.0, intercept=0.0, method="platt")
    return Calibration(slope=slope, intercept=float(theta[1]) - slope * centre, method="platt")


def fit_temperature(logits: ArrayLike, labels: ArrayLike, weights: Floats) -> Calibration:
    """Fit ``score = slope * logit``; the temperature is ``1 / slope``. A logit of 0 keeps its meaning.

    Source: Guo et al., *On calibration of modern neural networks*, 2017.

    Args, returns: as :func:`fit_platt`, with an intercept of 0.

    Example:
        >>> fitted = fit_temperature([-4.0, -4.0, 4.0, 4.0], [0, 1, 1, 1], np.array([0.4, 0.1, 0.25, 0.25]))
        >>> round(fitted.slope, 2), fitted.intercept  # overconfident: e^4 to 1 is claimed
        (0.55, 0.0)
    """
    x = np.asarray(logits, np.float64)
    spread = float(np.sqrt((x**2).mean())) or 1.0
    theta = _logistic_regression(x[:, None] / spread, labels, weights)
    return Calibration(slope=max(0.0, float(theta[0]) / spread), intercept=0.0, method="temperature")


METHODS: dict[str, Callable[[ArrayLike, ArrayLike, Floats], Calibration]] = {
    "platt": fit_platt,
    "temperature": fit_temperature,
    "isotonic": fit_isotonic,
}
"""Methods of calibration: pooled logits [N], labels [N] and weights [N] to a calibration."""


def _logistic_regression(design: Floats, labels: ArrayLike, weights: Floats) -> Floats:
    y = np.asarray(labels, np.float64)
    size = design.shape[1]
    theta = np.zeros(size)
    for _ in range(_NEWTON_STEPS):
        p = 0.5 * (1.0 + np.tanh(0.5 * (design @ theta)))
        gradient = design.T @ (weights * (p - y)) + _RIDGE * theta
        curvature = (design * (weights * p * (1.0 - p))[:, None]).T @ design + _RIDGE * np.eye(size)
        step = np.linalg.solve(curvature, gradient)
        # Damping: on separable data a full Newton step overshoots.
        theta -= step / max(1.0, float(np.abs(step).max()) / 2.0)
        if float(np.abs(step).max()) < 1e-10:
            break
    return theta


def fit_thresholds(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: Floats,
    *,
    false_positive_rate: float,
    miss_rate: float,
) -> Thresholds:
    """Thresholds that the stated weighted shares of the calibration pictures reach.

    Args:
        scores: float [N], calibrated scores.
        labels: bool or 0/1 [N], 1 means generated.
        weights: float [N], as :func:`balanced_weights` gives them.
        false_positive_rate: share of camera pictures at or above ``generated``, 0..1.
        miss_rate: share of generated pictures at or below ``camera``, 0..1.

    Returns:
        The two thresholds; where they would cross (a strong detector), both lie in the middle between.

    Raises:
        UsageError: a rate outside 0..1.

    Example:
        >>> scores, labels = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0], [0, 0, 0, 1, 1, 1]
        >>> fitted = fit_thresholds(scores, labels, np.ones(6), false_positive_rate=0.0, miss_rate=0.0)
        >>> round(fitted.camera, 6), round(fitted.generated, 6)
        (-0.5, -0.5)
    """
    upper, lower = threshold_cuts(
        scores, labels, weights[None], false_positive_rate=false_positive_rate, miss_rate=miss_rate
    )
    return Thresholds(
        generated=float(upper[0]),
        camera=float(lower[0]),
        false_positive_rate=false_positive_rate,
        miss_rate=miss_rate,
    )


def threshold_cuts(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: Floats,
    *,
    false_positive_rate: float,
    miss_rate: float,
) -> tuple[Floats, Floats]:
    """Both thresholds of :func:`fit_thresholds` under many weightings of the same pictures at once.

    Args, raises: as :func:`fit_thresholds`, but for the weights, float [B, N].

    Returns:
        Upper and lower thresholds, float64 [B] each.
    """
    for name, rate in (("false_positive_rate", false_positive_rate), ("miss_rate", miss_rate)):
        if not 0.0 <= rate <= 1.0:
            raise UsageError(f"{name} {rate:g}: wanted a share from 0 to 1")
    values = np.asarray(scores, np.float64)
    truth = np.asarray(labels).astype(bool)
    upper = -_highest_cuts(-values[~truth], weights[:, ~truth], false_positive_rate)
    lower = _highest_cuts(values[truth], weights[:, truth], miss_rate)
    middle = 0.5 * (upper + lower)
    crossed = lower > upper
    return np.where(crossed, middle, upper), np.where(crossed, middle, lower)


def _highest_cuts(values: Floats, weights: Floats, share: float) -> Floats:
    """The largest cut c [B] for which the weighted share of ``values <= c`` is at most ``share``."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    cumulative = np.cumsum(weights[:, order], axis=1)
    allowed = (cumulative <= (share + 1e-12) * cumulative[:, -1:]).sum(axis=1)
    # Just below the first value that would break the promise, so that ties cannot break it either.
    below: Floats = np.nextafter(ordered[np.minimum(allowed, len(values) - 1)], -np.inf)
    return np.where(allowed == len(values), ordered[-1], below)
