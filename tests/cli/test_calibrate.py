"""``spectrace calibrate``: scores that mean what they say, on pictures whose logits are known."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from spectrace.detectors.runtime import Model
from spectrace.errors import ManifestError, UsageError


@pytest.fixture
def folders(tmp_path):
    """Grey pictures: real ones of brightness N(118, 10), generated ones of N(138, 10): the LLR is 0.2 x logit."""
    rng = np.random.default_rng(0)
    for label, centre in (("real", 118), ("generated", 138)):
        (tmp_path / label).mkdir()
        for number in range(300):
            level = np.clip(rng.normal(centre, 10), 0, 255).round()
            Image.fromarray(np.full((16, 16, 3), level, np.uint8)).save(tmp_path / label / f"{number}.png")
    return tmp_path / "real", tmp_path / "generated"


def test_two_gaussians(spectrace, toy_model, folders, tmp_path):
    real, generated = folders
    output = tmp_path / "calibrated.onnx"
    result = spectrace(
        *("calibrate", toy_model(), "--real", real, "--generated", generated, "--condition", "identity"),
        *(
            "--false-positive-rate",
            "0.1",
            "--miss-rate",
            "0.2",
            "--min-jpeg-quality",
            "50",
            "--output",
            output,
        ),
    )
    assert result.code == 0, result.err
    card = Model(output).card
    assert card.calibration.slope == pytest.approx(0.2, abs=0.03)
    assert card.calibration.intercept == pytest.approx(0.0, abs=0.3)
    assert (card.thresholds.false_positive_rate, card.thresholds.miss_rate) == (0.1, 0.2)
    assert card.limits.min_jpeg_quality == 50
    assert card.training["calibration"]["conditions"] == ["identity"]

    rows = spectrace("detect", real, "--model", output, "--jsonl").out.splitlines()
    flagged = sum(json.loads(row)["verdict"] == "generated" for row in rows)
    assert 20 <= flagged <= 30  # at most the promised tenth of 300, and not much less
    rows = spectrace("detect", generated, "--model", output, "--jsonl").out.splitlines()
    missed = sum(json.loads(row)["verdict"] == "camera" for row in rows)
    assert 45 <= missed <= 60


def test_pooling_can_be_chosen_and_is_measured_with(spectrace, patch_model, folders, tmp_path):
    real, generated = folders
    pictures = ("--real", real, "--generated", generated)
    output = tmp_path / "voting.onnx"
    chosen = ("--pooling", "vote", "--condition", "identity", "--output", output)
    result = spectrace("calibrate", patch_model(), *pictures, *chosen)
    assert result.code == 0, result.err
    assert Model(output).card.pooling == "vote"
    measured = {}
    for pooling in ("logit-mean", "vote"):
        result = spectrace("evaluate", patch_model(), *pictures, "--json", "--pooling", pooling)
        measured[pooling] = json.loads(result.out)["evaluations"][0]["overall"]["figures"]
    assert measured["vote"]["patch_auroc"] == measured["logit-mean"]["patch_auroc"]
    assert measured["vote"]["auroc"] != measured["logit-mean"]["auroc"]


def test_the_model_itself_is_changed_without_an_output(spectrace, toy_model, folders):
    real, generated = folders
    path = toy_model()
    assert spectrace("calibrate", path, "--real", real, "--generated", generated, "--quiet").code == 0
    card = Model(path).card
    assert card.calibration.method == "platt"
    assert len(card.training["calibration"]["conditions"]) == 3


def test_refusals(spectrace, toy_model, folders, tmp_path):
    real, generated = folders
    for arguments in (
        ["calibrate", toy_model()],
        ["calibrate", "nowhere", "--real", real, "--generated", generated],
        ["calibrate", toy_model(), "--real", real],
        ["calibrate", toy_model(), "--real", real, "--generated", generated, "--condition", "bake()"],
    ):
        result = spectrace(*arguments)
        assert (result.code, result.out) == (2, "")
        assert len(result.err.strip().splitlines()) <= 4


def test_nothing_is_chosen_on_unseen(toy_model, folders):
    from spectrace.corpora.manifest import Manifest
    from spectrace.learning.calibrate import calibrate

    real, generated = folders
    manifest = Manifest.from_folders(real=real, generated=generated, shares={"unseen": 1.0})
    with pytest.raises(UsageError, match="last measurement only"):
        calibrate(toy_model(), manifest, split="unseen")
    with pytest.raises(ManifestError, match="could be scored"):
        calibrate(toy_model(tile_size=64), manifest, split=None, conditions=["identity"])


def test_without_the_training_extra_it_is_one_line(spectrace, toy_model, folders, monkeypatch):
    real, generated = folders
    path = toy_model()
    monkeypatch.setitem(sys.modules, "onnx", None)
    for name in ("spectrace.learning.calibrate", "spectrace.learning.export"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    result = spectrace("calibrate", path, "--real", real, "--generated", generated)
    assert (result.code, result.out) == (2, "")
    assert (
        result.err
        == "spectrace: Calibrations need onnx, which is not installed: pip install 'spectrace[train]'\n"
    )
