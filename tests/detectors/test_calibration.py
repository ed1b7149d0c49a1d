"""Calibration against scikit-learn and against what the thresholds promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from spectrace.detectors.calibration import (
    METHODS,
    balanced_weights,
    fit_platt,
    fit_temperature,
    fit_thresholds,
    threshold_cuts,
)
from spectrace.detectors.isotonic import fit_isotonic, isotonic_shares
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


@pytest.mark.parametrize("seed", range(3))
def test_temperature_agrees_with_scikit_learn(seed):
    logits, labels, sources = sample(seed)
    logits = logits - 6.0
    weights = balanced_weights(labels, sources)
    oracle = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000, fit_intercept=False)
    oracle.fit(logits[:, None], labels, sample_weight=weights * len(weights))
    ours = fit_temperature(logits, labels, weights)
    assert ours.slope == pytest.approx(oracle.coef_[0, 0], rel=1e-3)
    assert ours.intercept == 0.0


@given(seed=st.integers(0, 1000), count=st.integers(2, 60), levels=st.integers(1, 30))
def test_isotonic_shares_agree_with_scikit_learn_with_weights_and_ties(seed, count, levels):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, count) / 2.0
    labels, weights = rng.random(count) < 0.5, rng.random(count) + 0.01
    oracle = IsotonicRegression().fit_transform(scores, labels.astype(float), sample_weight=weights)
    np.testing.assert_allclose(isotonic_shares(scores, labels, weights), oracle, atol=1e-9)


@given(seed=st.integers(0, 1000), count=st.integers(2, 80), ties=st.booleans())
def test_isotonic_scores_are_finite_and_never_fall(seed, count, ties):
    rng = np.random.default_rng(seed)
    labels = np.append(rng.random(count) < 0.5, [True, False])
    logits = rng.normal(0, 2, count + 2) + 2.0 * labels
    logits = np.round(logits) if ties else logits
    weights = np.full(count + 2, 1.0)
    fitted = fit_isotonic(logits, labels, weights)
    ends = np.sort(np.concatenate([logits, [-1e9, 1e9]]))
    scores = fitted.apply(ends)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) >= 0.0).all()
    # No ratio exceeds what so many pictures can show: one more of each class at either end.
    most = np.log([labels.sum() + 2.0, (~labels).sum() + 2.0]).sum()
    assert np.abs(scores).max() <= most
    centres = [logit for logit, _ in fitted.knots]
    between = np.unique(logits[(logits >= centres[0]) & (logits <= centres[-1])])
    assert (np.diff(fitted.apply(between)) > 0.0).all()  # the order within blocks is kept


def test_isotonic_finds_a_likelihood_ratio_that_is_no_line():
    rng = np.random.default_rng(0)
    labels = np.repeat([False, True], 20_000)
    truth = rng.normal(np.where(labels, 1.0, -1.0), np.sqrt(2.0))  # its own log-likelihood ratio
    logits = np.sign(truth) * np.abs(truth) ** 3
    weights = np.full(40_000, 1.0 / 40_000)
    middle = np.abs(truth) < 2.5
    for method, least, most in (("isotonic", 0.0, 0.15), ("platt", 0.5, 9.0)):
        off = np.abs(METHODS[method](logits, labels, weights).apply(logits) - truth)[middle]
        assert least <= off.mean() <= most, method


def test_isotonic_by_hand_with_weights():
    # Blocks: r at 0; g r at 1 and 2 (violators); g at 3. All weigh 1, so one more picture weighs 1 as well.
    fitted = fit_isotonic([0.0, 1.0, 2.0, 3.0], [0, 1, 0, 1], np.ones(4))
    assert [logit for logit, _ in fitted.knots] == pytest.approx([0.0, 1.5, 3.0])
    assert [score for _, score in fitted.knots] == pytest.approx([np.log(1 / 2), 0.0, np.log(2)])


def test_methods_work_on_maps_and_keep_single_precision_lines():
    logits, labels, sources = sample(0)
    weights = balanced_weights(labels, sources)
    heatmap = np.linspace(-9, 15, 24, dtype=np.float32).reshape(2, 3, 4)
    for name, fit in METHODS.items():
        fitted = fit(logits, labels, weights)
        assert fitted.method == name
        assert fitted.apply(heatmap).shape == (2, 3, 4)
        assert fitted.apply(heatmap)[1, 0, 2] == pytest.approx(
            fitted.apply(float(heatmap[1, 0, 2])), rel=1e-5
        )


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
    wrong = [1.0, 2.0, -1.0, -2.0], [0, 0, 1, 1], np.full(4, 0.25)
    for fit in (fit_platt, fit_temperature):
        assert (fit(*wrong).slope, fit(*wrong).intercept) == (0.0, 0.0)
    assert np.abs(fit_isotonic(*wrong).apply(np.linspace(-3, 3, 7))).max() < 1e-12


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


def test_many_weightings_at_once_are_one_after_the_other():
    logits, labels, sources = sample(1, 90)
    logits = np.round(logits)
    base = balanced_weights(labels, sources)
    many = np.random.default_rng(0).integers(0, 4, (6, 90)) * base
    rates = {"false_positive_rate": 0.1, "miss_rate": 0.2}
    upper, lower = threshold_cuts(logits, labels, many, **rates)
    for row, weights in enumerate(many):
        drawn = weights > 0
        alone = fit_thresholds(logits[drawn], labels[drawn], weights[drawn], **rates)
        assert (upper[row], lower[row]) == (alone.generated, alone.camera)


def test_one_class_and_bad_rates_are_refused():
    with pytest.raises(UsageError, match="both classes"):
        balanced_weights([1, 1], ["a", "b"])
    with pytest.raises(UsageError, match="one source a picture"):
        balanced_weights([0, 1], ["a"])
    with pytest.raises(UsageError, match="miss_rate 1.5"):
        fit_thresholds([0.0, 1.0], [0, 1], np.ones(2), false_positive_rate=0.0, miss_rate=1.5)
