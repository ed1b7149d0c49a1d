"""Weights of branches: held against scikit-learn, never negative, no source louder than another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.runtime import Model
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation.crossfit import Scored
from spectrace.evaluation.fusion import branch_logits, fit_branches, held_logits


def sample(*separations: float, count: int = 600, sources: int = 3, seed: int = 0) -> Scored:
    """Branches whose logits are N(-separation, 1) and N(separation, 1)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2 == 1
    centres = np.where(labels, 1.0, -1.0)[:, None] * np.array(separations)
    names = np.char.add("s", (np.arange(count) // 2 % sources).astype(str))
    none = np.zeros(count, np.int64)
    return Scored(centres + rng.normal(size=centres.shape), labels, names, none, np.arange(count))


def test_scikit_learn_finds_the_same_weights():
    scored = sample(1.0, 0.4, 0.7)
    fitted = fit_branches(scored)
    weights = scored.weights()
    spread = np.sqrt(weights @ (scored.logits - fitted.means) ** 2)
    oracle = LogisticRegression(C=1e3, tol=1e-10, max_iter=1000).fit(
        (scored.logits - fitted.means) / spread, scored.labels, sample_weight=weights
    )
    np.testing.assert_allclose(fitted.weights, oracle.coef_[0] / spread, rtol=1e-3)
    assert fitted.bias == pytest.approx(oracle.intercept_[0], abs=1e-3)


@settings(max_examples=25)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=4), st.integers(0, 99))
def test_no_weight_is_negative_and_the_answer_is_finite(separations, seed):
    fitted = fit_branches(sample(*separations, count=60, seed=seed))
    assert (fitted.weights >= 0.0).all()
    assert np.isfinite([*fitted.weights, *fitted.means, fitted.bias]).all()


def test_what_is_wrong_or_constant_gets_no_weight():
    scored = sample(1.0, -1.0, 0.0)
    scored = scored._replace(logits=np.column_stack([scored.logits[:, :2], np.full(600, 3.0)]))
    fitted = fit_branches(scored)
    assert fitted.weights[0] > 1.5
    assert fitted.weights[1:].tolist() == [0.0, 0.0]
    assert fitted.means[2] == pytest.approx(3.0)


def test_separable_pictures_do_not_blow_the_weights_up():
    assert fit_branches(sample(50.0)).weights[0] < 10.0


def test_a_source_counts_once_however_many_pictures_it_has():
    scored = sample(1.0, 0.5)
    loud = np.concatenate([np.arange(600), *[np.flatnonzero(scored.sources == "s0")] * 9])
    once, often = fit_branches(scored), fit_branches(scored.take(loud))
    np.testing.assert_allclose(once.weights, often.weights, rtol=1e-3)
    np.testing.assert_allclose(once.means, often.means, atol=1e-9)


def test_held_logits_know_nothing_of_their_own_sources():
    scored = sample(1.0, 1.0, sources=5)
    # In one source the first branch is turned round: only the others' weights may be used there.
    turned = scored.sources == "s0"
    scored.logits[turned, 0] *= -1.0
    held = held_logits(scored, folds=5)
    others = fit_branches(scored.take(~turned))
    np.testing.assert_allclose(held[turned], others.apply(scored.logits[turned]))


def test_what_cannot_be_collected(fusion_model, toy_model, tmp_path):
    rows = Manifest([Row(path="missing.png", label="real", source="a")], tmp_path)
    unseen = Manifest([Row(path="missing.png", label="real", split="unseen")], tmp_path)
    fusion = Model(fusion_model())
    with pytest.raises(UsageError, match="last measurement"):
        branch_logits(fusion, unseen, ["identity"])
    with pytest.raises(UsageError, match="wanted a fusion"):
        branch_logits(Model(toy_model()), rows, ["identity"])
    with pytest.raises(UsageError, match="no condition"):
        branch_logits(fusion, rows, [])
    with pytest.raises(ManifestError, match="no picture could be scored"):
        branch_logits(fusion, rows, ["identity"])
