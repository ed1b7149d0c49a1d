"""The door to all autoencoders."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ModelError
from spectrace.generators.autoencoder import Autoencoder
from spectrace.generators.autoencoders import TINY, _loaded, load_autoencoder
from spectrace.generators.tiny_autoencoder import TinyAutoencoder
from spectrace.generators.upsamplers import UPSAMPLERS
from spectrace.learning.cutting import Cutter
from spectrace.learning.data import TrainingTiles, batches, parts
from spectrace.learning.pictures import Pictures
from spectrace.learning.recipes import (
    DataRecipe,
    NetworkRecipe,
    PairsRecipe,
    Recipe,
    RepresentationRecipe,
)
from spectrace.learning.sampling import Sampler, entries_of


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def small(tmp_path) -> Path:
    torch.manual_seed(0)
    Autoencoder("nearest", width=8).save(tmp_path / "ae-nearest.pt")
    return tmp_path / "ae-nearest.pt"


@pytest.fixture
def tiny(tmp_path) -> Path:
    """A folder with weights by chance."""
    torch.manual_seed(1)
    autoencoder = TinyAutoencoder()
    folder = tmp_path / "weights"
    folder.mkdir()
    save_file(autoencoder.encoder.state_dict(), folder / "taef2_encoder.safetensors")
    save_file(autoencoder.decoder.state_dict(), folder / "taef2_decoder.safetensors")
    return folder


@pytest.fixture
def picture(photographs) -> np.ndarray:
    return np.ascontiguousarray(photographs["chelsea"][:48, 100:164])


@pytest.mark.parametrize("upsampler", sorted(UPSAMPLERS))
def test_small_ones_of_every_upsampler(tmp_path, picture, upsampler):
    autoencoder = Autoencoder(upsampler, levels=3, width=4).eval()
    autoencoder.save(tmp_path / "any.pt")
    loaded = load_autoencoder(tmp_path / "any.pt")
    assert loaded.name == "any"
    np.testing.assert_array_equal(loaded.reconstruct(picture), autoencoder.reconstruct(picture))


def test_the_tiny_one(tiny, picture):
    loaded = load_autoencoder(str(tiny))
    assert loaded.name == TINY
    np.testing.assert_array_equal(
        loaded.reconstruct(picture), TinyAutoencoder.load(tiny).reconstruct(picture)
    )


def test_digests_are_of_the_weights(small, tiny, picture, tmp_path):
    first, tiny_first = load_autoencoder(small), load_autoencoder(tiny)
    Autoencoder.load(small).save(tmp_path / "copy.pt")
    assert load_autoencoder(tmp_path / "copy.pt").digest == first.digest
    before = first.reconstruct(picture)
    Autoencoder("bilinear", width=8).save(small)
    again = load_autoencoder(small)
    assert again.digest != first.digest
    assert (again.reconstruct(picture) != before).any()
    other_process = pickle.loads(pickle.dumps(again))
    Autoencoder("nearest", width=4).save(small)
    _loaded.cache_clear()
    with pytest.raises(ModelError, match="other weights than before"):
        other_process.reconstruct(picture)
    save_file(TinyAutoencoder().decoder.state_dict(), tiny / "taef2_decoder.safetensors")
    assert load_autoencoder(tiny).digest != tiny_first.digest


def test_it_goes_to_another_process_as_a_path(small, picture):
    loaded = load_autoencoder(small)
    sent = pickle.dumps(loaded)
    assert len(sent) < 1000 < small.stat().st_size
    np.testing.assert_array_equal(pickle.loads(sent).reconstruct(picture), loaded.reconstruct(picture))


def test_other_things_are_refused_in_one_line(tmp_path, small, tiny):
    (tmp_path / "junk.pt").write_bytes(b"junk")
    Autoencoder("nearest", levels=5, width=4).save(tmp_path / "deep.pt")
    (tiny / "taef2_decoder.safetensors").unlink()
    for path, message in (
        (tmp_path / "missing.pt", "no autoencoder at .*missing.pt"),
        (tmp_path / "junk.pt", "is no autoencoder of Spectrace"),
        (tmp_path / "deep.pt", "32 times smaller inside: wanted 16 at most"),
        (tiny, "folder that holds taef2_encoder.safetensors and taef2_decoder.safetensors"),
    ):
        with pytest.raises(ModelError, match=message) as raised:
            load_autoencoder(path)
        assert "\n" not in str(raised.value)


def test_workers_and_trainer_make_the_same_pictures(small, tiny, photograph_paths):
    """On one thread each, so that a training ends alike with any number of workers."""
    reconstructors = [load_autoencoder(small), load_autoencoder(tiny)]
    recipe = Recipe(
        name="small",
        tile=32,
        data=DataRecipe(
            manifest="m.csv",
            window=48,
            paired_share=1.0,
            pairs=PairsRecipe(autoencoders=[str(small), str(tiny)], windows=2),
        ),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id="linear"),
    )
    names = ("chelsea", "rocket", "china")
    rows = [Row(path=str(photograph_paths[name]), label="real", split="train") for name in names]
    makers = [one.name for one in reconstructors]
    entries = entries_of(Manifest(rows), recipe, "train", ["camera", "generated"], makers)
    sampler = Sampler(entries, 2, 0.0, 1.0)
    tiles = TrainingTiles(sampler, Cutter.of(recipe, reconstructors), 0, Pictures(2**25))
    torch.set_num_threads(2)
    alone, shared = (
        torch.cat([batch.tiles for batch in batches(tiles, parts(range(16), 8), workers)])
        for workers in (0, 2)
    )
    torch.set_num_threads(1)
    assert torch.equal(alone, shared)
    assert not torch.equal(alone[::2], alone[1::2])
