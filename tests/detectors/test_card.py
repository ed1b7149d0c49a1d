"""The card: defaults, refusals, and that it survives the trip through JSON."""

from __future__ import annotations

import json

import pytest

from spectrace.detectors.card import Bounds, Calibration, Card, OperatingLimits, Thresholds
from spectrace.errors import ModelError


def card(**fields):
    return Card(**{"id": "demo", "version": "1", "title": "", "tile_size": 64, **fields})


def test_whole_tile_detectors_need_not_repeat_themselves():
    assert (card().stride, card().receptive_field) == (64, 64)
    assert (
        card(stride=8, receptive_field=43).stride,
        card(stride=8, receptive_field=43).receptive_field,
    ) == (8, 43)


def test_json_round_trip_keeps_everything():
    full = card(
        calibration=Calibration(1.5, -0.25, "platt"),
        thresholds=Thresholds(2.0, -1.0, 0.01, 0.05),
        limits=OperatingLimits(128, 60),
        stability=["jpeg(quality=90)"],
        results={"val": {"auroc": 0.7}},
    )
    assert Card.from_json(full.to_json()) == full
    assert Card.from_json(full.to_json().encode()) == full
    certain = card(
        calibration=Calibration(method="isotonic", knots=[(-1.0, -2.0), (0.5, 2.0)]),
        thresholds=Thresholds(1.0, -1.0, new_miss_rate=Bounds(0.1, 0.05, 0.2)),
    )
    assert Card.from_json(certain.to_json()) == certain


def test_a_card_of_the_first_version_loads_unchanged():
    text = """{"id": "old", "version": "1", "title": "", "tile_size": 64, "schema": 1,
        "calibration": {"slope": 1.5, "intercept": -0.5, "method": "platt"},
        "thresholds": {"generated": 2.0, "camera": -1.0, "false_positive_rate": 0.05, "miss_rate": 0.05}}"""
    old = Card.from_json(text)
    assert old.calibration == Calibration(1.5, -0.5, "platt")
    assert old.calibration.apply(2.0) == 2.5
    assert old.thresholds == Thresholds(2.0, -1.0, 0.05, 0.05)


@pytest.mark.parametrize(
    "calibration",
    [
        {"method": "isotonic"},
        {"method": "isotonic", "knots": []},
        {"method": "platt", "knots": [[0.0, 1.0]]},
        {"method": "isotonic", "knots": [[0.0, 1.0], [0.0, 2.0]]},
        {"method": "isotonic", "knots": [[0.0, 1.0], [1.0, 0.5]]},
        {"method": "isotonic", "knots": [[0.0, 1.0, 2.0]]},
        {"method": "guess"},
    ],
)
def test_impossible_calibrations_are_refused(calibration):
    text = json.dumps(json.loads(card().to_json()) | {"calibration": calibration})
    with pytest.raises(ModelError):
        Card.from_json(text)


def test_a_later_schema_is_refused():
    text = json.dumps(json.loads(card().to_json()) | {"schema": 2})
    with pytest.raises(ModelError, match="schema 2, this Spectrace reads schema 1"):
        Card.from_json(text)


def test_unknown_fields_of_later_minor_versions_are_ignored():
    text = json.dumps(json.loads(card().to_json()) | {"mood": "good"})
    assert Card.from_json(text) == card()


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "Not Good"},
        {"classes": ["camera"]},
        {"classes": ["camera", "camera"]},
        {"thresholds": Thresholds(generated=-1.0, camera=1.0)},
    ],
)
def test_impossible_cards_are_refused(fields):
    with pytest.raises(ModelError):
        card(**fields)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"id": 3}', b"\xff\xfe", json.dumps({"tile_size": 0})])
def test_garbage_is_a_model_error(text):
    with pytest.raises(ModelError, match="not a Spectrace card"):
        Card.from_json(text)


def test_binary_only_for_camera_and_generated():
    assert card().binary
    assert not card(classes=["camera", "progan", "sngan"]).binary
