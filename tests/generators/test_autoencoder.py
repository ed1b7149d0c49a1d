"""The small autoencoder: it learns, leaves its upsampler's print, and survives the disk."""

from __future__ import annotations

import numpy as np
import pytest

from spectrace.errors import ModelError, UsageError
from spectrace.generators.autoencoder import Autoencoder, train_autoencoder


@pytest.fixture(scope="module")
def trained(photographs):
    pictures = [photographs[name] for name in ("coffee", "chelsea", "rocket")]
    return train_autoencoder(pictures, "nearest", levels=2, steps=150, crop=32, seed=3)


def test_it_learns_to_give_pictures_back(trained, photographs):
    pixels = photographs["china"][:101, :150]
    fresh = Autoencoder("nearest", levels=2).eval()
    before, after = (
        float(np.abs(model.reconstruct(pixels).astype(float) - pixels).mean()) for model in (fresh, trained)
    )
    assert trained.reconstruct(pixels).shape == pixels.shape
    assert after < before / 2
    assert after < 20


def test_the_same_seed_gives_the_same_pictures(photographs):
    pictures = [photographs["coffee"]]
    one, two = (train_autoencoder(pictures, "transposed", steps=3, crop=32, seed=5) for _ in range(2))
    pixels = photographs["chelsea"][:64, :64]
    assert (one.reconstruct(pixels) == two.reconstruct(pixels)).all()


def test_it_survives_the_disk(trained, tmp_path, photographs):
    trained.save(tmp_path / "a.pt")
    pixels = photographs["astronaut"][:40, :52]
    assert (Autoencoder.load(tmp_path / "a.pt").reconstruct(pixels) == trained.reconstruct(pixels)).all()
    (tmp_path / "b.pt").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="no autoencoder"):
        Autoencoder.load(tmp_path / "b.pt")


def test_photographs_smaller_than_a_crop_are_refused(photographs):
    with pytest.raises(UsageError, match="no side below 64"):
        train_autoencoder([photographs["coffee"][:60]], "nearest")
    with pytest.raises(UsageError, match="wanted some"):
        train_autoencoder([], "nearest")
