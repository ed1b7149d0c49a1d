"""``spectrace evaluate --baseline``: fitted on one part of the pictures, measured on the other."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest


@pytest.fixture
def folder(tmp_path):
    """Forty photographs in JPEG and forty generated pictures in PNG, with a manifest."""
    rng = np.random.default_rng(0)
    for name, suffix in (("real", ".jpg"), ("fake", ".png")):
        (tmp_path / name).mkdir()
        for number in range(40):
            pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}{suffix}")
    manifest = Manifest.from_folders(
        real=tmp_path / "real",
        generated=tmp_path / "fake",
        root=tmp_path,
        shares={"train": 0.6, "val": 0.4},
    )
    manifest.write(tmp_path / "manifest.csv")
    return tmp_path


def test_measured_without_a_model_on_what_it_was_not_fitted_on(folder, spectrace):
    options = ["--baseline", "metadata", "-p", "flip", "--resamples", 20, "--json"]
    done = spectrace("evaluate", "-m", folder / "manifest.csv", *options)
    assert done.code == 0
    plain, flipped = json.loads(done.out)["evaluations"]
    assert plain["model"].startswith("metadata@")
    counts = Manifest.read(folder / "manifest.csv").count("split", "label")
    assert plain["overall"]["real"]["listed"] == counts["val", "real"]
    # Only the files tell these pictures apart, and a flipped picture is no file.
    assert plain["overall"]["figures"]["auroc"]["value"] == 1.0
    assert flipped["overall"]["figures"]["auroc"]["value"] == 0.5


def test_half_of_the_folders_is_set_aside(folder, spectrace):
    pictures = ["--real", folder / "real", "--generated", folder / "fake"]
    options = ["--baseline", "metadata", "--baseline", "metadata", "--resamples", 20, "--json"]
    done = spectrace("evaluate", *pictures, *options)
    [evaluation] = json.loads(done.out)["evaluations"]
    listed = evaluation["overall"]["real"]["listed"] + evaluation["overall"]["generated"]["listed"]
    assert 25 < listed < 55
    assert evaluation["overall"]["figures"]["auroc"]["value"] == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to measure: give a MODEL, or a method with --baseline"),
        (["--baseline", "magic"], "baseline 'magic' is unknown"),
        (["--baseline", "metadata", "--split", "train"], "fitted on the split train"),
    ],
)
def test_what_makes_no_sense_is_refused(folder, spectrace, options, message):
    done = spectrace("evaluate", "-m", folder / "manifest.csv", *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
