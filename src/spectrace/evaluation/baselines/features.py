"""What kNN and Eigenfaces see of a picture: pixels, or standardised log-DCT coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError
from spectrace.evaluation.baselines.baseline import Pixels, slices
from spectrace.spectra.statistics import RunningMoments
from spectrace.spectra.transforms import log_dct

PIXELS, LOG_DCT = "pixels", "log-dct"
REPRESENTATIONS = (PIXELS, LOG_DCT)

Features = NDArray[np.float32]

_AT_ONCE = 256
_CONSTANT = 1e-6


class Representation:
    """Turns pictures into vectors.

    ``pixels`` are scaled from 0..255 to -1..1; ``log-dct`` is ``ln(|DCT-II| + 1e-12)`` of each channel,
    standardised per coefficient over the training pictures (Frank et al. 2020, arXiv 2003.08685).

    Args:
        identity: one of :data:`REPRESENTATIONS`.

    Raises:
        UsageError: another one.

    Example:
        >>> pictures = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), dtype=np.uint8)
        >>> features = Representation("log-dct").fit(pictures)(pictures)
        >>> features.shape, bool(np.abs(features.mean(axis=0)).max() < 1e-5)
        ((50, 192), True)
    """

    def __init__(self, identity: str) -> None:
        if identity not in REPRESENTATIONS:
            raise UsageError(f"representation {identity!r} is unknown: use {' or '.join(REPRESENTATIONS)}")
        self.identity = identity
        self._mean = np.zeros(())
        self._scale = np.ones(())

    def fit(self, pictures: Pixels) -> Representation:
        """Measure mean and standard deviation of uint8 ``[N, S, S, 3]``; returns this object."""
        if self.identity == LOG_DCT:
            moments = RunningMoments.empty((3, *pictures.shape[1:3]))
            for part in slices(len(pictures), _AT_ONCE):
                moments = moments.update(_log_dct(pictures[part]))
            self._mean = moments.mean
            # What never varies is left unscaled.
            self._scale = np.where(moments.std > _CONSTANT, 1.0 / np.maximum(moments.std, _CONSTANT), 1.0)
        return self

    def __call__(self, pictures: Pixels) -> Features:
        """uint8 ``[N, S, S, 3]`` to float32 ``[N, 3 * S * S]``, channel by channel."""
        features = np.empty((len(pictures), int(np.prod(pictures.shape[1:]))), np.float32)
        for part in slices(len(pictures), _AT_ONCE):
            features[part] = self._represent(pictures[part]).reshape(part.stop - part.start, -1)
        return features

    def _represent(self, pictures: Pixels) -> NDArray[np.float64]:
        if self.identity == PIXELS:
            return pictures.transpose(0, 3, 1, 2) / 127.5 - 1.0
        return (_log_dct(pictures) - self._mean) * self._scale


def _log_dct(pictures: Pixels) -> NDArray[np.float64]:
    return np.asarray(log_dct(pictures.transpose(0, 3, 1, 2)), dtype=np.float64)
