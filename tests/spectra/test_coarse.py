"""Coarse spectra: level, independence of size, folding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spectrace.spectra.coarse import BINS, KEPT, RADIUS, RINGS, coarse_spectrum, levelled, rings
from spectrace.spectra.upsampling import noise_picture


@pytest.mark.parametrize("size", [32, 64, 256])
def test_white_noise_is_at_zero_decibels_at_any_size(size: int) -> None:
    rng = np.random.default_rng(0)
    power = [10 ** (coarse_spectrum(rng.normal(size=(size, size))) / 10) for _ in range(1 + 4096 // size)]
    assert np.mean(power, axis=0)[KEPT].mean() == pytest.approx(1, rel=0.1)


def test_the_size_of_the_picture_does_not_matter() -> None:
    small, large = (
        np.mean([levelled(coarse_spectrum(noise_picture(size, seed=seed))) for seed in range(count)], axis=0)
        for size, count in ((64, 120), (256, 8))
    )
    assert np.abs(small - large)[KEPT].mean() < 0.5


def test_a_frequency_stands_in_its_cell_whatever_its_diagonal() -> None:
    y, x = np.mgrid[:96, :96] / 32
    for sign in (1, -1):
        wave = 100 * np.cos(2 * np.pi * (5 * y + sign * 9 * x))
        assert np.unravel_index(coarse_spectrum(wave).argmax(), (BINS, BINS)) == (5, 9)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(32, 70), st.integers(32, 70))))
def test_any_picture_has_a_finite_spectrum(pixels: np.ndarray) -> None:
    spectrum = coarse_spectrum(pixels)
    assert np.isfinite(spectrum).all()
    assert spectrum.min() >= -20


def test_contrast_and_brightness_do_not_count() -> None:
    noise = noise_picture(128).astype(float)
    np.testing.assert_allclose(
        levelled(coarse_spectrum(noise)), levelled(coarse_spectrum(noise / 2 + 40)), atol=0.01
    )


def test_rings_average_what_lies_at_their_radius() -> None:
    np.testing.assert_allclose(rings(RADIUS), RINGS, atol=0.25 / 32)


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="40x31"):
        coarse_spectrum(np.zeros((31, 40)))
