"""Metrics against scikit-learn, hand-computed values and what must not change them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression

from spectrace.errors import UsageError
from spectrace.evaluation import metrics

Sample = tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]
WITH_BOTH_CLASSES: list[Callable[..., float]] = [
    metrics.auroc,
    metrics.average_precision,
    metrics.tpr_at_fpr,
    metrics.balanced_accuracy,
    metrics.cllr,
    metrics.minimum_cllr,
]


@st.composite
def samples(draw: st.DrawFn, ties: bool = True) -> Sample:
    """Labels of both classes, scores (from a few values, so that many tie) and weights."""
    count = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.random(count) < draw(st.floats(0.2, 0.8))
    assume(labels.any() and not labels.all())
    levels = draw(st.integers(1, 12)) if ties else 10**6
    scores = rng.integers(-levels, levels + 1, count) / 4.0
    return labels, scores, rng.integers(0, 4, count) + rng.random(count)


@given(samples())
def test_ranking_metrics_agree_with_scikit_learn(sample: Sample) -> None:
    labels, scores, weights = sample
    for given_weights in (None, weights):
        assert metrics.auroc(labels, scores, given_weights) == pytest.approx(
            oracle.roc_auc_score(labels, scores, sample_weight=given_weights)
        )
        assert metrics.average_precision(labels, scores, given_weights) == pytest.approx(
            oracle.average_precision_score(labels, scores, sample_weight=given_weights)
        )
        expected = oracle.roc_curve(labels, scores, sample_weight=given_weights, drop_intermediate=False)
        for found, wanted in zip(metrics.roc_points(labels, scores, given_weights), expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-12)


@given(samples(), st.sampled_from([0.0, 0.01, 0.05, 0.3, 1.0]))
def test_tpr_at_fpr_is_the_best_point_of_scikit_learns_curve(sample: Sample, target: float) -> None:
    labels, scores, weights = sample
    false_rate, true_rate, _ = oracle.roc_curve(
        labels, scores, sample_weight=weights, drop_intermediate=False
    )
    assert metrics.tpr_at_fpr(labels, scores, target, weights) == pytest.approx(
        true_rate[false_rate <= target + 1e-12].max()
    )


@given(samples())
def test_balanced_accuracy_and_cllr_agree_with_scikit_learn(sample: Sample) -> None:
    labels, scores, weights = sample
    assert metrics.balanced_accuracy(labels, scores, 0.25, weights) == pytest.approx(
        oracle.balanced_accuracy_score(labels, scores >= 0.25, sample_weight=weights)
    )
    # The cost is the log-loss in bits of both classes weighed alike, at even prior odds.
    alike = metrics.class_weights(labels)
    probabilities = 1.0 / (1.0 + np.exp(-scores))
    assert metrics.cllr(labels, scores) == pytest.approx(
        oracle.log_loss(labels, probabilities, sample_weight=alike) / math.log(2.0)
    )
    balanced = weights / np.where(labels, weights[labels].sum(), weights[~labels].sum())
    assert metrics.cllr(labels, scores, weights) == pytest.approx(
        oracle.log_loss(labels, probabilities, sample_weight=balanced) / math.log(2.0)
    )


@given(samples())
def test_minimum_cllr_is_the_cost_of_scikit_learns_isotonic_regression(sample: Sample) -> None:
    labels, scores, weights = sample
    balanced = weights / np.where(labels, weights[labels].sum(), weights[~labels].sum())
    fitted = IsotonicRegression().fit_transform(scores, labels.astype(float), sample_weight=balanced)
    cost = oracle.log_loss(labels, np.clip(fitted, 0.0, 1.0), sample_weight=balanced) / math.log(2.0)
    found = metrics.minimum_cllr(labels, scores, weights)
    assert found == pytest.approx(cost, abs=1e-9)
    assert found <= metrics.cllr(labels, scores, weights) + 1e-9
    # What only changes the values leaves it as it is.
    assert metrics.minimum_cllr(labels, scores**3, weights) == pytest.approx(found, abs=1e-9)


@given(samples())
def test_figures_of_decisions_agree_with_scikit_learn(sample: Sample) -> None:
    labels, scores, weights = sample
    decisions = np.sign(scores) * (np.abs(scores) > 0.5)
    decided = decisions != 0.0
    assert metrics.decided_share(decisions, weights) == pytest.approx(np.average(decided, weights=weights))
    called = decisions > 0.0
    assert metrics.balanced_accuracy(labels, decisions, 1.0, weights) == pytest.approx(
        oracle.balanced_accuracy_score(labels, called, sample_weight=weights)
    )
    if decided.any():
        assert metrics.accuracy_of_decided(labels, decisions, weights) == pytest.approx(
            oracle.accuracy_score(labels[decided], called[decided], sample_weight=weights[decided])
        )


@given(samples())
def test_expected_calibration_error_agrees_with_scikit_learns_curve(sample: Sample) -> None:
    labels, scores, _ = sample
    probabilities = 1.0 / (1.0 + np.exp(-scores))
    seen, claimed = calibration_curve(labels, probabilities, n_bins=15, strategy="uniform")
    counts = np.histogram(probabilities, np.linspace(0.0, 1.0, 16))[0]
    gaps = np.abs(seen - claimed) * counts[counts > 0] / len(labels)
    assert metrics.expected_calibration_error(labels, probabilities, 15) == pytest.approx(gaps.sum())


def test_auroc_by_hand() -> None:
    # Pairs (real, generated): 1<3 1<2 2<3 2=2 4>3 4>2, hence (3 + 1/2) of 6.
    assert metrics.auroc([0, 0, 0, 1, 1], [1, 2, 4, 3, 2]) == pytest.approx(3.5 / 6)
    assert metrics.auroc([0, 1], [5.0, 5.0]) == 0.5
    assert metrics.auroc([0, 1, 0, 1], [-math.inf, math.inf, math.inf, 0.0]) == pytest.approx(2.5 / 4)


def test_average_precision_by_hand() -> None:
    # Descending: g (1/1), r, g (2/3), g (3/4).
    assert metrics.average_precision([1, 0, 1, 1], [4, 3, 2, 1]) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_tpr_at_one_per_cent_with_few_real_pictures_lets_none_through() -> None:
    labels = [0] * 50 + [1] * 4
    scores = [*range(50), 49, 49.5, 60, 3]
    assert metrics.tpr_at_fpr(labels, scores) == 0.5
    assert metrics.tpr_at_fpr(labels, scores, 0.02) == 0.75
    assert metrics.tpr_at_fpr(labels, scores, 1.0) == 1.0


def test_cllr_by_hand() -> None:
    # One picture a class, both with the ratio 3:1 on the right side: log2(1 + 1/3) bits.
    assert metrics.cllr([0, 1], [-math.log(3), math.log(3)]) == pytest.approx(math.log2(4 / 3))
    assert metrics.cllr([0, 1], [math.log(3), -math.log(3)]) == pytest.approx(2.0)
    assert metrics.cllr([0, 1], [-math.inf, math.inf]) == 0.0
    assert metrics.cllr([0, 1], [math.inf, math.inf]) == math.inf
    assert metrics.cllr([0, 1, 0], [-5000.0, 5000.0, -5000.0]) == 0.0


def test_expected_calibration_error_by_hand() -> None:
    # Two bins: mean 0.2 against 1/2 for two pictures, mean 0.9 against 1 for one.
    labels, probabilities = [0, 1, 1], [0.1, 0.3, 0.9]
    assert metrics.expected_calibration_error(labels, probabilities, bins=2) == pytest.approx(
        (2 * 0.3 + 1 * 0.1) / 3
    )
    weights = [1.0, 1.0, 2.0]
    assert metrics.expected_calibration_error(labels, probabilities, 2, weights) == pytest.approx(0.8 / 4)
    assert metrics.expected_calibration_error([0, 1], [0.0, 1.0]) == 0.0
    assert metrics.expected_calibration_error([1, 0], [0.0, 1.0]) == 1.0


def test_scores_that_are_what_they_claim_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40_000) % 2 == 0
    # Two normal distributions with means +1 and -1 and variance 2: their log-likelihood ratio is x itself.
    scores = rng.normal(np.where(labels, 1.0, -1.0), math.sqrt(2.0))
    probabilities = 1.0 / (1.0 + np.exp(-scores))
    assert metrics.expected_calibration_error(labels, probabilities) < 0.01
    assert metrics.expected_calibration_error(labels, 1.0 / (1.0 + np.exp(-3.0 * scores))) > 0.08
    costs = [metrics.cllr(labels, factor * scores) for factor in (0.5, 1.0, 2.0)]
    assert costs[1] == min(costs)


@given(samples())
def test_ranking_metrics_only_see_the_order(sample: Sample) -> None:
    labels, scores, weights = sample
    for metric in (metrics.auroc, metrics.average_precision):
        value = metric(labels, scores, weights)
        assert metric(labels, np.exp(scores), weights) == pytest.approx(value)
        assert metric(labels, scores**3, 5.0 * weights) == pytest.approx(value)
    assert metrics.tpr_at_fpr(labels, scores**3) == metrics.tpr_at_fpr(labels, scores)


@given(samples())
def test_swapping_the_classes_mirrors_auroc(sample: Sample) -> None:
    labels, scores, weights = sample
    value = metrics.auroc(labels, scores, weights)
    assert metrics.auroc(~labels, -scores, weights) == pytest.approx(value)
    assert metrics.auroc(~labels, scores, weights) == pytest.approx(1.0 - value)


@given(samples(), st.integers(0, 2**32))
def test_order_of_pictures_does_not_matter_and_a_weight_of_two_is_a_copy(sample: Sample, seed: int) -> None:
    labels, scores, _ = sample
    rng = np.random.default_rng(seed)
    copies = rng.integers(1, 4, len(labels))
    order = rng.permutation(len(labels))
    for metric in WITH_BOTH_CLASSES:
        weighed = metric(labels[order], scores[order], weights=copies[order])
        assert weighed == pytest.approx(metric(np.repeat(labels, copies), np.repeat(scores, copies)))


@pytest.mark.parametrize("metric", WITH_BOTH_CLASSES)
@pytest.mark.parametrize("labels", [[], [0, 0, 0], [1, 1, 1]])
def test_one_class_gives_nan(metric: Callable[..., float], labels: list[int]) -> None:
    assert math.isnan(metric(labels, np.arange(len(labels), dtype=float)))


def test_a_class_without_weight_gives_nan_and_no_curve() -> None:
    assert math.isnan(metrics.auroc([0, 1], [0.0, 1.0], [1.0, 0.0]))
    assert math.isnan(metrics.expected_calibration_error([], []))
    for labels in ([], [1, 1]):
        with pytest.raises(UsageError, match="real and generated"):
            metrics.roc_points(labels, np.zeros(len(labels)))


@pytest.mark.parametrize(
    ("labels", "scores", "weights", "said"),
    [
        ([0, 1], [1.0], None, "2 labels, 1 scores"),
        ([0, 1], [1.0, 2.0], [1.0], "1 weights"),
        ([0, 1], [1.0, math.nan], None, "1 scores are NaN"),
        ([0, 2], [1.0, 2.0], None, "not binary"),
        ([0, 0.5], [1.0, 2.0], None, "not binary"),
        (["real", "generated"], [1.0, 2.0], None, "not binary"),
        ([[0, 1]], [[1.0, 2.0]], None, "shape"),
        ([0, 1], [[1.0, 2.0]], None, "scores of shape"),
        ([0, 1], ["a", "b"], None, "scores are not numbers"),
        ([0, 1], [1.0, 2.0], [1.0, -1.0], "negative"),
        ([0, 1], [1.0, 2.0], [1.0, math.inf], "not finite"),
    ],
)
def test_nonsense_is_refused_at_the_border(
    labels: object, scores: object, weights: object, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        metrics.auroc(labels, scores, weights)  # type: ignore[arg-type]


def test_parameters_are_checked() -> None:
    for target in (-0.01, 1.01, math.nan):
        with pytest.raises(UsageError, match="false-positive rate"):
            metrics.tpr_at_fpr([0, 1], [0.0, 1.0], target)
    with pytest.raises(UsageError, match="0 bins"):
        metrics.expected_calibration_error([0, 1], [0.0, 1.0], 0)
    with pytest.raises(UsageError, match="wanted 0 to 1"):
        metrics.expected_calibration_error([0, 1], [0.0, 1.5])
    with pytest.raises(UsageError, match="1 sources for 2 labels"):
        metrics.source_weights([0, 1], ["a"])


def test_source_weights_make_every_source_count_alike() -> None:
    labels = [0] * 100 + [0] * 2 + [1] * 5
    sources = ["big"] * 100 + ["small"] * 2 + ["gan"] * 5
    weights = metrics.source_weights(labels, sources)
    assert [weights[:100].sum(), weights[100:102].sum(), weights[102:].sum()] == pytest.approx([0.5, 0.5, 1])
    # Every picture of the big source lies below the generated ones, every one of the small source above.
    scores = np.array([0.0] * 100 + [2.0] * 2 + [1.0] * 5)
    assert metrics.auroc(labels, scores) == pytest.approx(100 / 102)
    assert metrics.auroc(labels, scores, weights) == pytest.approx(0.5)
