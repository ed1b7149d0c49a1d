"""The built-in regions: what the pixels themselves look like, for any picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spectrace.explain.regions import Labels
from spectrace.images.decode import Pixels

NAMES = ("border", "dark", "saturated", "flat", "edge", "fine texture")

BORDER_SHARE = 1 / 32
DARK_BELOW = 24.0
SATURATED_FROM = 250
FLAT_BELOW = 2.0
EDGE_FROM = 0.7
WINDOW = 7

_BAND = 512  # rows at a time: bounded memory whatever the picture's size
_HALO = WINDOW // 2 + 1  # rows that the window and the slope reach beyond a band
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Description:
    """Six regions that every picture can be divided into.

    Each pixel belongs to the first that fits:

    ``border``
        the outermost 1/32 of the shorter side, at least 1 pixel: where padding and cropping leave marks;
    ``dark``
        luma (BT.601) below 24 of 255;
    ``saturated``
        a channel at 250 or above: blown out, or as strong a colour as can be stored;
    ``flat``
        the luma's slope, root mean square over 7 x 7 pixels, below 2 levels a pixel;
    ``edge``
        one direction dominates the slopes of these pixels: coherence of the structure tensor 0.7 or above;
    ``fine texture``
        all else.

    Source of the coherence: Bigün and Granlund, *Optimal orientation detection of linear symmetry*, 1987.

    Example:
        >>> pixels = np.full((64, 64, 3), 128, np.uint8)
        >>> pixels[:, 32:] = 60
        >>> labels = Description().label(pixels, "")
        >>> [NAMES[label] for label in labels[32, [0, 16, 31, 48]]]
        ['border', 'flat', 'edge', 'flat']
    """

    names = NAMES
    origin = "the built-in description of the pixels"

    def label(self, pixels: Pixels, path: str) -> Labels:
        """The region of every pixel, uint16 [H, W]; the path is not looked at."""
        height, width = pixels.shape[:2]
        labels = np.empty((height, width), np.uint16)
        for top in range(0, height, _BAND):
            above, bottom = max(0, top - _HALO), min(height, top + _BAND)
            band = _without_border(pixels[above : bottom + _HALO])
            labels[top:bottom] = band[top - above : bottom - above]
        margin = max(1, round(min(height, width) * BORDER_SHARE))
        for edge in (labels[:margin], labels[-margin:], labels[:, :margin], labels[:, -margin:]):
            edge[:] = 0
        return labels


def _without_border(pixels: Pixels) -> Labels:
    luma = pixels @ _LUMA
    slope, coherence = _structure(luma)
    conditions = [
        luma < DARK_BELOW,
        pixels.max(axis=2) >= SATURATED_FROM,
        slope < FLAT_BELOW,
        coherence >= EDGE_FROM,
    ]
    return np.select(conditions, [1, 2, 3, 4], 5).astype(np.uint16)


def _structure(luma: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Root mean square slope (levels a pixel) and coherence (0..1) around every pixel."""
    across = ndimage.correlate1d(luma, [-0.5, 0.0, 0.5], axis=1, mode="nearest")
    down = ndimage.correlate1d(luma, [-0.5, 0.0, 0.5], axis=0, mode="nearest")
    xx, yy, xy = (ndimage.uniform_filter(product, WINDOW) for product in (across**2, down**2, across * down))
    energy = np.maximum(xx + yy, np.float32(1e-6))
    # A running mean may fall a rounding error below 0 where all is flat.
    return np.sqrt(energy), np.sqrt((xx - yy) ** 2 + 4 * xy**2) / energy
