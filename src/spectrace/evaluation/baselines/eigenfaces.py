"""Eigenfaces: principal components, then a linear support vector machine."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from spectrace.evaluation.baselines.baseline import (
    Baseline,
    Floats,
    Judged,
    Labels,
    Pixels,
    accuracy,
    class_count,
)
from spectrace.evaluation.baselines.features import PIXELS, Features, Representation
from spectrace.evaluation.baselines.svm import LinearMachine, train_machine

VARIANCES = (0.25, 0.5, 0.75, 0.95)
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


class Eigenfaces(Baseline):
    """Principal components that keep a share of the variance, then a linear machine on them.

    Sources: Turk and Pentland 1991 for the components; the grid is that of Frank et al. 2020. Share and C
    are chosen on the validation pictures, the smallest of the best. Scores are the decision values. For an
    unknown source speaks the negative of the highest: no class claims the picture.

    Args:
        representation: ``pixels`` or ``log-dct``.
        variances: shares of the variance to choose from.
        penalties: values of C to choose from.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> pictures = rng.integers(0, 200, (60, 8, 8, 3), dtype=np.uint8)
        >>> pictures[30:, ::2] += 55
        >>> labels = np.repeat([0, 1], 30)
        >>> baseline = Eigenfaces()
        >>> baseline.fit(pictures[::2], labels[::2], pictures[1::2], labels[1::2])
        >>> bool((baseline.predict(pictures) == labels).mean() > 0.8)
        True
    """

    def __init__(
        self,
        representation: str = PIXELS,
        variances: tuple[float, ...] = VARIANCES,
        penalties: tuple[float, ...] = PENALTIES,
    ) -> None:
        super().__init__()
        self._representation = Representation(representation)
        self._variances, self._penalties = sorted(variances), sorted(penalties)
        self._mean = np.zeros((), np.float32)
        self._components: Features = np.zeros((0, 0), np.float32)
        self._machine = LinearMachine(np.zeros((0, 0)), np.zeros(0))

    def fit(self, pictures: Pixels, labels: Labels, val_pictures: Pixels, val_labels: Labels) -> None:
        """Find the components and choose share and C; see :meth:`.Baseline.fit`."""
        classes = class_count(pictures, labels, val_pictures, val_labels)
        features = self._representation.fit(pictures)(pictures)
        self._mean = features.mean(axis=0)
        features -= self._mean
        components, explained = principal_components(features, self._variances[-1])
        training = features @ components
        validation = (self._representation(val_pictures) - self._mean) @ components
        best = -1.0
        for share in self._variances:
            kept = int(np.searchsorted(explained, share, side="left")) + 1
            kept = min(kept, components.shape[1])
            machine: LinearMachine | None = None
            for c in self._penalties:
                machine = train_machine(training[:, :kept], labels, classes, c, machine)
                reached = accuracy(machine(validation[:, :kept]), val_labels)
                if reached > best:
                    best, self._machine = reached, machine
                    self.chosen = {"variance": share, "c": c, "components": kept}
        self._components = np.ascontiguousarray(components[:, : int(self.chosen["components"])])

    def judge(self, pictures: Pixels) -> Judged:
        """Decision values ``[N, K]`` and the negative of the highest ``[N]``."""
        scores = self._machine((self._representation(pictures) - self._mean) @ self._components)
        return Judged(scores, -scores.max(axis=1))


def principal_components(features: Features, share: float) -> tuple[Features, Floats]:
    """The fewest components that keep a share of the variance.

    Args:
        features: float32 ``[N, D]``, of mean zero.
        share: above 0, at most 1.

    Returns:
        Components float32 ``[D, M]``, orthonormal, by falling variance, and the share that the first
        1, 2, ... of them explain together, ``[M]``.

    Example:
        >>> features = np.array([[3.0, 0.1], [-3.0, -0.1], [0.0, 1.0], [0.0, -1.0]], np.float32)
        >>> components, explained = principal_components(features, 0.8)
        >>> components.shape, explained.round(2).tolist()
        ((2, 1), [0.9])
    """
    # The smaller of the two products: both have the same eigenvalues.
    wide = features.shape[0] < features.shape[1]
    product = features @ features.T if wide else features.T @ features
    values, vectors = linalg.eigh(product, overwrite_a=True, check_finite=False, driver="evd")
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    explained = np.cumsum(values, dtype=np.float64) / max(float(values.sum(dtype=np.float64)), 1e-30)
    count = min(int(np.searchsorted(explained, share, side="left")) + 1, len(values))
    components = features.T @ vectors[:, :count] if wide else vectors[:, :count]
    components /= np.maximum(np.linalg.norm(components, axis=0), 1e-30)
    return np.asarray(components, np.float32), explained[:count]
