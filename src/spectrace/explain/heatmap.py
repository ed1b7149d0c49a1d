"""Heatmaps: which parts of a picture the score comes from, drawn over the picture."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.detectors.detection import Evidence
from spectrace.errors import UsageError
from spectrace.explain.colours import LEVELS, colour_table, levels
from spectrace.explain.legend import draw_legend

LIMIT = 5.0
OPACITY = 0.55
COLOUR_MAP = "blue-orange"

_BAND = 256
_NOT_SCORED, _HATCHED = LEVELS, LEVELS + 1
# Under the colours the picture's greys are drawn together, so that they show on black and on white alike.
_DARKEST, _BRIGHTEST = 30.0, 225.0


def score_map(evidence: Evidence, height: int, width: int) -> NDArray[np.float32]:
    """The score at every pixel of a picture.

    Every pixel of a scored region has the score of the patch whose centre is nearest; where regions overlap,
    the mean of their scores.

    Args:
        evidence: scored regions of the picture.
        height: of the picture, in pixels.
        width: of the picture, in pixels.

    Returns:
        float32 [height, width], natural-log likelihood ratios; NaN where nothing was scored.

    Example:
        >>> from types import SimpleNamespace
        >>> from spectrace.detectors.patches import PatchGrid
        >>> one_tile = SimpleNamespace(
        ...     corners=np.array([[0, 1]]),
        ...     extent=(2, 2),
        ...     patches=PatchGrid(size=2, stride=2),
        ...     scores=np.array([[[3.0]]], np.float32),
        ... )
        >>> score_map(one_tile, 2, 4).tolist()
        [[nan, 3.0, 3.0, nan], [nan, 3.0, 3.0, nan]]
    """
    return scores_at(evidence, np.arange(height), np.arange(width))


def scores_at(
    evidence: Evidence, rows: NDArray[np.integer], columns: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The score map at some rows and columns only: a band of a big picture, or a thumbnail's grid.

    Args:
        evidence: scored regions of the picture.
        rows: int [R], ascending, in pixels of the picture.
        columns: int [C], ascending, in pixels of the picture.

    Returns:
        float32 [R, C]; NaN where nothing was scored.
    """
    total = np.zeros((len(rows), len(columns)), np.float32)
    count = np.zeros((len(rows), len(columns)), np.uint16)
    height, width = evidence.extent
    tops = np.searchsorted(rows, evidence.corners[:, 0])
    bottoms = np.searchsorted(rows, evidence.corners[:, 0] + height)
    for index in np.flatnonzero(bottoms > tops):
        top, left = (int(corner) for corner in evidence.corners[index])
        start, end = np.searchsorted(columns, (left, left + width))
        patches = evidence.scores[index]
        inside = slice(tops[index], bottoms[index]), slice(start, end)
        patch_rows = evidence.patches.nearest(rows[inside[0]] - top, patches.shape[0])
        patch_columns = evidence.patches.nearest(columns[inside[1]] - left, patches.shape[1])
        total[inside] += patches[patch_rows[:, None], patch_columns]
        count[inside] += 1
    np.divide(total, count, out=total, where=count > 0)
    total[count == 0] = np.nan
    return total


def tint(
    pixels: NDArray[np.uint8],
    scores: NDArray[np.float32],
    *,
    opacity: float = OPACITY,
    colour_map: str = COLOUR_MAP,
    limit: float = LIMIT,
) -> NDArray[np.uint8]:
    """A picture in grey under the colours of its scores; dimmed and hatched where there is no score.

    Args:
        pixels: uint8 [H, W, 3] RGB.
        scores: float32 [H, W], NaN where not scored.
        opacity: how much the colours cover the picture, 0..1.
        colour_map: a name of :data:`spectrace.explain.colours.COLOUR_MAPS`.
        limit: the score of the end colours.

    Returns:
        uint8 [H, W, 3] RGB.

    Raises:
        UsageError: an unknown map, or a value out of its range.
    """
    table = _blend_table(opacity, colour_map, limit)
    return _tint_rows(pixels, levels(scores, limit), table, 0, _hatch_spacing(*pixels.shape[:2]))


def ramp() -> list[str]:
    """The colours from camera over zero to generated as they look over a middle grey, for a page's legend.

    Example:
        >>> ramp()
        ['rgb(69 104 160)', 'rgb(182 182 182)', 'rgb(198 130 58)']
    """
    grey = np.full((1, 3, 3), 128, np.uint8)
    drawn = tint(grey, np.array([[-LIMIT, 0.0, LIMIT]], np.float32))[0]
    return [f"rgb({red} {green} {blue})" for red, green, blue in drawn.tolist()]


def heatmap(
    pixels: NDArray[np.uint8],
    evidence: Evidence,
    *,
    opacity: float = OPACITY,
    colour_map: str = COLOUR_MAP,
    limit: float = LIMIT,
) -> NDArray[np.uint8]:
    """Draw a picture's scores over it, at its own size, with a legend below.

    The colours mean the same in every picture: they end at ``limit``, whatever the scores at hand.

    Args:
        pixels: uint8 [H, W, 3] RGB, displayed orientation.
        evidence: its scored regions.
        opacity: how much the colours cover the picture, 0..1.
        colour_map: ``blue-orange`` or ``purple-green``.
        limit: the score (natural-log likelihood ratio) of the end colours, positive.

    Returns:
        uint8 [H + legend, max(W, legend), 3] RGB: the picture at the top left, the legend strip below. The
        working memory besides the result is bounded whatever the picture's size.

    Raises:
        UsageError: an unknown map, or a value out of its range.
    """
    height, width = pixels.shape[:2]
    table = _blend_table(opacity, colour_map, limit)
    spacing = _hatch_spacing(height, width)
    over_grey = table[:, 128]
    legend = draw_legend(
        width,
        over_grey[:LEVELS],
        limit,
        not_scored=tuple(over_grey[_NOT_SCORED].tolist()),
        hatching=tuple(over_grey[_HATCHED].tolist()),
    )
    canvas = np.empty((height + legend.shape[0], legend.shape[1], 3), np.uint8)
    canvas[:height, width:] = legend[0, 0]
    canvas[height:] = legend
    columns = np.arange(width)
    for top in range(0, height, _BAND):
        rows = np.arange(top, min(top + _BAND, height))
        band = slice(rows[0], rows[-1] + 1)
        level = levels(scores_at(evidence, rows, columns), limit)
        canvas[band, :width] = _tint_rows(pixels[band], level, table, top, spacing)
    return canvas


def save_png(picture: NDArray[np.uint8], path: str | os.PathLike[str] | BinaryIO) -> None:
    """Write uint8 [H, W, 3] RGB as a PNG file, or into a binary file object.

    Raises:
        OSError: the file cannot be written.
    """
    # Level 3 takes a third of the time of the default 6, for files a few per cent larger.
    Image.fromarray(picture).save(path, "PNG", compress_level=3)


def _blend_table(opacity: float, colour_map: str, limit: float) -> NDArray[np.uint8]:
    """The drawn colour of each level (255 not scored, 256 hatched) over each grey, uint8 [257, 256, 3]."""
    if not 0.0 <= opacity <= 1.0:
        raise UsageError(f"opacity {opacity:g}: wanted 0 to 1")
    if not (limit > 0.0 and np.isfinite(limit)):
        raise UsageError(f"limit {limit:g}: wanted a positive score")
    colours = colour_table(colour_map).astype(np.float64)[:, None, :]
    greys = np.arange(256.0)
    under = (_DARKEST + greys * (_BRIGHTEST - _DARKEST) / 255.0)[None, :, None]
    scored = (1.0 - opacity) * under + opacity * colours
    dimmed = np.broadcast_to((0.45 * greys)[:, None], (256, 3))
    hatched = np.broadcast_to((0.45 * greys + 60.0)[:, None], (256, 3))
    return np.concatenate([scored, dimmed[None], hatched[None]]).round().astype(np.uint8)


def _tint_rows(
    pixels: NDArray[np.uint8],
    level: NDArray[np.int32],
    table: NDArray[np.uint8],
    first_row: int,
    spacing: int,
) -> NDArray[np.uint8]:
    height, width = level.shape
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    diagonal = np.arange(first_row, first_row + height)[:, None] + np.arange(width)[None, :]
    level[(level == _NOT_SCORED) & (diagonal % spacing < max(1, spacing // 8))] = _HATCHED
    # A flat take is several times faster than indexing with two arrays.
    tinted: NDArray[np.uint8] = np.take(table.reshape(-1, 3), (level << 8) | grey, axis=0)
    return tinted


def _hatch_spacing(height: int, width: int) -> int:
    """Wide enough to be told from texture when the whole picture is looked at."""
    return max(8, min(height, width) // 40)
