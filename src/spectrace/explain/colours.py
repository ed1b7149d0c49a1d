"""Diverging colour maps, anchored at a score of 0: camera on one side, generated on the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError

Colour = tuple[int, int, int]

# Camera end, zero, generated end. Told apart with any colour vision: the hues differ along the blue-yellow
# (or, for purple-green, the lightness) axis, and the two ends differ in lightness too.
COLOUR_MAPS: dict[str, tuple[Colour, Colour, Colour]] = {
    "blue-orange": ((20, 84, 186), (226, 226, 226), (255, 132, 0)),
    "purple-green": ((104, 36, 148), (226, 226, 226), (58, 176, 76)),
}
LEVELS = 255
_ZERO = LEVELS // 2


def colour_table(name: str) -> NDArray[np.uint8]:
    """A map's colours, uint8 [255, 3] RGB: row 127 is a score of 0, the first row the camera end.

    Raises:
        UsageError: there is no such map.

    Example:
        >>> colour_table("blue-orange")[[0, 127, 254]].tolist()
        [[20, 84, 186], [226, 226, 226], [255, 132, 0]]
    """
    if name not in COLOUR_MAPS:
        raise UsageError(f"unknown colour map {name!r}: wanted one of {', '.join(COLOUR_MAPS)}")
    anchors = np.asarray(COLOUR_MAPS[name], np.float64)
    positions = np.linspace(-1.0, 1.0, LEVELS)
    channels = [np.interp(positions, (-1.0, 0.0, 1.0), anchors[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def levels(scores: NDArray[np.float32], limit: float) -> NDArray[np.int32]:
    """Rows of the colour table for scores; those beyond ``limit`` take the end colours.

    Args:
        scores: natural-log likelihood ratios of any shape, NaN where there is none.
        limit: the score of the end colours, positive.

    Returns:
        Rows 0..254 of the same shape; 255 where a score is NaN.

    Example:
        >>> levels(np.array([-9.0, 0.0, 2.5, 9.0, np.nan], np.float32), 5.0).tolist()
        [0, 127, 191, 254, 255]
    """
    rows = np.multiply(scores, np.float32(_ZERO / limit), dtype=np.float32)
    np.clip(rows, -_ZERO, _ZERO, out=rows)
    rows += np.float32(_ZERO + 0.5)
    np.nan_to_num(rows, copy=False, nan=LEVELS)
    return rows.astype(np.int32)
