"""Figures from observations, against counts made by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from spectrace.corpora.manifest import Row
from spectrace.evaluation.figures import FIGURES, OVERALL
from spectrace.evaluation.summaries import (
    FEWEST_FOR_INTERVAL,
    Observation,
    by_generator,
    by_pair,
    by_real_source,
    compare,
    overall,
    tally,
)


def seen(number: int, label: str, score: float | None, **known: str) -> Observation:
    verdict = "inconclusive" if score is None or abs(score) < 1 else "generated" if score > 0 else "camera"
    return Observation(Row(path=f"{number}.png", label=label, **known), score, verdict)  # type: ignore[arg-type]


def example() -> list[Observation]:
    """Two real sources of different size, two generators, one pair set, a small and a broken picture."""
    real = [seen(n, "real", -3.0 + n / 10, source="phone", pair="p") for n in range(10)]
    real += [seen(20 + n, "real", (-2.0, 0.5, 2.0)[n], source="film") for n in range(3)]
    fake = [seen(40 + n, "generated", 1.0 + n / 10, generator="gan", source="x", pair="p") for n in range(9)]
    fake += [seen(60 + n, "generated", -2.05 + n, generator="vae", source="y", pair="q") for n in range(2)]
    fake += [seen(80, "generated", None, generator="vae", source="y")]
    broken = Observation(Row(path="99.png", label="real", source="film"), error="99.png is empty")
    return [*real, *fake, broken]


def test_tallies_by_hand() -> None:
    comparison = overall(example(), resamples=20)
    assert (comparison.real.listed, comparison.real.read, comparison.real.scored) == (14, 13, 13)
    assert (comparison.real.generated, comparison.real.camera, comparison.real.inconclusive) == (1, 11, 1)
    assert (comparison.generated.read, comparison.generated.scored, comparison.generated.sources) == (
        12,
        11,
        2,
    )
    assert (comparison.generated.generated, comparison.generated.camera) == (9, 2)
    assert comparison.generated.inconclusive == 1
    assert tally([]) == tally([Observation(Row(path="a", label="real"), error="gone")][:0])


def test_figures_by_hand_and_by_scikit_learn() -> None:
    observations = example()
    figures = overall(observations, resamples=200).figures
    assert tuple(FIGURES) == OVERALL
    assert tuple(figures) == tuple(name for name in OVERALL if FIGURES[name].of != "patches")
    scored = [one for one in observations if one.score is not None]
    labels = [one.row.is_generated for one in scored]
    scores = [one.score for one in scored]
    assert figures["auroc"].value == pytest.approx(roc_auc_score(labels, scores))
    alike = [1 / labels.count(label) for label in labels]
    assert figures["average_precision"].value == pytest.approx(
        average_precision_score(labels, scores, sample_weight=alike)
    )
    assert figures["false_alarm_rate"].value == pytest.approx(1 / 13)
    assert figures["false_alarm_rate_by_source"].value == pytest.approx((0 / 10 + 1 / 3) / 2)
    assert figures["detection_rate"].value == pytest.approx(9 / 12)
    assert figures["miss_rate"].value == pytest.approx(2 / 12)
    assert figures["miss_rate_by_source"].value == pytest.approx((0 + 2 / 3) / 2)
    assert figures["verdict_accuracy"].value == pytest.approx((12 / 13 + 9 / 12) / 2)
    assert figures["decided"].value == pytest.approx((12 / 13 + 11 / 12) / 2)
    assert figures["accuracy_of_decided"].value == pytest.approx((11 / 13 + 9 / 12) / (12 / 13 + 11 / 12))
    assert figures["balanced_accuracy"].value == pytest.approx((11 / 13 + 9 / 11) / 2)
    assert figures["tpr_at_1_fpr"].value == 0.0
    for name, estimate in figures.items():
        assert estimate.value is not None, name
        assert estimate.low is not None, name
        assert estimate.high is not None, name
        assert estimate.low <= estimate.value <= estimate.high, name


def test_each_generator_is_held_against_all_real_pictures() -> None:
    found = by_generator(example(), resamples=20)
    assert [one.name for one in found] == ["gan", "vae"]
    assert [one.real.read for one in found] == [13, 13]
    assert [(one.generated.read, one.generated.scored) for one in found] == [(9, 9), (3, 2)]
    # gan scores 1.0 to 1.8: above every real picture but the film's 2.0.
    assert found[0].figures["auroc"].value == pytest.approx(12 / 13)
    # vae scores -2.05 and -1.05: phone has ten from -3.0 to -2.1, film one at -2.0 between them.
    assert found[1].figures["auroc"].value == pytest.approx((10 + 11) / 26)
    assert found[1].figures["detection_rate"].value == 0.0
    assert found[1].figures["auroc"].low is None  # too few for an interval


def test_pair_sets_keep_to_themselves_and_need_both_classes() -> None:
    (found,) = by_pair(example(), resamples=20)
    assert (found.name, found.real.read, found.generated.read) == ("p", 10, 9)
    assert found.figures["auroc"].value == 1.0
    assert found.figures["false_alarm_rate"].value == 0.0


def test_no_alarm_among_few_pictures_is_no_proof_of_none() -> None:
    (found,) = by_pair(example(), resamples=200)
    rate = found.figures["false_alarm_rate"]
    assert rate.low == 0.0
    assert rate.high == pytest.approx(0.2775, abs=1e-3)


def test_finding_none_of_few_is_no_proof_either() -> None:
    rate = overall(example(), resamples=50).figures["tpr_at_1_fpr"]
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high is not None
    assert rate.high >= 0.258  # Wilson's for 0 of 11


def test_false_alarms_by_source_by_hand() -> None:
    film, phone = by_real_source(example())
    assert (film.source, film.real.listed, film.real.read, film.real.generated) == ("film", 4, 3, 1)
    assert film.rate.value == pytest.approx(1 / 3)
    assert (phone.source, phone.rate.value) == ("phone", 0.0)


def test_only_small_pictures_leave_scores_undefined_but_not_verdicts() -> None:
    observations = [seen(n, label, None) for n, label in enumerate(["real", "generated"] * 20)]
    figures = compare("small", observations, OVERALL, resamples=20).figures
    assert figures["auroc"].value is None
    assert figures["ece"].value is None
    assert figures["decided"].value == 0.0
    assert figures["accuracy_of_decided"].value is None
    assert figures["detection_rate"].value == 0.0


def test_an_infinite_cost_is_not_a_number_in_the_file() -> None:
    observations = [seen(n, label, math.inf) for n, label in enumerate(["real", "generated"] * 10)]
    assert compare("certain", observations, ["cllr"], resamples=20).figures["cllr"].value is None


@given(st.permutations(example()))
def test_the_order_of_pictures_does_not_change_a_figure(observations: list[Observation]) -> None:
    found, wanted = (compare("all", some, OVERALL, resamples=1).figures for some in (observations, example()))
    for name in wanted:
        assert found[name].value == pytest.approx(wanted[name].value)


def test_intervals_appear_from_eight_pictures_a_class_on() -> None:
    for count, there in ((FEWEST_FOR_INTERVAL - 1, False), (FEWEST_FOR_INTERVAL, True)):
        observations = [seen(n, "real", float(-n)) for n in range(30)]
        observations += [seen(50 + n, "generated", float(n)) for n in range(count)]
        estimate = compare("all", observations, ["auroc"], resamples=20).figures["auroc"]
        assert (estimate.low is not None) is there
