"""A picture's spectrum as a picture: what the report shows and where its peaks lie in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError
from spectrace.images.tiles import tile_grid
from spectrace.spectra.fingerprints import decibel
from spectrace.spectra.peaks import Peak
from spectrace.spectra.transforms import luma, power, windowed

_TILES = 32


def display_spectrum(pixels: NDArray[np.uint8], size: int = 256) -> NDArray[np.uint8]:
    """The log power spectrum of one picture, to be looked at.

    The FFT power of the luma, averaged over at most 32 tiles (Welch's method) so that the cost is bounded, in
    dB between its 1st and 99.8th percentile. A picture smaller than a tile is one tile, its spectrum sampled
    more finely.

    Args:
        pixels: uint8 ``[H, W, 3]`` RGB at native resolution.
        size: side of the result and of the tiles.

    Returns:
        uint8 ``[size, size]``: zero frequency at ``[size // 2, size // 2]``, 0.5 cycles per pixel at row and
        column 0. All zero for a picture of one colour.

    Raises:
        UsageError: the size is below 8 or odd, or the picture is empty.

    Example:
        >>> stripes = np.zeros((64, 64, 3), np.uint8)
        >>> stripes[:, ::4] = 255
        >>> shown = display_spectrum(stripes, 64)
        >>> int(shown[32, 16]), bool(shown[32, 24] < 60)  # at a quarter cycle, and away from it
        (255, True)
    """
    if size < 8 or size % 2:
        raise UsageError(f"a spectrum of {size} pixels: wanted an even size of 8 or more")
    height, width = pixels.shape[:2]
    if not height or not width:
        raise UsageError(f"a picture of {width}x{height} pixels has no spectrum: wanted at least one pixel")
    corners = tile_grid(height, width, size, limit=_TILES)
    if len(corners):
        # Tile by tile: a whole 12-megapixel luma costs more than all the tiles.
        mean = np.zeros((size, size))
        for top, left in corners:
            mean += power(windowed(luma(pixels[top : top + size, left : left + size])))
    else:
        part = windowed(luma(pixels[:size, :size]))
        padded = np.zeros((size, size), dtype=np.float32)
        padded[: part.shape[0], : part.shape[1]] = part
        mean = power(padded).astype(np.float64)
    shown = decibel(mean)
    if shown.max() <= decibel(np.zeros(1))[0]:
        return np.zeros((size, size), dtype=np.uint8)
    lowest, highest = np.percentile(shown, (1, 99.8))
    scaled = (shown - lowest) / max(highest - lowest, 1e-6)
    return np.asarray(np.rint(np.clip(scaled, 0, 1) * 255), dtype=np.uint8)


def peak_position(peak: Peak, size: int = 256) -> tuple[int, int]:
    """Where a peak lies in a displayed spectrum; its mirror image through the centre is the same peak.

    Args:
        peak: as :func:`spectrace.spectra.peaks.find_peaks` gives it.
        size: side of the displayed spectrum.

    Returns:
        Row and column, 0..size-1: ``size // 2 + frequency * size``, wrapped, so that 0.5 cycles per pixel
        lies at 0.

    Example:
        >>> peak_position(Peak(4.0, (0.25, 0.5), 20.0, "upsampling", "pattern"))
        (192, 0)
    """
    fy, fx = ((size // 2 + round(f * size)) % size for f in peak.frequency)
    return fy, fx
