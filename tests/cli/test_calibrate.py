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


@pytest.fixture
def albums(tmp_path):
    """Three cameras and two generators, each with a brightness of its own: N(centre, 6)."""
    rng = np.random.default_rng(1)
    centres = {"real": (110, 118, 126), "generated": (134, 142)}
    for label, levels in centres.items():
        for level in levels:
            folder = tmp_path / label / f"around-{level}"
            folder.mkdir(parents=True)
            for number in range(40):
                grey = np.full((16, 16, 3), round(rng.normal(level, 6)), np.uint8)
                Image.fromarray(grey).save(folder / f"{number}.png")
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


def test_pooling_can_be_chosen_and_is_measured_with(spectrace, patch_model, albums, tmp_path):
    real, generated = albums
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


def test_the_model_itself_is_changed_without_an_output(spectrace, toy_model, albums):
    real, generated = albums
    path = toy_model()
    assert spectrace("calibrate", path, "--real", real, "--generated", generated, "--quiet").code == 0
    card = Model(path).card
    assert card.calibration.method == "platt"
    assert len(card.training["calibration"]["conditions"]) == 3


def test_refusals(spectrace, toy_model, albums):
    real, generated = albums
    for arguments in (
        ["calibrate", toy_model()],
        ["calibrate", "nowhere", "--real", real, "--generated", generated],
        ["calibrate", toy_model(), "--real", real],
        ["calibrate", toy_model(), "--real", real, "--generated", generated, "--condition", "bake()"],
    ):
        result = spectrace(*arguments)
        assert (result.code, result.out) == (2, "")
        assert len(result.err.strip().splitlines()) <= 4


def test_nothing_is_chosen_on_unseen(toy_model, albums):
    from spectrace.corpora.manifest import Manifest
    from spectrace.evaluation.calibrate import calibrate

    real, generated = albums
    manifest = Manifest.from_folders(real=real, generated=generated, shares={"unseen": 1.0})
    with pytest.raises(UsageError, match="last measurement only"):
        calibrate(toy_model(), manifest, split="unseen")
    with pytest.raises(ManifestError, match="could be scored"):
        calibrate(toy_model(tile_size=64), manifest, split=None, conditions=["identity"])


@pytest.mark.parametrize("method", ["platt", "temperature", "isotonic"])
def test_methods_and_what_new_sources_meet(spectrace, toy_model, albums, tmp_path, method):
    real, generated = albums
    output = tmp_path / "deeper" / "calibrated.onnx"
    model = toy_model()
    before = model.read_bytes()
    result = spectrace(
        *("calibrate", model, "--real", real, "--generated", generated, "--method", method),
        *("--condition", "identity", "--output", output),
    )
    assert result.code == 0, result.err
    assert model.read_bytes() == before
    card = Model(output).card
    assert card.calibration.method == method
    cuts = card.thresholds
    assert (
        cuts.generated_bounds.low
        <= cuts.generated
        == cuts.generated_bounds.value
        <= cuts.generated_bounds.high
    )
    assert cuts.generated_bounds.low < cuts.generated_bounds.high
    # Without the brightest camera the threshold lies lower, and that camera passes it: more than the stated 5 %.
    assert cuts.new_false_positive_rate.value > 0.08
    assert f"sources outside of the fit: {cuts.new_false_positive_rate.value:.1%} (" in result.out
    rows = spectrace("detect", real, "--model", output, "--jsonl").out.splitlines()
    assert sum(json.loads(row)["verdict"] == "generated" for row in rows) <= 6  # 5 % of 120


def test_a_single_source_says_nothing_of_others(spectrace, toy_model, albums):
    real, generated = albums[0] / "around-110", albums[1]
    path = toy_model()
    result = spectrace("calibrate", path, "--real", real, "--generated", generated, "--condition", "identity")
    assert "what the rates are on other sources is not known" in result.out
    assert Model(path).card.thresholds.new_false_positive_rate is None


def test_a_failed_calibration_writes_nothing(spectrace, toy_model, albums, tmp_path):
    real, generated = albums
    output = tmp_path / "out.onnx"
    model = toy_model(tile_size=64)
    result = spectrace("calibrate", model, "--real", real, "--generated", generated, "--output", output)
    assert result.code == 2
    assert not output.exists()


def test_a_core_installation_is_enough(spectrace, toy_model, albums, monkeypatch):
    real, generated = albums
    path = toy_model()
    for package in ("onnx", "torch", "sklearn", "pyarrow"):
        monkeypatch.setitem(sys.modules, package, None)
    loaded = [name for name in sys.modules if name.startswith(("spectrace.evaluation", "spectrace.learning"))]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    result = spectrace("calibrate", path, "--real", real, "--generated", generated, "--condition", "identity")
    assert result.code == 0, result.err
    assert Model(path).card.calibration.method == "platt"
