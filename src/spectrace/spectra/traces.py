"""What upsampling leaves behind in a picture's pixels, as spectra in which it stands out as a peak.

Traces that are each blind where another one sees:

* ``pattern``: a fixed pattern that repeats with the upsampling lattice, such as zero insertion or the
  checkerboard of a transposed convolution: a peak in the spectrum of the picture's residual itself.
* ``between``: pixels interpolated between two samples are easier to predict than the step to the next sample,
  so the size of the residual of *neighbouring* pixels swings with the lattice even where the kernel has wiped
  the spectrum's copies out (nearest has an exact zero there). This is the cyclostationarity that resampling
  detectors look for (Popescu and Farid 2005; Gallagher 2005), on a cross difference.
* ``on``: the same for residuals centred *on* pixels, for kernels that keep the original samples in place.
* ``detail``: the same for what a 3 x 3 blur takes away, which zero insertion leaves on one pixel in four.

A pattern of period 2 that is mirror symmetric about a point between two pixels has no component at 1/2 cycle
per pixel in a residual centred on pixels. JPEG's blocks have that symmetry, whatever their phase: so ``on``
and ``detail`` tell upsampling by 2 from JPEG. ``between`` cannot, and needs the comparison with the harmonics
of the block grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from spectrace.spectra.transforms import luma

STRIDE = 24  # least common multiple of every period looked for: their frequencies then fall on exact bins
SIDE = 768  # of the part that is looked at; more pixels add cost, not certainty


@dataclass(frozen=True)
class Swing:
    """How the size of one kind of residual swings along rows and columns.

    Attributes:
        rows: FFT power ``[n]`` of the mean log size of each row, n a multiple of 24.
        columns: the same for columns.
        depth: 0..1, how much of the log size is gone at the quietest of the eight phases of a lattice of
            period 8, the smaller of both directions: 1 for nearest and zero insertion by 4 or 8, which leave
            nothing at all; hardly ever 0.9 for coded blocks.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    depth: float


@dataclass(frozen=True)
class Traces:
    """The traces of a picture.

    Attributes:
        pattern: float32 ``[H, W]``, FFT power of the soft-clipped residual, zero frequency at ``[0, 0]``.
        between: of residuals between neighbouring pixels.
        on: of residuals centred on pixels.
        detail: of what a 3 x 3 binomial blur takes away.
    """

    pattern: NDArray[np.float32]
    between: Swing
    on: Swing
    detail: Swing


def central_luma(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma of the middle of a picture, at most 768 x 768 pixels, its corner on a multiple of 8.

    Args:
        pixels: uint8 ``[H, W, 3]``.

    Returns:
        float32 ``[h, w]``, 0..255.

    Example:
        >>> central_luma(np.zeros((2000, 500, 3), np.uint8)).shape
        (768, 500)
    """
    top, left = (max(side - SIDE, 0) // 2 // 8 * 8 for side in pixels.shape[:2])
    return luma(pixels[top : top + SIDE, left : left + SIDE])


def traces(luma: NDArray[np.float32]) -> Traces:
    """The traces of one picture.

    Args:
        luma: float32 ``[h, w]``, 0..255, both sides at least 50 pixels.

    Returns:
        The traces; sizes of spectra are the largest multiples of 24 that fit.

    Example:
        >>> noise = np.random.default_rng(0).normal(128, 9, (50, 75)).astype(np.float32)
        >>> found = traces(noise.repeat(2, axis=0).repeat(2, axis=1))  # nearest
        >>> found.pattern.shape, found.between.columns.argmax() * 2 / found.between.columns.size
        ((96, 144), np.float64(1.0))
    """
    across = luma[:, 1:] - luma[:, :-1]
    cross = across[1:] - across[:-1]
    curved = across[:, 1:] - across[:, :-1]
    centred = curved[2:] - 2 * curved[1:-1] + curved[:-2]
    smooth = luma[1:-1] + (luma[2:] - 2 * luma[1:-1] + luma[:-2]) / 4
    smooth = smooth[:, 1:-1] + (smooth[:, 2:] - 2 * smooth[:, 1:-1] + smooth[:, :-2]) / 4
    detail = np.asarray(luma[1:-1, 1:-1] - smooth, dtype=np.float32)
    return Traces(_pattern(detail), _swing(cross), _swing(centred), _swing(detail))


def _pattern(residual: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = (side // STRIDE * STRIDE for side in residual.shape)
    part = residual[:height, :width]
    # Soft clipping keeps one strong edge from outweighing a faint pattern that is everywhere.
    clipped = part / (np.abs(part) + 2 * np.median(np.abs(part)) + 1)
    clipped *= _window(height)[:, None] * _window(width)
    spectrum = fft.fft2(clipped)
    return np.asarray(np.square(spectrum.real) + np.square(spectrum.imag), dtype=np.float32)


def _swing(residual: NDArray[np.float32]) -> Swing:
    """The logarithm makes a swing of the residual's size add to the content instead of scaling with it."""
    size = np.log(np.abs(residual) + 1)
    profiles = [size.mean(axis=axis, dtype=np.float64) for axis in (1, 0)]
    rows, columns = (_profile_power(profile) for profile in profiles)
    return Swing(rows, columns, min(_depth(profile) for profile in profiles))


def _profile_power(profile: NDArray[np.float64]) -> NDArray[np.float64]:
    part = profile[: profile.size // STRIDE * STRIDE]
    spectrum = fft.fft((part - part.mean()) * _window(part.size))
    return np.asarray(np.square(np.abs(spectrum)), dtype=np.float64)


def _depth(profile: NDArray[np.float64]) -> float:
    phases = profile[: profile.size // 8 * 8].reshape(-1, 8).mean(axis=0)
    loudest = float(phases.max())
    return 1 - float(phases.min()) / loudest if loudest > 0 else 0.0


def _window(size: int) -> NDArray[np.float32]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size), dtype=np.float32)
