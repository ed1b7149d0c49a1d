"""Blocks that families share."""

from __future__ import annotations

import itertools
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import register_parametrization

from spectrace.generators.upsamplers import build_upsampler

LATENT = 64
SEED_SIDE = 4
"""Side of a generator's first maps."""
_WIDEST = 8
_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


def widths(size: int, width: int) -> list[int]:
    """Channels of the maps from ``SEED_SIDE`` up to ``size``, halved at each doubling.

    Example:
        >>> widths(64, 16)
        [128, 128, 64, 32, 16]
    """
    doublings = (size // SEED_SIDE).bit_length() - 1
    return [width * min(_WIDEST, 2**level) for level in range(doublings, -1, -1)]


class Seed(nn.Module):
    """The first maps ``[N, channels, 4, 4]`` from noise ``[N, latent]``."""

    def __init__(self, latent: int, channels: int) -> None:
        super().__init__()
        self.dense = nn.Linear(latent, channels * SEED_SIDE**2)

    def forward(self, z: Tensor) -> Tensor:
        """The maps."""
        maps: Tensor = self.dense(z).unflatten(1, (-1, SEED_SIDE, SEED_SIDE))
        return maps


def convolutional_generator(size: int, width: int, upsampler: str, latent: int = LATENT) -> nn.Sequential:
    """Convolution, upsampler, normalisation, ReLU at each doubling (Radford et al. 2016).

    After the last upsampler only the colours are mixed, so that its print comes out almost as it is.
    """
    channels = widths(size, width)
    layers: list[nn.Module] = [Seed(latent, channels[0]), nn.BatchNorm2d(channels[0]), nn.ReLU()]
    for inputs, outputs in itertools.pairwise(channels):
        layers += [
            nn.Conv2d(inputs, outputs, 3, padding=1),
            build_upsampler(upsampler, outputs),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(channels[-1], 3, 3, padding=1), nn.Tanh())


class _ResidualUp(nn.Module):
    def __init__(self, inputs: int, outputs: int, upsampler: str) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            build_upsampler(upsampler, inputs),
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1), build_upsampler(upsampler, outputs))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.main(x) + self.skip(x)
        return result


def residual_generator(size: int, width: int, upsampler: str, latent: int = LATENT) -> nn.Sequential:
    """Residual blocks with the upsampler before the first of two convolutions (Miyato et al. 2018)."""
    channels = widths(size, width)
    blocks = [_ResidualUp(inputs, outputs, upsampler) for inputs, outputs in itertools.pairwise(channels)]
    last = channels[-1]
    return nn.Sequential(
        Seed(latent, channels[0]),
        *blocks,
        nn.BatchNorm2d(last),
        nn.ReLU(),
        nn.Conv2d(last, 3, 3, padding=1),
        nn.Tanh(),
    )


def strided_critic(
    size: int, width: int, outputs: int = 1, *, norm: Literal["batch", "spectral", "equalised", "none"]
) -> nn.Sequential:
    """Strided convolutions down to 4 pixels and a dense layer: ``[N, 3, S, S]`` to ``[N, outputs]``."""
    channels = widths(size, width)[::-1]

    def bound(layer: _Layer) -> nn.Module:
        if norm == "equalised":
            return equalised(layer)
        return spectral_norm(layer) if norm == "spectral" else layer

    layers: list[nn.Module] = []
    for inputs, wide in zip([3, *channels[1:]], channels[1:], strict=False):
        layers.append(bound(nn.Conv2d(inputs, wide, 4, 2, 1)))
        if norm == "batch" and inputs != 3:
            layers.append(nn.BatchNorm2d(wide))
        layers.append(nn.LeakyReLU(0.2))
    dense = bound(nn.Linear(channels[-1] * SEED_SIDE**2, outputs))
    return nn.Sequential(*layers, nn.Flatten(), dense)


def gradient_penalty(scores: Tensor, pictures: Tensor, *, centre: float) -> Tensor:
    """Mean squared distance of the gradients' norm from ``centre``: the scores' by the pictures."""
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return ((gradient.flatten(1).square().sum(1) + 1e-12).sqrt() - centre).square().mean()


def between(real: Tensor, fake: Tensor) -> Tensor:
    """Pictures on the lines from real ones to generated ones, asking for gradients."""
    share = torch.rand(len(real), 1, 1, 1)
    return (share * real + (1 - share) * fake).detach().requires_grad_()


def r1(scores: Tensor, pictures: Tensor) -> Tensor:
    """Mean squared norm of the gradients of the scores by photographs (Mescheder et al. 2018)."""
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


class _Gain(nn.Module):
    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, weight: Tensor) -> Tensor:
        return self.gain * weight


def equalised(layer: _Layer, gain: float = 2**0.5, *, rate: float = 1.0) -> _Layer:
    """Standard normal weights, scaled when they are used, so that all learn alike (Karras et al. 2018).

    Args:
        layer: is changed.
        gain: standard deviation of an output, for inputs with one of 1.
        rate: how quickly it learns, compared to others.
    """
    nn.init.normal_(layer.weight, std=1 / rate)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    register_parametrization(layer, "weight", _Gain(rate * gain * layer.weight[0].numel() ** -0.5))
    return layer


class PixelNorm(nn.Module):
    """Each pixel's channels scaled to a mean square of one; of a vector, its numbers."""

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C, ...]`` to the same."""
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class BatchDeviation(nn.Module):
    """One more channel that holds how much the pictures of a batch differ (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, C + 1, H, W]``."""
        deviation = (x.var(0, correction=0) + 1e-8).sqrt().mean()
        return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], 1)
