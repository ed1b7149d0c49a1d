"""Intervals: what they contain, how wide they are, and that clusters widen them."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from spectrace.errors import UsageError
from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import interval, resampled_weights, wilson
from spectrace.evaluation.metrics import auroc, source_weights

KERNELS = [
    kernels.auroc,
    kernels.average_precision,
    kernels.tpr_at_fpr(0.05),
    kernels.balanced_accuracy(0.0),
    kernels.cllr,
]


def clustered(seed: int, sources: int = 6, pictures: int = 8, spread: float = 1.0) -> tuple:  # type: ignore[type-arg]
    """Labels, scores and source names; each source has an offset of its own."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([False, True], sources * pictures)
    names = [f"s{index // pictures}" for index in range(2 * sources * pictures)]
    offsets = np.repeat(rng.normal(0.0, spread, 2 * sources), pictures)
    return labels, rng.normal(labels * 1.0, 1.0) + offsets, names


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 6))
def test_an_interval_contains_its_estimate(seed: int, sources: int, pictures: int) -> None:
    labels, scores, names = clustered(seed, sources, pictures)
    resampled = resampled_weights(labels, names, resamples=50, seed=seed)
    for weights in (None, source_weights(labels, names)):
        for kernel in KERNELS:
            value, low, high = interval(kernel, labels, scores, resampled, weights=weights)
            assert low <= value <= high


def test_resamples_keep_classes_apart_and_draw_whole_sources() -> None:
    labels, _, names = clustered(0)
    weights = resampled_weights(labels, names, resamples=400, seed=1)
    np.testing.assert_array_equal(weights.sum(axis=1), 96)
    np.testing.assert_array_equal(weights[:, labels].sum(axis=1), 48)
    by_source = weights.reshape(400, 12, 8).sum(axis=2)
    assert set(np.unique(by_source % 8)) == {0.0}
    # A source is missing from a resample with probability (5/6)^6, about a third.
    assert (by_source == 0).mean() == pytest.approx((5 / 6) ** 6, abs=0.03)
    # Every picture is drawn once on average.
    np.testing.assert_allclose(weights.mean(axis=0), 1.0, atol=0.35)


def test_the_seed_decides() -> None:
    labels, _, names = clustered(0)
    first = resampled_weights(labels, names, resamples=5, seed=3)
    np.testing.assert_array_equal(first, resampled_weights(labels, names, resamples=5, seed=3))
    assert (first != resampled_weights(labels, names, resamples=5, seed=4)).any()


def test_without_clusters_the_interval_is_the_one_scipy_finds() -> None:
    rng = np.random.default_rng(0)
    values = rng.random(60) < 0.3
    labels = np.zeros(60, bool)

    def share(generated: kernels.Bools, scores: kernels.Floats, weights: kernels.Floats) -> kernels.Floats:
        return kernels.mean(scores, weights)

    resampled = resampled_weights(labels, ["one"] * 60, resamples=4000)
    found = interval(share, labels, values.astype(float), resampled)
    expected = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=1)
    assert found.value == values.mean()
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.02)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.02)


def test_intervals_clustered_by_source_cover_the_truth_where_plain_ones_do_not() -> None:
    # Scores 1 apart with unit noise and unit offsets a source: the true AUROC is Phi(1 / 2).
    truth = stats.norm.cdf(0.5)
    covered = {"clustered": 0, "plain": 0}
    for seed in range(60):
        labels, scores, names = clustered(seed, sources=12, pictures=20)
        for kind, clusters in (("clustered", names), ("plain", ["one"] * len(names))):
            resampled = resampled_weights(labels, clusters, resamples=200, seed=seed)
            _, low, high = interval(kernels.auroc, labels, scores, resampled)
            covered[kind] += low <= truth <= high
    assert covered["clustered"] >= 51
    assert covered["plain"] <= 45


def test_what_is_not_defined_has_no_interval() -> None:
    resampled = resampled_weights([1, 1], ["a", "b"], resamples=5)
    assert all(math.isnan(end) for end in interval(kernels.auroc, [1, 1], [0.0, 1.0], resampled))
    assert resampled_weights([], [], resamples=5).shape == (5, 0)


def test_infinite_costs_stay_infinite() -> None:
    labels, sources = [0, 1, 1, 1], ["a", "b", "c", "d"]
    resampled = resampled_weights(labels, sources, resamples=100)
    value, low, high = interval(kernels.cllr, labels, [-1.0, -math.inf, 1.0, 1.0], resampled)
    assert (value, high) == (math.inf, math.inf)
    assert not math.isnan(low)


def test_a_thousand_resamples_of_a_thousand_pictures_take_no_time() -> None:
    labels, scores, names = clustered(0, sources=25, pictures=24)
    started = time.perf_counter()
    resampled = resampled_weights(labels, names)
    interval(kernels.auroc, labels, scores, resampled)
    assert resampled.shape == (1000, 1200)
    # About 0.2 s alone on one core; the bound leaves room for busy machines.
    assert time.perf_counter() - started < 3.0


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(UsageError, match="0 resamples"):
        resampled_weights([0, 1], ["a", "b"], resamples=0)
    with pytest.raises(UsageError, match="2 labels, 1 scores"):
        resampled_weights([0, 1], ["a"])
    with pytest.raises(UsageError, match="wanted \\[B, 2\\]"):
        interval(kernels.auroc, [0, 1], [0.0, 1.0], np.ones((3, 4)))
    for successes, trials in ((-1, 3), (4, 3)):
        with pytest.raises(UsageError, match="successes"):
            wilson(successes, trials)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    successes, trials = counts
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    value, low, high = wilson(successes, trials)
    assert value == successes / trials
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0.0 <= low <= value <= high <= 1.0


def test_no_trials_no_proportion() -> None:
    assert all(math.isnan(end) for end in wilson(0, 0))


def test_auroc_of_the_estimate_is_the_metric_itself() -> None:
    labels, scores, names = clustered(5)
    assert interval(
        kernels.auroc, labels, scores, resampled_weights(labels, names, resamples=3)
    ).value == auroc(labels, scores)
