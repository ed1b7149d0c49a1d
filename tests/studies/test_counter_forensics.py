"""The study of counter-forensics: its settings, its figures of merit, and a whole quick run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from spectrace.errors import UsageError
from spectrace.generators.tuning import Tuning, TuningRecipe
from spectrace.learning import runs
from spectrace.learning.optimisers import Stepper
from spectrace.studies import counter_forensics_tables as module
from spectrace.studies.counter_forensics import run_study
from spectrace.studies.counter_forensics_tables import Measures, cost, figure
from spectrace.studies.encoding import decode_picture
from spectrace.studies.registry import Context, Experiment

EXPERIMENT = Path(__file__).resolve().parents[2] / "experiments" / "counter-forensics.toml"


def test_the_last_measurement_and_unknown_attacks_are_refused(tmp_path):
    settings = Experiment.read(EXPERIMENT).chosen(quick=True)
    with pytest.raises(UsageError, match="'unseen' is kept"):
        run_study(msgspec.structs.replace(settings, test_split="unseen"), Context(tmp_path))
    with pytest.raises(UsageError, match="'magic' is unknown"):
        run_study(msgspec.structs.replace(settings, attacks=("magic",)), Context(tmp_path))


def test_figures_are_scikit_learns_and_their_means_over_seeds(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(module, "scores", lambda detector, pictures: pictures[:, 0, 0, 0] - 100.0)
    test = rng.integers(0, 160, (30, 1, 1, 3)).astype(np.uint8)
    samples = [rng.integers(40, 250, (40, 1, 1, 3)).astype(np.uint8) for _ in range(2)]
    measures = Measures(test, [str(number // 3) for number in range(30)], 40)
    found = measures.of([Path("a"), Path("b")], samples)
    labels = np.repeat([0, 1], [30, 40])
    for seed, some in enumerate(samples):
        logits = np.concatenate([test, some])[:, 0, 0, 0] - 100.0
        assert found["auroc"]["seeds"][seed] == pytest.approx(roc_auc_score(labels, logits), abs=1e-4)
        assert found["accuracy"]["seeds"][seed] == pytest.approx(
            balanced_accuracy_score(labels, logits >= 0), abs=1e-4
        )
        assert found["average_precision"]["seeds"][seed] == pytest.approx(
            average_precision_score(labels, logits), abs=1e-4
        )
        assert found["missed"][seed] == pytest.approx((logits[30:] < 0).mean(), abs=1e-4)
    auroc = found["auroc"]
    assert auroc["value"] == pytest.approx(np.mean(auroc["seeds"]), abs=1e-4)
    assert auroc["low"] < auroc["value"] < auroc["high"]


def test_cost_of_nothing_and_of_something():
    before = np.random.default_rng(0).integers(0, 240, (3, 16, 16, 3)).astype(np.uint8)
    assert cost(before, [before, before]) == {"psnr": None, "ssim": 1.0}
    paid = cost(before, [before + 9])
    assert paid["psnr"] == 29.05
    assert cost(before, [before, before + 9])["psnr"] == 29.05
    assert 0.9 < paid["ssim"] < 1.0


@pytest.mark.slow
def test_the_whole_study_on_a_few_photographs(tmp_path, monkeypatch):
    # The study takes detectors from their checkpoints; exporting four would take half of the test's time.
    monkeypatch.setattr(runs, "export_onnx", lambda *_: None)
    settings = msgspec.structs.replace(
        Experiment.read(EXPERIMENT).chosen(quick=True),
        train=24,
        val=8,
        test=10,
        attacks=("none", "gradient-4"),
        steps_per_epoch=8,
        epochs=1,
        tuning=TuningRecipe(steps=3, batch=4),
    )
    result = run_study(settings, Context(tmp_path, workers=0))
    assert [(one["name"], one["aimed_at"]) for one in result["attacks"]] == [
        ("none", ""),
        ("gradient-4", "patch"),
        ("gradient-4", "frequency"),
        ("tuned", "patch"),
        ("tuned", "frequency"),
    ]
    assert list(result["table"]) == ["patch", "patch, trained anew", "frequency", "frequency, trained anew"]
    assert all(len(row) == 5 for row in result["table"].values())
    assert result["attacks"][0]["psnr"] is None
    assert all(one["psnr"] > 30 for one in result["attacks"][1:])
    for kind, other in (("patch", "frequency"), ("frequency", "patch")):
        (first,) = result["rounds"][kind]
        assert first["before"] == result["table"][kind][0]
        assert first["frozen"] == result["table"][kind][3 if kind == "patch" else 4]
        assert first[f"{other}, never attacked"] == result["table"][other][3 if kind == "patch" else 4]
        assert first["trained anew, first samples"] == result["table"][f"{kind}, trained anew"][0]
        assert decode_picture(result["strips"][kind]).shape == (3 * 32, 8 * 32, 3)
    drawn = figure(result)
    assert {panel.get_title()[:8] for panel in drawn.get_axes()} >= {"Balanced", "The dete", "Tuned ag"}

    # A second run finds every part done and says the same.
    monkeypatch.setattr(Tuning, "advance", lambda self: pytest.fail("tuned again"))
    monkeypatch.setattr(Stepper, "step", lambda *_: pytest.fail("trained again"))
    assert run_study(settings, Context(tmp_path, workers=0)) == result
