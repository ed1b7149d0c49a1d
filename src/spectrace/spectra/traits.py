"""What is kept of every single picture, so that sets can be compared picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spectrace.spectra.coarse import KEPT, RINGS, TILE, coarse_spectrum, levelled, rings
from spectrace.spectra.neighbourhood import LATTICE, plane_strength
from spectrace.spectra.transforms import power, windowed


@dataclass(frozen=True)
class Traits:
    """Of one picture.

    Attributes:
        coarse: float32 ``[17, 17]`` in dB, see :mod:`spectrace.spectra.coarse`; of the luma's crop.
        lattice: float32 ``[L]`` in dB, the strength of each frequency in
            :data:`~spectrace.spectra.neighbourhood.LATTICE` over its neighbourhood.
        printed: whether an upsampling peak stands in it.
        format: of the file, such as ``PNG``.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """

    coarse: NDArray[np.float32]
    lattice: NDArray[np.float32]
    printed: bool
    format: str
    width: int
    height: int


def spectral_traits(
    crop: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Coarse spectrum and lattice strengths of a luma crop; both NaN where it is below 32 pixels.

    Args:
        crop: ``[S, S]`` on 0..255.

    Returns:
        float32 ``[17, 17]`` and ``[L]``, in dB.

    Example:
        >>> coarse, lattice = spectral_traits(np.zeros((64, 64), np.float32))
        >>> coarse.shape, lattice.shape == (len(LATTICE),)
        ((17, 17), True)
    """
    if min(crop.shape) < TILE:
        return np.full(KEPT.shape, np.nan, np.float32), np.full(len(LATTICE), np.nan, np.float32)
    strengths = plane_strength(fft.ifftshift(power(windowed(crop))))
    return coarse_spectrum(crop), np.array([strengths[point] for point in LATTICE], dtype=np.float32)


def spectra_of(traits: Sequence[Traits]) -> NDArray[np.float32]:
    """The coarse spectra of a set, float32 ``[N, 17, 17]`` in dB."""
    return np.stack([one.coarse for one in traits])


def features(traits: Sequence[Traits]) -> NDArray[np.float64]:
    """What is compared between sets, a row a picture.

    Args:
        traits: of the pictures of one set, at least one.

    Returns:
        float64 ``[N, K]``: the kept cells of the levelled coarse spectrum, its rings, the lattice strengths,
        and 1 for a picture with an upsampling peak; :func:`feature_parts` takes a row apart.
    """
    coarse = levelled(spectra_of(traits))
    lattice = np.stack([one.lattice for one in traits])
    printed = np.array([[one.printed] for one in traits])
    return np.concatenate([coarse[:, KEPT], rings(coarse), lattice, printed], axis=1, dtype=np.float64)


def feature_parts(rows: NDArray[Any]) -> list[NDArray[Any]]:
    """Cells, rings, lattice strengths and prints of rows of :func:`features`.

    Args:
        rows: ``[..., K]``, or anything computed from them by column.

    Returns:
        Four arrays, the last axis of each a part of K.
    """
    ends = np.cumsum([int(KEPT.sum()), RINGS.size, len(LATTICE)])
    return np.split(rows, ends, axis=-1)
