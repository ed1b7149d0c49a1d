"""Localisation figures against scikit-learn and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score, roc_auc_score

from spectrace.errors import UsageError
from spectrace.evaluation.localisation import choose_threshold, localise, mean_over_pictures


def overlap(mask: np.ndarray, called: np.ndarray) -> float:
    return float((mask & called).sum() / (mask | called).sum())


def example(seed: int, levels: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = rng.random((9, 11)) < rng.uniform(0.1, 0.6)
    mask[0, 0], mask[-1, -1] = True, False
    # Few levels, so that many pixels tie, as they do under one patch.
    return np.round(rng.normal(mask * rng.uniform(0, 2), 1.0) * levels) / levels, mask


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(-2, 2))
def test_figures_are_scikit_learns(seed: int, threshold: float) -> None:
    scores, mask = example(seed)
    found = localise(scores, mask, threshold)
    flat, truth = scores.ravel(), mask.ravel()
    assert found.auroc == pytest.approx(roc_auc_score(truth, flat))
    assert found.iou == pytest.approx(jaccard_score(truth, flat >= threshold))
    best = max(overlap(truth, flat >= cut) for cut in np.unique(flat))
    assert found.best_iou == pytest.approx(best)
    assert found.unscored == 0


def test_pixels_without_a_score_take_no_part() -> None:
    scores, mask = example(1)
    holes = np.random.default_rng(2).random(scores.shape) < 0.3
    scores = scores.astype(np.float32)
    scores[holes] = np.nan
    found = localise(scores, mask, 0.25)
    assert found.unscored == holes.sum()
    assert found.auroc == pytest.approx(roc_auc_score(mask[~holes], scores[~holes]))
    assert found.iou == pytest.approx(jaccard_score(mask[~holes], scores[~holes] >= 0.25))


def test_pictures_without_a_kind_of_pixel() -> None:
    scores = np.array([[1.0, -1.0]])
    none = localise(scores, np.zeros((1, 2), bool))
    assert math.isnan(none.auroc)
    assert none.iou == 0.0
    assert math.isnan(none.best_iou)
    assert math.isnan(localise(scores, np.zeros((1, 2), bool), 5.0).iou)
    whole = localise(scores, np.ones((1, 2), bool))
    assert math.isnan(whole.auroc)
    assert (whole.iou, whole.best_iou) == (0.5, 1.0)
    unscored = localise(np.full((1, 2), np.nan), np.ones((1, 2), bool))
    assert unscored.unscored == 2
    assert math.isnan(unscored.auroc)
    assert math.isnan(unscored.iou)


def test_shapes_must_agree() -> None:
    with pytest.raises(UsageError, match=r"score map \(2, 3\) and mask \(3, 2\)"):
        localise(np.zeros((2, 3)), np.zeros((3, 2), bool))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_the_chosen_threshold_is_the_best_on_average(seed: int) -> None:
    pictures = [example(seed), example(seed + 1), (np.zeros((2, 2)), np.zeros((2, 2), bool))]
    threshold = choose_threshold(pictures)

    def mean_iou(cut: float) -> float:
        return float(np.mean([overlap(m, s >= cut) for s, m in pictures[:2]]))

    everywhere = np.unique(np.concatenate([s.ravel() for s, _ in pictures[:2]]))
    assert mean_iou(threshold) == pytest.approx(max(mean_iou(cut) for cut in everywhere))


def test_no_threshold_without_manipulated_pixels() -> None:
    with pytest.raises(UsageError, match="no threshold to choose"):
        choose_threshold([(np.zeros((2, 2)), np.zeros((2, 2), bool))])


def test_the_interval_is_that_of_a_mean() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.7, 0.1, 200)
    value, low, high = mean_over_pictures([*values, math.nan])
    assert value == pytest.approx(values.mean())
    wanted = 1.96 * values.std() / math.sqrt(len(values))
    assert value - low == pytest.approx(wanted, rel=0.15)
    assert high - value == pytest.approx(wanted, rel=0.15)
    assert mean_over_pictures(list(values)) == mean_over_pictures(list(values))
    assert math.isnan(mean_over_pictures([]).value)
