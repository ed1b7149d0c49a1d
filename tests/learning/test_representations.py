from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spectrace.errors import RecipeError
from spectrace.learning.representations import LogDCT, Pixels, Standardiser, build_representation, dct_matrix


@pytest.mark.parametrize("size", [8, 13, 128])
def test_dct_matrix_against_scipy(size):
    expected = scipy.fft.dct(np.eye(size), type=2, norm="ortho", axis=0)
    np.testing.assert_allclose(dct_matrix(size), expected, atol=1e-13)


def test_log_dct_against_scipy(real_tiles):
    tiles = real_tiles[:8]
    magnitude = np.abs(scipy.fft.dctn(tiles.astype(np.float64), axes=(2, 3), type=2, norm="ortho"))
    raw = LogDCT(128).raw(torch.from_numpy(tiles)).numpy()
    np.testing.assert_allclose(raw, np.log(magnitude + 1e-12), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    tile=arrays.arrays(np.uint8, (1, 3, 16, 16), elements=st.integers(0, 255)),
    epsilon=st.sampled_from([1e-12, 1.0]),
)
def test_log_dct_is_finite_and_right_for_any_tile(tile, epsilon):
    magnitude = np.abs(scipy.fft.dctn(tile.astype(np.float64), axes=(2, 3), type=2, norm="ortho"))
    magnitude[magnitude < 1e-6] = 0
    raw = LogDCT(16, epsilon).raw(torch.from_numpy(tile)).numpy()
    np.testing.assert_allclose(raw, np.log(magnitude + epsilon), atol=1e-3)


@pytest.mark.parametrize("value", [0, 1, 77, 255])
def test_flat_tiles_have_exactly_empty_coefficients(value):
    raw = LogDCT(128).raw(torch.full((1, 3, 128, 128), value, dtype=torch.uint8))
    raw[:, :, 0, 0] = np.log(1e-12)
    assert torch.unique(raw).numel() == 1
    assert float(raw[0, 0, 1, 1]) == pytest.approx(np.log(1e-12), abs=1e-5)


def test_small_epsilon_wants_float64_and_large_does_not():
    assert LogDCT(8, 1e-12).matrix.dtype == torch.float64
    assert LogDCT(8, 1.0).matrix.dtype == torch.float32


def test_pixels_are_scaled():
    tiles = torch.arange(0, 256, dtype=torch.int32).to(torch.uint8).reshape(1, 1, 16, 16)
    np.testing.assert_allclose(Pixels()(tiles).numpy().ravel(), np.arange(256) / 127.5 - 1, atol=1e-6)


def test_standardiser_gives_zero_mean_unit_variance(real_tiles):
    tiles = torch.from_numpy(real_tiles[:-3])
    representation = LogDCT(128)
    fit = Standardiser(representation)
    for batch in tiles.split(7):
        fit.update(batch)
    fit.finish()
    raw = representation.raw(tiles).numpy().astype(np.float64)
    np.testing.assert_allclose(representation.mean.numpy(), raw.mean(0), atol=1e-5)
    np.testing.assert_allclose(representation.scale.numpy(), 1 / raw.std(0), rtol=1e-4)
    standard = representation(tiles).numpy()
    np.testing.assert_allclose(standard.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(standard.std(0), 1, atol=1e-3)


def test_coefficient_that_never_varies_stays_finite():
    representation = LogDCT(8)
    fit = Standardiser(representation)
    fit.update(torch.zeros(5, 3, 8, 8, dtype=torch.uint8))
    fit.finish()
    assert torch.isfinite(representation(torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8))).all()


def test_unknown_representation_lists_the_known():
    with pytest.raises(RecipeError, match=r"'dct'.*log-dct, pixels"):
        build_representation("dct", 128, 1e-12)
