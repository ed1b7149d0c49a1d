"""The depth study on photographs from wheels: it runs, resumes, and its figures hang together."""

from __future__ import annotations

import numpy as np
import pytest

from spectrace.corpora.manifest import Manifest, Row
from spectrace.learning import runs
from spectrace.studies.patch_depth import Settings, figure, run_study
from spectrace.studies.registry import Context


@pytest.fixture(scope="module")
def settings(tmp_path_factory, photograph_paths):
    folder = tmp_path_factory.mktemp("photographs")
    splits = {
        "astronaut": "train",
        "coffee": "train",
        "chelsea": "train",
        "rocket": "train",
        "retina": "train",
    }
    rows = [
        Row(path=str(path), label="real", source=name, split=splits.get(name, "val"))
        for name, path in photograph_paths.items()
        if name != "hubble"
    ]
    Manifest(rows, folder).write(folder / "manifest.csv")
    return Settings(
        manifest=str(folder / "manifest.csv"),
        photographs=5,
        test_photographs=2,
        per_photograph=6,
        side=64,
        upsamplers=("nearest", "transposed"),
        generator_steps=30,
        weights="",
        truncated=("resnet18-layer1-slim",),
        full=("mesoinception4",),
        seeds=(0, 1),
        tile=64,
        batch=16,
        steps_per_epoch=40,
        epochs=3,
    )


@pytest.mark.slow
def test_the_study_runs_and_a_second_run_trains_nothing(settings, tmp_path, monkeypatch):
    context = Context(tmp_path, workers=0)
    result = run_study(settings, context)
    assert result["generators"] == ["nearest", "transposed"]
    assert result["pictures"] == {"train": 12, "val": 18, "test": 12}
    truncated, full = result["networks"]
    assert (truncated["kind"], full["kind"]) == ("truncated", "full")
    own = truncated["average_precision"]["untouched"]["nearest"]
    # Reconstructions of an autoencoder that was hardly trained are easy to tell. Trainings this short end
    # differently on other machines: the bounds are loose, the real figures are in results/.
    assert own["value"] > 0.8
    assert own["low"] <= own["value"] <= own["high"]
    assert len(own["seeds"]) == 2
    # A picture whose left half only is generated lights up on the left.
    assert np.mean(truncated["left_half_pixel_auroc"]) > 0.85
    assert full["left_half_pixel_auroc"] == []
    assert figure(result).get_axes()

    monkeypatch.setattr(runs, "export_onnx", lambda *_: pytest.fail("trained again"))
    assert run_study(settings, context) == result
