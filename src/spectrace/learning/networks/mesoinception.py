"""MesoInception-4, a small network against forged video faces (Afchar et al. 2018, arXiv 1809.00888)."""

from __future__ import annotations

from torch import Tensor, nn

from spectrace.learning.networks.blocks import Inception, initialise
from spectrace.learning.networks.heads import check_multiple
from spectrace.learning.networks.registry import Network, register_network, whole_tile

SHRINKS = 32


class MesoInception4(Network):
    """Two inception modules with dilated convolutions, two 5x5 convolutions, two dense layers.

    Every stage ends in ReLU, batch normalisation and max-pooling (2, 2, 2, 4). With one output at the
    published 256 pixels 28,615 parameters are trained; the 110 moving averages of the batch
    normalisations are not counted. Fresh weights, nothing pretrained.

    Args:
        outputs: number of logits.
        tile: side of a tile in pixels, a multiple of 32; the whole of it is one patch.

    Raises:
        RecipeError: when the poolings do not divide the tile.

    Example:
        >>> sum(parameter.numel() for parameter in MesoInception4(1, 256).parameters())
        28615
    """

    def __init__(self, outputs: int, tile: int) -> None:
        super().__init__()
        check_multiple("mesoinception4", tile, SHRINKS)
        self.patches = whole_tile(tile)
        self.features = nn.Sequential(
            _inception(3, 1, 4, 4, 2),
            nn.BatchNorm2d(11),
            nn.MaxPool2d(2),
            _inception(11, 2, 4, 4, 2),
            nn.BatchNorm2d(12),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 16, 5, padding=2),
            nn.ReLU(),
            nn.BatchNorm2d(16),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 16, 5, padding=2),
            nn.ReLU(),
            nn.BatchNorm2d(16),
            nn.MaxPool2d(4),
        )
        initialise(self.features)
        self.dense = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(16 * (tile // SHRINKS) ** 2, 16),
            nn.LeakyReLU(0.1),
            nn.Dropout(0.5),
            nn.Linear(16, outputs),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` in -1..1 to logits ``[N, outputs, 1, 1]``."""
        logits: Tensor = self.dense(self.features(inputs).flatten(1))
        return logits[:, :, None, None]


def _inception(inputs: int, plain: int, *dilated: int) -> Inception:
    """A 1x1 path, then 1x1 and 3x3 paths with dilation 1, 2, 3: channels out of each."""
    paths = [nn.Sequential(nn.Conv2d(inputs, plain, 1), nn.ReLU())]
    for dilation, width in enumerate(dilated, 1):
        paths.append(
            nn.Sequential(
                nn.Conv2d(inputs, width, 1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation),
                nn.ReLU(),
            )
        )
    return Inception(*paths)


register_network("mesoinception4", "MesoInception-4, dense layers over the whole tile")(MesoInception4)
