"""A picture's power spectrum on a small fixed grid, the same for pictures of any size.

Welch's method: overlapping Hann-windowed tiles of 32 pixels, their power averaged. The grid holds the lattice
frequencies 1/2, 1/4 and 1/8, where upsampling by 2, 4 and 8 leaves its copies, as cells of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spectrace.spectra.transforms import windowed

TILE = 32
"""Side of the tiles in pixels: the smallest picture that has a coarse spectrum."""
BINS = TILE // 2 + 1
"""Frequencies along each axis: 0, 1/32 ... 1/2 cycles per pixel."""
RADIUS = np.hypot(*np.mgrid[:BINS, :BINS]) / TILE
"""``[17, 17]``, cycles per pixel."""
KEPT = RADIUS >= 0.05
"""``[17, 17]``: cells that are compared; the lowest ones only tell what is shown."""
LEVEL = KEPT & (RADIUS < 0.2)
"""``[17, 17]``: cells whose mean is a picture's level, its contrast."""
TAIL = (0.35, 0.5)
"""The highest frequencies, in cycles per pixel from the zero frequency."""
RINGS = np.arange(2, BINS) / TILE
"""Middles of the rings of :func:`rings`, in cycles per pixel."""

# Rounding to whole grey levels leaves about 0.04: below this there is nothing to compare.
_FLOOR = 1e-2
_STEP = TILE // 2


def coarse_spectrum(plane: NDArray[Any]) -> NDArray[np.float32]:
    """The power spectrum of one picture on the grid, both diagonal directions taken together.

    Args:
        plane: ``[H, W]`` on 0..255, each side 32 pixels or more.

    Returns:
        float32 ``[17, 17]`` in dB, row and column are vertical and horizontal frequency in 1/32 cycles per
        pixel; white noise of variance 1 is at 0 dB, the floor at -20 dB.

    Raises:
        ValueError: the picture is too small.

    Example:
        >>> stripes = np.tile([0.0, 200.0], (64, 32))
        >>> row, column = np.unravel_index(coarse_spectrum(stripes).argmax(), (17, 17))
        >>> int(row), int(column)  # no vertical frequency, half a cycle horizontally
        (0, 16)
    """
    if min(plane.shape) < TILE:
        raise ValueError(f"a picture of {plane.shape[1]}x{plane.shape[0]} pixels: wanted {TILE} or more")
    view = np.lib.stride_tricks.sliding_window_view(np.asarray(plane, dtype=np.float32), (TILE, TILE))
    tiles = view[::_STEP, ::_STEP].reshape(-1, TILE, TILE)
    spectrum = fft.rfft2(windowed(tiles), axes=(1, 2), norm="ortho")
    half = (np.square(spectrum.real) + np.square(spectrum.imag)).mean(axis=0)
    mirrored = half[-np.arange(BINS)]
    level = 10 * np.log10(np.maximum((half[:BINS] + mirrored) / 2, _FLOOR))
    return np.asarray(level, dtype=np.float32)


def levelled(spectra: NDArray[Any]) -> NDArray[np.float64]:
    """Coarse spectra without their level, so that contrast and brightness do not count.

    Args:
        spectra: ``[..., 17, 17]`` in dB.

    Returns:
        float64, same shape: each less its own mean from 0.05 to 0.2 cycles per pixel.

    Example:
        >>> float(np.abs(levelled(np.full((17, 17), 12.0))).max())
        0.0
    """
    values = np.asarray(spectra, dtype=np.float64)
    return np.asarray(values - level(values)[..., None, None])


def level(spectra: NDArray[Any]) -> NDArray[np.float64]:
    """Mean of coarse spectra from 0.05 to 0.2 cycles per pixel.

    Args:
        spectra: ``[..., 17, 17]`` in dB.

    Returns:
        float64 ``[...]`` in dB.

    Example:
        >>> float(level(np.full((17, 17), 12.0)))
        12.0
    """
    return np.asarray(spectra[..., LEVEL].mean(axis=-1), dtype=np.float64)


def rings(spectra: NDArray[Any]) -> NDArray[np.float64]:
    """Coarse spectra averaged over rings around the zero frequency.

    Args:
        spectra: ``[..., 17, 17]`` in dB.

    Returns:
        float64 ``[..., 15]`` in dB; their frequencies are :data:`RINGS`.

    Example:
        >>> rings(np.arange(289.0).reshape(17, 17)).shape
        (15,)
    """
    nearest = np.rint(RADIUS * TILE)
    means = [spectra[..., nearest == ring].mean(axis=-1) for ring in range(2, BINS)]
    return np.asarray(np.stack(means, axis=-1), dtype=np.float64)
