"""Mean and variance of any number of arrays in one pass, mergeable across processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RunningMoments:
    """Count, mean and sum of squared deviations of a stream of arrays, per element, in float64.

    Welford's update in the batch form of Chan, Golub and LeVeque (1979): stable where the textbook
    ``E[x^2] - E[x]^2`` loses all its digits. Values are immutable; ``update`` and ``merge`` give new ones,
    so a worker's result can be handed over and added up in any grouping.

    Attributes:
        count: arrays seen.
        mean: their mean, any shape.
        squares: their summed squared deviations from the mean, same shape.

    Example:
        >>> moments = RunningMoments.empty((2,))
        >>> moments = moments.update(np.array([[1.0, 10.0], [3.0, 10.0]])).update(np.array([[5.0, 10.0]]))
        >>> moments.count, moments.mean.tolist(), moments.variance.round(4).tolist()
        (3, [3.0, 10.0], [2.6667, 0.0])
    """

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> RunningMoments:
        """Moments of nothing yet, for arrays of a shape."""
        return cls(0, np.zeros(shape), np.zeros(shape))

    @property
    def variance(self) -> NDArray[np.float64]:
        """Population variance (divided by the count), zero where nothing was seen."""
        return np.asarray(self.squares / max(self.count, 1), dtype=np.float64)

    @property
    def std(self) -> NDArray[np.float64]:
        """Population standard deviation."""
        return np.sqrt(self.variance)

    def update(self, batch: NDArray[Any]) -> RunningMoments:
        """Moments after a batch.

        Args:
            batch: ``[N, ...]`` where ``...`` is the shape of the mean; N may be 0.

        Returns:
            New moments; this object is unchanged.

        Raises:
            ValueError: the batch's shape does not fit.
        """
        if batch.shape[1:] != self.mean.shape:
            raise ValueError(f"a batch of {batch.shape[1:]} arrays does not fit moments of {self.mean.shape}")
        if not len(batch):
            return self
        values = np.asarray(batch, dtype=np.float64)
        mean = values.mean(axis=0)
        return self.merge(RunningMoments(len(values), mean, np.square(values - mean).sum(axis=0)))

    def merge(self, other: RunningMoments) -> RunningMoments:
        """Moments of both streams together.

        Args:
            other: moments of arrays of the same shape.

        Returns:
            New moments; both inputs are unchanged.

        Raises:
            ValueError: the shapes differ.
        """
        if other.mean.shape != self.mean.shape:
            raise ValueError(f"moments of {other.mean.shape} do not fit moments of {self.mean.shape}")
        if not other.count or not self.count:
            return self if not other.count else other
        count = self.count + other.count
        delta = other.mean - self.mean
        mean = self.mean + delta * (other.count / count)
        squares = self.squares + other.squares + np.square(delta) * (self.count * other.count / count)
        return RunningMoments(count, mean, squares)

    def to_arrays(self, prefix: str = "") -> dict[str, NDArray[Any]]:
        """The three fields as arrays, for ``numpy.savez``, each name with a prefix."""
        return {
            f"{prefix}count": np.asarray(self.count),
            f"{prefix}mean": self.mean,
            f"{prefix}squares": self.squares,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str = "") -> RunningMoments:
        """Inverse of :meth:`to_arrays`.

        Raises:
            KeyError: a field is missing.
        """
        return cls(
            int(arrays[f"{prefix}count"]),
            np.asarray(arrays[f"{prefix}mean"], dtype=np.float64),
            np.asarray(arrays[f"{prefix}squares"], dtype=np.float64),
        )
