"""Patches: which pixels each logit of a network's output looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray


class PatchGrid(msgspec.Struct, frozen=True):
    """Where the patches behind a network's outputs lie in its input; rows and columns alike.

    Output ``i`` along an axis sees the pixels ``start + i * stride`` to ``start + i * stride + size - 1``.
    ``start`` is negative where the network pads its input, so the first and last patches reach beyond the
    border: what they really see is cut off there.

    Attributes:
        size: side of a patch in pixels: the receptive field of one output.
        stride: distance of neighbouring patches in pixels.
        start: first pixel of patch 0.

    Example:
        >>> grid = PatchGrid(size=19, stride=4, start=-2)
        >>> grid.spans(3, 24).tolist()
        [[0, 17], [2, 21], [6, 24]]
    """

    size: int
    stride: int
    start: int = 0

    def spans(self, count: int, length: int) -> NDArray[np.int64]:
        """First pixel and end (one past the last) of each patch along an axis, cut off at the borders.

        Args:
            count: number of patches along the axis.
            length: of the input along the axis, in pixels.

        Returns:
            int64 ``[count, 2]``.
        """
        first = self.start + np.arange(count, dtype=np.int64) * self.stride
        return np.stack([first.clip(0, length), (first + self.size).clip(0, length)], axis=1)

    def rectangle(self, row: int, column: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, bottom and right (ends excluded) of one patch in an input of that size.

        Example:
            >>> PatchGrid(size=19, stride=4, start=-2).rectangle(0, 5, 24, 64)
            (0, 18, 17, 37)
        """
        top, bottom = self.spans(row + 1, height)[row].tolist()
        left, right = self.spans(column + 1, width)[column].tolist()
        return top, left, bottom, right

    def nearest(self, positions: NDArray[np.integer], count: int) -> NDArray[np.int64]:
        """Index of the patch whose centre is nearest to each pixel: the patches' cells in a heatmap.

        Args:
            positions: int ``[P]``, pixels of the input along the axis.
            count: number of patches along the axis.

        Returns:
            int64 ``[P]``, 0 to ``count - 1``.

        Example:
            >>> PatchGrid(size=19, stride=4, start=-2).nearest(np.array([0, 8, 9, 10, 99]), 3).tolist()
            [0, 0, 1, 1, 2]
        """
        doubled = 2 * (np.asarray(positions, np.int64) - self.start) - (self.size - 1) + self.stride
        return (doubled // (2 * self.stride)).clip(0, count - 1)


@dataclass(frozen=True)
class Block:
    """A stretch of an axis: the pixels to run a network on, and which of its outputs to keep."""

    pixels: slice
    outputs: slice


def blocks(patches: PatchGrid, length: int, side: int) -> Iterator[Block]:
    """Cut an axis into stretches whose kept outputs, put side by side, are those of a single pass.

    Each stretch holds all that its kept patches see, and begins at a multiple of the stride. The outputs that
    are dropped see the padding at a cut.

    Args:
        patches: of a fully convolutional network.
        length: of the axis, in pixels.
        side: about how many pixels' worth of outputs a stretch keeps.

    Example:
        >>> for block in blocks(PatchGrid(size=19, stride=4, start=-2), 101, 32):
        ...     print(block.pixels, block.outputs)
        slice(0, 45, None) slice(0, 8, None)
        slice(28, 77, None) slice(1, 9, None)
        slice(60, 101, None) slice(1, None, None)
    """
    kept = max(1, max(side, patches.size) // patches.stride)
    padded = max(0, -(patches.start // patches.stride))
    first = 0
    while True:
        begin = max(0, first - padded)
        end = patches.start + (first + kept - 1) * patches.stride + patches.size
        skipped = first - begin
        # A last stretch too short for a patch would be no input for the network: this one takes it along.
        if end + patches.size + patches.stride >= length:
            yield Block(slice(begin * patches.stride, length), slice(skipped, None))
            return
        yield Block(slice(begin * patches.stride, end), slice(skipped, skipped + kept))
        first += kept
