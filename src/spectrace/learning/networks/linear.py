"""Logistic regression: one dense layer over the whole tile (Frank et al. 2020)."""

from __future__ import annotations

from torch import Tensor, nn

from spectrace.learning.networks.registry import Network, register_network, whole_tile


class Linear(Network):
    """One dense layer from all ``3 * tile * tile`` inputs to the logits.

    Args:
        outputs: number of logits.
        tile: side of a tile in pixels; the whole of it is one patch.

    Example:
        >>> import torch
        >>> Linear(5, 16)(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 5, 1, 1])
    """

    def __init__(self, outputs: int, tile: int) -> None:
        super().__init__()
        self.patches = whole_tile(tile)
        self.dense = nn.Linear(3 * tile * tile, outputs)
        # Zero is the neutral start of a convex problem: coefficients that carry no evidence stay at zero.
        nn.init.zeros_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` to logits ``[N, outputs, 1, 1]``."""
        logits: Tensor = self.dense(inputs.flatten(1))
        return logits[:, :, None, None]


register_network("linear", "one dense layer over the tile")(Linear)
