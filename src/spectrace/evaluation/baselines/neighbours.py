"""k nearest neighbours."""

from __future__ import annotations

import numpy as np

from spectrace.evaluation.baselines.baseline import (
    Baseline,
    Floats,
    Judged,
    Labels,
    Pixels,
    accuracy,
    class_count,
    slices,
)
from spectrace.evaluation.baselines.features import PIXELS, Features, Representation

NEIGHBOURS = (1, 3, 5, 9, 17, 33, 65, 129, 257, 513, 1025)
_AT_ONCE = 256


class NearestNeighbours(Baseline):
    """A picture's source is that of most of its k nearest training pictures, by Euclidean distance.

    Scores are the shares of the k neighbours. For an unknown source speaks the mean distance to them.
    k is chosen on the validation pictures, the smallest of the best; those above the number of training
    pictures are not tried.

    Args:
        representation: ``pixels`` or ``log-dct``.
        neighbours: the values of k to choose from.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> pictures = rng.integers(0, 100, (40, 8, 8, 3), dtype=np.uint8)
        >>> pictures[20:] += 100
        >>> labels = np.repeat([0, 1], 20)
        >>> baseline = NearestNeighbours()
        >>> baseline.fit(pictures[::2], labels[::2], pictures[1::2], labels[1::2])
        >>> baseline.chosen, bool((baseline.predict(pictures) == labels).all())
        ({'neighbours': 1}, True)
    """

    def __init__(self, representation: str = PIXELS, neighbours: tuple[int, ...] = NEIGHBOURS) -> None:
        super().__init__()
        self._representation = Representation(representation)
        self._neighbours = neighbours
        self._centre = np.zeros((), np.float32)
        self._known: Features = np.zeros((0, 0), np.float32)
        self._squares = np.zeros(0, np.float32)
        self._labels = np.zeros(0, np.int64)
        self._classes = 0

    def fit(self, pictures: Pixels, labels: Labels, val_pictures: Pixels, val_labels: Labels) -> None:
        """Keep the training pictures and choose k; see :meth:`.Baseline.fit`."""
        self._classes = class_count(pictures, labels, val_pictures, val_labels)
        features = self._representation.fit(pictures)(pictures)
        # Small numbers keep their digits in a difference of squares.
        self._centre = features.mean(axis=0)
        self._known, self._labels = features - self._centre, labels
        self._squares = np.einsum("nd,nd->n", self._known, self._known)
        counts = sorted({min(count, len(pictures)) for count in self._neighbours})
        neighbours, _ = self._nearest(val_pictures, counts[-1])
        reached = [accuracy(self._shares(neighbours[:, :count]), val_labels) for count in counts]
        self.chosen = {"neighbours": counts[int(np.argmax(reached))]}

    def judge(self, pictures: Pixels) -> Judged:
        """Shares of the neighbours ``[N, K]`` and mean distance to them ``[N]``."""
        neighbours, distances = self._nearest(pictures, int(self.chosen["neighbours"]))
        return Judged(self._shares(neighbours), distances.mean(axis=1))

    def _nearest(self, pictures: Pixels, count: int) -> tuple[Labels, Floats]:
        """Labels and distances of the nearest, nearest first: ``[N, count]`` each."""
        labels = np.empty((len(pictures), count), np.int64)
        distances = np.empty((len(pictures), count))
        for part in slices(len(pictures), _AT_ONCE):
            features = self._representation(pictures[part]) - self._centre
            own = np.einsum("nd,nd->n", features, features)
            squared = np.maximum(own[:, None] + self._squares - 2.0 * (features @ self._known.T), 0.0)
            order = np.argsort(squared, axis=1, kind="stable")[:, :count]
            labels[part] = self._labels[order]
            distances[part] = np.sqrt(np.take_along_axis(squared, order, axis=1))
        return labels, distances

    def _shares(self, neighbours: Labels) -> Floats:
        votes = [(neighbours == target).mean(axis=1) for target in range(self._classes)]
        return np.stack(votes, axis=1)
