from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from spectrace.images.perturbations import parse
from spectrace.learning.cutting import Cutter, Problem, attempt
from spectrace.learning.pictures import Pictures, TooSmallError
from spectrace.learning.sampling import Entry


def cutter(**changes) -> Cutter:
    return Cutter(**({"tile": 16, "min_side": 1, "window": 64, "grid": 1, "augment": ()} | changes))


def coordinates(height: int, width: int) -> np.ndarray:
    """A picture whose first two channels say where a pixel lies."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows * 0], axis=2).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(16, 200),
    width=st.integers(16, 200),
    window=st.integers(16, 100),
    grid=st.sampled_from([1, 8]),
    seed=st.integers(0, 2**32),
)
def test_tiles_are_native_pixels_of_one_window(height, width, window, grid, seed):
    picture = coordinates(height, width)
    tiles = cutter(window=window, grid=grid).cut(picture, 3, np.random.default_rng(seed))
    assert tiles.shape == (3, 3, 16, 16)
    assert tiles.dtype == np.uint8
    corners = tiles[:, :2, 0, 0].astype(int)
    for tile, (top, left) in zip(tiles, corners, strict=True):
        np.testing.assert_array_equal(tile, picture[top : top + 16, left : left + 16].transpose(2, 0, 1))
    # Windows start on JPEG's grid, so a grid of 8 holds in the picture as well.
    assert (corners % grid == 0).all()
    assert (np.ptp(corners, axis=0) <= max(0, window - 16)).all()


def test_every_offset_is_reached():
    rng = np.random.default_rng(0)
    tops = {int(cutter().cut(coordinates(20, 16), 1, rng)[0, 0, 0, 0]) for _ in range(200)}
    assert tops == {0, 1, 2, 3, 4}


def test_tiles_of_a_picture_share_one_augmentation():
    gradient = coordinates(16, 16)
    tiles = cutter(augment=(parse("flip@0.5"),)).cut(gradient, 8, np.random.default_rng(3))
    assert (tiles == tiles[0]).all()


def test_augmentation_is_applied_in_order():
    steps = tuple(parse(spec) for spec in ("resize(scale=0.5)", "jpeg(quality=10)"))
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    rng = np.random.default_rng(1)
    tiles = cutter(tile=32, augment=steps).cut(picture, 1, rng)
    rng = np.random.default_rng(1)
    rng.integers(1), rng.integers(1)
    expected = steps[1](steps[0](picture, rng), rng)
    np.testing.assert_array_equal(tiles[0], expected.transpose(2, 0, 1))


@pytest.mark.parametrize("shape", [(15, 100), (100, 15), (1, 1)])
def test_picture_smaller_than_a_tile(shape):
    with pytest.raises(TooSmallError, match="too small for a tile of 16"):
        cutter().cut(coordinates(*shape), 1, np.random.default_rng(0))


def test_picture_that_ends_up_smaller_than_a_tile():
    always = cutter(augment=(parse("resize(scale=0.5)"),))
    with pytest.raises(TooSmallError):
        always.cut(coordinates(29, 29), 1, np.random.default_rng(0))
    sometimes = cutter(augment=(parse("resize(scale=0.5)@0.5"),))
    for seed in range(20):
        assert sometimes.cut(coordinates(29, 29), 1, np.random.default_rng(seed)).shape == (1, 3, 16, 16)


def test_shortest_side():
    with pytest.raises(TooSmallError, match="wanted 50 a side"):
        cutter(min_side=50).cut(coordinates(49, 80), 1, np.random.default_rng(0))


def test_problems_are_returned(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "tiny.png")
    found = {}
    for name in ("text.jpg", "tiny.png", "missing.png"):
        entry = Entry(tmp_path / name, name, 0, "g")
        found[name] = attempt(cutter(), Pictures(), entry, 1, np.random.default_rng(0))
    assert all(isinstance(problem, Problem) for problem in found.values())
    assert {name: problem.too_small for name, problem in found.items()} == {
        "text.jpg": False,
        "tiny.png": True,
        "missing.png": False,
    }


def test_kept_pictures_stay_within_the_budget(tmp_path):
    for name in "abcdef":
        Image.new("RGB", (10, 10)).save(tmp_path / f"{name}.png")
    pictures = Pictures(budget=700)
    first = {name: pictures.read(tmp_path / f"{name}.png") for name in "abcdef"}
    again = {name: pictures.read(tmp_path / f"{name}.png") for name in "abefcd"}
    # Two fit the budget, and the last two are kept besides.
    assert [name for name in "abcdef" if first[name] is again[name]] == ["a", "b", "e", "f"]
