"""Robustness sweeps: what is in them, and that a curve shows what was done and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation import sweeps as module
from spectrace.evaluation.environment import Environment
from spectrace.evaluation.evaluate import evaluate, observe
from spectrace.evaluation.figures import FIGURES
from spectrace.evaluation.results import Results, SweepCurve
from spectrace.evaluation.sweeps import REPORTED, SWEEPS, Strength, Sweep, find_sweeps, sweep, table
from spectrace.images import perturbations

DARKER = Sweep(
    "darker",
    "Darker",
    "exponent",
    (module.NONE, Strength("2", "gamma(gamma=2)"), Strength("9", "gamma(gamma=9)")),
)
SMALLER = Sweep(
    "smaller",
    "Smaller",
    "scale",
    (module.NONE, Strength("0.9", "resize(scale=0.9)"), Strength("0.5", "resize(scale=0.5)")),
)


@dataclass
class Answer:
    score: float | None
    verdict: str | None
    evidence: Any = None


@dataclass
class Card:
    name: str


@dataclass
class Brightness:
    """Calls bright pictures generated, and says nothing of pictures below ``least`` pixels."""

    card: Card = field(default_factory=lambda: Card("brightness@1"))
    least: int = 16
    sign: float = 1.0

    def detect(self, source: Any, /) -> Answer:
        pixels = np.asarray(Image.open(source)) if isinstance(source, Path) else source
        if min(pixels.shape[:2]) < self.least:
            return Answer(None, "inconclusive")
        score = self.sign * (float(pixels.mean()) / 16 - 8)
        return Answer(score, "generated" if score > 1 else "camera" if score < -1 else "inconclusive")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Ten dark real pictures and ten bright generated ones; three of each class are small."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(20):
        generated, side = number % 2 == 1, 20 if number < 6 else 40
        level = 170 if generated else 100
        pixels = rng.integers(level - 60, level + 60, (side, side, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        label: Literal["real", "generated"] = "generated" if generated else "real"
        source = f"{label}-{number % 4}"
        rows.append(Row(path=f"{number}.png", label=label, source=source, split="val"))
    return Manifest(rows, tmp_path)


def test_every_perturbation_is_in_some_sweep() -> None:
    specs = " + ".join(strength.spec for one in SWEEPS.values() for strength in one.strengths)
    steps = perturbations.parse(specs)
    assert isinstance(steps, perturbations.Chain)
    assert {step.name for step in steps.steps} >= set(perturbations.names())


def test_sweeps_begin_with_none_and_no_strength_is_there_twice(photographs: dict[str, np.ndarray]) -> None:
    pixels = photographs["astronaut"][:96, :96]
    for name, one in SWEEPS.items():
        assert one.name == name
        assert one.strengths[0] == module.NONE
        for of_strengths in zip(*one.strengths, strict=True):
            assert len(set(of_strengths)) == len(one.strengths)
        for _, spec in one.strengths[1:]:
            changed = perturbations.apply(spec, pixels, 0)
            assert changed.shape != pixels.shape or (changed != pixels).any(), spec
    assert (perturbations.apply(module.NONE.spec, pixels, 0) == pixels).all()


def test_stronger_is_stronger(photographs: dict[str, np.ndarray]) -> None:
    """Along a sweep that keeps the size, pictures move away from what they were."""
    pixels = photographs["coffee"][:128, :128]
    for name in ("jpeg", "webp", "blur", "noise", "mask", "crop-resize"):
        distances = [
            abs(perturbations.apply(spec, pixels, 0).astype(int) - pixels).mean()
            for _, spec in SWEEPS[name].strengths
        ]
        assert distances == sorted(distances), name


def test_all_takes_every_sweep_once() -> None:
    assert find_sweeps(["all", "jpeg"]) == list(SWEEPS.values())
    with pytest.raises(UsageError, match=r"no sweep is called 'jpg': give all or some of jpeg, webp"):
        find_sweeps(["jpeg", "jpg"])


def test_every_strength_says_what_an_evaluation_with_it_says(manifest: Manifest) -> None:
    (curve,) = sweep([Brightness()], manifest, [DARKER], split="val", resamples=30, seed=5)
    assert [point.strength for point in curve.points] == ["none", "2", "9"]
    for point in curve.points:
        alone = evaluate(
            Brightness(), manifest, split="val", perturbation=point.perturbation, seed=5, resamples=30
        )
        assert tuple(point.comparison.figures) == REPORTED
        for name in REPORTED:
            assert point.comparison.figures[name] == alone.overall.figures[name]
        assert point.comparison.real == alone.overall.real
        assert curve.manifest_digest == alone.manifest_digest
    detection = [point.comparison.figures["detection_rate"].value for point in curve.points]
    assert detection[0] == 1.0
    assert detection[2] == 0.0


def test_scores_are_of_the_pictures_that_every_strength_leaves_large_enough(manifest: Manifest) -> None:
    (curve,) = sweep([Brightness(least=12)], manifest, [SMALLER], resamples=10)
    large = Manifest(manifest.rows[6:], manifest.root)
    for point in curve.points:
        assert (point.comparison.real.scored, point.comparison.generated.scored) == (7, 7)
        assert (point.comparison.real.read, point.comparison.generated.read) == (10, 10)
        seen = observe(Brightness(least=12), large, perturbation=point.perturbation)
        wanted = roc_auc_score([one.row.is_generated for one in seen], [one.score for one in seen])
        assert point.comparison.figures["auroc"].value == pytest.approx(wanted)
    # Verdicts are of all pictures: the small ones are decided until they are too small.
    assert [point.comparison.real.inconclusive for point in curve.points][-1] >= 3


def test_detectors_and_sweeps_do_not_mix(manifest: Manifest) -> None:
    detectors = [Brightness(), Brightness(Card("opposite@1"), sign=-1.0)]
    curves = sweep(detectors, manifest, [DARKER, SMALLER], resamples=5, workers=3)
    assert [(curve.model, curve.sweep) for curve in curves] == [
        ("brightness@1", "darker"),
        ("brightness@1", "smaller"),
        ("opposite@1", "darker"),
        ("opposite@1", "smaller"),
    ]
    assert curves[0] == sweep(detectors[:1], manifest, [DARKER], resamples=5, workers=1)[0]
    for curve, opposite in zip(curves[:2], curves[2:], strict=True):
        for point, other in zip(curve.points, opposite.points, strict=True):
            ours, theirs = (one.comparison.figures["auroc"].value for one in (point, other))
            assert ours is not None
            assert theirs is not None
            assert ours == pytest.approx(1 - theirs)


def test_what_cannot_be_read_or_treated_takes_no_part(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest.locate(manifest.rows[0]).write_bytes(b"")
    monkeypatch.setattr("spectrace.images.codecs.WEBP_SIDE", 30)
    visits: list[None] = []
    (curve,) = sweep(
        [Brightness()],
        manifest,
        [Sweep("w", "W", "q", (module.NONE, Strength("50", "webp(quality=50)")))],
        resamples=5,
        visit=lambda: visits.append(None),
    )
    assert len(visits) == 20
    counts = [(point.comparison.real.read, point.comparison.real.scored) for point in curve.points]
    assert counts == [(9, 2), (2, 2)]


def test_a_split_without_pictures_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ManifestError, match="no picture has the split 'test'"):
        sweep([Brightness()], manifest, [DARKER], split="test")


def test_curves_survive_the_results_file_and_older_files_have_none(
    manifest: Manifest, tmp_path: Path
) -> None:
    curves = sweep([Brightness()], manifest, [DARKER], resamples=5)
    path = tmp_path / "results.json"
    Results(evaluations=[], environment=Environment.here(), sweeps=curves).write(path)
    assert Results.read(path).sweeps == curves
    older = msgspec.json.decode(path.read_bytes())
    del older["sweeps"]
    path.write_bytes(msgspec.json.encode(older))
    assert Results.read(path).sweeps == []
    assert msgspec.convert(msgspec.to_builtins(curves[0]), SweepCurve) == curves[0]


def test_the_table_has_a_line_a_strength(manifest: Manifest) -> None:
    (curve,) = sweep([Brightness()], manifest, [DARKER], resamples=5)
    shown = table(curve)
    assert shown.title == "Darker (darker): brightness@1"
    assert shown.header[:3] == ("exponent", "real + generated", FIGURES["auroc"].title)
    assert [row[:2] for row in shown.rows] == [("none", "10 + 10"), ("2", "10 + 10"), ("9", "10 + 10")]


def test_pictures_too_small_for_any_score_leave_figures_of_scores_out(manifest: Manifest) -> None:
    (curve,) = sweep([Brightness(least=30)], manifest, [SMALLER], resamples=5)
    for point in curve.points:
        assert (point.comparison.real.scored, point.comparison.real.read) == (0, 10)
        assert point.comparison.figures["auroc"].value is None
        assert point.comparison.figures["decided"].value is not None
    assert table(curve).rows[0][1:3] == ("0 + 0", "–")
