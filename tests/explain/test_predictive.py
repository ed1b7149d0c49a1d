"""Predictive patches: the greedy choice against a slow oracle, rectangles, chance, and the bounded stream."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.detectors.patches import PatchGrid
from spectrace.explain.histogram import region_histogram
from spectrace.explain.predictive import random_patches, rectangles, strongest_patches
from spectrace.explain.regions import area_shares, patch_shares
from spectrace.explain.strongest import Strongest


@st.composite
def evidences(draw):
    """Evidence over any picture and any grid of patches, some of them wholly in the padding."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    extent = draw(st.integers(1, height)), draw(st.integers(1, width))
    grid = PatchGrid(draw(st.integers(1, 12)), draw(st.integers(1, 6)), draw(st.integers(-14, 0)))
    h, w = draw(st.integers(3, 9)), draw(st.integers(3, 9))
    count = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    corners = rng.integers(0, (height - extent[0] + 1, width - extent[1] + 1), (count, 2))
    # Few different values: ties must not lead astray.
    logits = rng.integers(-4, 5, (count, h, w)).astype(np.float32)
    return SimpleNamespace(corners=corners, extent=extent, patches=grid, logits=logits), (height, width)


def slow_rectangle(evidence, position):
    region, row, column = np.unravel_index(position, evidence.logits.shape)
    top, left, bottom, right = evidence.patches.rectangle(int(row), int(column), *evidence.extent)
    y, x = evidence.corners[region].tolist()
    return [y + top, x + left, y + bottom, x + right]


def empty(rectangle):
    top, left, bottom, right = rectangle
    return bottom <= top or right <= left


def touch(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@settings(max_examples=150)
@given(evidences(), st.integers(1, 12), st.sampled_from([+1, -1]))
def test_greedy_choice_of_disjoint_patches(made, count, sign):
    evidence, _ = made
    before = evidence.logits.copy()
    chosen = []
    order = np.argsort(-sign * evidence.logits.ravel(), kind="stable")
    for position in order.tolist():
        rectangle = slow_rectangle(evidence, position)
        if not empty(rectangle) and not any(touch(rectangle, slow_rectangle(evidence, p)) for p in chosen):
            chosen.append(position)
    assert strongest_patches(evidence, count, sign).tolist() == chosen[:count]
    np.testing.assert_array_equal(evidence.logits, before)


@settings(max_examples=100)
@given(evidences())
def test_rectangles_lie_within_and_are_those_of_the_grid(made):
    evidence, (height, width) = made
    positions = np.arange(evidence.logits.size)
    found = rectangles(evidence, positions)
    assert found.tolist() == [slow_rectangle(evidence, position) for position in positions]
    assert (found >= 0).all()
    assert (found[:, [0, 2]] <= height).all()
    assert (found[:, [1, 3]] <= width).all()


@settings(max_examples=100)
@given(evidences(), st.integers(0, 2**32))
def test_random_patches_are_never_empty(made, seed):
    evidence, _ = made
    if not len(strongest_patches(evidence, 1, 1)):
        return  # the whole grid lies in the padding
    positions = random_patches(evidence, 40, np.random.default_rng(seed))
    assert len(positions) == 40
    assert not any(empty(rectangle) for rectangle in rectangles(evidence, positions).tolist())


def test_random_patches_have_equal_chances():
    evidence = SimpleNamespace(
        corners=np.zeros((2, 2), np.int64),
        extent=(20, 20),
        patches=PatchGrid(5, 5),
        logits=np.zeros((2, 4, 4)),
    )
    drawn = random_patches(evidence, 32_000, np.random.default_rng(1))
    counts = np.bincount(drawn, minlength=32)
    # Chi-squared with 31 degrees of freedom: 61 is passed once in a thousand times.
    assert ((counts - 1000) ** 2 / 1000).sum() < 61


def test_random_patches_that_part_a_picture_give_a_ratio_of_1():
    """Whatever the regions, where no pixel is in more patches than another."""
    rng = np.random.default_rng(3)
    shares, areas, pictures = [], [], []
    for number in range(60):
        evidence = SimpleNamespace(
            corners=np.zeros((1, 2), np.int64),
            extent=(40, 60),
            patches=PatchGrid(10, 10),
            logits=np.zeros((1, 4, 6), np.float32),
        )
        labels = np.zeros((40, 60), np.uint16)
        labels[: rng.integers(5, 35)] = 1
        labels[:, rng.integers(5, 55) :] = 2
        drawn = rectangles(evidence, random_patches(evidence, 16, rng))
        shares.append(patch_shares(labels, drawn, 3).mean(axis=0))
        areas.append(area_shares(labels, 3))
        pictures.append(number)
    shares, areas = np.array(shares), np.array(areas)
    for bar in region_histogram(["a", "b", "c"], shares, shares, areas, np.array(pictures)):
        assert bar.random_ratio.low <= 1.0 <= bar.random_ratio.high
        assert bar.random_ratio.high - bar.random_ratio.low < 0.3


@given(st.lists(st.integers(-5, 5)), st.integers(1, 8))
def test_a_stream_keeps_its_strongest_the_first_of_equals(strengths, limit):
    strongest = Strongest[int](limit)
    for number, strength in enumerate(strengths):
        admitted = strongest.admits(strength)
        strongest.add(strength, number)
        assert admitted == (number in strongest.ranked())
    wanted = sorted(range(len(strengths)), key=lambda number: (-strengths[number], number))
    assert strongest.ranked() == wanted[:limit]


def test_items_of_a_stream_are_never_compared():
    strongest = Strongest[object](2)
    for _ in range(5):
        strongest.add(1.0, object())
    assert len(strongest.ranked()) == 2


@pytest.mark.parametrize("sign", [+1, -1])
def test_the_sign_turns_the_order(sign):
    evidence = SimpleNamespace(
        corners=np.zeros((1, 2), np.int64),
        extent=(1, 3),
        patches=PatchGrid(1, 1),
        logits=np.array([[[-2.0, 0.0, 5.0]]]),
    )
    assert strongest_patches(evidence, 3, sign).tolist() == [2, 1, 0][::sign]
