"""The small convolutional network of Frank et al. 2020 (arXiv 2003.08685)."""

from __future__ import annotations

from torch import Tensor, nn

from spectrace.learning.networks.heads import check_multiple
from spectrace.learning.networks.registry import Network, register_network, whole_tile


class FrankCNN(Network):
    """conv(3) - conv(8) - avgpool - conv(16) - avgpool - conv(32) - dense; 3x3, ReLU, same padding.

    The published counts fix the shape: convolutions hold 84 + 224 + 1,168 + 4,640 = 6,116 parameters;
    two halvings of 128 leave 32 x 32 x 32 inputs to the dense layer, so 38,885 with one output and
    169,961 with five.

    Args:
        outputs: number of logits.
        tile: side of a tile in pixels, a multiple of 4; the whole of it is one patch.

    Raises:
        RecipeError: when the tile cannot be halved twice.

    Example:
        >>> sum(parameter.numel() for parameter in FrankCNN(5, 128).parameters())
        169961
    """

    def __init__(self, outputs: int, tile: int) -> None:
        super().__init__()
        check_multiple("frank-cnn", tile, 4)
        self.patches = whole_tile(tile)
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 3, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
        )
        self.dense = nn.Linear(32 * (tile // 4) ** 2, outputs)
        for layer in self.convolutions:
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.xavier_uniform_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` to logits ``[N, outputs, 1, 1]``."""
        logits: Tensor = self.dense(self.convolutions(inputs).flatten(1))
        return logits[:, :, None, None]


register_network("frank-cnn", "the small network of Frank et al.")(FrankCNN)
