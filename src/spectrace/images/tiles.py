"""Tiles at native resolution: where they lie in a picture, and cutting them out.

A detector reads the last bits of pixels, so a picture is never resized to be scored: it is cut into square
tiles. A bounded grid keeps the cost of a large picture bounded; a dense grid covers every pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError

# JPEG codes blocks of 8x8 pixels: on corners that are multiples of 8 every tile sees the same block phase.
JPEG_BLOCK = 8


def tile_grid(height: int, width: int, size: int, *, limit: int | None = 64) -> NDArray[np.int64]:
    """Places square tiles in a picture.

    Bounded (``limit`` is a number): tiles do not overlap, their corners are multiples of 8, and they are
    spread evenly from border to border. Where the whole non-overlapping grid has no more cells than the
    limit, all of it is used; else rows and columns are thinned out in the picture's own proportions.
    Dense (``limit=None``): tiles lie side by side from the top left, and the last row and column are
    shifted in to end at the border, so that every pixel is covered.

    Args:
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        size: side of a tile, in pixels.
        limit: the largest number of tiles; ``None`` covers every pixel.

    Returns:
        int64 ``[N, 2]``: top and left of each tile, row by row; ``[0, 2]`` when the picture is smaller
        than a tile.

    Raises:
        UsageError: the tile size or the limit is below 1, or a side is negative.

    Example:
        >>> tile_grid(100, 200, 64).tolist()
        [[16, 0], [16, 64], [16, 136]]
        >>> tile_grid(100, 130, 64, limit=None).tolist()
        [[0, 0], [0, 64], [0, 66], [36, 0], [36, 64], [36, 66]]
    """
    if size < 1 or height < 0 or width < 0:
        raise UsageError(
            f"cannot lay tiles of side {size} in a picture of {width}x{height} pixels: "
            "give a tile side of 1 or more and a picture size of 0 or more"
        )
    if limit is not None and limit < 1:
        raise UsageError(f"a tile limit of {limit} leaves no tile: give 1 or more, or None for all")
    if height < size or width < size:
        return np.empty((0, 2), dtype=np.int64)
    if limit is None:
        tops, lefts = _dense_positions(height, size), _dense_positions(width, size)
    else:
        rows, columns = _thin_out(_cells(height, size), _cells(width, size), limit)
        tops, lefts = _spread_positions(height, size, rows), _spread_positions(width, size, columns)
    return np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2)


def cut_tiles(pixels: NDArray[np.uint8], corners: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """Cuts tiles out of a picture.

    Args:
        pixels: uint8 ``[H, W, 3]``.
        corners: int ``[N, 2]``, top and left of each tile, as from :func:`tile_grid`.
        size: side of a tile, in pixels.

    Returns:
        uint8 ``[N, 3, size, size]``, contiguous, a copy.

    Raises:
        UsageError: the picture is not ``[H, W, 3]``, or a tile does not lie inside it.

    Example:
        >>> picture = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
        >>> tiles = cut_tiles(picture, tile_grid(8, 8, 4, limit=None), 4)
        >>> tiles.shape, bool((tiles[0] == picture[:4, :4].transpose(2, 0, 1)).all())
        ((4, 3, 4, 4), True)
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UsageError(f"tiles are cut from a picture [H, W, 3], this one is {list(pixels.shape)}")
    if len(corners) and (corners.min() < 0 or (corners.max(axis=0) + size > pixels.shape[:2]).any()):
        raise UsageError(
            f"a tile of side {size} lies outside the picture of {pixels.shape[1]}x{pixels.shape[0]} pixels: "
            "take the corners from tile_grid for this picture and this size"
        )
    tiles = np.empty((len(corners), 3, size, size), dtype=np.uint8)
    for tile, (top, left) in zip(tiles, corners.tolist(), strict=True):
        tile[...] = pixels[top : top + size, left : left + size].transpose(2, 0, 1)
    return tiles


def _cells(side: int, size: int) -> int:
    """How many tiles fit along one side without overlap and with corners on the JPEG block grid."""
    step = -(-size // JPEG_BLOCK) * JPEG_BLOCK
    return (side - size) // step + 1


def _thin_out(rows: int, columns: int, limit: int) -> tuple[int, int]:
    """Picks at most ``limit`` cells as rows x columns, many and in the proportions of the whole grid."""
    if rows * columns <= limit:
        return rows, columns

    def worth(few_rows: int) -> tuple[float, int]:
        few_columns = min(columns, limit // few_rows)
        proportion = (few_rows * columns) / (few_columns * rows)
        count = few_rows * few_columns
        return count * min(proportion, 1 / proportion), count

    best = max(range(1, min(rows, limit) + 1), key=worth)
    return best, min(columns, limit // best)


def _spread_positions(side: int, size: int, count: int) -> NDArray[np.int64]:
    blocks = (side - size) // JPEG_BLOCK
    if count == 1:
        return np.array([blocks // 2 * JPEG_BLOCK], dtype=np.int64)
    return np.arange(count, dtype=np.int64) * blocks // (count - 1) * JPEG_BLOCK


def _dense_positions(side: int, size: int) -> NDArray[np.int64]:
    positions = np.arange(0, side - size + 1, size, dtype=np.int64)
    if positions[-1] + size < side:
        positions = np.append(positions, side - size)
    return positions
