"""Whole evaluations with a fake detector, whose scores are known beforehand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ManifestError, ModelError, UsageError
from spectrace.evaluation.environment import Environment
from spectrace.evaluation.evaluate import evaluate, observe, picture_seed
from spectrace.evaluation.results import Evaluation, Results
from spectrace.evaluation.summaries import Observation
from spectrace.evaluation.tables import markdown, summary
from spectrace.images import perturbations
from spectrace.images.decode import decode


@dataclass
class Answer:
    score: float | None
    verdict: str | None
    evidence: Any = None


@dataclass
class Card:
    name: str = "brightness@1"


@dataclass
class Brightness:
    """Calls bright pictures generated, and says nothing of pictures below 16 pixels."""

    card: Card = field(default_factory=Card)
    arrays: list[NDArray[np.uint8]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def detect(self, source: Any, /) -> Answer:
        pixels = decode(source).pixels
        if isinstance(source, np.ndarray):
            with self.lock:
                self.arrays.append(pixels)
        if min(pixels.shape[:2]) < 16:
            return Answer(None, "inconclusive")
        score = float(pixels.mean()) / 16 - 8
        return Answer(score, "generated" if score > 1 else "camera" if score < -1 else "inconclusive")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Twelve pictures a class; the real ones of ``sun`` are as bright as generated ones."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(24):
        is_generated = number % 2 == 1
        source = ("gan", "vae")[number % 4 // 2] if is_generated else ("night", "sun")[number % 4 // 2]
        level = 60 if source == "night" else 190
        pixels = rng.integers(level - 40, level + 40, (32, 24, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(
            Row(
                path=f"{number}.png",
                label="generated" if is_generated else "real",
                generator=source if is_generated else "",
                source=source,
                split="val",
                pair="p" if source in {"night", "gan"} else "",
            )
        )
    return Manifest(rows, tmp_path)


def test_figures_are_those_of_the_scores(manifest: Manifest) -> None:
    found = evaluate(Brightness(), manifest, split="val", resamples=50)
    assert found.model == "brightness@1"
    assert found.manifest_digest == manifest.digest()
    assert (found.overall.real.read, found.overall.generated.read) == (12, 12)
    assert found.overall.figures["detection_rate"].value == 1.0
    assert found.overall.figures["false_alarm_rate"].value == 0.5
    assert [(one.source, one.rate.value) for one in found.by_real_source] == [("night", 0.0), ("sun", 1.0)]
    assert [(one.name, one.figures["auroc"].value) for one in found.by_pair] == [("p", 1.0)]
    assert [one.name for one in found.by_generator] == ["gan", "vae"]
    assert found.unreadable == []
    assert found.seconds > 0


def test_only_the_split_is_measured(manifest: Manifest) -> None:
    rows = [msgspec.structs.replace(row, split="unseen") for row in manifest.rows[:8]] + manifest.rows[8:]
    mixed = Manifest(rows, manifest.root)
    assert evaluate(Brightness(), mixed, split="unseen", resamples=5).overall.real.listed == 4
    assert evaluate(Brightness(), mixed, split="val", resamples=5).overall.real.listed == 8
    assert evaluate(Brightness(), mixed, resamples=5).overall.real.listed == 12
    with pytest.raises(ManifestError, match=r"no picture has the split 'test': the manifest has unseen, val"):
        evaluate(Brightness(), mixed, split="test")


def test_broken_and_small_pictures_are_counted_and_not_measured(manifest: Manifest) -> None:
    manifest.locate(manifest.rows[0]).write_bytes(b"")
    manifest.locate(manifest.rows[1]).unlink()
    Image.new("RGB", (8, 8), "white").save(manifest.locate(manifest.rows[2]))
    for perturbation in (None, "identity"):
        found = evaluate(Brightness(), manifest, perturbation=perturbation, resamples=5)
        assert [one.path for one in found.unreadable] == ["0.png", "1.png"]
        assert all("\n" not in one.message and one.message for one in found.unreadable)
        real = found.overall.real
        assert (real.listed, real.read, real.scored, real.inconclusive) == (12, 11, 10, 1)
        assert (found.overall.generated.listed, found.overall.generated.read) == (12, 11)


def test_a_perturbation_reaches_both_classes_with_the_pictures_own_seed(manifest: Manifest) -> None:
    detector = Brightness()
    spec = "noise(std=5..20)"
    observe(detector, manifest, perturbation=spec, seed=3, workers=1)
    assert len(detector.arrays) == 24
    for row, pixels in zip(manifest, detector.arrays, strict=True):
        original = decode(manifest.locate(row)).pixels
        expected = perturbations.apply(spec, original, picture_seed(3, row.path))
        np.testing.assert_array_equal(pixels, expected)
        assert (pixels != original).any()


def test_the_seed_decides_whatever_the_order_and_the_number_of_workers(manifest: Manifest) -> None:
    backwards = Manifest(reversed(manifest.rows), manifest.root)

    def scores(of: Manifest, seed: int, workers: int) -> dict[str, float | None]:
        seen = observe(Brightness(), of, perturbation="noise(std=40)", seed=seed, workers=workers)
        return {one.row.path: one.score for one in seen}

    assert scores(manifest, 1, 1) == scores(backwards, 1, 4)
    assert scores(manifest, 1, 1) != scores(manifest, 2, 1)


def test_visit_sees_every_picture_in_order(manifest: Manifest) -> None:
    seen: list[str] = []
    observe(Brightness(), manifest, workers=4, visit=lambda one: seen.append(one.row.path))
    assert seen == [row.path for row in manifest]


def test_patches_are_measured_where_there_are_several(manifest: Manifest) -> None:
    class Patches(Brightness):
        def detect(self, source: Any, /) -> Answer:
            answer = super().detect(source)
            # Nine patches, of which three disagree with the picture.
            scores = np.full(9, answer.score, np.float32) * np.array([1, 1, 1, 1, 1, 1, -1, -1, -1])
            return Answer(answer.score, answer.verdict, SimpleNamespace(scores=scores.reshape(1, 3, 3)))

    whole = evaluate(Brightness(), manifest, resamples=10).overall.figures
    patches = evaluate(Patches(), manifest, resamples=10).overall.figures
    assert set(patches) - set(whole) == {"patch_auroc", "patch_accuracy"}
    assert patches["auroc"] == whole["auroc"]
    observations = observe(Patches(), manifest)
    labels = np.repeat([one.row.is_generated for one in observations], 9)
    scores = np.concatenate([one.score * np.array([1, 1, 1, 1, 1, 1, -1, -1, -1]) for one in observations])
    assert patches["patch_auroc"].value == pytest.approx(roc_auc_score(labels, scores), abs=0.05)
    wanted = balanced_accuracy_score(labels, scores > 0)
    assert patches["patch_accuracy"].value == pytest.approx(wanted, abs=0.05)


def test_an_interruption_stops_the_rest(manifest: Manifest) -> None:
    asked = 0

    class Counting(Brightness):
        def detect(self, source: Any, /) -> Answer:
            nonlocal asked
            asked += 1
            return super().detect(source)

    def interrupt(one: Observation) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        observe(Counting(), manifest, workers=1, visit=interrupt)
    assert asked < 24


def test_what_cannot_be_measured_is_refused(manifest: Manifest) -> None:
    class Broken(Brightness):
        def detect(self, source: Any, /) -> Answer:
            return Answer(float("nan"), "camera")

    with pytest.raises(ModelError, match="no number"):
        evaluate(Broken(), manifest)
    with pytest.raises(ManifestError, match="no real pictures"):
        evaluate(Brightness(), manifest.select(label="generated"))
    with pytest.raises(UsageError, match="jpegg"):
        evaluate(Brightness(), manifest, perturbation="jpegg(quality=5)")
    with pytest.raises(UsageError, match="0 resamples"):
        evaluate(Brightness(), manifest, resamples=0)


@pytest.fixture
def evaluation(manifest: Manifest) -> Evaluation:
    return evaluate(Brightness(), manifest, split="val", resamples=50, perturbation="identity")


def test_a_results_file_gives_the_same_evaluation_and_the_same_tables(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    results = Results(evaluations=[evaluation], environment=Environment.here())
    file = tmp_path / "deep" / "x.json"
    results.write(file)
    again = Results.read(file)
    assert again == results
    assert markdown(again.evaluations[0]) == markdown(evaluation)


def test_a_file_that_is_no_results_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for raw in (b"", b"{}", b"\xff\xfe", b'{"evaluations": 3}'):
        file.write_bytes(raw)
        with pytest.raises(UsageError, match="no results file"):
            Results.read(file)
    with pytest.raises(UsageError, match="cannot be read"):
        Results.read(tmp_path / "none.json")
    Results(evaluations=[], environment=Environment.here(), schema_version=99).write(file)
    with pytest.raises(UsageError, match="schema 99"):
        Results.read(file)
    with pytest.raises(UsageError, match="cannot be written"):
        Results(evaluations=[], environment=Environment.here()).write(file / "below.json")


def test_the_environment_names_versions_and_hardware() -> None:
    here = Environment.here()
    assert here.numpy == np.__version__
    assert all(getattr(here, name) for name in ("spectrace", "python", "onnxruntime", "platform", "cpu"))


def test_markdown_says_everything_once(evaluation: Evaluation) -> None:
    text = markdown(evaluation)
    assert text.startswith("Model brightness@1 on split val: 12 real pictures from 2 sources, 12 generated")
    assert "Perturbation: identity." in text
    titles = [
        "**Overall**",
        "**By generator, against",
        "**Within pair sets**",
        "**False alarms by real source**",
    ]
    places = [text.index(title) for title in titles]
    assert places == sorted(places)
    assert "| real called generated | 50.0 % |" in text
    assert "| night | 6 | 0 | 0 | 6 | 0.0 % (0.0 to 39.0) |" in text
    widths = {
        line.count("|") for line in text.split("**By generator")[1].split("**Within")[0].splitlines()[2:-1]
    }
    assert len(widths) == 1


def test_names_cannot_break_a_table(evaluation: Evaluation) -> None:
    rows = [msgspec.structs.replace(evaluation.by_real_source[0], source="a|b\nc")]
    text = markdown(msgspec.structs.replace(evaluation, by_real_source=rows))
    assert "| a\\|b c | 6 |" in text


def test_a_summary_has_a_line_an_evaluation(evaluation: Evaluation) -> None:
    other = msgspec.structs.replace(evaluation, perturbation=None, split=None)
    table = summary([evaluation, other])
    assert [row[:3] for row in table.rows] == [
        ("brightness@1", "val", "identity"),
        ("brightness@1", "all", "none"),
    ]
    assert all(len(row) == len(table.header) for row in table.rows)
