from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest
from spectrace.detectors.runtime import Model
from spectrace.errors import RecipeError
from spectrace.learning import fitting
from spectrace.learning.recipes import (
    DataRecipe,
    DiscriminantRecipe,
    NetworkRecipe,
    RepresentationRecipe,
)
from spectrace.learning.runs import MODEL, run


@pytest.fixture(scope="module")
def larger(pictures, photographs, tmp_path_factory) -> Manifest:
    """The small manifest's rows, with crops large enough for a tile of 64 pixels."""
    root = tmp_path_factory.mktemp("larger")
    rng = np.random.default_rng(3)
    names = ["astronaut", "coffee", "china", "retina"]
    for number, row in enumerate(pictures.rows):
        photograph = photographs[names[number // 2 % 4]]
        top, left = (int(rng.integers(side - 96)) for side in photograph.shape[:2])
        crop = photograph[top : top + 96, left : left + 96]
        if row.is_generated:
            crop = crop[::2, ::2].repeat(2, 0).repeat(2, 1)
        (root / row.path).parent.mkdir(exist_ok=True)
        Image.fromarray(crop).save(root / row.path)
    return Manifest(pictures.rows, root)


@pytest.fixture(scope="module")
def recipe(recipe_of):
    return recipe_of(
        tile=64,
        data=DataRecipe(manifest="made.csv", augment=["flip@0.5"], val_tiles=2),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id="residual-statistics"),
        discriminant=DiscriminantRecipe(rounds=2, tiles=1),
    )


def test_a_fit_tells_doubled_pictures_from_photographs(larger, recipe, tmp_path):
    done = run(recipe, larger, tmp_path, seed=0, workers=0)
    assert done.trained.best.auroc > 0.9
    assert done.trained.epoch == 2
    card = Model(tmp_path / MODEL).card
    assert card.training["recipe"]["discriminant"]["rounds"] == 2
    assert json.loads((tmp_path / "recipe.json").read_text())["network"]["id"] == "residual-statistics"


def test_a_killed_fit_goes_on_and_ends_the_same(larger, recipe, tmp_path, monkeypatch):
    whole = run(recipe, larger, tmp_path / "one" / "whole", seed=1, workers=0).trained.network
    measured = []
    batches = fitting.picture_batches

    def counted(dataset, workers):
        measured.append(len(dataset.entries))
        if len(measured) == 2:
            raise KeyboardInterrupt
        return batches(dataset, workers)

    monkeypatch.setattr(fitting, "picture_batches", counted)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, larger, tmp_path / "two" / "killed", seed=1, workers=0)
    resumed = run(recipe, larger, tmp_path / "two" / "killed", seed=1, workers=0).trained.network
    count = measured[0]
    assert measured == [count, count, 0, count]  # the first round was not measured again
    for name, value in whole.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), resumed.state_dict()[name].numpy(), err_msg=name)


def test_another_network_is_refused(larger, recipe_of, recipe, tmp_path):
    other = msgspec.structs.replace(recipe, network=NetworkRecipe(id="linear"))
    with pytest.raises(RecipeError, match="wants a network of statistics"):
        run(other, larger, tmp_path, seed=0, workers=0)


def test_attribution_has_a_logit_a_class(larger, recipe, tmp_path):
    done = run(msgspec.structs.replace(recipe, task="attribution"), larger, tmp_path, seed=0, workers=0)
    assert done.trained.classes == ["camera", "up0", "up1"]
    tiles = np.zeros((2, 3, 64, 64), np.uint8)
    assert Model(tmp_path / MODEL).logits(tiles).shape == (2, 3, 1, 1)


def test_fits_share_what_they_measured(larger, recipe, tmp_path, monkeypatch):
    rows = larger.rows
    run(recipe, Manifest(rows[: len(rows) // 2], larger.root), tmp_path / "half", seed=0, workers=0)
    measured = []
    batches = fitting.picture_batches
    monkeypatch.setattr(
        fitting,
        "picture_batches",
        lambda dataset, workers: measured.append(len(dataset.entries)) or batches(dataset, workers),
    )
    shared = run(recipe, larger, tmp_path / "all", seed=0, workers=0).trained.network
    alone = run(recipe, larger, tmp_path / "apart" / "all", seed=0, workers=0).trained.network
    assert measured[0] < measured[2]
    for name, value in shared.state_dict().items():
        np.testing.assert_allclose(value.numpy(), alone.state_dict()[name].numpy(), rtol=1e-4, err_msg=name)
