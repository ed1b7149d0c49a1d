"""The histogram over regions: by hand, its invariants, and whether its intervals cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.explain.histogram import region_histogram


def shares_of(rng, count, regions):
    return rng.dirichlet(np.ones(regions), count)


def test_by_hand():
    shares = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    random = np.array([[0.5, 0.5], [0.25, 0.75], [0.75, 0.25]])
    areas = np.array([[0.2, 0.8], [0.2, 0.8], [0.8, 0.2]])
    sky, sea = region_histogram(["sky", "sea"], shares, random, areas, np.array([7, 7, 9]))
    assert (sky.region, sea.region) == ("sky", "sea")
    assert (sky.area, sky.share, sky.random_share) == pytest.approx((0.4, 0.5, 0.5))
    assert sky.ratio.value == pytest.approx(1.25)
    assert sky.random_ratio.value == pytest.approx(1.25)
    assert sky.against_random.value == pytest.approx(1.0)
    # Two pictures: resamples hold the first twice, both, or the second twice.
    assert (sky.ratio.low, sky.ratio.high) == pytest.approx((0.0, 0.75 / 0.2))


@settings(max_examples=60)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 8), st.integers(0, 2**32))
def test_shares_sum_to_one_and_intervals_hold_their_value(count, regions, pictures, seed):
    rng = np.random.default_rng(seed)
    names = [f"region {number}" for number in range(regions)]
    values = [shares_of(rng, count, regions) for _ in range(3)]
    bars = region_histogram(names, *values, rng.integers(0, pictures, count), resamples=60)
    for kind in ("area", "share", "random_share"):
        assert sum(getattr(bar, kind) for bar in bars) == pytest.approx(1.0)
    for bar in bars:
        assert bar.ratio.value == pytest.approx(bar.share / bar.area)
        assert bar.against_random.value == pytest.approx(bar.share / bar.random_share)
        for bounds in (bar.ratio, bar.random_ratio, bar.against_random):
            assert math.isnan(bounds.low) or bounds.low <= bounds.value <= bounds.high


def test_one_picture_has_no_interval_and_a_region_without_area_no_ratio():
    shares = np.array([[1.0, 0.0]])
    sky, sea = region_histogram(["sky", "sea"], shares, shares, shares, np.array([4]))
    assert sky.ratio.value == 1.0
    assert math.isnan(sky.ratio.low)
    assert math.isnan(sky.ratio.high)
    assert all(math.isnan(value) for value in sea.ratio)
    assert all(math.isnan(value) for value in sea.against_random)


def test_the_seed_decides():
    rng = np.random.default_rng(0)
    made = [shares_of(rng, 20, 3) for _ in range(3)]
    names, pictures = ["a", "b", "c"], np.arange(20)
    first, again, other = (
        region_histogram(names, *made, pictures, resamples=200, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_pictures_are_resampled_and_not_their_patches():
    """Fifty like patches a picture tell no more than one: the intervals must stay as wide."""
    rng = np.random.default_rng(5)
    shares = shares_of(rng, 12, 2)
    areas = np.full((12, 2), 0.5)
    once = region_histogram(["a", "b"], shares, areas, areas, np.arange(12), seed=3)
    many = region_histogram(
        ["a", "b"],
        *(np.repeat(one, 50, axis=0) for one in (shares, areas, areas)),
        np.arange(12).repeat(50),
        seed=3,
    )
    for one, other in zip(once, many, strict=True):
        assert other.ratio == pytest.approx(one.ratio)


def test_intervals_of_random_patches_cover_1():
    """400 made studies in which nothing stands out: about 95 in 100 intervals must hold 1."""
    covered = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        areas = shares_of(rng, 40, 3)
        # A patch lies wholly in one region, drawn by area: the noisiest case.
        drawn = np.array([rng.multinomial(1, area) for area in areas], np.float64)
        bars = region_histogram(["a", "b", "c"], drawn, areas, areas, np.arange(40), resamples=200, seed=seed)
        covered += bars[0].ratio.low <= 1.0 <= bars[0].ratio.high
    assert 0.90 <= covered / 400 <= 0.99
