"""Calibration against scikit-learn and against what the thresholds promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from spectrace.detectors.calibration import balanced_weights, fit_platt, fit_thresholds
from spectrace.errors import UsageError


def sample(seed, count=400):
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < 0.3
    logits = rng.normal(0, 2, count) + 3.0 * labels + 5.0
    sources = [f"{'g' if label else 'r'}{rng.integers(3)}" for label in labels]
    return logits, labels, sources


@pytest.mark.parametrize("seed", range(3))
def test_platt_agrees_with_scikit_learn(seed):
    logits, labels, sources = sample(seed)
    weights = balanced_weights(labels, sources)
    ours = fit_platt(logits, labels, weights)
    oracle = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000)
    oracle.fit(logits[:, None], labels, sample_weight=weights * len(weights))
    assert ours.slope == pytest.approx(oracle.coef_[0, 0], rel=1e-3)
    assert ours.intercept == pytest.approx(oracle.intercept_[0], rel=1e-3)


def test_weights_balance_classes_and_sources():
    _, labels, sources = sample(0)
    weights = balanced_weights(labels, sources)
    assert weights[labels].sum() == pytest.approx(0.5)
    for name in set(sources):
        members = np.array([source == name for source in sources])
        assert weights[members].sum() == pytest.approx(0.5 / 3)


def test_separable_pictures_still_give_finite_numbers():
    fitted = fit_platt([-1.0, -0.5, 0.5, 1.0], [0, 0, 1, 1], np.full(4, 0.25))
    assert np.isfinite([fitted.slope, fitted.intercept]).all()
    assert fitted.slope > 0


def test_a_detector_that_is_wrong_says_nothing():
    fitted = fit_platt([1.0, 2.0, -1.0, -2.0], [0, 0, 1, 1], np.full(4, 0.25))
    assert (fitted.slope, fitted.intercept) == (0.0, 0.0)


@given(
    seed=st.integers(0, 1000),
    false_positives=st.floats(0, 0.3),
    misses=st.floats(0, 0.3),
    ties=st.booleans(),
)
def test_thresholds_keep_their_promise(seed, false_positives, misses, ties):
    logits, labels, sources = sample(seed, 120)
    scores = np.round(logits) if ties else logits
    if labels.all() or not labels.any():
        return
    weights = balanced_weights(labels, sources)
    fitted = fit_thresholds(scores, labels, weights, false_positive_rate=false_positives, miss_rate=misses)
    real, generated = ~labels, labels
    flagged = weights[real & (scores >= fitted.generated)].sum() / weights[real].sum()
    missed = weights[generated & (scores <= fitted.camera)].sum() / weights[generated].sum()
    assert flagged <= false_positives + 1e-9
    assert missed <= misses + 1e-9
    assert fitted.camera <= fitted.generated


def test_thresholds_are_not_stricter_than_they_need_be():
    scores = np.arange(100.0)
    labels = np.repeat([0, 1], 50)
    fitted = fit_thresholds(
        scores - 30.0 * labels, labels, np.ones(100), false_positive_rate=0.1, miss_rate=0.1
    )
    assert (scores[:50] >= fitted.generated).sum() == 5
    assert ((scores - 30.0)[50:] <= fitted.camera).sum() == 5


def test_one_class_and_bad_rates_are_refused():
    with pytest.raises(UsageError, match="both classes"):
        balanced_weights([1, 1], ["a", "b"])
    with pytest.raises(UsageError, match="one source a picture"):
        balanced_weights([0, 1], ["a"])
    with pytest.raises(UsageError, match="miss_rate 1.5"):
        fit_thresholds([0.0, 1.0], [0, 1], np.ones(2), false_positive_rate=0.0, miss_rate=1.5)
