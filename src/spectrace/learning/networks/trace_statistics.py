"""Linear layers on statistics of the tile: of its spectra, and of its residuals.

No filter is learned: a few hundred statistics, each with a meaning, generalise from few sources where learned
features learn the sources. Of the spectra: how strong each frequency is and how much that varies. Of the
residuals: how large the answers of small high-pass filters are, how heavy their tails, how quiet the quietest
places (a camera's noise is everywhere), whether they repeat with a period of 2 or 4 pixels, whether the three
channels agree in what is fine (demosaicing makes a camera's agree); all that again at half the size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectrace.errors import RecipeError
from spectrace.learning.discriminant import CLIP, Discriminant
from spectrace.learning.networks.registry import Network, register_network, whole_tile
from spectrace.learning.representations import dct_matrix

FINE, COARSE = 16, 32
"""Sides of the blocks whose spectra are averaged: one coefficient each, and rings of frequencies."""

_LUMA = (0.299, 0.587, 0.114)
_RINGS, _CHANNEL_RINGS = 24, 12
_EDGES = (0.5, 2.5, 8.5, 16.5)
_STEEP = 1e4
_PERIODS = (2, 4)
_PATCH = 8
_HIGH_PASS = (
    ((0, 0, 0), (0, -1, 1), (0, 0, 0)),
    ((0, 0, 0), (0, -1, 0), (0, 1, 0)),
    ((0, 0, 0), (0, 1, -1), (0, -1, 1)),
    ((-1, 2, -1), (2, -4, 2), (-1, 2, -1)),
)
"""First differences along the axes and the diagonal, and the second-order kernel of Ker and Boehme (2008)."""


class StatisticsNetwork(Network):
    """Statistics of the tile, standardised and clipped, then one dense layer.

    Args:
        identity: the network's id, for messages.
        count: number of statistics.
        outputs: number of logits.
        tile: side of a tile in pixels, a multiple of 32 from 64 up; the whole of it is one patch.

    Raises:
        RecipeError: a tile that blocks of 32 pixels do not fill, or a single block.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, identity: str, count: int, outputs: int, tile: int) -> None:
        super().__init__()
        if tile < 2 * COARSE or tile % COARSE:
            raise RecipeError(
                f"tile is {tile}, {identity} needs a multiple of {COARSE}, from {2 * COARSE} up: take 128"
            )
        self.patches = whole_tile(tile)
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("scale", torch.ones(count))
        self.dense = nn.Linear(count, outputs)

    def statistics(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` in -1..1 to ``[N, D]``, none of them standardised."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` in -1..1 (the representation ``pixels``) to ``[N, outputs, 1, 1]``."""
        standardised = ((self.statistics(inputs) - self.mean) * self.scale).clamp(-CLIP, CLIP)
        logits: Tensor = self.dense(standardised)
        return logits[:, :, None, None]

    def take(self, found: Discriminant) -> None:
        """Take the standardisation and weights of a discriminant fitted to :meth:`statistics`."""
        with torch.no_grad():
            self.mean.copy_(torch.from_numpy(found.mean))
            self.scale.copy_(torch.from_numpy(found.scale))
            self.dense.weight.copy_(torch.from_numpy(found.weights.T))
            self.dense.bias.copy_(torch.from_numpy(found.bias))


class SpectralStatistics(StatisticsNetwork):
    """Averaged log-spectra of blocks of 16 and of 32 pixels, in luma and two colour differences.

    Mean and spread over the blocks of every coefficient of the small ones, both directions taken together,
    and of rings of equal frequency of the large ones: 960 statistics. The log is ``ln(|coefficient| + 1)`` on
    0..255.

    Args:
        outputs: number of logits.
        tile: side of a tile in pixels, a multiple of 32 from 64 up; the whole of it is one patch.

    Example:
        >>> network = SpectralStatistics(1, 128).eval()
        >>> network(torch.zeros(2, 3, 128, 128)).shape, network.statistics(torch.zeros(2, 3, 128, 128)).shape
        (torch.Size([2, 1, 1, 1]), torch.Size([2, 960]))
    """

    fine: Tensor
    coarse: Tensor
    mix: Tensor
    triangle: Tensor
    rings: Tensor

    def __init__(self, outputs: int, tile: int) -> None:
        super().__init__("spectral-statistics", 2 * 3 * (FINE * (FINE + 1) // 2 + _RINGS), outputs, tile)
        self.register_buffer("fine", torch.from_numpy(dct_matrix(FINE)).float())
        self.register_buffer("coarse", torch.from_numpy(dct_matrix(COARSE)).float())
        self.register_buffer("mix", torch.tensor([_LUMA, (0.0, -1.0, 1.0), (1.0, -1.0, 0.0)]))
        rows, columns = torch.triu_indices(FINE, FINE)
        self.register_buffer("triangle", rows * FINE + columns)
        self.register_buffer("rings", _rings(COARSE, _RINGS))

    def statistics(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` in -1..1 to ``[N, 960]``."""
        pixels = inputs * 127.5 + 127.5
        count, channels, side, _ = pixels.shape
        mixed = torch.matmul(self.mix, pixels.flatten(2)).reshape(count, channels, side, side)
        found: list[Tensor] = []
        for spectra in _mean_and_spread(_blocks_of(mixed, self.fine)):
            symmetric = 0.5 * (spectra + spectra.transpose(2, 3))
            found.append(symmetric.flatten(2)[:, :, self.triangle])
        for spectra in _mean_and_spread(_blocks_of(mixed, self.coarse)):
            found.append(torch.matmul(spectra.flatten(2), self.rings))
        return torch.cat([one.flatten(1) for one in found], 1)


class ResidualStatistics(StatisticsNetwork):
    """Residuals of four high-pass filters at two sizes, and the agreement of channels: 248 statistics.

    Args:
        outputs: number of logits.
        tile: side of a tile in pixels, a multiple of 32 from 64 up; the whole of it is one patch.

    Example:
        >>> network = ResidualStatistics(1, 128).eval()
        >>> network(torch.zeros(2, 3, 128, 128)).shape, network.statistics(torch.zeros(2, 3, 128, 128)).shape
        (torch.Size([2, 1, 1, 1]), torch.Size([2, 248]))
    """

    fine: Tensor
    channel_rings: Tensor
    kernels: Tensor

    def __init__(self, outputs: int, tile: int) -> None:
        filters = len(_HIGH_PASS)
        at_a_size = 3 * filters * (3 + len(_EDGES)) + 4 * filters + 3 * len(_PERIODS)
        super().__init__("residual-statistics", 3 * _CHANNEL_RINGS + 2 * at_a_size, outputs, tile)
        self.register_buffer("fine", torch.from_numpy(dct_matrix(FINE)).float())
        self.register_buffer("channel_rings", _rings(FINE, _CHANNEL_RINGS))
        self.register_buffer("kernels", torch.tensor(_HIGH_PASS, dtype=torch.float32)[:, None])

    def statistics(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` in -1..1 to ``[N, 248]``."""
        pixels = inputs * 127.5 + 127.5
        found = [self._agreement(_blocks_of(pixels, self.fine))]
        found += self._residuals(pixels)
        found += self._residuals(nn.functional.avg_pool2d(pixels, 2))
        return torch.cat([one.flatten(1) for one in found], 1)

    def _agreement(self, coefficients: Tensor) -> Tensor:
        """Correlation of each two channels in rings of frequencies, ``[N, 3, rings]`` in -1..1."""
        power = torch.matmul(coefficients.square().mean(2).flatten(2), self.channel_rings)
        found = []
        for one, other in ((0, 1), (0, 2), (1, 2)):
            shared = (coefficients[:, one] * coefficients[:, other]).mean(1).flatten(1)
            product = (power[:, one] * power[:, other]).sqrt()
            found.append(torch.matmul(shared, self.channel_rings) / (product + 0.1))
        return torch.stack(found, 1)

    def _residuals(self, pixels: Tensor) -> list[Tensor]:
        """Statistics of the residuals of all high-pass filters in all channels."""
        count, channels, height, width = pixels.shape
        residuals = nn.functional.conv2d(pixels.reshape(count * channels, 1, height, width), self.kernels)
        residuals = residuals.reshape(count, channels, -1, height - 2, width - 2)
        flat = residuals.flatten(3)
        sizes = flat.abs()
        deviation = (flat.square().mean(3) + 1e-6).sqrt()
        tails = (sizes.mean(3) + 0.01) / (deviation + 0.01)
        # Sizes are multiples of 1/4: this is 1 below the edge, 0 at it; comparing and casting is slower.
        below = torch.stack([((edge - sizes) * _STEEP).clamp(0.0, 1.0).mean(3) for edge in _EDGES], 3)
        shares = torch.cat([below[..., :1], below[..., 1:] - below[..., :-1]], 3).clamp(min=0.0)
        agreement = torch.stack(
            [
                (flat[:, one] * flat[:, other]).mean(2) / (deviation[:, one] * deviation[:, other] + 0.01)
                for one, other in ((0, 1), (0, 2), (1, 2))
            ],
            1,
        )
        found = [agreement, (deviation + 0.01).log(), tails.log(), (shares + 1e-4).sqrt()]
        return (
            found
            + _local(residuals[:, 1])
            + _periods(sizes[:, :, -1].reshape(count, channels, height - 2, -1))
        )


def _rings(block: int, count: int) -> Tensor:
    """Averages the coefficients of a block over rings of equal frequency, float32 ``[block ** 2, count]``."""
    steps = torch.arange(block, dtype=torch.float32)
    radius = torch.hypot(steps[:, None], steps[None, :])
    ring = (radius / radius.max() * count).long().clamp(max=count - 1).flatten()
    members = nn.functional.one_hot(ring, count).float()
    return members / members.sum(0).clamp(min=1.0)


def _blocks_of(pixels: Tensor, matrix: Tensor) -> Tensor:
    """DCT of all blocks: ``[N, 3, S, S]`` to ``[N, 3, blocks, B, B]``."""
    count, channels, side, _ = pixels.shape
    block = matrix.shape[0]
    blocks = pixels.reshape(count, channels, side // block, block, side // block, block)
    blocks = blocks.transpose(3, 4).reshape(count, channels, -1, block, block)
    return torch.matmul(torch.matmul(matrix, blocks), matrix.T)


def _mean_and_spread(coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over the blocks of ``ln(|coefficient| + 1)``."""
    logs = torch.log(coefficients.abs() + 1.0)
    mean = logs.mean(2)
    return mean, ((logs - mean[:, :, None]).square().mean(2) + 1e-6).sqrt()


def _local(residuals: Tensor) -> list[Tensor]:
    """Log-variance in squares of 8 pixels: its mean and spread, and how low and high it gets."""
    count, filters, height, width = residuals.shape
    high, wide = height // _PATCH, width // _PATCH
    squares = residuals[:, :, : high * _PATCH, : wide * _PATCH]
    squares = squares.reshape(count, filters, high, _PATCH, wide, _PATCH)
    variance = squares.square().mean((3, 5)) - squares.mean((3, 5)).square()
    logs = (variance.clamp(min=0.0) + 0.06).log().flatten(2)
    mean = logs.mean(2)
    spread = ((logs - mean[:, :, None]).square().mean(2) + 1e-4).sqrt()
    return [mean, spread, -torch.logsumexp(-2.0 * logs, 2), torch.logsumexp(2.0 * logs, 2)]


def _periods(sizes: Tensor) -> list[Tensor]:
    """How much the mean size of residuals differs between the places of a small lattice."""
    count, channels, height, width = sizes.shape
    found = []
    for period in _PERIODS:
        high, wide = height // period, width // period
        places = sizes[:, :, : high * period, : wide * period]
        places = places.reshape(count, channels, high, period, wide, period).mean((2, 4)).flatten(2)
        logs = (places + 0.1).log()
        found.append(((logs - logs.mean(2, keepdim=True)).square().mean(2) + 1e-6).sqrt().log())
    return found


register_network("spectral-statistics", "a linear layer on averaged spectra of blocks")(SpectralStatistics)
register_network("residual-statistics", "a linear layer on statistics of residuals")(ResidualStatistics)
