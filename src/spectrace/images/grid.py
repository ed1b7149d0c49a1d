"""Pictures side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def grid(pictures: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Pictures of one size as one picture, row by row, without gaps; the last row is filled with white.

    Args:
        pictures: uint8 ``[N, H, W, 3]``, at least one.
        columns: pictures in a row.

    Returns:
        uint8 ``[rows * H, columns * W, 3]``.

    Example:
        >>> grid(np.zeros((3, 4, 5, 3), np.uint8), 2).shape
        (8, 10, 3)
    """
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    filled = np.full((rows * columns, height, width, 3), 255, np.uint8)
    filled[:count] = pictures
    rowed = filled.reshape(rows, columns, height, width, 3)
    return rowed.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
