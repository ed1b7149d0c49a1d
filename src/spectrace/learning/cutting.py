"""From a picture to training tiles: window, augmentation, random crop. The same for every class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import ImageError
from spectrace.images.decode import decode
from spectrace.images.perturbations import Chain, Perturbation, parse
from spectrace.images.tiles import JPEG_BLOCK, cut_tiles
from spectrace.learning.recipes import Recipe
from spectrace.learning.sampling import Entry

_TRIES = 8


class TooSmallError(Exception):
    """A picture that is smaller than what is to be cut from it."""


@dataclass(frozen=True)
class Cutter:
    """Cuts tiles from pictures at native resolution, after random re-encoding and resizing.

    Args:
        tile: side of a tile in pixels.
        min_side: shortest side that a picture must have.
        window: larger pictures are first cut to so many pixels a side.
        grid: corners of tiles are multiples of it.
        augment: perturbations, applied in order.

    Example:
        >>> cutter = Cutter(tile=16, min_side=1, window=64, grid=1, augment=(parse("flip@0.5"),))
        >>> pixels = np.zeros((40, 30, 3), np.uint8)
        >>> cutter.cut(pixels, 2, np.random.default_rng(0)).shape
        (2, 3, 16, 16)
    """

    tile: int
    min_side: int
    window: int
    grid: int
    augment: Sequence[Perturbation | Chain]

    @classmethod
    def of(cls, recipe: Recipe) -> Cutter:
        """The cutter that a recipe describes."""
        data = recipe.data
        augment = tuple(parse(spec) for spec in data.augment)
        return cls(recipe.tile, data.min_side, data.window, data.grid, augment)

    def cut(self, pixels: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Cut ``count`` tiles, ``uint8 [count, 3, tile, tile]``, from one augmented version of the picture.

        Raises:
            TooSmallError: below ``min_side``, or smaller than a tile after each of several augmentations.
        """
        height, width = pixels.shape[:2]
        if min(height, width) < self.min_side:
            raise TooSmallError(f"{width}x{height} pixels, wanted {self.min_side} a side")
        for _ in range(_TRIES):
            piece = _window(pixels, self.window, rng)
            for perturbation in self.augment:
                piece = perturbation(piece, rng)
            if min(piece.shape[:2]) >= self.tile:
                corners = np.stack(
                    [
                        rng.integers((side - self.tile) // self.grid + 1, size=count) * self.grid
                        for side in piece.shape[:2]
                    ],
                    axis=1,
                )
                return cut_tiles(piece, corners, self.tile)
        raise TooSmallError(f"{width}x{height} pixels, too small for a tile of {self.tile}")


@dataclass(frozen=True)
class Problem:
    """A picture that gave no tiles, and why."""

    name: str
    reason: str
    too_small: bool


class Pictures:
    """Decodes pictures, and keeps the first ones while they fit a budget; besides, always the last two.

    Decoding is nearly half of the work of cutting a tile. Each worker process keeps its own. The last two
    are an aligned couple, which is asked for twice in a row.

    Args:
        budget: bytes of pixels to keep.
    """

    def __init__(self, budget: int = 0) -> None:
        self._left = budget
        self._kept: dict[Path, NDArray[np.uint8]] = {}
        self._last: dict[Path, NDArray[np.uint8]] = {}

    def pixels(self, path: Path) -> NDArray[np.uint8]:
        """Pixels ``uint8 [H, W, 3]``, not to be written to.

        Raises:
            ImageError: the picture cannot be read.
        """
        for some in (self._kept, self._last):
            if path in some:
                return some[path]
        pixels = decode(path).pixels
        if pixels.nbytes <= self._left:
            self._left -= pixels.nbytes
            self._kept[path] = pixels
        self._last = dict([*self._last.items(), (path, pixels)][-2:])
        return pixels


def missing(pictures: Pictures, entry: Entry) -> Problem | None:
    """What is wrong with a picture that cannot be read."""
    try:
        pictures.pixels(entry.path)
    except ImageError as error:
        return Problem(entry.name, str(error), too_small=False)
    return None


def attempt(
    cutter: Cutter, pictures: Pictures, entry: Entry, count: int, rng: np.random.Generator
) -> NDArray[np.uint8] | Problem:
    """Cut tiles from a picture; what is wrong with it is returned, not raised."""
    problem = missing(pictures, entry)
    if problem is not None:
        return problem
    try:
        return cutter.cut(pictures.pixels(entry.path), count, rng)
    except TooSmallError as error:
        return Problem(entry.name, str(error), too_small=True)


def _window(pixels: NDArray[np.uint8], window: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    slices = []
    for side in pixels.shape[:2]:
        length = min(side, window)
        start = int(rng.integers((side - length) // JPEG_BLOCK + 1)) * JPEG_BLOCK
        slices.append(slice(start, start + length))
    return pixels[slices[0], slices[1]]
