from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from spectrace.errors import RecipeError
from spectrace.learning.cutting import Cutter
from spectrace.learning.network import build_detector
from spectrace.learning.sampling import class_names, entries_of
from spectrace.learning.validation import balanced_weights, load_validation


def load(pictures, recipe, workers=0):
    classes = class_names(pictures, recipe)
    entries = entries_of(pictures, recipe, "val", classes)
    count = recipe.data.val_tiles
    return load_validation(entries, Cutter.of(recipe), count, classes, workers=workers, visit=lambda _: None)


def test_tiles_are_the_same_each_time_and_as_many_of_each_picture(pictures, recipe_of):
    first, found = load(pictures, recipe_of())
    again, _ = load(pictures, recipe_of(), workers=2)
    assert torch.equal(first.tiles, again.tiles)
    assert first.tiles.shape == (12 * 2, 3, 16, 16)
    assert sorted(first.targets.tolist()) == [0] * 6 + [1] * 6
    assert found.left_out == set()


def test_figures_against_scikit_learn(pictures, recipe_of):
    recipe = recipe_of()
    validation, _ = load(pictures, recipe)
    network = build_detector(recipe, 1, 0)
    torch.nn.init.normal_(network.network.dense.weight, std=0.01)
    measured = validation.measure(network)
    with torch.inference_mode():
        logits = network(validation.tiles).numpy().reshape(12, 2).astype(np.float64)
    weights = validation.weights
    per_tile = log_loss(
        validation.targets.repeat(2), 1 / (1 + np.exp(-logits.ravel())), sample_weight=weights.repeat(2)
    )
    assert measured.loss == pytest.approx(per_tile, abs=1e-6)
    scores = logits.mean(1)
    assert measured.auroc == pytest.approx(roc_auc_score(validation.targets, scores, sample_weight=weights))
    assert measured.accuracy == pytest.approx(np.sum(weights * ((scores > 0) == validation.targets)))


def test_attribution_figures_against_scikit_learn(pictures, recipe_of):
    recipe = recipe_of(task="attribution")
    validation, _ = load(pictures, recipe)
    assert set(validation.targets.tolist()) == {0, 1, 2}
    network = build_detector(recipe, 3, 0)
    torch.nn.init.normal_(network.network.dense.weight, std=0.01)
    measured = validation.measure(network)
    with torch.inference_mode():
        logits = network(validation.tiles)[:, :, 0, 0].double()
    probabilities = torch.softmax(logits, 1).numpy()
    expected = log_loss(
        validation.targets.repeat(2), probabilities, sample_weight=validation.weights.repeat(2)
    )
    assert measured.loss == pytest.approx(expected, abs=1e-6)
    assert 0 <= measured.auroc <= 1


def test_weights_balance_classes_then_sources():
    targets, groups = [0, 0, 0, 1, 1, 2], ["a", "a", "b", "a", "a", "c"]
    weights = balanced_weights(targets, groups)
    np.testing.assert_allclose(weights, np.array([1 / 4, 1 / 4, 1 / 2, 1 / 2, 1 / 2, 1]) / 3)


def test_a_class_without_tiles_is_an_error(pictures, recipe_of):
    with pytest.raises(
        RecipeError, match="validation .*0 unreadable, 12 smaller than a tile.*camera, generated"
    ):
        load(pictures, recipe_of(tile=64))
