"""CNNDetection (Wang et al. 2020, arXiv 1912.11035): a ResNet50 on pixels."""

from __future__ import annotations

from spectrace.learning.networks.blocks import bottleneck
from spectrace.learning.networks.heads import PooledNetwork
from spectrace.learning.networks.registry import Network, register_network
from spectrace.learning.networks.resnet import features


def cnndetection(outputs: int, tile: int) -> Network:
    """ResNet50, mean, dense layer; what else the paper did (blur and JPEG at random) belongs to the recipe.

    The paper starts from weights trained on ImageNet; here the weights are fresh.

    Args:
        outputs: number of logits.
        tile: side of a tile in pixels; the whole of it is one patch.

    Example:
        >>> sum(parameter.numel() for parameter in cnndetection(1, 128).parameters())
        23510081
    """
    return PooledNetwork("cnndetection", features(bottleneck, [3, 4, 6, 3], 256), 2048, outputs, tile)


register_network("cnndetection", "CNNDetection: ResNet50, pooled")(cnndetection)
