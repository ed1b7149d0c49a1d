from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from spectrace.errors import RecipeError
from spectrace.learning.cutting import Cutter
from spectrace.learning.network import build_detector
from spectrace.learning.sampling import class_names, entries_of
from spectrace.learning.validation import Validation, balanced_weights, load_validation


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


class Patchy(torch.nn.Module):
    """Nine patches a tile, each with logits of its own."""

    def __init__(self, outputs):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, outputs, 8, stride=4)

    def forward(self, tiles):
        logits = self.layer(tiles.float() / 255)
        return logits[:, 0] if logits.shape[1] == 1 else logits


def test_patch_figures_against_scikit_learn(pictures, recipe_of):
    validation, _ = load(pictures, recipe_of())
    torch.manual_seed(0)
    network = Patchy(1)
    torch.nn.init.normal_(network.layer.bias, std=0.1)
    measured = validation.measure(network)
    with torch.inference_mode():
        patches = network(validation.tiles).numpy().astype(np.float64).ravel()
    targets = validation.targets.repeat(18)
    weights = validation.weights.repeat(18)
    assert measured.patch_auroc == pytest.approx(roc_auc_score(targets, patches, sample_weight=weights))
    assert measured.patch_accuracy == pytest.approx(
        accuracy_score(targets, patches > 0, sample_weight=weights)
    )
    assert measured.patch_auroc != measured.auroc


def test_patch_figures_of_attribution(pictures, recipe_of):
    validation, _ = load(pictures, recipe_of(task="attribution"))
    torch.manual_seed(0)
    network = Patchy(3)
    measured = validation.measure(network)
    with torch.inference_mode():
        logits = network(validation.tiles).double().permute(0, 2, 3, 1).reshape(-1, 3)
    targets, weights = validation.targets.repeat(18), validation.weights.repeat(18)
    scores = torch.logsumexp(logits[:, 1:], 1) - logits[:, 0]
    assert measured.patch_auroc == pytest.approx(roc_auc_score(targets > 0, scores, sample_weight=weights))
    assert measured.patch_accuracy == pytest.approx(
        accuracy_score(targets, logits.argmax(1), sample_weight=weights)
    )


def test_patch_auroc_of_a_sample_is_near_that_of_all(pictures, recipe_of, monkeypatch):
    validation, _ = load(pictures, recipe_of())
    torch.manual_seed(0)
    network = Patchy(1)
    everything = validation.measure(network)
    monkeypatch.setattr("spectrace.learning.validation._MOST_PATCHES", 24 * 5)
    sampled = validation.measure(network)
    assert sampled.patch_auroc != everything.patch_auroc
    assert sampled.patch_auroc == pytest.approx(everything.patch_auroc, abs=0.1)
    assert sampled.patch_accuracy == everything.patch_accuracy


@pytest.mark.parametrize(
    ("select", "better"), [("loss", [True, False]), ("accuracy", [False, True]), ("auroc", [False, False])]
)
def test_the_better_epoch(select, better):
    best = Validation(loss=0.5, auroc=0.9, accuracy=0.8)
    others = [Validation(0.4, 0.9, 0.7), Validation(0.6, 0.8, 0.9)]
    assert [other.is_better(best, select) for other in others] == better
    assert best.is_better(None, select)
    assert not Validation(math.nan, math.nan, math.nan).is_better(None, select)


def test_perfect_figures():
    assert Validation(0.1, 1.0, 0.9).is_perfect("auroc")
    assert not Validation(0.1, 1.0, 0.9).is_perfect("accuracy")
    assert not Validation(0.0, 1.0, 1.0).is_perfect("loss")
