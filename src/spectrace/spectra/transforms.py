"""The transforms of spectral forensics: DCT-II, FFT power and their logarithms.

All functions work over the last two axes, keep float32 in float32 and take anything else to float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

EPSILON = 1e-12
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of R, G and B in the luma of ITU-R BT.601, the one that JPEG files store."""

Floating = NDArray[np.floating[Any]]


def _floating(x: NDArray[Any]) -> Floating:
    array: Floating = np.asarray(x, dtype=np.float32 if np.asarray(x).dtype == np.float32 else np.float64)
    return array


def dct2(x: NDArray[Any], *, workers: int | None = None) -> Floating:
    """Two-dimensional DCT-II, orthonormal, of whole pictures (no blocks).

    The energy of the coefficients is the energy of the pixels (Parseval).

    Args:
        x: ``[..., H, W]``, any real dtype.
        workers: threads, as in :mod:`scipy.fft`.

    Returns:
        Coefficients ``[..., H, W]``, float32 for float32 and float64 otherwise; ``[..., 0, 0]`` is the mean
        times ``sqrt(H * W)``.

    Example:
        >>> dct2(np.full((4, 4), 2.0)).round(6)[0].tolist()
        [8.0, 0.0, 0.0, 0.0]
    """
    result: Floating = fft.dctn(_floating(x), type=2, axes=(-2, -1), norm="ortho", workers=workers)
    return result


def idct2(coefficients: NDArray[Any], *, workers: int | None = None) -> Floating:
    """Inverse of :func:`dct2`.

    Args:
        coefficients: ``[..., H, W]``.
        workers: threads, as in :mod:`scipy.fft`.

    Returns:
        Pixels ``[..., H, W]``.

    Example:
        >>> x = np.arange(6.0).reshape(2, 3)
        >>> np.allclose(idct2(dct2(x)), x)
        True
    """
    result: Floating = fft.idctn(
        _floating(coefficients), type=2, axes=(-2, -1), norm="ortho", workers=workers
    )
    return result


def log_dct(x: NDArray[Any], epsilon: float = EPSILON, *, workers: int | None = None) -> Floating:
    """``ln(|DCT-II(x)| + epsilon)``, the input of the frequency detectors of Frank et al. (ICML 2020).

    Args:
        x: ``[..., H, W]``, on 0..255 for the published scale.
        epsilon: keeps the logarithm of an empty coefficient finite.
        workers: threads, as in :mod:`scipy.fft`.

    Returns:
        ``[..., H, W]``, natural logarithms.

    Example:
        >>> round(float(log_dct(np.full((4, 4), 2.0))[0, 0]), 4)  # ln 8
        2.0794
    """
    result: Floating = np.log(np.abs(dct2(x, workers=workers)) + epsilon)
    return result


def power(x: NDArray[Any], *, workers: int | None = None) -> Floating:
    """Power of the two-dimensional FFT with the zero frequency in the middle.

    Scaled so that the sum over all frequencies is the energy of the pixels: white noise of variance 1 has a
    mean power of 1 at every frequency, whatever the size.

    Args:
        x: ``[..., H, W]``.
        workers: threads, as in :mod:`scipy.fft`.

    Returns:
        ``|FFT|^2 / (H W)`` as ``[..., H, W]``; zero frequency at row ``H // 2``, column ``W // 2``.

    Example:
        >>> stripes = np.tile([1.0, -1.0], (4, 2))  # period 2 along the rows
        >>> np.argwhere(power(stripes) > 1e-9).tolist()  # vertical frequency 0, horizontal -1/2
        [[2, 0]]
    """
    pixels = _floating(x)
    spectrum = fft.fft2(pixels, axes=(-2, -1), norm="ortho", workers=workers)
    result: Floating = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.asarray(fft.fftshift(result, axes=(-2, -1)), dtype=pixels.dtype)


def windowed(x: NDArray[Any]) -> Floating:
    """The picture without its mean, under a Hann window of mean power one.

    Without a window the jump from a picture's right border to its left one smears a cross over the
    spectrum, just where upsampling leaves its prints.

    Args:
        x: ``[..., H, W]``.

    Returns:
        ``[..., H, W]``; the power spectrum of white noise keeps its level.

    Example:
        >>> windowed(np.full((8, 8), 7.0)).any()
        np.False_
    """
    pixels = _floating(x)
    window = hann(pixels.shape[-2])[:, None] * hann(pixels.shape[-1])
    centred = pixels - pixels.mean(axis=(-2, -1), keepdims=True)
    return np.asarray(centred * window.astype(pixels.dtype), dtype=pixels.dtype)


def hann(size: int) -> NDArray[np.float64]:
    """A periodic Hann window whose mean square is one.

    Args:
        size: number of samples; below 3 the window is flat.

    Returns:
        ``[size]``.

    Example:
        >>> round(float(np.mean(hann(16) ** 2)), 6)
        1.0
    """
    if size < 3:
        return np.ones(size)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return np.asarray(window / np.sqrt(np.mean(window**2)), dtype=np.float64)


def luma(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Luma of RGB pixels (ITU-R BT.601).

    Args:
        pixels: ``[H, W, 3]``, 0..255.

    Returns:
        float32 ``[H, W]``, 0..255.

    Example:
        >>> luma(np.full((1, 1, 3), 255, np.uint8)).tolist()
        [[255.0]]
    """
    return np.asarray(pixels.astype(np.float32) @ LUMA, dtype=np.float32)
