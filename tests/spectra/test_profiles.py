"""Profiles against loops written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spectrace.spectra.linear import weight_map
from spectrace.spectra.profiles import angular_profile, diagonal_profile, radial_profile


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 12), (8, 31)])
def test_radial_profile_is_the_mean_over_rings(height: int, width: int) -> None:
    power = np.random.default_rng(0).exponential(size=(height, width))
    frequency, profile = radial_profile(power)
    bins = min(height, width) // 2
    rings: dict[int, list[float]] = {}
    for row in range(height):
        for column in range(width):
            radius = math.hypot((row - height // 2) / height, (column - width // 2) / width)
            rings.setdefault(round(radius * 2 * bins), []).append(power[row, column])
    for ring in range(1, bins + 1):
        assert frequency[ring - 1] == pytest.approx(ring / (2 * bins))
        assert profile[ring - 1] == pytest.approx(np.mean(rings[ring]))


def test_radial_profile_keeps_leading_axes_and_marks_empty_rings() -> None:
    power = np.ones((3, 2, 8, 8))
    assert radial_profile(power)[1].shape == (3, 2, 4)
    _, fine = radial_profile(power, bins=64)
    assert np.isnan(fine).any()
    assert np.nanmax(np.abs(fine - 1)) == 0


def test_radial_profile_of_pink_power_falls_by_six_decibels_an_octave() -> None:
    index = np.arange(256) - 128
    radius = np.hypot(index[:, None], index) / 256
    radius[128, 128] = np.inf
    frequency, profile = radial_profile(1 / radius**2)
    octave = profile[np.searchsorted(frequency, 0.2)] / profile[np.searchsorted(frequency, 0.4)]
    assert 10 * np.log10(octave) == pytest.approx(6.02, abs=0.1)


def test_angular_profile_names_the_direction() -> None:
    power = np.zeros((32, 32))
    power[16, 24] = 1.0  # horizontal frequency 1/4
    power[24, 24] = 2.0  # both 1/4: 45 degrees, rows counted downwards
    degrees, profile = angular_profile(power, bins=36)
    assert profile[0] > 0
    assert degrees[profile.argmax()] == 45
    assert np.count_nonzero(np.nan_to_num(profile)) == 2


def test_angular_profile_leaves_out_what_is_outside_its_rings() -> None:
    power = np.zeros((32, 32))
    power[16, 17] = power[16, 16] = 1.0
    _, profile = angular_profile(power, lowest=0.1)
    assert not np.nan_to_num(profile).any()


def test_diagonal_profile_is_the_diagonal() -> None:
    values = np.arange(32.0).reshape(2, 4, 4)
    frequency, diagonal = diagonal_profile(values)
    assert frequency.tolist() == [0, 0.125, 0.25, 0.375]
    assert diagonal.tolist() == [[0, 5, 10, 15], [16, 21, 26, 31]]
    with pytest.raises(ValueError, match="square"):
        diagonal_profile(np.zeros((4, 5)))


def test_weight_map_averages_absolute_weights_over_channels() -> None:
    weights = np.random.default_rng(0).normal(size=(5, 3, 8, 8))
    expected = (abs(weights[:, 0]) + abs(weights[:, 1]) + abs(weights[:, 2])) / 3
    np.testing.assert_allclose(weight_map(weights), expected)
    np.testing.assert_allclose(weight_map(weights[2]), expected[2])
    with pytest.raises(ValueError, match="axes"):
        weight_map(np.zeros((8, 8)))
