"""From a picture to training tiles: window, augmentation, random crop. The same for every class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import ImageError, RecipeError
from spectrace.images.perturbations import Chain, Perturbation, parse
from spectrace.images.tiles import JPEG_BLOCK, cut_tiles
from spectrace.learning.pairs import Reconstructor, Tap
from spectrace.learning.pictures import Photograph, Pictures, TooSmallError
from spectrace.learning.recipes import Recipe
from spectrace.learning.sampling import Entry

_TRIES = 8


@dataclass(frozen=True)
class Cutter:
    """Cuts tiles from pictures at native resolution, after random re-encoding and resizing.

    Args:
        tile: side of a tile in pixels.
        min_side: shortest side that a picture must have.
        window: larger pictures are first cut to so many pixels a side.
        grid: corners of tiles are multiples of it.
        augment: perturbations, applied in order.
        tap: makes sides of aligned pairs from photographs.

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
    tap: Tap | None = None

    @classmethod
    def of(cls, recipe: Recipe, reconstructors: Sequence[Reconstructor] = ()) -> Cutter:
        """The cutter that a recipe describes, with the autoencoders that it names.

        Raises:
            RecipeError: they were not handed in, or two of one name.
        """
        data, pairs = recipe.data, recipe.data.pairs
        augment = tuple(parse(spec) for spec in data.augment)
        tap = None
        if pairs is not None:
            if len(reconstructors) != len(pairs.autoencoders):
                raise RecipeError(
                    f"data.pairs names {len(pairs.autoencoders)} autoencoders, {len(reconstructors)} were "
                    "handed to the training: load them with spectrace.generators.autoencoders"
                )
            cache = Path(pairs.cache) if pairs.cache else None
            tap = Tap(reconstructors, data.window, pairs.windows, pairs.scale, recipe.tile, cache)
        return cls(recipe.tile, data.min_side, data.window, data.grid, augment, tap)

    def cut(self, pixels: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Cut ``count`` tiles, ``uint8 [count, 3, tile, tile]``, from one augmented version of the picture.

        Raises:
            TooSmallError: below ``min_side``, or smaller than a tile after each of several augmentations.
        """
        return self._cut(pixels, lambda: _window(pixels, self.window, rng), count, rng)

    def cut_side(
        self, photograph: Photograph, maker: str, count: int, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """The same from a side of an aligned pair; both sides of it take the same chance from ``rng``.

        Raises:
            TooSmallError: as :meth:`cut`.
            ImageError: the photograph's format cannot be given to both sides.
        """
        tap = self.tap
        assert tap is not None, "entries with a maker come with a tap"
        return self._cut(photograph.pixels, lambda: tap.draw(photograph, maker, rng), count, rng)

    def _cut(
        self,
        pixels: NDArray[np.uint8],
        draw: Callable[[], NDArray[np.uint8]],
        count: int,
        rng: np.random.Generator,
    ) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        if min(height, width) < self.min_side:
            raise TooSmallError(f"{width}x{height} pixels, wanted {self.min_side} a side")
        for _ in range(_TRIES):
            piece = draw()
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


def missing(pictures: Pictures, entry: Entry) -> Problem | None:
    """What is wrong with a picture that cannot be read."""
    try:
        pictures.read(entry.path)
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
    photograph = pictures.read(entry.path)
    try:
        if entry.maker:
            return cutter.cut_side(photograph, entry.maker, count, rng)
        return cutter.cut(photograph.pixels, count, rng)
    except (TooSmallError, ImageError) as error:
        return Problem(entry.name, str(error), too_small=isinstance(error, TooSmallError))


def _window(pixels: NDArray[np.uint8], window: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    slices = []
    for side in pixels.shape[:2]:
        length = min(side, window)
        start = int(rng.integers((side - length) // JPEG_BLOCK + 1)) * JPEG_BLOCK
        slices.append(slice(start, start + length))
    return pixels[slices[0], slices[1]]
