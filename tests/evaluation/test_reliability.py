"""Reliability bins against scikit-learn's calibration curve, counts by hand and scores that hold what they claim."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from spectrace.corpora.manifest import Row
from spectrace.errors import UsageError
from spectrace.evaluation.reliability import calibration_error, diagram, reliability
from spectrace.evaluation.results import Bin, Results
from spectrace.evaluation.summaries import Observation, reliability_bins

RESULTS = Path(__file__).parents[2] / "results"


def honest(count: int = 4000, seed: int = 0, factor: float = 1.0):
    """Scores that are log-likelihood ratios, times a factor: normal, means +1 and -1, variance 2."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2 == 0
    return labels, factor * rng.normal(np.where(labels, 1.0, -1.0), math.sqrt(2.0))


def test_agrees_with_scikit_learn_where_classes_are_alike():
    labels, scores = honest()
    bins = reliability(labels, scores, ["one"] * len(labels), bins=8, resamples=3)
    probabilities = 1.0 / (1.0 + np.exp(-scores))
    seen, claimed = calibration_curve(labels, probabilities, n_bins=8, strategy="quantile")
    assert [one.observed for one in bins] == pytest.approx(seen, abs=2e-3)
    assert [one.probability for one in bins] == pytest.approx(claimed, abs=2e-3)
    assert {one.pictures for one in bins} == {500}


@pytest.mark.parametrize("prior", [0.5, 0.1, 0.9])
def test_honest_scores_lie_on_the_diagonal_at_any_prior(prior):
    labels, scores = honest(20_000)
    bins = reliability(labels, scores, [str(n // 100) for n in range(len(labels))], prior=prior, resamples=40)
    assert calibration_error(bins) < 0.02
    assert sum(one.share * one.observed for one in bins) == pytest.approx(prior)
    assert sum(one.low <= one.probability <= one.high for one in bins) >= 8
    boastful = reliability(labels, 3.0 * scores, ["one"] * len(labels), prior=prior, resamples=2)
    assert calibration_error(boastful) > 3 * calibration_error(bins)


def test_by_hand():
    # Two bins of one unit of weight: four real and no generated of weight 1/4; two generated of weight 1/2.
    bins = reliability([0, 0, 0, 0, 1, 1], [-2, -2, -2, -2, 2, 2], list("abcdef"), bins=2, prior=0.2)
    odds = 0.2 / 0.8 * np.exp([-2.0, 2.0])
    assert [one.probability for one in bins] == pytest.approx(odds / (1 + odds))
    assert [(one.observed, one.pictures) for one in bins] == [(0.0, 4), (1.0, 2)]
    assert [one.share for one in bins] == pytest.approx([0.8, 0.2])
    # Four of four prove little: Wilson's interval, and not the bootstrap's 0 to 0.
    assert (bins[0].low, bins[1].high) == (0.0, 1.0)
    assert bins[0].high == pytest.approx(0.4899, abs=1e-3)


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 6), st.booleans())
def test_every_picture_is_in_one_bin_and_ties_stay_together(seed, bins, levels, by_source):
    rng = np.random.default_rng(seed)
    labels = np.append(rng.random(30) < 0.4, [True, False])
    scores = rng.integers(-levels, levels + 1, 32).astype(float)
    sources = [f"s{number}" for number in rng.integers(0, 4, 32)]
    found = reliability(labels, scores, sources, bins=bins, by_source=by_source, resamples=5)
    assert sum(one.pictures for one in found) == 32
    assert sum(one.share for one in found) == pytest.approx(1.0)
    assert sum(one.share * one.observed for one in found) == pytest.approx(0.5)
    assert len(found) <= min(bins, len(np.unique(scores)))
    claimed = [one.probability for one in found]
    assert claimed == sorted(set(claimed))
    assert all(0.0 <= one.low <= one.observed <= one.high <= 1.0 for one in found)


def test_intervals_know_of_sources():
    labels, scores = honest(600)
    alone = reliability(labels, scores, [str(n) for n in range(600)], bins=4, resamples=200)
    # Sources that hold one class each in one bin each: a source more or less changes much.
    order = np.argsort(np.argsort(scores))
    together = reliability(labels, scores, [str(n // 75) for n in order], bins=4, resamples=200)
    assert together[1].high - together[1].low > 1.5 * (alone[1].high - alone[1].low)


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"bins": 0}, "0 bins"), ({"prior": 0.0}, "prior of 0"), ({"prior": 1.0}, "prior of 1")],
)
def test_nonsense_is_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        reliability([0, 1], [0.0, 1.0], ["a", "b"], **fields)
    with pytest.raises(UsageError, match="one class only"):
        reliability([1, 1], [0.0, 1.0], ["a", "b"])


def test_a_diagram_shows_every_bin():
    bins = [Bin(0.2, 0.1, 0.05, 0.3, 0.5, 10), Bin(0.7, 0.9, 0.6, 1.0, 0.5, 10)]
    figure = diagram({"frequency@1": bins, "other@1": bins[:1]})
    first, second = figure.axes
    assert first.get_title() == "frequency@1"
    assert first.get_lines()[1].get_xydata().tolist() == [[0.2, 0.1], [0.7, 0.9]]
    assert first.get_legend().get_texts()[0].get_text() == "ECE 0.150"
    assert len(second.get_lines()[1].get_xydata()) == 1
    assert first.get_xlabel() == "claimed probability of generated"
    assert diagram({}).axes


def test_bins_of_observations_and_files_without_any(tmp_path):
    labels, scores = honest(60)
    seen = [
        Observation(Row(path=f"{n}.png", label="generated" if label else "real", source="s"), score, "camera")
        for n, (label, score) in enumerate(zip(labels, scores, strict=True))
    ]
    bins = reliability_bins([*seen, Observation(seen[0].row, None, "inconclusive")], resamples=5)
    assert sum(one.pictures for one in bins) == 60
    assert reliability_bins(seen[::2], resamples=5) == []
    old = RESULTS / "frequency-val.json"
    assert "reliability" not in json.loads(old.read_text())["evaluations"][0]
    assert Results.read(old).evaluations[0].reliability == []
