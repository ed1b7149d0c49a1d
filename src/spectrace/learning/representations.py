"""What a network sees of a tile: pixels, or standardised log-DCT coefficients.

A representation is a module inside the detector's graph, so nothing of it can be forgotten at inference:
log, normaliser and network are exported together.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spectrace.errors import RecipeError
from spectrace.spectra.statistics import RunningMoments

NEGLIGIBLE = 1e-6
"""Coefficients below this are round-off of float64 (about 1e-9 here) and count as exactly zero."""

FLOAT64_BELOW = 1e-1
"""Smallest log epsilon for which float32 coefficients are accurate enough."""


class Representation(nn.Module):
    """``uint8 [N, 3, S, S]`` in, ``float32 [N, 3, S, S]`` out.

    Attributes:
        needs_fit: whether :meth:`standardise` must be called with training statistics before use.
    """

    needs_fit: bool = False

    def raw(self, tiles: Tensor) -> Tensor:
        """The representation before standardisation."""
        raise NotImplementedError

    def standardise(self, mean: NDArray[np.float64], std: NDArray[np.float64]) -> None:
        """Take mean and standard deviation of :meth:`raw` over the training tiles."""
        raise NotImplementedError


class Pixels(Representation):
    """Pixels scaled from 0..255 to -1..1: ``x / 127.5 - 1``.

    Example:
        >>> Pixels()(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).tolist()
        [[[[-1.0, 1.0]]]]
    """

    def raw(self, tiles: Tensor) -> Tensor:
        """Scaled pixels; there is nothing to standardise."""
        return tiles.to(torch.float32) / 127.5 - 1.0

    def forward(self, tiles: Tensor) -> Tensor:
        """``uint8 [N, 3, S, S]`` to float32 in -1..1."""
        return self.raw(tiles)


class LogDCT(Representation):
    """Natural log of the magnitude of the tile's DCT, standardised per coefficient and channel.

    The DCT is the orthonormal type II over the whole tile (no 8 x 8 blocks) on 0..255, as two products
    with a constant matrix. The log amplifies round-off where coefficients are near zero; so with a small
    epsilon the products run in float64, and magnitudes below 1e-6 count as zero in every runtime.

    Source: Frank et al. 2020, arXiv 2003.08685.

    Args:
        tile: side S of a tile in pixels.
        log_epsilon: added to the magnitude before the log; 1e-12 as published.

    Example:
        >>> raw = LogDCT(8).raw(torch.full((1, 3, 8, 8), 255, dtype=torch.uint8))
        >>> round(float(raw[0, 0, 0, 0]), 4), round(float(raw[0, 0, 3, 5]), 4)  # ln(255 * 8), ln(1e-12)
        (7.6207, -27.631)
    """

    needs_fit = True
    matrix: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, tile: int, log_epsilon: float = 1e-12) -> None:
        super().__init__()
        self.log_epsilon = log_epsilon
        dtype = torch.float64 if log_epsilon < FLOAT64_BELOW else torch.float32
        self.register_buffer("matrix", torch.from_numpy(dct_matrix(tile)).to(dtype))
        self.register_buffer("mean", torch.zeros(3, tile, tile))
        self.register_buffer("scale", torch.ones(3, tile, tile))

    def raw(self, tiles: Tensor) -> Tensor:
        """``ln(|DCT| + epsilon)`` as float32."""
        samples = tiles.to(self.matrix.dtype)
        magnitude = torch.matmul(torch.matmul(self.matrix, samples), self.matrix.transpose(0, 1)).abs()
        if self.matrix.dtype == torch.float64:
            magnitude = torch.where(magnitude < NEGLIGIBLE, torch.zeros_like(magnitude), magnitude)
        # A magnitude rounded to float32 is off by 6e-8 of itself, and so is its log: float64 ends here.
        return torch.log(magnitude.to(torch.float32) + self.log_epsilon)

    def forward(self, tiles: Tensor) -> Tensor:
        """``uint8 [N, 3, S, S]`` to standardised float32."""
        return (self.raw(tiles) - self.mean) * self.scale

    def standardise(self, mean: NDArray[np.float64], std: NDArray[np.float64]) -> None:
        """Take the training statistics, each ``[3, S, S]``; what never varied is left unscaled."""
        scale = np.where(std > 1e-6, 1.0 / np.maximum(std, 1e-6), 1.0)
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))


def dct_matrix(size: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II as a matrix C: ``C @ x @ C.T`` is the two-dimensional transform.

    Example:
        >>> matrix = dct_matrix(16)
        >>> bool(np.allclose(matrix @ matrix.T, np.eye(16)))
        True
    """
    position = np.arange(size, dtype=np.float64)
    matrix = np.cos(np.pi * (2.0 * position[None, :] + 1.0) * position[:, None] / (2.0 * size))
    matrix *= math.sqrt(2.0 / size)
    matrix[0] /= math.sqrt(2.0)
    return matrix


_BUILDERS: dict[str, Callable[[int, float], Representation]] = {
    "pixels": lambda tile, log_epsilon: Pixels(),
    "log-dct": LogDCT,
}


def representation_ids() -> list[str]:
    """The ids of all representations, sorted.

    Example:
        >>> representation_ids()
        ['log-dct', 'pixels']
    """
    return sorted(_BUILDERS)


def build_representation(identity: str, tile: int, log_epsilon: float) -> Representation:
    """Build a representation by id; ``log_epsilon`` matters to ``log-dct`` only.

    Raises:
        RecipeError: for an unknown id.

    Example:
        >>> build_representation("pixels", 128, 1e-12).needs_fit
        False
    """
    if identity not in _BUILDERS:
        raise RecipeError(f"representation.id is {identity!r}, known are: {', '.join(representation_ids())}")
    return _BUILDERS[identity](tile, log_epsilon)


class Standardiser:
    """Streams training tiles through a representation and hands it their mean and standard deviation.

    Example:
        >>> fit = Standardiser(LogDCT(8))
        >>> fit.update(torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8))
        >>> fit.finish()
    """

    def __init__(self, representation: Representation) -> None:
        self._representation = representation
        self._moments: RunningMoments | None = None

    def update(self, tiles: Tensor) -> None:
        """Add a batch ``uint8 [N, 3, S, S]``."""
        with torch.no_grad():
            batch = self._representation.raw(tiles).numpy()
        self._moments = (self._moments or RunningMoments.empty(batch.shape[1:])).update(batch)

    def finish(self) -> None:
        """Set the representation's statistics from everything seen; without tiles it stays as it is."""
        if self._moments is not None:
            self._representation.standardise(self._moments.mean, self._moments.std)
