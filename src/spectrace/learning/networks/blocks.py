"""Blocks that the convolutional networks are made of, each written once.

Convolutions in them have no bias: the batch normalisation behind brings its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Two paths over the same input, added: ``main(x) + skip(x)`` (He et al. 2016, arXiv 1512.03385)."""

    def __init__(self, main: nn.Module, skip: nn.Module) -> None:
        super().__init__()
        self.main = main
        self.skip = skip

    def branches(self) -> Iterable[nn.Module]:
        """Both paths."""
        return self.main, self.skip

    def forward(self, inputs: Tensor) -> Tensor:
        """``[N, C, H, W]`` to the sum of both paths."""
        total: Tensor = self.main(inputs) + self.skip(inputs)
        return total


class Inception(nn.Module):
    """Paths over the same input, stacked as channels (Szegedy et al. 2015, arXiv 1409.4842)."""

    def __init__(self, *paths: nn.Module) -> None:
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def branches(self) -> Iterable[nn.Module]:
        """All paths."""
        return self.paths

    def forward(self, inputs: Tensor) -> Tensor:
        """``[N, C, H, W]`` to the channels of all paths."""
        return torch.cat([path(inputs) for path in self.paths], 1)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    """A convolution and its batch normalisation."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def separable(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    """A depthwise separable convolution of odd kernel and its batch normalisation (arXiv 1610.02357).

    Example:
        >>> [tuple(weight.shape) for weight in nn.Sequential(*separable(8, 16, 3)).parameters()]
        [(8, 1, 3, 3), (16, 8, 1, 1), (16,), (16,)]
    """
    return [
        nn.Conv2d(inputs, inputs, kernel, padding=kernel // 2, groups=inputs, bias=False),
        *convolution(inputs, outputs, 1),
    ]


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The skip of a residual block: the input itself where it fits, else a 1x1 convolution."""
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(*convolution(inputs, outputs, 1, stride))


ResidualBlock = Callable[[int, int, int], nn.Module]
"""``(channels in, channels out, stride)`` to a residual block."""


def basic(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The block of ResNet18: two 3x3 convolutions."""
    main = [*convolution(inputs, outputs, 3, stride, 1), nn.ReLU(), *convolution(outputs, outputs, 3, 1, 1)]
    return nn.Sequential(Residual(nn.Sequential(*main), shortcut(inputs, outputs, stride)), nn.ReLU())


def bottleneck(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The block of ResNet50: 1x1 down to a quarter of the outputs, 3x3 (with the stride), 1x1 up."""
    inner = outputs // 4
    main = [
        *convolution(inputs, inner, 1),
        nn.ReLU(),
        *convolution(inner, inner, 3, stride, 1),
        nn.ReLU(),
        *convolution(inner, outputs, 1),
    ]
    return nn.Sequential(Residual(nn.Sequential(*main), shortcut(inputs, outputs, stride)), nn.ReLU())


def initialise(module: nn.Module) -> None:
    """Fresh weights, nothing pretrained: He's normal distribution (arXiv 1502.01852) for convolutions.

    Biases start at 0, batch normalisations at scale 1 and shift 0.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            # By fan-in: by fan-out, a depthwise convolution would count every channel as an output of each.
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
