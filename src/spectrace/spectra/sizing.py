"""The side of the crops that suits several sets of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectrace.errors import ImageError, UsageError
from spectrace.images.decode import Limits
from spectrace.images.headers import read_header
from spectrace.images.reading import read_path
from spectrace.spectra.coarse import TILE
from spectrace.spectra.survey import thinned

LARGEST = 256
"""Larger crops cost more and show no more."""
_LOOKED_AT = 400
_LEFT_OUT = 0.10
_GRID = 8


def common_size(sets: Sequence[Sequence[Path]]) -> int:
    """The largest multiple of 8 up to 256 that nine in ten pictures of every set allow.

    Reads the headers of at most 400 files a set; files that cannot be read do not count.

    Args:
        sets: the files of each set.

    Returns:
        Side in pixels, 32 to 256.

    Raises:
        UsageError: more than one in ten pictures of a set are smaller than 32 pixels.
    """
    size = LARGEST
    for paths in sets:
        sides = [side for path in thinned(paths, _LOOKED_AT) if (side := _shorter_side(path))]
        if sides:
            size = min(size, int(np.quantile(sides, _LEFT_OUT, method="lower")) // _GRID * _GRID)
    if size < TILE:
        raise UsageError(
            f"more than one in ten pictures of a set are smaller than {TILE} pixels: wanted {TILE}x{TILE} or "
            f"more; --size {TILE} leaves the smaller ones out"
        )
    return size


def _shorter_side(path: Path) -> int:
    limits = Limits()
    try:
        header = read_header(read_path(path, limits.file_bytes), limits.frames)
    except ImageError:
        return 0
    return min(header.width, header.height)
