"""The study of robustness: its curves follow the scores, its pictures are what they are said to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.detector import Detector
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation.summaries import Observation
from spectrace.evaluation.sweeps import NONE, Strength, Sweep
from spectrace.studies.registry import Context
from spectrace.studies.robustness import Settings, run_study
from spectrace.studies.robustness_figure import figure
from spectrace.studies.robustness_pictures import capped, large, training_pictures
from spectrace.studies.robustness_tables import (
    OF_SCORES,
    OF_VERDICTS,
    Comparison,
    Group,
    curves,
    mean_over_seeds,
)

ROWS = [
    Row(path=f"{number}.png", label="generated" if number % 2 else "real", source=f"s{number % 8}")
    for number in range(40)
]
LABELS = np.array([row.is_generated for row in ROWS])
SWEEP = Sweep("x", "X", "unit", (NONE, Strength("1", "blur(sigma=1)"), Strength("2", "blur(sigma=2)")))
DETECTOR = cast("Detector", None)  # curves only count them


def observed(separations: list[float], seed: int) -> dict[str, list[Observation]]:
    """What a detector says whose classes lie so far apart at each strength."""
    rng = np.random.default_rng(seed)
    found = {}
    for strength, distance in zip(SWEEP.strengths, separations, strict=True):
        scores = rng.normal(size=len(ROWS)) + distance * LABELS
        verdicts = np.where(scores > 1, "generated", np.where(scores < -1, "camera", "inconclusive"))
        found[strength.spec] = [
            Observation(row, float(score), str(verdict))
            for row, score, verdict in zip(ROWS, scores, verdicts, strict=True)
        ]
    return found


@pytest.fixture(scope="module")
def measured() -> tuple[dict[str, Any], list[dict[str, list[Observation]]]]:
    groups = [
        Group("clean", [DETECTOR] * 2, OF_SCORES),
        Group("augmented", [DETECTOR] * 2, OF_SCORES),
        Group("shipped", [DETECTOR], OF_SCORES + OF_VERDICTS),
    ]
    seen = [
        *(observed([4.0, 1.0, 0.0], seed) for seed in (1, 2)),
        *(observed([3.0, 3.0, 3.0], seed) for seed in (3, 4)),
        observed([9.0, 2.0, 1.0], 5),
    ]
    return curves(SWEEP, groups, seen, Comparison.of(seen)), seen


def test_cells_are_the_seeds_aurocs_and_their_mean(measured: Any) -> None:
    result, seen = measured
    assert [curve["name"] for curve in result["curves"]] == ["clean", "augmented", "shipped"]
    by_group = (seen[:2], seen[2:4], seen[4:])
    for curve, detectors in zip(result["curves"], by_group, strict=True):
        for cell, strength in zip(curve["auroc"], SWEEP.strengths, strict=True):
            wanted = [
                roc_auc_score(LABELS, [one.score for one in by_spec[strength.spec]]) for by_spec in detectors
            ]
            assert cell["seeds"] == pytest.approx(wanted, abs=1e-4)
            assert cell["value"] == pytest.approx(np.mean(wanted), abs=1e-4)
            assert cell["low"] <= cell["value"] <= cell["high"]
    assert result["strengths"] == ["none", "1", "2"]
    assert result["perturbations"][1] == "blur(sigma=1)"


def test_the_gain_leaves_the_first_strength_out(measured: Any) -> None:
    result, _ = measured
    clean, augmented, _ = result["curves"]
    wanted = np.mean(
        [b["value"] - a["value"] for a, b in zip(clean["auroc"], augmented["auroc"], strict=True)][1:]
    )
    assert result["gain"]["auroc"]["value"] == pytest.approx(wanted, abs=2e-4)
    assert result["gain"]["auroc"]["low"] > 0


def test_verdicts_are_reported_of_models_with_thresholds_only(measured: Any) -> None:
    result, seen = measured
    assert "detection_rate" not in result["curves"][0]
    shipped = result["curves"][2]
    for cell, strength in zip(shipped["detection_rate"], SWEEP.strengths, strict=True):
        found = [one.verdict == "generated" for one in seen[4][strength.spec] if one.row.is_generated]
        assert cell["value"] == pytest.approx(np.mean(found), abs=1e-4)


def test_pictures_without_a_score_anywhere_are_in_no_curve() -> None:
    whole = observed([3.0, 1.0, 0.0], 0)
    holed = {spec: list(seen) for spec, seen in observed([2.0, 2.0, 2.0], 1).items()}
    holed["blur(sigma=2)"][7] = Observation(ROWS[7], None, "inconclusive")
    compared = Comparison.of([whole, holed])
    assert compared.kept.tolist() == [number != 7 for number in range(40)]
    kept = [one for one in whole[NONE.spec] if one.row.path != "7.png"]
    wanted = roc_auc_score([one.row.is_generated for one in kept], [one.score for one in kept])
    assert compared.values(whole[NONE.spec], "auroc")[0] == pytest.approx(wanted)
    nothing = {spec: [Observation(row) for row in ROWS] for spec in whole}
    with pytest.raises(ManifestError, match="take larger ones"):
        Comparison.of([whole, nothing])


def test_resampling_seeds_widens_what_seeds_differ_in() -> None:
    alike = np.full((3, 2, 400), 0.7)
    assert np.ptp(mean_over_seeds(alike)) < 1e-12
    differing = alike + np.array([-0.2, 0.0, 0.2])[:, None, None]
    means = mean_over_seeds(differing)
    assert means[:, 0] == pytest.approx(0.7)
    # The mean of three of three values drawn with replacement: variance a third of theirs.
    assert means[0].std() == pytest.approx(0.2 * np.sqrt(2 / 3 / 3), rel=0.15)
    np.testing.assert_array_equal(means[0], means[1])


def test_parts_of_a_manifest(tmp_path: Path) -> None:
    rows = []
    for number in range(30):
        side = 20 if number % 5 else 10
        Image.new("RGB", (side, 2 * side)).save(tmp_path / f"{number}.png")
        source = "big" if number < 24 else "small"
        rows.append(
            Row(path=f"{number}.png", label="real", source=source, split="train", sha256=f"{number:064d}")
        )
    (tmp_path / "29.png").write_bytes(b"")
    manifest = Manifest(rows, tmp_path)
    assert {row.path for row in large(manifest, 15)} == {f"{n}.png" for n in range(29) if n % 5}
    few = capped(manifest, 7)
    assert few.count("source") == {("big",): 7, ("small",): 6}
    assert {row.path for row in capped(Manifest(reversed(rows), tmp_path), 7)} == {row.path for row in few}
    split = training_pictures(manifest, 14)
    assert split.count("source", "split") == {
        ("big", "train"): 11,
        ("big", "val"): 3,
        ("small", "train"): 5,
        ("small", "val"): 1,
    }


def test_the_figure_has_a_panel_a_sweep(measured: Any) -> None:
    result, _ = measured
    counts = {"pictures": 20, "sources": 4}
    drawn = figure({"sweeps": [result] * 8, "test": {"real": counts, "generated": counts}})
    shown = [panel for panel in drawn.axes if panel.axison]
    assert len(shown) == 8
    assert shown[0].get_ylabel() == "AUROC"
    assert {panel.get_xlabel() for panel in shown} == {"unit"}
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == [
        "trained clean",
        "trained augmented",
        "shipped",
    ]


def test_the_last_split_is_refused(tmp_path: Path) -> None:
    for field in ("train_split", "test_split"):
        settings = msgspec.structs.replace(Settings(), **{field: "unseen"})
        with pytest.raises(UsageError, match="kept for the last measurement"):
            run_study(settings, Context(tmp_path))
