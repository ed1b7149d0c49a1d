"""The study of operating limits: limits follow from figures, figures from scores of the same pictures."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import roc_auc_score

from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.card import OperatingLimits, Thresholds
from spectrace.errors import UsageError
from spectrace.evaluation.summaries import Observation
from spectrace.studies.operating_limits import Settings, centre_square, limits_of, run_study, scaled_to
from spectrace.studies.operating_limits_figure import figure
from spectrace.studies.operating_limits_rule import (
    CROP,
    FALSE_ALARMS,
    JPEG,
    MISSES,
    SCALED,
    Rule,
    found_limits,
    hold_to,
    measured,
)
from spectrace.studies.operating_limits_stand_ins import QUESTIONS, predictions
from spectrace.studies.registry import Context

ROWS = [
    Row(path=f"{number}.png", label="generated" if number % 2 else "real", source=f"s{number % 6}")
    for number in range(60)
]
LABELS = np.array([row.is_generated for row in ROWS])
RULE = Rule(false_alarms=0.3, misses=0.3, bound="high")


def observed(scores: np.ndarray) -> list[Observation]:
    verdicts = np.where(scores > 1, "generated", np.where(scores < -1, "camera", "inconclusive"))
    return [
        Observation(row, None if np.isnan(score) else float(score), str(verdict))
        for row, score, verdict in zip(ROWS, scores, verdicts, strict=True)
    ]


def scores(distance: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=60) + distance * (LABELS - 0.5)


def test_a_strength_is_held_against_the_same_pictures_untouched() -> None:
    before, after = scores(4.0), scores(1.0, seed=1)
    after[[0, 1, 2, 7]] = np.nan  # too small now
    kept = ~np.isnan(after)
    point = measured(0.5, observed(after), observed(before), RULE, resamples=40)
    assert (point["strength"], point["real"], point["generated"]) == (0.5, 28, 28)
    found = point["figures"]
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(LABELS[kept], after[kept]), abs=1e-4)
    sources = np.array([row.source for row in ROWS])
    for name, label, wrong in ((FALSE_ALARMS, False, after > 1), (MISSES, True, after < -1)):
        of_class = kept & (LABELS if label else ~LABELS)
        rates = [wrong[of_class & (sources == one)].mean() for one in np.unique(sources[of_class])]
        assert found[name]["value"] == pytest.approx(np.mean(rates), abs=1e-4)
    assert found["decided"]["value"] == pytest.approx(np.mean(abs(after[kept]) > 1), abs=1e-4)
    untouched = point["untouched"]["auroc"]["value"]
    assert untouched == pytest.approx(roc_auc_score(LABELS[kept], before[kept]), abs=1e-4)


def test_the_rule() -> None:
    def holds(now: np.ndarray, rule: Rule = RULE) -> bool:
        return bool(measured(1, observed(now), observed(now), rule, resamples=100)["holds"])

    assert holds(scores(4.0))
    assert not holds(scores(4.0) + 3)  # false alarms
    assert not holds(scores(4.0) - 3)  # misses
    assert not holds(scores(0.0) / 9)  # all undecided: no errors, and no skill
    rate = float(np.mean(scores(4.0)[~LABELS] > -2))  # sources have as many pictures each
    assert holds(scores(4.0) + 3, RULE._replace(false_alarms=rate + 1e-6, bound="value"))
    assert not holds(scores(4.0) + 3, RULE._replace(false_alarms=rate + 1e-6))
    few = scores(4.0)
    few[10:] = np.nan  # five a class: too few for an interval
    assert not holds(few)
    assert not holds(np.full(60, np.nan))


def test_limits_need_every_milder_strength_and_both_ways_to_be_small() -> None:
    points = [{"strength": side, "holds": side >= 128} for side in (256, 128, 64)]
    assert hold_to(points) == 128
    assert hold_to([points[2], *points]) is None
    ladders: dict[str, Any] = {
        CROP: {"holds_to": 64},
        SCALED: {"holds_to": 160},
        JPEG: {"holds_to": 50},
        "downscale-bicubic": {"holds_to": None},
        "downscale-lanczos": {"holds_to": 0.6},
    }
    limits = found_limits(ladders)
    assert limits["min_scale"] == {"bicubic": None, "lanczos": 0.6}
    assert limits_of({"model": "x@1", "limits": limits}) == OperatingLimits(min_side=160, min_jpeg_quality=50)
    for name in (CROP, JPEG):
        lost = found_limits(ladders | {name: {"holds_to": None}})
        with pytest.raises(UsageError, match="x@1.*calibrate it on pictures like these"):
            limits_of({"model": "x@1", "limits": lost})


@given(st.integers(8, 70), st.integers(8, 70), st.integers(1, 70))
def test_versions_of_a_picture_have_the_side_they_should(height: int, width: int, side: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    square, small = centre_square(pixels, side=side), scaled_to(pixels, side=side)
    if side > min(height, width):
        assert square is None
        assert small is None
        return
    assert square is not None
    assert small is not None
    assert min(small.shape[:2]) == side
    top, left = ((length - side) // 2 // 8 * 8 for length in (height, width))
    np.testing.assert_array_equal(square, pixels[top : top + side, left : left + side])


def test_stand_ins_are_as_good_as_they_tell_errors() -> None:
    untouched, upscaled = scores(3.0), scores(1.0, seed=2)
    versions = [observed(untouched), observed(upscaled)]
    both = np.stack([untouched, upscaled], axis=1)
    chance = np.random.default_rng(3).normal(size=both.shape)
    values = np.stack([both, chance], axis=-1)
    values[4, :, 0] = np.nan  # too small for the trait
    rows = predictions(("score", "chance"), versions, values, resamples=50)
    assert [(row["trait"], row["question"]) for row in rows] == [
        (trait, question) for trait in ("score", "chance") for question in QUESTIONS
    ]
    _, alarms, misses, scaled, *_ = rows
    assert alarms["value"] == 1.0
    assert misses["value"] == 0.0
    real = both[[number for number in np.flatnonzero(~LABELS) if number != 4]]
    assert (alarms["cases"], alarms["others"]) == (int((real > 1).sum()), int((real <= 1).sum()))
    assert (scaled["cases"], scaled["others"]) == (60, 60)
    assert scaled["value"] == pytest.approx(roc_auc_score([0] * 60 + [1] * 60, chance.T.ravel()), abs=1e-4)
    quiet = [observed(np.zeros(60)), observed(np.zeros(60))]
    assert predictions(("score",), quiet, values[..., :1], resamples=5)[1]["value"] is None


@pytest.fixture
def bright(tmp_path):
    """Camera pictures are dark, generated ones bright, 48 pixels wide and larger."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(24):
        generated = number % 2 == 1
        pixels = rng.integers(0, 100, (48, 64 + number, 3)) + 150 * generated
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.png")
        label = "generated" if generated else "real"
        rows.append(Row(path=f"{number}.png", label=label, source=f"{label}{number // 6}", split="val"))
    Manifest(rows, tmp_path).write(tmp_path / "manifest.csv")
    return str(tmp_path / "manifest.csv")


def test_from_pictures_to_limits(toy_model, bright, tmp_path) -> None:
    cuts = Thresholds(generated=1.0, camera=-1.0, false_positive_rate=0.2, miss_rate=0.1)
    path = toy_model(thresholds=cuts, limits=OperatingLimits(min_side=40), stability=["gamma(gamma=20)"])
    settings = Settings(
        model=str(path),
        manifest=bright,
        sides=(48, 8, 16, 32),
        qualities=(60, 90),
        scales=(0.8, 0.2),
        kernels=("bicubic", "lanczos"),
        upscales=(1.5,),
        resamples=50,
    )
    result = run_study(settings, Context(tmp_path / "run"))
    # Brightness survives everything; below a tile of 16 pixels there is no score. The card's own limits and
    # checks play no part.
    assert result["limits"] == {
        "min_side": 16,
        "min_jpeg_quality": 60,
        "min_scale": {"bicubic": 0.8, "lanczos": 0.8},
    }
    assert limits_of(result) == OperatingLimits(min_side=16, min_jpeg_quality=60)
    assert result["allowed"] == {"false_alarms": 0.4, "misses": 0.2, "bound": "value"}
    assert result["pictures"]["real"] == {"pictures": 12, "sources": 4}
    crops = result["ladders"][0]["points"]
    assert [(point["strength"], point["real"]) for point in crops] == [(48, 12), (32, 12), (16, 12), (8, 0)]
    assert crops[0]["figures"]["decided"]["value"] == 1.0
    assert crops[-1]["figures"]["auroc"]["value"] is None
    drawn = figure(result)
    assert [panel.get_title() for panel in drawn.axes[:5]] == [
        "Centre crops",
        "Scaled down to a side",
        "JPEG",
        "Scaled down",
        "Scaled up, bicubic",
    ]
    assert all(panel.get_xlabel() for panel in drawn.axes[5:])
    with pytest.raises(UsageError, match="kept for the last measurement"):
        run_study(msgspec.structs.replace(settings, split="unseen"), Context(tmp_path))
    with pytest.raises(UsageError, match="run spectrace calibrate on the model first"):
        run_study(msgspec.structs.replace(settings, model=str(toy_model())), Context(tmp_path))
