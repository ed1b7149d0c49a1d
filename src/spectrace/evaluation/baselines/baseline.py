"""What every baseline is: fitted on labelled pictures, it scores others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


class Judged(NamedTuple):
    """What a baseline makes of N pictures.

    Attributes:
        scores: float64 ``[N, K]``, higher speaks for that source.
        unknown: float64 ``[N]``, higher speaks for a source that is none of the K.
    """

    scores: Floats
    unknown: Floats


class Baseline(ABC):
    """Attributes pictures to one of K sources, K at least 2.

    Attributes:
        chosen: what was chosen on the validation pictures, by name; empty before :meth:`fit`.
    """

    def __init__(self) -> None:
        self.chosen: dict[str, float] = {}

    @abstractmethod
    def fit(self, pictures: Pixels, labels: Labels, val_pictures: Pixels, val_labels: Labels) -> None:
        """Learn from training pictures and choose on validation pictures.

        Args:
            pictures: uint8 ``[N, S, S, 3]``.
            labels: ``[N]``, 0 to K-1; every class is there.
            val_pictures: uint8 ``[M, S, S, 3]``.
            val_labels: ``[M]``, 0 to K-1.

        Raises:
            UsageError: pictures and labels that do not fit each other.
        """

    @abstractmethod
    def judge(self, pictures: Pixels) -> Judged:
        """Scores of pictures uint8 ``[N, S, S, 3]``, and how much speaks for an unknown source."""

    def scores(self, pictures: Pixels) -> Floats:
        """float64 ``[N, K]``, higher speaks for that source."""
        return self.judge(pictures).scores

    def predict(self, pictures: Pixels) -> Labels:
        """The source with the highest score, the first of them where several tie: int64 ``[N]``."""
        return np.asarray(self.scores(pictures).argmax(axis=1), dtype=np.int64)


def class_count(pictures: Pixels, labels: Labels, val_pictures: Pixels, val_labels: Labels) -> int:
    """Check what a baseline is to be fitted on.

    Returns:
        K, the number of classes.

    Raises:
        UsageError: other shapes or types, a class without a training picture, fewer than two classes.

    Example:
        >>> pictures = np.zeros((3, 8, 8, 3), np.uint8)
        >>> class_count(pictures, np.array([0, 2, 2]), pictures, np.array([0, 1, 2]))
        Traceback (most recent call last):
        spectrace.errors.UsageError: training pictures of class 1: none; wanted some of every class
    """
    for name, some, numbers in (
        ("training", pictures, labels),
        ("validation", val_pictures, val_labels),
    ):
        square = some.ndim == 4 and some.shape[1] == some.shape[2] and some.shape[3] == 3
        if some.dtype != np.uint8 or not square or not some.size:
            raise UsageError(f"{name} pictures: {some.dtype} {list(some.shape)}, wanted uint8 [N, S, S, 3]")
        if numbers.shape != some.shape[:1] or not np.issubdtype(numbers.dtype, np.integer):
            raise UsageError(
                f"{name} labels: {numbers.dtype} {list(numbers.shape)}, wanted {len(some)} whole numbers"
            )
    if pictures.shape[1:] != val_pictures.shape[1:]:
        sides = f"{pictures.shape[1]} and {val_pictures.shape[1]}"
        raise UsageError(f"training and validation pictures have sides of {sides} pixels: wanted one size")
    every = np.concatenate([labels, val_labels])
    count = int(every.max()) + 1
    if count < 2 or every.min() < 0:
        raise UsageError(f"labels from {every.min()} to {every.max()}: wanted 0 to K-1, K at least 2")
    for target in range(count):
        if target not in labels:
            raise UsageError(f"training pictures of class {target}: none; wanted some of every class")
    return count


def accuracy(scores: Floats, labels: Labels) -> float:
    """Share of pictures whose highest score is their class's.

    Example:
        >>> accuracy(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]))
        0.5
    """
    return float(np.mean(scores.argmax(axis=1) == labels))


def slices(count: int, size: int) -> Iterator[slice]:
    """Slices of at most ``size`` that cover ``count``.

    Example:
        >>> [(part.start, part.stop) for part in slices(5, 2)]
        [(0, 2), (2, 4), (4, 5)]
    """
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
