"""Random regions of a picture with soft borders."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from spectrace.errors import UsageError

LEAST_SIDE = 64
LEAST_AREA = 0.10
MOST_AREA = 0.40

_FEATHER = 0.04


@dataclass(frozen=True)
class Region:
    """A part of a picture.

    Attributes:
        weight: float32 [H, W], 0 outside; rises from the border inwards to 1.
    """

    weight: NDArray[np.float32]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Bool [H, W], every pixel that may change."""
        inside: NDArray[np.bool_] = self.weight > 0.0
        return inside

    @property
    def mask(self) -> NDArray[np.uint8]:
        """Uint8 [H, W], 255 inside and 0 outside."""
        return self.inside.astype(np.uint8) * np.uint8(255)

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the smallest rectangle around it."""
        rows, columns = (np.flatnonzero(self.inside.any(axis=axis)) for axis in (1, 0))
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def random_region(height: int, width: int, rng: np.random.Generator) -> Region:
    """An ellipse or a convex polygon of 10 to 40 % of the picture's area, anywhere in it, with a soft border.

    Args:
        height: of the picture, 64 pixels or more.
        width: of the picture, 64 pixels or more.
        rng: decides shape, size and place.

    Raises:
        UsageError: a side below 64 pixels.

    Example:
        >>> region = random_region(80, 100, np.random.default_rng(0))
        >>> region.weight.shape, bool(0.1 <= region.inside.mean() <= 0.4)
        ((80, 100), True)
    """
    if min(height, width) < LEAST_SIDE:
        raise UsageError(f"picture of {width}x{height} pixels: wanted sides of {LEAST_SIDE} or more")
    side = min(height, width)
    centre = rng.uniform(0.3, 0.7, 2) * (height, width)
    y, x = np.indices((height, width), np.float64) - centre[:, None, None]
    level = _ellipse(x, y, rng) if rng.random() < 0.5 else _polygon(x, y, rng)
    # The shape grows around its centre until it has the area, cut off by the picture's border or not.
    area = rng.uniform(LEAST_AREA + 0.01, MOST_AREA - 0.01)
    inside = level <= np.quantile(level, area)
    # A frame of zeros around: a border of the picture is a border of the region too.
    depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    feather = max(2.0, _FEATHER * side)
    ramp = np.clip(depth / feather, 0.0, 1.0)
    return Region((ramp * ramp * (3.0 - 2.0 * ramp)).astype(np.float32))


def _ellipse(x: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    angle, ratio = rng.uniform(0.0, math.pi), rng.uniform(1.0, 1.8)
    along = x * math.cos(angle) + y * math.sin(angle)
    across = y * math.cos(angle) - x * math.sin(angle)
    distance: NDArray[np.float64] = np.hypot(along, across * ratio)
    return distance


def _polygon(x: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    corners = int(rng.integers(4, 8))
    # Edges point everywhere around, none more than a half circle from the next: the shape is closed.
    angles = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * 2.0 * math.pi / corners
    distances = rng.uniform(0.7, 1.3, corners)
    edges = [
        (x * math.cos(angle) + y * math.sin(angle)) / distance
        for angle, distance in zip(angles.tolist(), distances.tolist(), strict=True)
    ]
    furthest: NDArray[np.float64] = np.maximum.reduce(edges)
    return furthest
