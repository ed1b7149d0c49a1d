"""Folds of sources, and what thresholds do on sources that had no part in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spectrace.errors import UsageError
from spectrace.evaluation.crossfit import Scored, cross_fit, decide, fold_count, folds_of
from spectrace.evaluation.thresholds import stated_thresholds

RATES = {"false_positive_rate": 0.05, "miss_rate": 0.05}


def scored(
    spread: float, *, sources: int = 20, pictures: int = 60, conditions: int = 1, seed: int = 0
) -> Scored:
    """Logits N(-1, 1) and N(1, 1), shifted by a source's own N(0, spread); conditions shift nothing."""
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(2 * sources), pictures)
    labels = number >= sources
    logits = (
        np.where(labels, 1.0, -1.0)
        + rng.normal(0, spread, 2 * sources)[number]
        + rng.normal(size=len(number))
    )
    return Scored(
        np.tile(logits, conditions),
        np.tile(labels, conditions),
        np.tile(np.char.add("s", number.astype(str)), conditions),
        np.repeat(np.arange(conditions), len(number)),
        np.tile(np.arange(len(number)), conditions),
    )


@given(st.data())
def test_no_source_is_in_two_folds_and_every_fold_has_both_classes(data):
    names = data.draw(st.lists(st.tuples(st.sampled_from("abcdefg"), st.booleans()), min_size=4, max_size=30))
    sources = np.array([name for name, _ in names])
    labels = np.array([label for _, label in names])
    count = fold_count(labels, sources, data.draw(st.integers(2, 5)))
    assume(count >= 2)
    folds = folds_of(labels, sources, count, data.draw(st.integers(0, 9)))
    for name in set(sources):
        assert len(set(folds[sources == name])) == 1
    for fold in range(count):
        assert set(labels[folds == fold]) == {False, True}


def test_folds_depend_on_the_seed_alone():
    sample = scored(0.0)
    once, again, other = (folds_of(sample.labels, sample.sources, 5, seed) for seed in (1, 1, 2))
    assert once.tolist() == again.tolist() != other.tolist()
    assert np.bincount(once).tolist() == [480] * 5
    with pytest.raises(UsageError, match="21 folds"):
        folds_of(sample.labels, sample.sources, 21)


@pytest.mark.parametrize("method", ["none", "temperature", "platt", "isotonic"])
def test_held_out_sources_meet_the_stated_rate_where_sources_are_alike(method):
    held = cross_fit(scored(0.0, pictures=200), method, **RATES)
    labels = scored(0.0, pictures=200).labels
    assert (held.decisions[~labels] > 0).mean() == pytest.approx(0.05, abs=0.015)
    assert (held.decisions[labels] < 0).mean() == pytest.approx(0.05, abs=0.015)


def test_a_fold_has_no_part_in_its_own_scores():
    sample = scored(0.3, sources=4, pictures=30)
    held = cross_fit(sample, "platt", folds=2, **RATES)
    folds = folds_of(sample.labels, sample.sources, 2)
    others = sample.take(folds == 1)
    expected = others.fit("platt").apply(sample.logits[folds == 0])
    np.testing.assert_allclose(held.scores[folds == 0], expected)


def test_thresholds_with_intervals():
    alike = stated_thresholds(scored(0.0), scored(0.0).fit("platt"), resamples=200, **RATES)
    apart = stated_thresholds(scored(2.0), scored(2.0).fit("platt"), resamples=200, **RATES)
    for cuts in (alike, apart):
        assert cuts.generated_bounds.low <= cuts.generated <= cuts.generated_bounds.high
        assert cuts.camera_bounds.low <= cuts.camera <= cuts.camera_bounds.high
        assert cuts.new_false_positive_rate.low <= 0.05 <= cuts.new_false_positive_rate.high
    # Sources that differ: the rate on a new one is anybody's guess.
    width = [one.new_false_positive_rate.high - one.new_false_positive_rate.low for one in (alike, apart)]
    assert width[1] > 2 * width[0]


def test_no_mistake_is_not_never():
    clean = scored(0.0, sources=3, pictures=10)
    logits = np.where(clean.labels, 9.0, -9.0) + np.linspace(0, 1, 60)
    cuts = stated_thresholds(clean._replace(logits=logits), clean.fit("none"), resamples=50, **RATES)
    assert (cuts.new_false_positive_rate.value, cuts.new_false_positive_rate.low) == (0.0, 0.0)
    assert cuts.new_false_positive_rate.high > 0.1  # none of 30


def test_conditions_are_no_new_pictures():
    once, thrice = scored(0.5), scored(0.5, conditions=3)
    assert once.weights().sum() == pytest.approx(thrice.weights().sum())
    drawn = thrice.resampled(resamples=4, seed=0).reshape(4, 3, -1)
    assert (drawn == once.resampled(resamples=4, seed=0)[:, None]).all()
    a, b = (stated_thresholds(one, one.fit("platt"), resamples=50, **RATES) for one in (once, thrice))
    assert a.generated_bounds.low == pytest.approx(b.generated_bounds.low, abs=1e-6)
    assert a.new_false_positive_rate.value == pytest.approx(b.new_false_positive_rate.value)


def test_a_single_source_leaves_the_rates_open():
    sample = scored(0.0, sources=1)
    cuts = stated_thresholds(sample, sample.fit("platt"), **RATES)
    assert cuts.generated_bounds is None
    assert cuts.new_false_positive_rate is None
    assert decide(np.array([cuts.generated, cuts.camera]), cuts.generated, cuts.camera).tolist() == [
        1.0,
        -1.0,
    ]
