"""What of a picture a network looks at: tiles spread over it, or all of it in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spectrace.detectors.card import Card
from spectrace.detectors.runtime import Model, Outputs
from spectrace.errors import ModelError
from spectrace.images import perturbations
from spectrace.images.tiles import cut_tiles, tile_grid

_LARGEST = 16_000  # WebP takes no side above 16,383 pixels, JPEG none above 65,535
_Perturbation = perturbations.Perturbation | perturbations.Chain


class View(Protocol):
    """The scored regions of a picture, all of one size."""

    @property
    def corners(self) -> NDArray[np.int64]:
        """Top and left of each region in the picture, int64 [N, 2]."""

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of a region, in pixels."""

    def outputs(self, model: Model) -> Outputs:
        """What the network says of the regions, logits float32 [N, h, w]."""

    def after(self, perturbation: _Perturbation) -> View:
        """The same regions after a perturbation that keeps the size."""


def view_of(pixels: NDArray[np.uint8], card: Card, limit: int | None) -> View | None:
    """Choose what of a picture a detector looks at.

    A fully convolutional network sees the whole picture while that is no more than ``limit`` tiles' worth of
    pixels; other networks, and larger pictures, are seen through at most ``limit`` tiles.

    Args:
        pixels: uint8 [H, W, 3].
        card: of the detector.
        limit: number of tiles; None looks at everything.

    Returns:
        The view; None for a picture that is smaller than a tile.
    """
    height, width = pixels.shape[:2]
    size = card.tile_size
    if min(height, width) < size:
        return None
    if card.any_size and (limit is None or height * width <= limit * size * size):
        return Whole(pixels)
    corners = tile_grid(height, width, size, limit=limit)
    return Tiles(corners, cut_tiles(pixels, corners, size))


@dataclass(frozen=True)
class Tiles:
    """Square tiles of the network's own size.

    Args:
        corners: int64 [N, 2].
        tiles: uint8 [N, 3, S, S].
    """

    corners: NDArray[np.int64]
    tiles: NDArray[np.uint8]

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of a tile."""
        return self.tiles.shape[2], self.tiles.shape[3]

    def outputs(self, model: Model) -> Outputs:
        """What the network says of the tiles, logits float32 [N, h, w]."""
        return model.run(self.tiles)

    def after(self, perturbation: _Perturbation) -> Tiles:
        """Every tile perturbed by itself."""
        # Tall pictures of many tiles: encoders are called rarely, and since tile sides are multiples of the
        # encoders' blocks no block spans two tiles.
        size = self.tiles.shape[2]
        column = np.ascontiguousarray(self.tiles.transpose(0, 2, 3, 1)).reshape(-1, size, 3)
        changed = _perturbed(column, perturbation, _LARGEST // size * size)
        return Tiles(self.corners, changed.reshape(-1, size, size, 3).transpose(0, 3, 1, 2).copy())


@dataclass(frozen=True)
class Whole:
    """All of a picture, uint8 [H, W, 3], as one region."""

    pixels: NDArray[np.uint8]

    @property
    def corners(self) -> NDArray[np.int64]:
        """The picture's own corner, int64 [1, 2]."""
        return np.zeros((1, 2), np.int64)

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def outputs(self, model: Model) -> Outputs:
        """Logits of all patches, float32 [1, h, w], and nothing else."""
        nothing = np.zeros((1, 0), np.float32)
        return Outputs(model.patch_logits(self.pixels)[None], nothing, nothing)

    def after(self, perturbation: _Perturbation) -> Whole:
        """The whole picture perturbed."""
        strips = [
            _perturbed(self.pixels[:, left : left + _LARGEST], perturbation, _LARGEST)
            for left in range(0, self.pixels.shape[1], _LARGEST)
        ]
        return Whole(np.concatenate(strips, axis=1))


def _perturbed(pixels: NDArray[np.uint8], perturbation: _Perturbation, tallest: int) -> NDArray[np.uint8]:
    changed = np.empty_like(pixels)
    for top in range(0, len(pixels), tallest):
        band = pixels[top : top + tallest]
        answer = perturbation(band, np.random.default_rng(0))
        if answer.shape != band.shape:
            raise ModelError(
                f"stability check {perturbation} changes the picture's size: wanted one that keeps it"
            )
        changed[top : top + tallest] = answer
    return changed
