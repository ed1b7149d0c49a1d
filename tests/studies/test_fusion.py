from __future__ import annotations

import msgspec
import numpy as np
import pytest

from spectrace.corpora.manifest import Manifest
from spectrace.detectors.detector import Detector
from spectrace.evaluation.crossfit import Scored
from spectrace.studies import fusion
from spectrace.studies.fusion import FUSION, Settings, compared, figure, parts_of, run_study
from spectrace.studies.registry import Context

QUICK = Settings(
    branches={
        "spectra": "experiments/shipped/spectral-statistics.toml",
        "residuals": "experiments/shipped/residual-statistics.toml",
    },
    manifest="wheels",
    folds=2,
    held_out=(0,),
    pieces=4,
    side=160,
    resamples=10,
)


def test_parts_share_nothing(tmp_path):
    parts = parts_of(QUICK, Context(tmp_path))
    held, kept = ({row.path for row in part} for part in (parts.held_out, parts.kept))
    assert held
    assert kept
    assert not held & kept
    assert held | kept == {row.path for row in parts.everything}
    assert not {row.generator for row in parts.held_out if row.is_generated} & {
        row.generator for row in parts.kept if row.is_generated
    }


def test_reconstructions_are_for_training_alone(tmp_path, monkeypatch):
    made = fusion.stand_ins(Context(tmp_path), splits=("train", "val"), count=4, side=64)
    rows = [
        msgspec.structs.replace(row, pair="", extra={"content": row.path} if row.is_generated else {})
        for row in made
    ]
    Manifest(rows, made.root).write(tmp_path / "stand-ins" / "m.csv")
    settings = msgspec.structs.replace(QUICK, manifest=str(tmp_path / "stand-ins" / "m.csv"))
    parts = parts_of(settings, Context(tmp_path))
    assert not any(row.is_generated for row in parts.held_out)
    assert any(row.is_generated for row in parts.everything)


def test_families_take_the_generators_place(tmp_path):
    made = fusion.stand_ins(
        Context(tmp_path), splits=("train", "val"), count=2, side=64, kernels=("bilinear", "lanczos")
    )
    found = fusion._by_family(made, {"smooth": ["bilinear"]})
    assert {row.generator for row in found if row.is_generated} == {"smooth"}
    assert {row.generator for row in found if not row.is_generated} == {"camera"}


def test_candidates_are_tried_without_their_own_sources():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2 == 1
    good = labels + rng.normal(scale=0.7, size=400)
    logits = np.stack([good, rng.normal(size=400), labels + rng.normal(scale=0.9, size=400)], 1)
    sources = np.array([f"s{number // 2 % 10}" for number in range(400)])
    scored = Scored(logits, labels, sources, np.zeros(400, np.int64), np.arange(400))
    rows = compared(scored, ["a", "noise", "b"], msgspec.structs.replace(QUICK, conditions=("identity",)))
    value = {row["candidate"]: row["auroc"]["value"] for row in rows}
    assert set(value) == {
        *("a alone", "noise alone", "b alone"),
        FUSION,
        *("without a", "without noise", "without b"),
    }
    assert value["noise alone"] < 0.6 < value["without a"] < value[FUSION]
    assert value["without noise"] == pytest.approx(value[FUSION], abs=0.02)


def test_the_model_is_calibrated_on_what_its_twin_never_saw(tmp_path, monkeypatch):
    monkeypatch.chdir(fusion.Path(__file__).resolve().parents[2])
    result = run_study(QUICK, Context(tmp_path, workers=0))
    detector = Detector.load(tmp_path / fusion.MODEL)
    assert [branch.name for branch in detector.card.branches] == ["spectra", "residuals"]
    assert detector.card.calibration.method == "platt"
    assert detector.card.thresholds.generated == pytest.approx(result["thresholds"]["generated"])
    assert {row["candidate"] for row in result["rows"]} == {"spectra alone", "residuals alone", FUSION}
    assert figure(result).get_axes()
