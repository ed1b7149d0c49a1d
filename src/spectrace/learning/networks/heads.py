"""From features to logits: one a patch, or one for the whole tile."""

from __future__ import annotations

from torch import Tensor, nn

from spectrace.errors import RecipeError
from spectrace.learning.networks.blocks import initialise
from spectrace.learning.networks.registry import Network, whole_tile
from spectrace.learning.receptive_field import receptive_field


class PatchNetwork(Network):
    """A truncated network: a 1x1 convolution gives each place of an early layer its own logits, no pooling.

    Source: Chai et al. 2020 (arXiv 2008.10588). Fresh weights, nothing pretrained.

    Args:
        identity: the network's id, for messages.
        features: from 3 channels; its receptive field becomes the patch.
        width: channels of the features.
        outputs: number of logits a patch.
        tile: side of a tile in pixels; inputs of any other size are taken as well.

    Raises:
        RecipeError: a tile too small for one patch.

    Example:
        >>> import torch
        >>> network = PatchNetwork("demo", nn.Sequential(nn.Conv2d(3, 8, 5, 2)), 8, 1, 64)
        >>> network(torch.zeros(2, 3, 64, 33)).shape
        torch.Size([2, 1, 30, 15])
        >>> network.patches
        PatchGrid(size=5, stride=2, start=0)
    """

    any_size = True

    def __init__(self, identity: str, features: nn.Sequential, width: int, outputs: int, tile: int) -> None:
        super().__init__()
        _check_tile(identity, features, tile)
        initialise(features)
        self.patches = receptive_field(features).grid
        self.features = features
        self.head = nn.Conv2d(width, outputs, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, H, W]`` in -1..1 to logits ``[N, outputs, h, w]``."""
        logits: Tensor = self.head(self.features(inputs))
        return logits


class PooledNetwork(Network):
    """A full network: the mean of its features over the whole tile, then a dense layer.

    Fresh weights, nothing pretrained.

    Args:
        identity: the network's id, for messages.
        features: from 3 channels.
        width: channels of the features.
        outputs: number of logits.
        tile: side of a tile in pixels; the whole of it is one patch.
        front: what the features see of the tile, the tile itself if left out.

    Raises:
        RecipeError: a tile too small for the features.

    Example:
        >>> import torch
        >>> network = PooledNetwork("demo", nn.Sequential(nn.Conv2d(3, 8, 5, 2)), 8, 4, 64)
        >>> network(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 4, 1, 1])
    """

    def __init__(
        self,
        identity: str,
        features: nn.Sequential,
        width: int,
        outputs: int,
        tile: int,
        *,
        front: nn.Module | None = None,
    ) -> None:
        super().__init__()
        _check_tile(identity, features, tile)
        initialise(features)
        self.patches = whole_tile(tile)
        self.front = front or nn.Identity()
        self.features = features
        self.dense = nn.Linear(width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` in -1..1 to logits ``[N, outputs, 1, 1]``."""
        logits: Tensor = self.dense(self.features(self.front(inputs)).mean((2, 3)))
        return logits[:, :, None, None]


def check_multiple(identity: str, tile: int, factor: int) -> None:
    """Refuse a tile that a network cannot divide by ``factor``.

    Raises:
        RecipeError: with the nearest size below that it can.

    Example:
        >>> check_multiple("npr", 127, 2)
        Traceback (most recent call last):
        spectrace.errors.RecipeError: tile is 127, npr needs a multiple of 2: take 126
    """
    if tile % factor:
        fitting = tile // factor * factor or factor
        raise RecipeError(f"tile is {tile}, {identity} needs a multiple of {factor}: take {fitting}")


def _check_tile(identity: str, features: nn.Module, tile: int) -> None:
    reach = receptive_field(features)
    if reach.count(tile) < 1:
        raise RecipeError(f"tile is {tile}, {identity} needs {reach.shortest} pixels or more: take 128")
