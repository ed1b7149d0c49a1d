"""The small autoencoder: it learns, leaves its upsampler's print, and survives the disk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrace.errors import ModelError
from spectrace.generators.autoencoder import LEVELS, Autoencoder
from spectrace.generators.families import build_family, wants_pieces
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import Sampler
from spectrace.generators.training import train_generator

RECIPE = GeneratorRecipe(family="autoencoder2", upsampler="nearest", size=32, steps=150, seed=3)


@pytest.fixture(scope="module")
def pictures(photographs):
    return Photographs([photographs[name] for name in ("coffee", "chelsea", "rocket")], RECIPE.size)


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train_generator(RECIPE, pictures, folder)
    return folder


def test_it_learns_to_give_pictures_back(run, photographs):
    pixels = photographs["china"][:101, :150]
    fresh, trained = Autoencoder("nearest", levels=2).eval(), Autoencoder.load(run)
    before, after = (
        float(np.abs(model.reconstruct(pixels).astype(float) - pixels).mean()) for model in (fresh, trained)
    )
    assert trained.reconstruct(pixels).shape == pixels.shape
    assert after < before / 2
    assert after < 20


def test_the_exported_one_gives_the_same_pictures(run, photographs):
    pixels = photographs["chelsea"][:48, :80]
    found = Sampler(run).reconstruct(pixels[None])[0]
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - Autoencoder.load(run).reconstruct(pixels)).max() <= 1


def test_it_survives_the_disk(run, tmp_path, photographs):
    trained = Autoencoder.load(run)
    trained.save(tmp_path / "a.pt")
    pixels = photographs["astronaut"][:40, :52]
    assert (Autoencoder.load(tmp_path / "a.pt").reconstruct(pixels) == trained.reconstruct(pixels)).all()


def test_what_is_none_is_refused(tmp_path):
    (tmp_path / "b.pt").write_bytes(b"nothing")
    for path in (tmp_path / "b.pt", tmp_path, tmp_path / "missing"):
        with pytest.raises(ModelError, match="no autoencoder"):
            Autoencoder.load(path)


@pytest.mark.parametrize("name", LEVELS)
def test_families_differ_in_how_small_the_inside_is(name):
    recipe = GeneratorRecipe(family=name)
    assert wants_pieces(recipe)
    sampler = build_family(recipe).sampler
    assert sampler.encoder(torch.zeros(1, 3, 32, 48)).shape[2:] == (32 >> LEVELS[name], 48 >> LEVELS[name])


def test_the_rate_ends_at_nothing(pictures):
    family = build_family(RECIPE)
    for number in (0, RECIPE.steps - 1):
        family.step(lambda: pictures.batch(2, np.random.default_rng(0)), number)
        rate = family.optimisers["autoencoder"].param_groups[0]["lr"]
        assert rate == pytest.approx(2e-3 if number == 0 else 0.0, abs=1e-6)
