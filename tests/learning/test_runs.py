from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from spectrace.detectors.card import Calibration
from spectrace.detectors.runtime import Model
from spectrace.errors import RecipeError
from spectrace.learning.export import replace_card
from spectrace.learning.recipes import CardRecipe, NetworkRecipe, RepresentationRecipe
from spectrace.learning.runs import MODEL, run, run_folder


def test_folders(pictures, recipe_of, tmp_path):
    recipe = recipe_of()
    name = run_folder(recipe, pictures, 3, None, several=True)
    assert (name.parent.name, name.name) == ("runs", f"small-{recipe.digest(pictures)[:8]}-seed3")
    assert run_folder(recipe, pictures, 3, tmp_path, several=False) == tmp_path
    assert run_folder(recipe, pictures, 3, tmp_path, several=True) == tmp_path / "seed3"


@pytest.fixture(scope="module")
def trained(pictures, recipe_of, tmp_path_factory):
    recipe = recipe_of(network=msgspec.convert({"id": "frank-cnn"}, type(recipe_of().network)))
    done = run(recipe, pictures, tmp_path_factory.mktemp("run"), seed=0, workers=0)
    return recipe, done


def test_the_model_is_the_best_epoch(trained):
    _, done = trained
    tiles = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), dtype=np.uint8)
    network = done.trained.network
    expected = network(torch.from_numpy(tiles)).detach().numpy()
    np.testing.assert_allclose(Model(done.folder / MODEL).logits(tiles), expected, atol=1e-4)


def test_a_model_whose_card_knows_fewer_fields_is_left_alone(trained, pictures):
    recipe, done = trained
    path = done.folder / MODEL
    card = Model(path).card
    known = {name: value for name, value in card.training["recipe"].items() if name != "schedule"}
    older = msgspec.structs.replace(
        card, training=card.training | {"recipe": known}, calibration=Calibration(2.0, 1.0, "platt")
    )
    replace_card(path, older)
    run(recipe, pictures, done.folder, seed=0, workers=0)
    assert Model(path).card == older


def test_a_model_can_be_exported_for_larger_tiles(pictures, recipe_of, tmp_path):
    recipe = recipe_of(
        network=NetworkRecipe(id="resnet18-layer1-slim"),
        representation=RepresentationRecipe(id="pixels"),
        card=CardRecipe(tile=32),
        steps_per_epoch=1,
        epochs=1,
    )
    done = run(recipe, pictures, tmp_path, seed=0, workers=0)
    model = Model(tmp_path / MODEL)
    assert (model.card.tile_size, model.card.limits.min_side) == (32, 32)
    tiles = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8)
    expected = done.trained.network(torch.from_numpy(tiles)).detach().numpy()
    np.testing.assert_allclose(model.logits(tiles), expected, atol=1e-4)


def test_weights_that_fit_one_size_cannot_be_exported_for_another(pictures, recipe_of, tmp_path):
    recipe = recipe_of(card=CardRecipe(tile=32), steps_per_epoch=1, epochs=1)
    with pytest.raises(RecipeError, match="leave card.tile out"):
        run(recipe, pictures, tmp_path, seed=0, workers=0)
