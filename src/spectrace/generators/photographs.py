"""What generators are trained on: photographs of any folder, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spectrace.errors import ImageError, UsageError
from spectrace.images.decode import decode

_MARGIN = 8  # a picture is scaled to 9/8 of the generator's size, so that batches can shift it


@dataclass(frozen=True)
class Photographs:
    """Photographs for a generator of pictures of ``size`` pixels.

    Args:
        pictures: uint8 ``[H, W, 3]`` each, no side below ``size``.
        size: of what is drawn from them.

    Raises:
        UsageError: no picture, or one that is too small.

    Example:
        >>> photographs = Photographs([np.zeros((18, 18, 3), np.uint8)], 16)
        >>> photographs.batch(4, np.random.default_rng(0)).shape
        torch.Size([4, 3, 16, 16])
    """

    pictures: list[NDArray[np.uint8]]
    size: int

    def __post_init__(self) -> None:
        if not self.pictures or min(min(pixels.shape[:2]) for pixels in self.pictures) < self.size:
            raise UsageError(
                f"photographs to train a generator on: wanted some, no side below {self.size} px"
            )

    @classmethod
    def read(
        cls,
        paths: Iterable[Path],
        size: int,
        *,
        pieces: bool = False,
        on_problem: Callable[[str], None] = lambda _: None,
    ) -> Photographs:
        """Read photographs; those that cannot be read or are too small are left out.

        Args:
            paths: of the files.
            size: of the generator's pictures in pixels.
            pieces: keep native pixels, for generators that see random pieces (autoencoders); else the
                largest square in the middle is scaled down by Lanczos, which also removes most of what JPEG
                left.
            on_problem: called with one line for what is left out.

        Raises:
            UsageError: nothing is left.
        """
        side = size if pieces else size + size // _MARGIN
        pictures = []
        for path in paths:
            try:
                pixels = decode(path).pixels
            except ImageError as error:
                on_problem(str(error))
                continue
            if min(pixels.shape[:2]) < side:
                height, width = pixels.shape[:2]
                on_problem(f"{path} has {width}x{height} pixels: wanted at least {side} a side")
                continue
            pictures.append(pixels if pieces else _square(pixels, side))
        return cls(pictures, size)

    def pixels(self, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Random pieces, half of them mirrored: uint8 ``[count, size, size, 3]``."""
        return np.stack([self._piece(rng) for _ in range(count)])

    def batch(self, count: int, rng: np.random.Generator) -> Tensor:
        """The same as float32 ``[count, 3, size, size]`` in -1..1."""
        return torch.from_numpy(self.pixels(count, rng)).permute(0, 3, 1, 2).float() / 127.5 - 1.0

    @cached_property
    def digest(self) -> str:
        """SHA-256 of size and pixels."""
        found = hashlib.sha256(str(self.size).encode())
        for pixels in self.pictures:
            found.update(str(pixels.shape).encode() + pixels.tobytes())
        return found.hexdigest()

    def _piece(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        pixels = self.pictures[int(rng.integers(len(self.pictures)))]
        top, left = (int(rng.integers(length - self.size + 1)) for length in pixels.shape[:2])
        piece = pixels[top : top + self.size, left : left + self.size]
        return piece[:, ::-1] if rng.random() < 0.5 else piece


def _square(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    shorter = min(height, width)
    top, left = (height - shorter) // 2, (width - shorter) // 2
    middle = Image.fromarray(pixels[top : top + shorter, left : left + shorter])
    return np.asarray(middle.resize((side, side), Image.Resampling.LANCZOS))
