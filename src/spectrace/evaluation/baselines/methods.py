"""Baselines as detectors use them: what they look at in a picture, and one number for camera or generated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from spectrace.evaluation.baselines.baseline import Baseline, Floats, Labels, Pixels
from spectrace.images.decode import Picture
from spectrace.images.tiles import cut_tiles, tile_grid


class Method(ABC):
    """Tells generated pictures from camera pictures once it was fitted.

    Attributes:
        side: smallest side in pixels of a picture that it can look at.
    """

    side: int = 1

    @abstractmethod
    def look(self, picture: Picture) -> Any:
        """What it needs of a picture whose sides are :attr:`side` pixels at least."""

    @abstractmethod
    def fit(self, seen: Sequence[Any], labels: Labels, held: Sequence[Any], held_labels: Labels) -> None:
        """Learn from training pictures and choose by held-out ones.

        Args:
            seen: what :meth:`look` gave, one a picture.
            labels: ``[N]``, 1 for generated; both classes are there.
            held: of pictures to choose by.
            held_labels: of them.
        """

    @abstractmethod
    def margins(self, seen: Sequence[Any]) -> Floats:
        """float64 ``[N]``, higher speaks for generated; no calibrated scores yet."""

    @property
    def chosen(self) -> dict[str, float]:
        """What was chosen by the held-out pictures, by name."""
        return {}


class Windows(Method):
    """A baseline of source attribution with two sources, on one window in the middle of each picture.

    The window lies on the 8 x 8 grid of JPEG.

    Args:
        baseline: a fresh one.
        side: of the window in pixels.
    """

    def __init__(self, baseline: Baseline, side: int) -> None:
        self.side = side
        self._baseline = baseline

    def look(self, picture: Picture) -> Pixels:
        """The window, uint8 ``[S, S, 3]``."""
        pixels = picture.pixels
        height, width, _ = pixels.shape
        corner = tile_grid(height, width, self.side, limit=1)
        return np.ascontiguousarray(cut_tiles(pixels, corner, self.side)[0].transpose(1, 2, 0))

    def fit(self, seen: Sequence[Any], labels: Labels, held: Sequence[Any], held_labels: Labels) -> None:
        """See :meth:`.Baseline.fit`."""
        self._baseline.fit(np.stack(seen), labels, np.stack(held), held_labels)

    def margins(self, seen: Sequence[Any]) -> Floats:
        """By how much the second source's score exceeds the first one's."""
        scores = self._baseline.scores(np.stack(seen))
        return scores[:, 1] - scores[:, 0]

    @property
    def chosen(self) -> dict[str, float]:
        """What was chosen by the held-out pictures, by name."""
        return self._baseline.chosen
