"""NPR, neighbouring pixel relationships (Tan et al. 2024, arXiv 2312.10461), on a cut ResNet50."""

from __future__ import annotations

from torch import Tensor, nn

from spectrace.learning.networks.blocks import bottleneck
from spectrace.learning.networks.heads import PooledNetwork, check_multiple
from spectrace.learning.networks.registry import Network, register_network
from spectrace.learning.networks.resnet import features


class NeighbourResidual(nn.Module):
    """What each 2 x 2 square of pixels adds to its top left one: ``x - up(down(x))``, nearest neighbour.

    An upsampler of factor 2 writes such squares; the rest of the picture's content cancels.

    Example:
        >>> import torch
        >>> NeighbourResidual()(torch.tensor([[[[1.0, 2.0], [5.0, 8.0]]]])).tolist()
        [[[[0.0, 1.0], [4.0, 7.0]]]]
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, C, S, S]``, S even, to the same shape."""
        corners = inputs[:, :, ::2, ::2]
        return inputs - nn.functional.interpolate(corners, scale_factor=2.0, mode="nearest")


def half_resnet50(identity: str, front: nn.Module, outputs: int, tile: int) -> Network:
    """ResNet50 with a 3x3 stem, cut behind its second layer, pooled: what NPR and SAFE share.

    Args:
        identity: the network's id, for messages.
        front: what it sees of the tile; takes an even number of pixels.
        outputs: number of logits.
        tile: side of a tile in pixels; the whole of it is one patch.

    Raises:
        RecipeError: for an odd tile.
    """
    check_multiple(identity, tile, 2)
    body = features(bottleneck, [3, 4], 256, kernel=3)
    return PooledNetwork(identity, body, 512, outputs, tile, front=front)


def npr(outputs: int, tile: int) -> Network:
    """The cut ResNet50 on :class:`NeighbourResidual`.

    An odd tile is refused, so that every square is whole. A constant factor on the residual, as in the
    authors' code, is left out: the first batch normalisation cancels it.

    Args:
        outputs: number of logits.
        tile: side of a tile in pixels, even; the whole of it is one patch.

    Raises:
        RecipeError: for an odd tile.

    Example:
        >>> sum(parameter.numel() for parameter in npr(1, 128).parameters())
        1437761
    """
    return half_resnet50("npr", NeighbourResidual(), outputs, tile)


register_network("npr", "NPR: neighbouring pixels' differences, ResNet50 cut behind layer 2, pooled")(npr)
