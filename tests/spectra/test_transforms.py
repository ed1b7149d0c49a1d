"""Transforms against scipy, a hand-written cosine matrix and conservation laws."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spectrace.spectra.transforms import dct2, hann, idct2, log_dct, luma, power, windowed

pictures = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=9),
    elements=st.floats(-1e3, 1e3, allow_subnormal=False),
)


def cosine_matrix(size: int) -> np.ndarray:
    k, n = np.mgrid[:size, :size]
    scale = np.where(k == 0, np.sqrt(1 / size), np.sqrt(2 / size))
    return scale * np.cos(np.pi * (2 * n + 1) * k / (2 * size))


def test_dct_is_the_product_with_cosine_matrices() -> None:
    x = np.random.default_rng(0).normal(size=(3, 12, 7))
    expected = cosine_matrix(12) @ x @ cosine_matrix(7).T
    np.testing.assert_allclose(dct2(x), expected, atol=1e-12)


def test_dct_agrees_with_scipy_along_the_last_two_axes_only() -> None:
    x = np.random.default_rng(1).normal(size=(2, 3, 16, 16))
    expected = scipy.fft.dct(scipy.fft.dct(x, norm="ortho", axis=-1), norm="ortho", axis=-2)
    np.testing.assert_allclose(dct2(x, workers=2), expected, atol=1e-12)


@given(pictures)
def test_the_inverse_undoes_the_transform(x: np.ndarray) -> None:
    np.testing.assert_allclose(idct2(dct2(x)), x, atol=1e-8)


@given(pictures)
def test_dct_and_power_keep_the_energy(x: np.ndarray) -> None:
    energy = np.sum(x**2)
    assert np.sum(dct2(x) ** 2) == pytest.approx(energy, rel=1e-9, abs=1e-6)
    assert np.sum(power(x)) == pytest.approx(energy, rel=1e-9, abs=1e-6)


def test_float32_stays_float32_and_integers_become_float64() -> None:
    x = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for transform in (dct2, idct2, log_dct, power, windowed):
        assert transform(x.astype(np.float32)).dtype == np.float32
        assert transform(x).dtype == np.float64
    np.testing.assert_allclose(dct2(x.astype(np.float32)), dct2(x), rtol=1e-5, atol=1e-4)


def test_log_dct_is_the_logarithm_with_its_floor() -> None:
    x = np.random.default_rng(2).uniform(0, 255, (8, 8))
    np.testing.assert_allclose(log_dct(x), np.log(np.abs(scipy.fft.dctn(x, norm="ortho")) + 1e-12))
    assert log_dct(np.zeros((4, 4)))[1, 1] == pytest.approx(np.log(1e-12))
    assert log_dct(np.zeros((4, 4)), epsilon=1.0).max() == 0


def test_power_is_the_shifted_squared_fft() -> None:
    x = np.random.default_rng(3).normal(size=(6, 10))
    expected = np.abs(np.fft.fftshift(np.fft.fft2(x))) ** 2 / 60
    np.testing.assert_allclose(power(x), expected, atol=1e-10)


def test_a_wave_lies_at_its_frequency() -> None:
    n = np.arange(64)
    wave = np.cos(2 * np.pi * (n[:, None] * 4 + n * 16) / 64)  # 1/16 down, 1/4 across
    peaks = np.argwhere(power(wave) > 1).tolist()
    assert peaks == [[28, 16], [36, 48]]


def test_windowed_white_noise_keeps_its_level() -> None:
    noise = np.random.default_rng(4).normal(size=(40, 64, 64))
    assert power(windowed(noise)).mean() == pytest.approx(1.0, abs=0.02)
    assert np.mean(hann(24) ** 2) == pytest.approx(1.0)


def test_window_removes_the_cross_of_the_borders() -> None:
    ramp = np.tile(np.arange(64.0), (64, 1))
    assert power(windowed(ramp))[32, 0] < 1e-6 * power(ramp)[32, 0]


def test_luma_follows_bt601() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
    np.testing.assert_allclose(luma(pixels)[0], [76.245, 149.685, 29.07, 255], rtol=1e-6)
