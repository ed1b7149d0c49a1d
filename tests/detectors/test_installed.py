"""Every model that ships, through the whole of what a model must do."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spectrace.detectors.detector import Detector
from spectrace.detectors.runtime import DEFAULT_MODEL, Model, find_model, installed_models

MODELS = installed_models()


def test_the_default_is_installed():
    assert find_model() == MODELS[DEFAULT_MODEL]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_card_says_what_a_user_must_know(name):
    path = MODELS[name]
    card = Model(path).card
    assert card.id == name
    assert path.stat().st_size < 5_000_000
    assert card.calibration.method == "platt"
    assert card.thresholds.camera < card.thresholds.generated
    assert card.thresholds.false_positive_rate is not None
    assert card.limits.min_side >= 64
    assert card.stability
    assert card.description
    assert {"val", "unseen"} <= set(card.results)
    for split in ("val", "unseen"):
        for condition in card.results[split].values():
            assert (
                0.0 <= condition["auroc"]["low"] <= condition["auroc"]["value"] <= condition["auroc"]["high"]
            )
            assert condition["auroc by generator"]
            assert condition["false alarms by source"]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_it_answers_about_photographs(name, photographs):
    detector = Detector.load(name)
    for picture in photographs.values():
        detection = detector.detect(picture)
        assert detection.verdict is not None
        assert detection.score is not None
        assert np.isfinite(detection.score)
        assert detection.tiles <= detector.card.tiles
        assert detection.verdict != "inconclusive" or detection.reasons


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_give_finite_scores(name, level):
    detection = Detector.load(name).detect(np.full((256, 256, 3), level, np.uint8))
    assert detection.score is not None
    assert np.isfinite(detection.score)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_same_picture_gets_the_same_answer(name, photographs):
    rows = list(Detector.load(name).detect_many([photographs["coffee"]] * 6, workers=3))
    assert len({row.score for row in rows}) == 1


def test_models_lists_them(capsys):
    from spectrace.cli.models import command

    command.main([], standalone_mode=False)
    listing = capsys.readouterr().out
    command.main(["--json"], standalone_mode=False)
    cards = json.loads(capsys.readouterr().out)
    assert [card["id"] for card in cards] == sorted(MODELS)
    assert all(f"{card['id']}@{card['version']}" in listing for card in cards)
