"""What studies of small classifiers share: settings refused, draws, accuracies, altered test pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, recall_score

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.studies.classifiers import ClassifierSettings, Draws, Exam, pictures_of
from spectrace.studies.registry import Context
from spectrace.studies.source_pictures import PHOTOGRAPH

SIDE = 16


@pytest.fixture
def manifest(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for generator in ("style", "camera", "glow"):
        for number in range(30):
            path = f"{generator}-{number}.png"
            Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(tmp_path / path)
            label, photograph = (
                ("real", f"p{number // 10}.jpg") if generator == "camera" else ("generated", "")
            )
            split = "test" if number < 20 else "train-0"
            rows.append(
                Row(
                    path=path,
                    label=label,
                    split=split,
                    generator=generator,
                    extra={PHOTOGRAPH: photograph},
                )
            )
    return Manifest(rows, tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"test_split": "unseen"}, "'unseen' is kept for the last measurement"),
        ({}, "generators \\(none\\): wanted one or more"),
        (
            {"generators": (GeneratorRecipe(family="glow"),) * 2},
            "glow, glow: wanted one or more, a family once",
        ),
    ],
)
def test_bad_settings_are_refused_before_anything_is_made(tmp_path, settings, message):
    with pytest.raises(UsageError, match=message):
        pictures_of(ClassifierSettings(**settings), Context(tmp_path))
    assert not list(tmp_path.iterdir())


def test_draws_resample_seeds_alike_for_all_that_is_compared():
    rng = np.random.default_rng(1)
    seeds = rng.integers(3, size=(201, 3))
    seeds[0] = range(3)
    draws = Draws(np.ones((201, 5)), seeds)
    worse = [np.full(201, value) for value in (0.2, 0.4, 0.9)]
    better = [one + 0.05 for one in worse]
    found = draws.compared({"pixels": worse, "log-dct": better})
    assert found["pixels"]["value"] == 0.5
    assert found["pixels"]["seeds"] == [0.2, 0.4, 0.9]
    # Seeds differ, so their mean is uncertain; the difference is the same in all of them.
    assert found["pixels"]["low"] < 0.3 < 0.7 < found["pixels"]["high"]
    assert found["gain"] == pytest.approx({"value": 0.05, "low": 0.05, "high": 0.05})
    by_hand = np.mean([worse[seed][7] for seed in seeds[7]])
    assert draws.mean(worse)[7] == pytest.approx(by_hand)


def test_accuracy_is_scikit_learns(manifest):
    exam = Exam.of(manifest, ["style", "glow"])
    assert exam.classes == ["camera", "glow", "style"]
    assert exam.photographs == 2
    assert len(exam.pixels) == 60
    draws = exam.draws(2)
    logits = np.random.default_rng(2).normal(size=(60, 3)) + np.eye(3)[exam.truth]
    wanted = balanced_accuracy_score(exam.truth, logits.argmax(1))
    found = exam.accuracy(logits, draws)
    assert found[0] == pytest.approx(wanted)
    assert found[1:].std() > 0.01
    binary = logits[:, :1] - 0.5
    recalls = recall_score(exam.truth > 0, binary[:, 0] >= 0, average=None)
    assert exam.accuracy(binary, draws)[0] == pytest.approx(recalls.mean())


def test_an_exam_holds_only_its_own_classes(manifest):
    exam = Exam.of(manifest, ["style"])
    assert {row.generator for row in exam.manifest} == {"camera", "style"}
    assert {row.split for row in exam.manifest} == {"test"}
    assert exam.truth.tolist() == [1] * 20 + [0] * 20


def test_alterations_change_about_half_of_every_class_the_same_way_each_time(manifest):
    exam = Exam.of(manifest, ["style", "glow"])
    altered = exam.altered("noise(std=5..20)@0.5")
    changed = np.any(altered.pixels != exam.pixels, axis=(1, 2, 3))
    for target in range(3):
        assert 3 <= changed[exam.truth == target].sum() <= 17
    assert np.array_equal(altered.pixels, exam.altered("noise(std=5..20)@0.5").pixels)
    # A picture's chance is its own: without the others it is altered in the same way.
    alone = Exam.of(manifest, ["style"]).altered("noise(std=5..20)@0.5")
    kept = [row.generator != "glow" for row in exam.manifest]
    assert np.array_equal(alone.pixels, altered.pixels[kept])


def test_alterations_that_change_the_size_are_refused(manifest):
    with pytest.raises(UsageError, match="changes the size of pictures"):
        Exam.of(manifest, ["style"]).altered("resize(scale=0.5)@0.5")
