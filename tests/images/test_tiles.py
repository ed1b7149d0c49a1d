"""Tile grids: properties over all sizes, and cutting against plain slicing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.errors import UsageError
from spectrace.images.tiles import cut_tiles, tile_grid

sides = st.integers(0, 700)
sizes = st.integers(1, 260)


def cells(side: int, size: int) -> int:
    """Tiles that fit along a side, with steps of a multiple of 8."""
    return 0 if side < size else (side - size) // (-(-size // 8) * 8) + 1


@settings(deadline=None)
@given(sides, sides, sizes, st.integers(1, 80))
def test_a_bounded_grid_lies_inside_apart_and_on_the_jpeg_blocks(
    height: int, width: int, size: int, limit: int
) -> None:
    corners = tile_grid(height, width, size, limit=limit)
    assert corners.dtype == np.int64
    assert corners.shape == (len(corners), 2)
    assert len(corners) <= limit
    assert (len(corners) == 0) == (height < size or width < size)
    assert (corners >= 0).all()
    assert (corners + size <= [height, width]).all()
    assert (corners % 8 == 0).all()
    for axis in (0, 1):
        assert (np.diff(np.unique(corners[:, axis])) >= size).all()
    assert len(np.unique(corners, axis=0)) == len(corners)
    np.testing.assert_array_equal(corners, tile_grid(height, width, size, limit=limit))
    whole = cells(height, size) * cells(width, size)
    if whole <= limit:
        assert len(corners) == whole


@settings(deadline=None)
@given(sides, sides, st.integers(1, 260).filter(lambda size: size > 12))
def test_a_dense_grid_covers_every_pixel(height: int, width: int, size: int) -> None:
    corners = tile_grid(height, width, size, limit=None)
    if height < size or width < size:
        assert corners.shape == (0, 2)
        return
    covered = np.zeros((height, width), dtype=bool)
    for top, left in corners:
        assert top >= 0
        assert left >= 0
        assert top + size <= height
        assert left + size <= width
        covered[top : top + size, left : left + size] = True
    assert covered.all()
    assert len(np.unique(corners, axis=0)) == len(corners) == -(-height // size) * -(-width // size)


@pytest.mark.parametrize(
    ("height", "width"), [(3000, 4000), (4000, 3000), (2000, 2000), (128, 20_000), (5000, 640)]
)
def test_a_bounded_grid_of_a_large_picture_is_spread_from_border_to_border(height: int, width: int) -> None:
    size = 128
    corners = tile_grid(height, width, size)
    assert 48 <= len(corners) <= 64 or len(corners) == cells(height, size) * cells(width, size)
    for axis, side in enumerate((height, width)):
        places = np.unique(corners[:, axis])
        if len(places) > 1:
            assert places[0] == 0
            assert places[-1] > side - size - 8
            assert np.ptp(np.diff(places)) <= 8
        else:
            assert abs(places[0] - (side - size) / 2) <= 8


def test_golden_grids() -> None:
    assert tile_grid(128, 128, 128).tolist() == [[0, 0]]
    assert tile_grid(127, 500, 128).shape == (0, 2)
    assert tile_grid(256, 256, 128).tolist() == [[0, 0], [0, 128], [128, 0], [128, 128]]
    assert tile_grid(300, 128, 128, limit=None).tolist() == [[0, 0], [128, 0], [172, 0]]
    assert tile_grid(1000, 1000, 100, limit=1).tolist() == [[448, 448]]


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 20), st.sampled_from([None, 5]))
def test_tiles_are_the_pixels_under_them(height: int, width: int, size: int, limit: int | None) -> None:
    pixels = np.random.default_rng(height * 61 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    corners = tile_grid(height, width, size, limit=limit)
    tiles = cut_tiles(pixels, corners, size)
    assert tiles.shape == (len(corners), 3, size, size)
    assert tiles.dtype == np.uint8
    assert tiles.flags.c_contiguous
    for tile, (top, left) in zip(tiles, corners, strict=True):
        np.testing.assert_array_equal(np.moveaxis(tile, 0, -1), pixels[top : top + size, left : left + size])
    assert not np.shares_memory(tiles, pixels)


@pytest.mark.parametrize(
    "call",
    [
        lambda: tile_grid(10, 10, 0),
        lambda: tile_grid(10, 10, -8),
        lambda: tile_grid(-1, 10, 8),
        lambda: tile_grid(10, 10, 8, limit=0),
        lambda: cut_tiles(np.zeros((8, 8), np.uint8), np.zeros((1, 2), np.int64), 8),
        lambda: cut_tiles(np.zeros((8, 8, 3), np.uint8), np.array([[0, 1]]), 8),
        lambda: cut_tiles(np.zeros((8, 8, 3), np.uint8), np.array([[-1, 0]]), 4),
    ],
)
def test_impossible_grids_are_refused(call: object) -> None:
    with pytest.raises(UsageError):
        call()  # type: ignore[operator]
