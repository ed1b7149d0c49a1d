"""Similarity transforms between points, and pictures resampled through them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from spectrace.errors import UsageError

_FLAT = 1e-9


def similarity(source: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """The rotation, scale and shift that bring points closest to others, by least squares; no mirroring.

    Source: Umeyama, *Least-squares estimation of transformation parameters between two point patterns*, 1991.

    Args:
        source: [n, 2], x and y of at least two points.
        target: [n, 2], where they should come to lie.

    Returns:
        float64 [2, 3]: ``target = matrix @ (x, y, 1)``.

    Raises:
        UsageError: other shapes, numbers that are not finite, or points that all coincide.

    Example:
        >>> similarity([[0, 0], [1, 0]], [[5, 5], [5, 7]]).round(6).tolist()  # turned by 90 degrees, doubled
        [[0.0, -2.0, 5.0], [2.0, 0.0, 5.0]]
    """
    start, end = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if start.shape != end.shape or start.ndim != 2 or start.shape[1] != 2 or len(start) < 2:
        raise UsageError(
            f"points of shapes {start.shape} and {end.shape}: wanted two times [n, 2], n at least 2"
        )
    if not (np.isfinite(start).all() and np.isfinite(end).all()):
        raise UsageError("a point's coordinates are not finite: wanted numbers of pixels")
    centred, wanted = start - start.mean(axis=0), end - end.mean(axis=0)
    variance = np.square(centred).sum() / len(start)
    if variance < _FLAT:
        raise UsageError("all points coincide: wanted at least two different places")
    left, stretch, right = np.linalg.svd(wanted.T @ centred / len(start))
    # The nearest orthogonal matrix may be a mirror: then the weaker axis is turned over.
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ np.diag(signs) @ right
    linear = (stretch @ signs) / variance * rotation
    return np.column_stack([linear, end.mean(axis=0) - linear @ start.mean(axis=0)])


def resample(
    pixels: NDArray[np.uint8], matrix: NDArray[np.float64], size: int, *, nearest: bool = False
) -> NDArray[np.uint8]:
    """A picture seen through a similarity transform.

    Shrinking is done first, by Lanczos, so that nothing folds over; the rotation and the rest of the shift
    follow by bicubic interpolation. Integer coordinates are the centres of pixels.

    Args:
        pixels: uint8 [H, W, 3] or [H, W].
        matrix: float64 [2, 3] from the picture's x and y to the result's, as :func:`similarity` gives it.
        size: side of the result, in pixels.
        nearest: take the nearest pixel instead, for masks.

    Returns:
        uint8 [size, size, 3] or [size, size]; black beyond the picture's borders.

    Raises:
        UsageError: a transform that has no inverse.

    Example:
        >>> picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
        >>> shift = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
        >>> resample(picture, shift, 2, nearest=True).tolist()
        [[1, 2], [5, 6]]
    """
    linear, shift = matrix[:, :2], matrix[:, 2]
    scale = math.sqrt(abs(np.linalg.det(linear)))
    if not scale > _FLAT:
        raise UsageError("the transform shrinks everything to a point: check the landmarks")
    image = Image.fromarray(pixels)
    shrunk = np.ones(2)
    if scale < 1.0 and not nearest:
        sides = [max(1, round(side * scale)) for side in image.size]
        shrunk = np.array(sides) / image.size
        image = image.resize((sides[0], sides[1]), Image.Resampling.LANCZOS)
    # Pillow wants the way back, and counts from the corner of a pixel where we count from its centre.
    back = np.linalg.inv(linear)
    offset = back @ (-0.5 - shift) + 0.5
    way = np.column_stack([back, offset]) * shrunk[:, None]
    resampling = Image.Resampling.NEAREST if nearest else Image.Resampling.BICUBIC
    return np.asarray(
        image.transform((size, size), Image.Transform.AFFINE, tuple(way.ravel().tolist()), resampling)
    )
