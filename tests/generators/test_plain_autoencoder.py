"""The plain autoencoder: learns, keeps sizes, is saved and read again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrace.errors import ModelError, UsageError
from spectrace.generators.plain_autoencoder import PlainAutoencoder, train_autoencoder


def psnr(autoencoder: PlainAutoencoder, picture: np.ndarray) -> float:
    error = autoencoder.reconstruct(picture).astype(float) - picture
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def test_it_learns_and_is_the_same_for_the_same_seed(photographs, tmp_path):
    training = [photographs[name][:256, :256] for name in ("astronaut", "china", "flower")]
    held_out = photographs["coffee"][:100, :130]
    state = torch.get_rng_state()
    steps = []
    learned = train_autoencoder(training, steps=60, seed=1, batch=8, crop=32, visit=steps.append)
    assert (torch.get_rng_state() == state).all()
    assert sum(steps) == 60
    assert psnr(learned, held_out) > psnr(PlainAutoencoder(), held_out) + 5
    again = train_autoencoder(training, steps=60, seed=1, batch=8, crop=32)
    assert (again.reconstruct(held_out) == learned.reconstruct(held_out)).all()
    learned.save(tmp_path / "a.safetensors")
    read = PlainAutoencoder.load(tmp_path / "a.safetensors")
    assert (read.reconstruct(held_out) == learned.reconstruct(held_out)).all()


@pytest.mark.parametrize("size", [(4, 4), (33, 41), (64, 40)])
def test_sizes_are_kept(size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    reconstruction = PlainAutoencoder().reconstruct(picture)
    assert (reconstruction.shape, reconstruction.dtype) == (picture.shape, np.uint8)


def test_refusals(tmp_path):
    with pytest.raises(UsageError, match="no picture of 64 pixels"):
        train_autoencoder([np.zeros((63, 99, 3), np.uint8)], steps=1, seed=0)
    with pytest.raises(ModelError, match="holds no plain autoencoder"):
        PlainAutoencoder.load(tmp_path / "none.safetensors")
    (tmp_path / "a.safetensors").write_bytes(b"junk")
    with pytest.raises(ModelError, match="holds no plain autoencoder"):
        PlainAutoencoder.load(tmp_path / "a.safetensors")
