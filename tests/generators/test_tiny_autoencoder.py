"""The tiny autoencoder: sizes, refusals and, where its weights are, how close it comes to the photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spectrace.errors import ModelError, UsageError
from spectrace.generators.tiny_autoencoder import TinyAutoencoder

WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "weights"


@pytest.mark.parametrize("size", [(8, 8), (33, 41), (64, 40)])
def test_a_reconstruction_has_its_photographs_size(size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    reconstruction = TinyAutoencoder().reconstruct(picture)
    assert (reconstruction.shape, reconstruction.dtype) == (picture.shape, np.uint8)


@pytest.mark.parametrize(
    "wrong", [np.zeros((7, 64, 3), np.uint8), np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3))]
)
def test_other_arrays_are_refused(wrong):
    with pytest.raises(UsageError, match=r"wanted uint8 \[H, W, 3\]"):
        TinyAutoencoder().reconstruct(wrong)


def test_missing_and_foreign_weights_are_one_line(tmp_path):
    with pytest.raises(ModelError, match="is not the FLUX.2 tiny encoder"):
        TinyAutoencoder.load(tmp_path)
    (tmp_path / "taef2_encoder.safetensors").write_bytes(b"junk")
    with pytest.raises(ModelError, match="is not the FLUX.2 tiny encoder"):
        TinyAutoencoder.load(tmp_path)


def test_it_comes_close_to_the_photograph(photographs):
    if not WEIGHTS.is_dir():
        pytest.skip("../shared/weights is not here")
    picture = np.ascontiguousarray(photographs["astronaut"][:256, 128:384])
    error = TinyAutoencoder.load(WEIGHTS).reconstruct(picture).astype(float) - picture
    psnr = 10 * np.log10(255**2 / np.mean(error**2))
    assert 30 < psnr < 38  # about 34 dB for a face, says the weights' README
