"""Upsamplers as interchangeable parts of a generator: each doubles height and width."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from spectrace.errors import UsageError
from spectrace.spectra.upsampling import KERNELS


class FixedKernel(nn.Module):
    """Zero insertion and a fixed kernel, the same for every channel; borders are continued by repetition.

    Args:
        kernel: one-dimensional weights, applied along both axes.

    Example:
        >>> FixedKernel(KERNELS["nearest"])(torch.tensor([[[[1.0, 2.0]]]])).tolist()
        [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]
    """

    kernel: Tensor

    def __init__(self, kernel: tuple[float, ...]) -> None:
        super().__init__()
        weights = torch.tensor(kernel)
        self.register_buffer("kernel", weights[:, None] * weights[None, :])

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C, H, W]`` to ``[N, C, 2 H, 2 W]``."""
        channels, height, width = x.shape[1:]
        side = self.kernel.shape[0]
        framed = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
        weights = self.kernel.expand(channels, 1, side, side)
        spread = nn.functional.conv_transpose2d(framed, weights, stride=2, groups=channels)
        # The frame's two samples a side are cut off again; an even kernel stays centred on its sample's pair.
        first = 2 + (side - 1) // 2
        return spread[:, :, first : first + 2 * height, first : first + 2 * width]


class _Interpolate(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.interpolate(x, scale_factor=2, mode=self.mode)


def _pixel_shuffle(channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 4 * channels, 3, padding=1), nn.PixelShuffle(2))


UPSAMPLERS: dict[str, Callable[[int], nn.Module]] = {
    "transposed": lambda channels: nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1),
    "pixel-shuffle": _pixel_shuffle,
    "nearest": lambda channels: FixedKernel(KERNELS["nearest"]),
    "bilinear": lambda channels: FixedKernel(KERNELS["bilinear"]),
    "binomial": lambda channels: FixedKernel(KERNELS["binomial"]),
    "binomial5": lambda channels: FixedKernel(KERNELS["binomial5"]),
    "bicubic": lambda channels: _Interpolate("bicubic"),
}
"""Builders by name, from the number of channels. The first two have weights of their own."""


def build_upsampler(name: str, channels: int) -> nn.Module:
    """An upsampler ``[N, C, H, W]`` to ``[N, C, 2 H, 2 W]``.

    Raises:
        UsageError: an unknown name.

    Example:
        >>> build_upsampler("pixel-shuffle", 8)(torch.zeros(1, 8, 5, 7)).shape
        torch.Size([1, 8, 10, 14])
    """
    if name not in UPSAMPLERS:
        raise UsageError(f"upsampler {name!r} is unknown: use one of {', '.join(UPSAMPLERS)}")
    return UPSAMPLERS[name](channels)
