"""A small convolutional network on clipped high-pass residuals that pools energies, not only means.

What a generator leaves is a texture: it is in how strong a filter's answer is and how much that varies over a
patch, and hardly in where. So every level of the network gives the mean and the log-variance of its channels
over the patch, and a small perceptron reads those. The content is kept out in front: residuals of fixed
high-pass filters, clipped, so that an edge counts no more than a strong grain.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectrace.detectors.patches import PatchGrid
from spectrace.errors import RecipeError
from spectrace.learning.networks.registry import Network, register_network

PATCH, STRIDE = 96, 32
"""Side of a patch and distance of neighbouring patches, in pixels."""

CLIP = 12.0
"""Residuals on the scale 0..255 are held to this size."""

_LUMA = (0.299, 0.587, 0.114)
_HIGH_PASS = (
    ((0, 0, 0), (0, -1, 1), (0, 0, 0)),
    ((0, 0, 0), (0, -1, 0), (0, 1, 0)),
    ((-0.5, 1, -0.5), (1, -2, 1), (-0.5, 1, -0.5)),
    ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
)
_WIDTHS = (32, 48, 64)
_HIDDEN = 64
_DROPOUT = 0.3
# Convolutions are not padded, so a patch of 96 pixels gives maps of these sides, in steps of these sizes.
_WINDOWS = ((46, 16), (20, 8), (9, 4))


class ResidualEnergies(Network):
    """Convolutions alone: one logit a patch of 96 pixels, every 32 pixels.

    Args:
        outputs: number of logits a patch.
        tile: side of a tile in pixels, 96 and any number of strides; the weights fit every such tile.

    Raises:
        RecipeError: a tile that patches do not fill.

    Example:
        >>> network = ResidualEnergies(1, 128).eval()
        >>> network(torch.zeros(2, 3, 128, 128)).shape
        torch.Size([2, 1, 2, 2])
    """

    mix: Tensor
    kernels: Tensor

    def __init__(self, outputs: int, tile: int) -> None:
        super().__init__()
        if tile < PATCH or (tile - PATCH) % STRIDE:
            raise RecipeError(
                f"tile is {tile}, residual-energies needs {PATCH} pixels, or a multiple of {STRIDE} more: "
                "take 128"
            )
        self.patches = PatchGrid(size=PATCH, stride=STRIDE)
        self.register_buffer("mix", torch.tensor([_LUMA, (0.0, -1.0, 1.0), (1.0, -1.0, 0.0)]))
        kernels = torch.tensor(_HIGH_PASS, dtype=torch.float32)[:, None]
        self.register_buffer("kernels", kernels.repeat(3, 1, 1, 1))
        first, second, third = _WIDTHS
        self.levels = nn.ModuleList(
            [
                _convolution(3 * len(_HIGH_PASS), first, 2),
                nn.Sequential(_convolution(first, second, 2), _convolution(second, second, 1)),
                _convolution(second, third, 2),
            ]
        )
        features = 2 * sum(_WIDTHS)
        self.normalise = nn.BatchNorm2d(features, affine=False)
        self.head = nn.Sequential(
            nn.Dropout(_DROPOUT),
            nn.Conv2d(features, _HIDDEN, 1),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Conv2d(_HIDDEN, outputs, 1),
        )

    def residuals(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, H, W]`` in -1..1 to clipped residuals ``[N, 12, H - 2, W - 2]`` in -3..3."""
        count, channels, height, width = inputs.shape
        pixels = inputs.flatten(2) * 127.5
        mixed = torch.matmul(self.mix, pixels).reshape(count, channels, height, width)
        return nn.functional.conv2d(mixed, self.kernels, groups=3).clamp(-CLIP, CLIP) * (3.0 / CLIP)

    def energies(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, H, W]`` in -1..1 to mean and log-variance a patch, ``[N, 288, h, w]``."""
        maps = self.residuals(inputs)
        found = []
        for level, (window, step) in zip(self.levels, _WINDOWS, strict=True):
            maps = level(maps)
            mean = nn.functional.avg_pool2d(maps, window, step)
            power = nn.functional.avg_pool2d(maps.square(), window, step)
            found += [mean, ((power - mean.square()).clamp(min=0.0) + 1e-4).log()]
        return torch.cat(found, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, H, W]`` in -1..1 (the representation ``pixels``) to ``[N, outputs, h, w]``."""
        logits: Tensor = self.head(self.normalise(self.energies(inputs)))
        return logits


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


register_network(
    "residual-energies", "energies of learned filters on clipped residuals, a patch of 96 pixels"
)(ResidualEnergies)
