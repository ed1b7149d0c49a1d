"""Masks on disk: which pixels of a picture were generated or manipulated."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import Row
from spectrace.errors import ManifestError
from spectrace.images.decode import decode

COLUMN = "mask"
LEVEL = 127


def read_mask(path: str | os.PathLike[str]) -> NDArray[np.bool_]:
    """Read a mask: pixels whose brightest channel is above 127.

    Raises:
        ImageError: the file cannot be read.

    Returns:
        bool [H, W].
    """
    mask: NDArray[np.bool_] = decode(path).pixels.max(axis=2) > LEVEL
    return mask


def mask_of(manifest: Manifest, row: Row, height: int, width: int) -> NDArray[np.bool_]:
    """Generated or manipulated pixels of one picture, from the manifest's column ``mask``.

    Without a mask, all pixels of a generated picture and none of a real one.

    Args:
        manifest: whose folder the mask's path is relative to.
        row: the picture.
        height: of the picture, in pixels.
        width: of the picture, in pixels.

    Returns:
        bool [height, width].

    Raises:
        ImageError: the mask cannot be read.
        ManifestError: it has another size than the picture.

    Example:
        >>> row = Row(path="a.png", label="generated")
        >>> bool(mask_of(Manifest([row]), row, 2, 3).all())
        True
    """
    name = row.extra.get(COLUMN, "")
    if not name:
        return np.full((height, width), row.is_generated)
    mask = read_mask(manifest.root / name)
    if mask.shape != (height, width):
        raise ManifestError(
            f"{name} is {mask.shape[1]}x{mask.shape[0]} pixels, its picture {row.path} {width}x{height}: "
            "wanted a mask of the picture's size"
        )
    return mask
