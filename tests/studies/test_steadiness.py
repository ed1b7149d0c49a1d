"""The study of steadiness: what every set of checks says follows from the scores, and is counted rightly."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.card import OperatingLimits
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.studies.registry import Context
from spectrace.studies.steadiness import Settings, run_study
from spectrace.studies.steadiness_figure import figure
from spectrace.studies.steadiness_tables import ALL, Verdicts, tables

NAN = np.nan
_NOTHING = {"value": None, "low": None, "high": None}


def value(row, name):
    return row["figures"][name]["value"]


def test_shares_by_hand():
    # Pictures x (before, after a, after b), first without checks, then with.
    without = [
        [1, 1, -1],  # real: reversed by b
        [-1, 0, -1],  # real: wavers after a
        [0, 0, 1],  # real: wavers after b
        [NAN, NAN, NAN],  # real: outside of the limits
        [1, 1, 1],  # generated: holds
        [-1, -1, 0],  # generated, wrong
    ]
    checked = [[0, 1, -1], [-1, 0, -1], [0, 0, 0], [NAN, NAN, NAN], [1, 0, 1], [0, 0, 0]]
    decisions = np.array([without, checked], np.float64).transpose(1, 2, 0)[:, None]
    generated = np.array([False] * 4 + [True] * 2)
    drawn = resampled_weights(generated, list("abcdef"), resamples=50)
    plain, safe = tables(Verdicts(decisions, generated), drawn, ["untouched"], ["a", "b"])
    alone, together = plain["by_condition"]
    assert [alone["condition"], together["condition"]] == ["untouched", ALL]
    assert alone["figures"] == together["figures"]
    # Both classes alike: three real pictures weigh as much as two generated ones.
    assert value(alone, "decided") == pytest.approx((2 / 3 + 1) / 2, abs=1e-4)
    assert value(alone, "wrong") == pytest.approx((1 / 3 + 1 / 2) / (2 / 3 + 1), abs=1e-4)
    assert value(alone, "reversed") == pytest.approx((1 / 6 + 0) / 2, abs=1e-4)
    assert value(alone, "wavered") == pytest.approx((2 / 6 + 1 / 4) / 2, abs=1e-4)
    assert value(alone, "lost") == pytest.approx((2 / 6 + 1 / 4) / (2 / 3 + 1), abs=1e-4)
    assert value(alone, "unsteady") == value(alone, "lost")
    assert value(alone, "saved") == value(alone, "given_up") == 0.0
    checked_row = safe["by_condition"][0]
    assert value(checked_row, "decided") == pytest.approx((1 / 3 + 1 / 2) / 2, abs=1e-4)
    assert value(checked_row, "wrong") == 0.0
    assert value(checked_row, "reversed") == 0.0
    # The check takes the fifth picture's second verdict back: lost, but its score holds.
    assert value(checked_row, "lost") == pytest.approx((1 / 6 + 1 / 4) / (1 / 3 + 1 / 2), abs=1e-4)
    assert value(checked_row, "unsteady") == pytest.approx((1 / 6) / (1 / 3 + 1 / 2), abs=1e-4)
    given_up = value(alone, "decided") - value(checked_row, "decided")
    assert value(checked_row, "given_up") == pytest.approx(given_up, abs=2e-4)
    after_a, after_b = plain["by_reencoding"]
    assert (value(after_a, "reversed"), value(after_b, "reversed")) == (0.0, pytest.approx(1 / 6, abs=1e-4))
    for row in (alone, checked_row, after_a, after_b):
        for name, cell in row["figures"].items():
            assert cell["low"] <= cell["value"] <= cell["high"], name
    assert checked_row["figures"]["wrong"]["high"] > 0.3  # nothing wrong among two is not never


def test_shares_of_nothing_are_none():
    undecided = np.zeros((4, 1, 2, 1))
    generated = np.array([False, True, False, True])
    drawn = resampled_weights(generated, list("abcd"), resamples=5)
    (only,) = tables(Verdicts(undecided, generated), drawn, ["untouched"], ["a"])
    figures = only["by_condition"][0]["figures"]
    assert figures["decided"]["value"] == 0.0
    assert figures["wrong"] == figures["unsteady"] == figures["saved"] == _NOTHING


@pytest.fixture
def flat(tmp_path):
    """Pictures of one brightness: 100 and 130 from cameras, 130 and 160 generated, and one that is too small."""
    rows = []
    for number, (label, level, side) in enumerate(
        [("real", 100, 20), ("real", 130, 20), ("generated", 130, 20), ("generated", 160, 20)] * 2
        + [("real", 100, 16)]
    ):
        Image.fromarray(np.full((side, 24, 3), level, np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(Row(path=f"{number}.png", label=label, source=f"{label}{number // 4}", split="val"))
    Manifest(rows, tmp_path).write(tmp_path / "manifest.csv")
    return str(tmp_path / "manifest.csv")


def test_from_pictures_to_flips(toy_model, flat, tmp_path):
    # The toy calls generated what is brighter than 128. Gamma 1.05 makes 126 of 130, gamma 1.1 makes 122.
    path = toy_model(stability=["gamma(gamma=1.1)"], limits=OperatingLimits(min_side=16))
    settings = Settings(
        model=str(path),
        manifest=flat,
        conditions=("identity", "flip"),
        reencodings=("gamma(gamma=1.05)", "shift(rows=1)"),
        checks=(("gamma(gamma=1.001)",),),
        resamples=20,
    )
    result = run_study(settings, Context(tmp_path / "run"))
    assert [(one["checks"], one["of_the_card"]) for one in result["sets"]] == [
        ([], False),
        (["gamma(gamma=1.001)"], False),
        (["gamma(gamma=1.1)"], True),
    ]
    none, weak, card = (
        {
            row["condition"]: {name: cell["value"] for name, cell in row["figures"].items()}
            for row in one["by_condition"]
        }
        for one in result["sets"]
    )
    assert none["identity"] == none["flip"] == none[ALL] == weak[ALL]
    # Of four pictures two are of 130: both classes have one, and gamma, one re-encoding of two, reverses it.
    assert none[ALL] == {
        "decided": 1.0,
        "wrong": 0.25,
        "reversed": 0.25,
        "wavered": 0.0,
        "lost": 0.25,
        "unsteady": 0.25,
        "saved": 0.0,
        "given_up": 0.0,
    }
    # The card's check sees it coming: inconclusive before, camera after.
    assert card[ALL] == {
        "decided": 0.5,
        "wrong": 0.0,
        "reversed": 0.0,
        "wavered": 0.25,
        "lost": 0.0,
        "unsteady": 0.0,
        "saved": 0.25,
        "given_up": 0.5,
    }
    by_reencoding = {row["reencoding"]: row["figures"] for row in result["sets"][0]["by_reencoding"]}
    assert by_reencoding["shift(rows=1)"]["lost"]["value"] == 0.0
    assert by_reencoding["gamma(gamma=1.05)"]["lost"]["value"] == 0.5
    # A row less makes the small one too small: no flip of the score, so it takes no part.
    assert result["outside_of_limits"] == 2
    assert result["pictures"]["real"] == {"pictures": 4, "sources": 2}
    json.dumps(result, allow_nan=False)
    left, right = figure(result).axes
    assert left.get_xlabel() == "decided, of all pictures (%)"
    assert [label.get_text() for label in right.get_xticklabels()] == list(by_reencoding)


def test_what_is_refused(toy_model, flat, tmp_path):
    settings = Settings(model=str(toy_model()), manifest=flat, reencodings=("blur(sigma=1)",), checks=())
    with pytest.raises(UsageError, match="kept for the last measurement"):
        run_study(msgspec.structs.replace(settings, split="unseen"), Context(tmp_path))
    with pytest.raises(UsageError, match="a re-encoding and a check"):
        run_study(msgspec.structs.replace(settings, checks=(("blur(sigma=1)",),)), Context(tmp_path))
    large = toy_model(limits=OperatingLimits(min_side=99))
    with pytest.raises(ManifestError, match="take larger ones"):
        run_study(msgspec.structs.replace(settings, model=str(large)), Context(tmp_path))
