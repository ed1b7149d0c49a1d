"""ResNet18 (He et al. 2016, arXiv 1512.03385): truncated after a layer (Chai et al. 2020), and full."""

from __future__ import annotations

from functools import partial

from torch import nn

from spectrace.learning.networks.blocks import ResidualBlock, basic, convolution
from spectrace.learning.networks.heads import PatchNetwork, PooledNetwork
from spectrace.learning.networks.registry import Network, register_network

LAYERS = 4


def features(
    block: ResidualBlock, counts: list[int], outputs: int, *, stem: int = 64, kernel: int = 7
) -> nn.Sequential:
    """The stem and the first layers of a ResNet.

    Args:
        block: what a layer is made of.
        counts: how many blocks each layer has; from the second on, a layer halves height and width.
        outputs: channels behind the first layer; each further layer doubles them.
        stem: channels of the stem.
        kernel: side of the stem's convolution, odd.

    Example:
        >>> from spectrace.learning.networks.blocks import bottleneck
        >>> sum(weight.numel() for weight in features(bottleneck, [3, 4, 6, 3], 256).parameters())
        23508032
    """
    layers = [*convolution(3, stem, kernel, 2, kernel // 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = stem
    for number, count in enumerate(counts):
        width = outputs * 2**number
        for index in range(count):
            layers.append(block(inputs, width, 2 if number and not index else 1))
            inputs = width
    return nn.Sequential(*layers)


def truncated(layers: int, outputs: int, tile: int) -> Network:
    """ResNet18 cut behind a layer, one logit a patch (Chai et al. 2020).

    Example:
        >>> truncated(1, 2, 128).patches
        PatchGrid(size=43, stride=4, start=-21)
    """
    body = features(basic, [2] * layers, 64)
    return PatchNetwork(f"resnet18-layer{layers}", body, 64 * 2 ** (layers - 1), outputs, tile)


def slim(outputs: int, tile: int) -> Network:
    """ResNet18 cut behind layer 1 at half its width: ours, for speed.

    Example:
        >>> slim(1, 128).patches == truncated(1, 1, 128).patches
        True
    """
    return PatchNetwork("resnet18-layer1-slim", features(basic, [2], 32, stem=32), 32, outputs, tile)


def full(outputs: int, tile: int) -> Network:
    """All of ResNet18, pooled."""
    return PooledNetwork("resnet18", features(basic, [2] * LAYERS, 64), 512, outputs, tile)


for _layers in range(1, LAYERS + 1):
    register_network(f"resnet18-layer{_layers}", f"ResNet18 cut behind layer {_layers}")(
        partial(truncated, _layers)
    )
register_network("resnet18-layer1-slim", "ResNet18 cut behind layer 1, half as wide")(slim)
register_network("resnet18", "the full ResNet18, pooled")(full)
