"""A wavelet denoiser: what of a picture is noise?"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

Images = NDArray[np.float32]

LEVELS = 4
_WINDOWS = (3, 5, 7, 9)
_LOWPASS = np.array(
    [
        0.23037781330885523,
        0.7148465705525415,
        0.6308807679295904,
        -0.02798376941698385,
        -0.18703481171888114,
        0.030841381835986965,
        0.032883011666982945,
        -0.010597401784997278,
    ]
)


@cache
def wavelet_matrix(size: int) -> NDArray[np.float32]:
    """One level of Daubechies' 8-tap wavelet on a periodic signal, as an orthogonal matrix.

    Source: Daubechies 1988, four vanishing moments.

    Args:
        size: of the signal, even.

    Returns:
        float32 ``[size, size]``: the first half of the rows gives the approximation, the second the detail.

    Example:
        >>> matrix = wavelet_matrix(16)
        >>> bool(np.allclose(matrix @ matrix.T, np.eye(16), atol=1e-6))
        True
    """
    highpass = _LOWPASS[::-1] * (-1.0) ** np.arange(len(_LOWPASS))
    matrix = np.zeros((size, size))
    for row in range(size // 2):
        for tap in range(len(_LOWPASS)):
            matrix[row, (2 * row + tap) % size] += _LOWPASS[tap]
            matrix[size // 2 + row, (2 * row + tap) % size] += highpass[tap]
    return matrix.astype(np.float32)


def noise_residual(images: Images, sigma: float = 5.0) -> Images:
    """The part of pictures that a locally adaptive Wiener filter in the wavelet domain takes for noise.

    In each detail band the variance of the picture is estimated around every coefficient (the least of the
    estimates in windows of 3, 5, 7 and 9, less the noise's), and the coefficient is split accordingly.

    Source: Mihcak, Kozintsev and Ramchandran 1999; used for camera fingerprints by Lukas, Fridrich and
    Goljan 2006.

    Args:
        images: ``[..., H, W]``, 0..255.
        sigma: standard deviation of the noise, in grey levels.

    Returns:
        float32 ``[..., H, W]``; picture minus denoised picture.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> noise = rng.normal(0.0, 5.0, (32, 32)).astype(np.float32)
        >>> residual = noise_residual(128.0 + noise)
        >>> round(float(np.corrcoef(residual.ravel(), noise.ravel())[0, 1]), 1)
        1.0
    """
    height, width = images.shape[-2:]
    step = 2**LEVELS
    missing = [(0, -side % step) for side in (height, width)]
    framed = np.pad(images.astype(np.float32), [(0, 0)] * (images.ndim - 2) + missing, mode="symmetric")
    return _residual(framed, sigma, LEVELS)[..., :height, :width]


def _residual(images: Images, sigma: float, levels: int) -> Images:
    rows, columns = (wavelet_matrix(side) for side in images.shape[-2:])
    bands = np.asarray(rows @ images @ columns.T, np.float32)
    (low, high), (left, right) = _halves(images.shape[-2]), _halves(images.shape[-1])
    smooth = bands[..., low, left]
    noise = np.zeros_like(bands)
    if levels > 1:
        noise[..., low, left] = _residual(smooth, sigma, levels - 1)
    for y, x in ((low, right), (high, left), (high, right)):
        noise[..., y, x] = _noise_of(bands[..., y, x], sigma)
    return np.asarray(rows.T @ noise @ columns, np.float32)


def _halves(side: int) -> tuple[slice, slice]:
    return slice(side // 2), slice(side // 2, side)


def _noise_of(band: Images, sigma: float) -> Images:
    energy = np.square(band)
    axes = (band.ndim - 2, band.ndim - 1)
    local = np.minimum.reduce([uniform_filter(energy, size, mode="wrap", axes=axes) for size in _WINDOWS])
    signal = np.maximum(local - sigma**2, 0.0)
    return np.asarray(band * (sigma**2 / (signal + sigma**2)), np.float32)
