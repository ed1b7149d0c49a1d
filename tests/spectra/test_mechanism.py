"""What upsampling does to a spectrum: the table that PAPERS.md gives for 1/f noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spectrace.errors import UsageError
from spectrace.spectra.transforms import log_dct, power
from spectrace.spectra.upsampling import KERNELS, pink_noise, upsample

DIAGONAL = [16, 60, 68, 96, 124]
# Mean ln|DCT| of 128 x 128 at those places of the diagonal; the noise is white noise of variance one with its
# spectrum divided by the frequency in cycles per pixel, at 64 x 64 before upsampling.
TABLE = {
    "native": [1.8, 0.5, 0.4, 0.0, -0.3],
    "zero-insertion": [0.4, -1.0, -0.9, -0.3, 1.9],
    "nearest": [1.8, -0.1, -0.3, -0.8, -3.1],
    "bilinear": [1.7, -0.8, -1.1, -2.8, -9.1],
    "binomial": [1.7, -1.3, -1.9, -4.7, -15.4],
}


def mean_log_dct(kernel: str, pictures: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kernel == "native":
        noise = np.stack([pink_noise(128, rng) for _ in range(pictures)])
    else:
        noise = np.stack([upsample(pink_noise(64, rng), 2, kernel) for _ in range(pictures)])
    return log_dct(noise).mean(axis=0)[DIAGONAL, DIAGONAL]


@pytest.mark.parametrize("kernel", TABLE)
def test_diagonal_profile_of_upsampled_noise(kernel: str) -> None:
    # A mean of 400 is good to 0.06; the table itself is rounded, and rests on fewer pictures.
    tolerance = np.maximum(0.3, 0.1 * np.abs(TABLE[kernel]))
    assert np.all(np.abs(mean_log_dct(kernel) - TABLE[kernel]) <= tolerance)


def test_zero_insertion_repeats_the_spectrum() -> None:
    x = np.random.default_rng(0).normal(size=(16, 16))
    small, large = power(x), power(upsample(x, 2, "zero-insertion"))
    np.testing.assert_allclose(large, np.tile(np.fft.fftshift(small), (2, 2)) / 4, atol=1e-9)


def test_nearest_is_repetition_and_has_a_null_at_half_a_cycle() -> None:
    x = np.random.default_rng(0).normal(size=(16, 16))
    large = upsample(x, 4, "nearest")
    np.testing.assert_allclose(large, x.repeat(4, axis=0).repeat(4, axis=1))
    assert np.abs(power(large)[:, 0]).max() < 1e-12


def test_bilinear_keeps_samples_and_averages_between_them() -> None:
    x = np.random.default_rng(0).normal(size=(8, 8))
    large = upsample(x, 2, "bilinear")
    np.testing.assert_allclose(large[::2, ::2], x)
    np.testing.assert_allclose(large[::2, 1::2], (x + np.roll(x, -1, axis=1)) / 2)


def test_binomial_is_nearest_then_a_two_by_two_mean() -> None:
    x = np.random.default_rng(0).normal(size=(8, 8, 3))
    nearest = upsample(x, 2, "nearest")
    expected = nearest
    for axis in (0, 1):
        expected = ndimage.convolve1d(expected, [0.25, 0.5, 0.25], axis=axis, mode="wrap")
    np.testing.assert_allclose(upsample(x, 2, "binomial"), expected)


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_keep_the_mean_brightness(kernel: str) -> None:
    flat = upsample(np.full((6, 6), 3.0), 4, kernel)
    assert flat.mean() == pytest.approx(3.0 / 16 if kernel == "zero-insertion" else 3.0)


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(UsageError, match="bilinear"):
        upsample(np.zeros((2, 2)), 2, "cubic")
    for factor in (0, 3, -2):
        with pytest.raises(UsageError, match="power of two"):
            upsample(np.zeros((2, 2)), factor, "nearest")


def test_pink_noise_is_reproducible_and_falls_as_one_over_f() -> None:
    np.testing.assert_array_equal(pink_noise(32, 5), pink_noise(32, 5))
    spectrum = np.mean([power(pink_noise(64, seed)) for seed in range(60)], axis=0)
    assert spectrum[32, 32 + 4] / spectrum[32, 32 + 16] == pytest.approx(16, rel=0.5)
