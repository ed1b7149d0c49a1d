"""Many trainings: none done twice, whoever does it, and each named after its pictures' content."""

from __future__ import annotations

import fcntl
import threading
import time

import msgspec
import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import RecipeError
from spectrace.learning.recipes import DataRecipe, NetworkRecipe, Recipe, RepresentationRecipe
from spectrace.studies.registry import Context
from spectrace.studies.trainings import Training, train_all


@pytest.fixture
def manifest(tmp_path):
    rows = []
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for label in ("real", "generated"):
            for number in range(3):
                path = tmp_path / f"{split}-{label}-{number}.png"
                level = 100 if label == "real" else 140
                Image.fromarray(np.uint8(rng.normal(level, 20, (24, 24, 3)).clip(0, 255))).save(path)
                rows.append(Row(path=path.name, label=label, split=split, source=label))
    return Manifest(rows, tmp_path)


@pytest.fixture
def recipe():
    return Recipe(
        name="tiny",
        data=DataRecipe(manifest="pictures", window=24, val_tiles=1),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id="linear"),
        tile=16,
        batch=4,
        steps_per_epoch=2,
        epochs=1,
    )


def test_none_is_trained_twice(manifest, recipe, tmp_path):
    context = Context(tmp_path / "work", workers=0)
    trainings = [Training(recipe, manifest, seed) for seed in (0, 1, 0)]
    models = train_all(trainings, context)
    assert models[0] == models[2] != models[1]
    assert {model.parent.parent for model in models} == {context.trainings}
    before = [model.stat().st_mtime_ns for model in models]
    assert train_all(trainings, context) == models
    assert [model.stat().st_mtime_ns for model in models] == before


def test_other_pictures_of_the_same_name_are_another_training(manifest, recipe, tmp_path):
    context = Context(tmp_path / "work", workers=0)
    (first,) = train_all([Training(recipe, manifest, 0)], context)
    picture = manifest.locate(manifest.rows[0])
    Image.fromarray(255 - np.array(Image.open(picture))).save(picture)
    (second,) = train_all([Training(recipe, manifest, 0)], context)
    assert first != second


def test_several_processes_give_the_same_models(manifest, recipe, tmp_path):
    trainings = [Training(recipe, manifest, seed) for seed in (0, 1)]
    several = train_all(trainings, Context(tmp_path / "several", workers=0, jobs=2))
    alone = train_all(trainings, Context(tmp_path / "alone", workers=0))
    for left, right in zip(several, alone, strict=True):
        assert left.read_bytes() == right.read_bytes()


def test_an_error_in_another_process_is_this_ones(manifest, recipe, tmp_path):
    bad = msgspec.structs.replace(recipe, network=NetworkRecipe(id="nothing"))
    with pytest.raises(RecipeError, match="nothing"):
        train_all([Training(bad, manifest, 0)], Context(tmp_path / "work", workers=0, jobs=2))


def test_what_another_process_trains_is_waited_for(manifest, recipe, tmp_path):
    wanted = [Training(recipe, manifest, 0)]
    (made,) = train_all(wanted, Context(tmp_path / "first", workers=0))
    context = Context(tmp_path / "second", workers=0)
    folder = context.trainings / made.parent.name
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        found = []
        waiting = threading.Thread(target=lambda: found.extend(train_all(wanted, context)))
        waiting.start()
        time.sleep(0.8)
        assert not found
        (folder / "model.onnx").write_bytes(b"theirs")
    waiting.join(10)
    assert found == [folder / "model.onnx"]
    assert found[0].read_bytes() == b"theirs"
