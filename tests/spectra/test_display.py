"""The displayed spectrum and the place of a peak in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spectrace.errors import UsageError
from spectrace.spectra.display import display_spectrum, peak_position
from spectrace.spectra.peaks import Peak


@pytest.mark.parametrize("frequency", [(0.0, 0.25), (0.25, 0.0), (-0.125, 0.375), (0.5, 0.25), (0.0, 0.5)])
@pytest.mark.parametrize("size", [128, 256])
def test_a_wave_shows_where_its_peak_is_said_to_lie(frequency: tuple[float, float], size: int) -> None:
    fy, fx = frequency
    y, x = np.mgrid[:400, :530]
    wave = 127 + 100 * np.cos(2 * np.pi * (fy * y + fx * x))
    shown = display_spectrum(np.dstack([np.rint(wave).astype(np.uint8)] * 3), size)
    row, column = peak_position(Peak(8.0, frequency, 30.0, "upsampling", "pattern"), size)
    assert shown[row, column] == 255
    assert shown[-row % size, -column % size] == 255  # its mirror image
    assert np.median(shown) < 128


def test_a_photograph_is_bright_in_the_middle_and_symmetric(photographs: dict[str, np.ndarray]) -> None:
    shown = display_spectrum(photographs["astronaut"])
    assert shown.shape == (256, 256)
    assert shown.dtype == np.uint8
    assert shown[128, 128] == 255
    assert shown[124:133, 124:133].mean() > shown.mean() + 50
    np.testing.assert_allclose(shown[1:, 1:], shown[1:, 1:][::-1, ::-1], atol=1)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3))),
    st.sampled_from([8, 32, 64]),
)
def test_any_picture_has_a_spectrum(pixels: np.ndarray, size: int) -> None:
    shown = display_spectrum(pixels, size)
    assert shown.shape == (size, size)
    if not np.ptp(pixels):
        assert not shown.any()


def test_impossible_sizes_are_refused() -> None:
    pixels = np.zeros((10, 10, 3), np.uint8)
    for size in (0, 6, 33):
        with pytest.raises(UsageError, match="even size"):
            display_spectrum(pixels, size)
    with pytest.raises(UsageError, match="no spectrum"):
        display_spectrum(pixels[:0])
