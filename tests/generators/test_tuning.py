"""Tuning: it evades and stays close, a killed one ends with the same weights, and its run can be used again."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import RecipeError
from spectrace.generators import tuning as module
from spectrace.generators.attacks.aim import frozen_detector
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import Sampler, write_samples
from spectrace.generators.training import load_training, train_generator
from spectrace.generators.tuning import Tuning, TuningRecipe, tune_generator
from spectrace.learning.recipes import DataRecipe, NetworkRecipe, Recipe, RepresentationRecipe
from spectrace.learning.runs import MODEL, run

SIDE = 16


@pytest.fixture(scope="module")
def generator(tmp_path_factory, photographs):
    """The run of a generator that was hardly trained."""
    folder = tmp_path_factory.mktemp("generator")
    pictures = Photographs([photographs["coffee"], photographs["chelsea"]], SIDE)
    train_generator(GeneratorRecipe(family="dcgan", size=SIDE, width=4, batch=4, steps=3), pictures, folder)
    return folder


@pytest.fixture(scope="module")
def detector(tmp_path_factory, generator, photographs):
    """The run of a detector that tells its samples from pieces of photographs."""
    root = tmp_path_factory.mktemp("pictures")
    samples = write_samples(Sampler(generator), root / "samples", 24)
    rows = [
        Row(path=str(path), label="generated", split="val" if number % 3 == 0 else "train")
        for number, path in enumerate(samples)
    ]
    for number in range(24):
        path = root / f"{number}.png"
        top = 16 * number
        Image.fromarray(photographs["astronaut"][top : top + SIDE, 100 : 100 + SIDE]).save(path)
        rows.append(Row(path=str(path), label="real", split="val" if number % 3 == 0 else "train"))
    recipe = Recipe(
        name="toy",
        data=DataRecipe(manifest="made", val_tiles=1),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id="linear"),
        tile=SIDE,
        batch=8,
        steps_per_epoch=20,
        epochs=2,
    )
    run(recipe, Manifest(rows, root), root / "run", seed=0, workers=0)
    return root / "run"


RECIPE = TuningRecipe(steps=60, batch=8, learning_rate=2e-3, weight=0.003)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, generator, detector):
    folder = tmp_path_factory.mktemp("tuned")
    tune_generator(generator, detector, folder, RECIPE)
    return folder


class Brightness(nn.Module):
    """Says *generated* of what is brighter than middle grey."""

    def forward(self, tiles):
        return (tiles.mean(1) - 127.5) / 10.0


class Flat(nn.Module):
    """Draws one colour: the noise's first number, brightened."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(0.3))

    def forward(self, z):
        return (0.02 * z[:, :1, None, None] + self.shift).expand(-1, 3, 4, 4)


@pytest.mark.parametrize(("weight", "evades"), [(0.01, True), (10.0, False)])
def test_the_weight_decides_between_evading_and_staying(weight, evades):
    sampler = Flat()
    tuning = Tuning(sampler, 2, Brightness(), TuningRecipe(steps=200, weight=weight, learning_rate=5e-3))
    losses = [tuning.advance() for _ in range(200)]
    assert losses[0].distance == 0.0
    assert losses[0].missed == 0.0
    assert (losses[-1].missed == 1.0) is evades
    assert (losses[-1].distance < 2.0) is not evades
    # Brightness 127.5 * 0.3 above middle grey, a tenth of that as logit: softplus(3.8).
    assert losses[0].evasion == pytest.approx(3.85, abs=0.2)


def test_a_loss_that_is_no_number_is_one_line():
    sampler = Flat()
    with torch.no_grad():
        sampler.shift.fill_(torch.nan)
    with pytest.raises(RecipeError, match="lower learning_rate"):
        Tuning(sampler, 2, Brightness(), TuningRecipe()).advance()


def test_the_frozen_detector_is_the_exported_one(detector, generator):
    from spectrace.detectors.runtime import Model

    pictures = Sampler(generator).sample(5, seed=9)
    tiles = torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())
    frozen = frozen_detector(detector, SIDE)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    wanted = Model(detector / MODEL).logits(tiles.numpy())
    assert np.allclose(frozen(tiles).numpy(), wanted, atol=1e-4)
    assert np.allclose(frozen(tiles.float()).numpy(), wanted, atol=1e-4)


def test_a_tuned_generator_evades_and_stays_close(generator, detector, tuned, tmp_path):
    old, new = (Sampler(where).sample(32, seed=7) for where in (generator, tuned))
    frozen = frozen_detector(detector, SIDE)
    before, after = (
        frozen(torch.from_numpy(some.transpose(0, 3, 1, 2).copy())).flatten() for some in (old, new)
    )
    assert (before > 0).float().mean() > 0.9
    assert (after > 0).float().mean() < 0.3
    assert 0 < np.abs(old.astype(int) - new).mean() < 45
    log = [json.loads(line) for line in (tuned / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in log] == [25, 50, 60]
    assert log[-1]["evasion"] < log[0]["evasion"]
    assert Sampler(tuned).card.note == "tuned against a detector for 60 steps at weight 0.003"
    # The folder is a generator's run: its training can be read, and tuned again.
    again = tune_generator(tuned, detector, tmp_path, TuningRecipe(steps=1, batch=2))
    assert "; tuned" in Sampler(again).card.note


def test_a_killed_tuning_ends_with_the_same_weights(generator, detector, tuned, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHECKPOINT_SECONDS", 0.0)
    advance, taken = Tuning.advance, []

    def killed(self):
        taken.append(None)
        if len(taken) > 40:
            raise KeyboardInterrupt
        return advance(self)

    monkeypatch.setattr(Tuning, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        tune_generator(generator, detector, tmp_path, RECIPE)
    monkeypatch.setattr(Tuning, "advance", advance)
    tune_generator(generator, detector, tmp_path, RECIPE)
    whole, resumed = (load_training(folder).averaged.state_dict() for folder in (tuned, tmp_path))
    assert all((whole[name] == resumed[name]).all() for name in whole)
    assert (tuned / "log.jsonl").read_text() == (tmp_path / "log.jsonl").read_text()


def test_folders_of_something_else_are_one_line(generator, detector, tuned, tmp_path):
    with pytest.raises(RecipeError, match="holds no generator's training"):
        tune_generator(detector, detector, tmp_path, RECIPE)
    with pytest.raises(RecipeError, match="holds no detector's training"):
        tune_generator(generator, generator, tmp_path, RECIPE)
    with pytest.raises(RecipeError, match="tiles of 16 pixels, pictures have 32"):
        frozen_detector(detector, 32)
    with pytest.raises(RecipeError, match="another recipe"):
        tune_generator(generator, detector, tuned, TuningRecipe(steps=2, batch=2))
