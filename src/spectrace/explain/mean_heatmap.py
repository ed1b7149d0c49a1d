"""Mean heatmaps: where the score comes from in the pictures that are easiest, or hardest, for a detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.detectors.detection import Evidence
from spectrace.explain.heatmap import scores_at
from spectrace.images.decode import Pixels

GRID = 64
PICTURE_SIDE = 256


@dataclass(frozen=True, slots=True)
class GridMap:
    """One picture's heatmap on the common grid.

    Attributes:
        path: of the picture.
        picture: its number in the order in which pictures were looked at.
        score: of the whole picture.
        scores: float32 [64, 64], NaN where nothing was scored.
    """

    path: str
    picture: int
    score: float
    scores: NDArray[np.float32]


def common_grid(evidence: Evidence, height: int, width: int, side: int = GRID) -> NDArray[np.float32]:
    """A picture's score map on a grid that pictures of all sizes share.

    Row i of the grid is the score map's row at ``(i + 0.5) / side`` of the picture's height, columns alike:
    every picture is stretched to the same square, each by nearest neighbour.

    Args:
        evidence: of the picture.
        height: of the picture, in pixels.
        width: of the picture, in pixels.
        side: of the grid.

    Returns:
        float32 [side, side], NaN where nothing was scored.
    """
    rows, columns = (((np.arange(side) + 0.5) * length / side).astype(np.int64) for length in (height, width))
    # Small pictures meet the same pixel several times; the map is asked for each only once.
    (rows, again_rows), (columns, again_columns) = (
        np.unique(positions, return_inverse=True) for positions in (rows, columns)
    )
    return scores_at(evidence, rows, columns)[again_rows[:, None], again_columns]


def mean_scores(maps: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Mean of maps, cell by cell, over those that have a score there; NaN where none has.

    Example:
        >>> maps = [np.array([[1.0, np.nan]], np.float32), np.array([[3.0, np.nan]], np.float32)]
        >>> mean_scores(maps).tolist()
        [[2.0, nan]]
    """
    total = np.zeros(maps[0].shape)
    count = np.zeros(maps[0].shape)
    for scores in maps:
        known = ~np.isnan(scores)
        total[known] += scores[known]
        count += known
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def squared(pixels: Pixels, side: int = PICTURE_SIDE) -> NDArray[np.float64]:
    """A picture stretched to a square, each new pixel the mean of those under it; float64 [side, side, 3]."""
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX, reducing_gap=3.0)
    return np.asarray(image, np.float64)
