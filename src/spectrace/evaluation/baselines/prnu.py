"""PRNU: noise fingerprints of sources, as those of cameras."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrace.evaluation.baselines.baseline import (
    Baseline,
    Floats,
    Judged,
    Labels,
    Pixels,
    class_count,
    slices,
)
from spectrace.evaluation.baselines.wavelets import noise_residual

_AT_ONCE = 128


class NoiseFingerprints(Baseline):
    """A picture's source is the one whose noise fingerprint its own noise is most like.

    A source's fingerprint is the maximum-likelihood estimate of a multiplicative pattern K in
    ``picture = scene * (1 + K) + noise``: ``K = sum(W I) / sum(I^2)`` over its pictures I with the noise
    residuals W. Scores are the normalised correlations of a picture's residual with ``I K``. For an unknown
    source speaks the negative of the highest. Nothing is chosen on validation pictures.

    Source: Chen, Fridrich, Goljan and Lukas 2008; the clean-up of linear patterns that they add for cameras
    is left out, for the periodic prints of generators are what is looked for.

    Args:
        sigma: standard deviation of the noise that the denoiser removes, in grey levels.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> patterns = 1.0 + 0.1 * rng.normal(size=(2, 16, 16, 3))
        >>> labels = np.repeat([0, 1], 30)
        >>> pictures = (rng.uniform(80, 180, (60, 1, 1, 3)) * patterns[labels]).astype(np.uint8)
        >>> baseline = NoiseFingerprints()
        >>> baseline.fit(pictures[::2], labels[::2], pictures[1::2], labels[1::2])
        >>> bool((baseline.predict(pictures) == labels).all())
        True
    """

    def __init__(self, sigma: float = 5.0) -> None:
        super().__init__()
        self._sigma = sigma
        self.fingerprints: NDArray[np.float64] = np.zeros((0, 3, 0, 0))
        """float64 ``[K, 3, S, S]`` after :meth:`fit`."""

    def fit(self, pictures: Pixels, labels: Labels, val_pictures: Pixels, val_labels: Labels) -> None:
        """Estimate every source's fingerprint; see :meth:`.Baseline.fit`."""
        classes = class_count(pictures, labels, val_pictures, val_labels)
        shape = (classes, 3, *pictures.shape[1:3])
        products, squares = np.zeros(shape), np.zeros(shape)
        for part in slices(len(pictures), _AT_ONCE):
            scenes, residuals = self._split(pictures[part])
            for target in range(classes):
                own = labels[part] == target
                products[target] += (residuals[own] * scenes[own]).sum(axis=0, dtype=np.float64)
                squares[target] += np.square(scenes[own]).sum(axis=0, dtype=np.float64)
        # Where every picture of a source is black there is nothing to learn.
        self.fingerprints = products / np.maximum(squares, 1.0)

    def judge(self, pictures: Pixels) -> Judged:
        """Normalised correlations ``[N, K]``, -1 to 1, and the negative of the highest ``[N]``."""
        scores = np.empty((len(pictures), len(self.fingerprints)))
        for part in slices(len(pictures), _AT_ONCE):
            scenes, residuals = self._split(pictures[part])
            for target, fingerprint in enumerate(self.fingerprints):
                scores[part, target] = _correlation(residuals, scenes * fingerprint)
        return Judged(scores, -scores.max(axis=1))

    def _split(self, pictures: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scenes = pictures.transpose(0, 3, 1, 2).astype(np.float32)
        return scenes, noise_residual(scenes, self._sigma)


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> Floats:
    """Normalised correlation of each picture, 0 where one of the two does not vary."""
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (a, b))
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.einsum("nd,nd->n", a, b) / np.maximum(norms, 1e-12), np.float64)
