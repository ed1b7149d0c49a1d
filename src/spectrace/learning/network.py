"""The whole detector as one module: representation and network, uint8 tiles in, logits out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectrace.learning.networks import Network, build_network
from spectrace.learning.recipes import PenaltyRecipe, Recipe
from spectrace.learning.representations import Representation, build_representation


class DetectorNetwork(nn.Module):
    """Exactly what is exported to ONNX.

    Args:
        representation: ``uint8 [N, 3, S, S]`` to float32 of the same shape.
        network: to logits ``[N, outputs, h, w]``.

    Example:
        >>> from spectrace.learning.networks.linear import Linear
        >>> from spectrace.learning.representations import Pixels
        >>> tiles = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
        >>> DetectorNetwork(Pixels(), Linear(1, 16))(tiles).shape
        torch.Size([4, 1, 1])
        >>> DetectorNetwork(Pixels(), Linear(5, 16))(tiles).shape
        torch.Size([4, 5, 1, 1])
    """

    def __init__(self, representation: Representation, network: Network) -> None:
        super().__init__()
        self.representation = representation
        self.network = network

    def forward(self, tiles: Tensor) -> Tensor:
        """``uint8 [N, 3, S, S]`` to float32 ``[N, h, w]`` (one output) or ``[N, K, h, w]``."""
        return _without_single_output(self.network(self.representation(tiles)))


class Objective(nn.Module):
    """What is minimised: the detector's mean loss over a batch, and its penalties.

    Only the network runs in the recipe's precision: log-spectra of rounded pixels would be noise.

    Args:
        detector: shared with this module, not copied.
        recipe: names precision and penalties.
    """

    def __init__(self, detector: DetectorNetwork, recipe: Recipe) -> None:
        super().__init__()
        self.detector = detector
        self.precision: torch.dtype = getattr(torch, recipe.precision)
        self.penalties = recipe.penalties
        # Convolutions are faster on pixels whose channels lie together, by a quarter and more on CPUs.
        detector.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, tiles: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """``uint8 [N, 3, S, S]`` and int64 ``[N]`` to the mean loss in nats, without and with penalties."""
        inputs = self.detector.representation(tiles).contiguous(memory_format=torch.channels_last)
        with torch.autocast(tiles.device.type, self.precision, enabled=self.precision != torch.float32):
            logits = self.detector.network(inputs)
        loss = patch_losses(_without_single_output(logits.float()), targets).mean()
        return loss, loss + penalty(self.detector.network.weights(), self.penalties)


def build_detector(recipe: Recipe, outputs: int, seed: int) -> DetectorNetwork:
    """The recipe's detector with fresh weights; seeds torch's global generator.

    Args:
        recipe: names representation, network and tile size.
        outputs: 1 for a binary detector, the number of classes for attribution.
        seed: of the initial weights.

    Raises:
        RecipeError: an unknown representation or network, or one that cannot take the tile size.
    """
    torch.manual_seed(seed)
    representation = build_representation(
        recipe.representation.id, recipe.tile, recipe.representation.log_epsilon
    )
    return DetectorNetwork(representation, build_network(recipe.network.id, outputs, recipe.tile))


def _without_single_output(logits: Tensor) -> Tensor:
    # Decided here and not by squeeze, which ONNX refuses where torch lets other sizes pass.
    return logits[:, 0] if logits.shape[1] == 1 else logits


def patch_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Logistic loss or cross-entropy of each tile, averaged over its patches, in nats.

    Args:
        logits: float ``[N, h, w]`` (binary, target 1 is generated) or ``[N, K, h, w]``.
        targets: int64 ``[N]``.

    Returns:
        float ``[N]``.

    Example:
        >>> patch_losses(torch.zeros(2, 1, 1), torch.tensor([0, 1])).tolist()  # ln 2
        [0.6931471824645996, 0.6931471824645996]
    """
    if logits.ndim == 3:
        wanted = targets.to(logits.dtype)[:, None, None].expand_as(logits)
        losses = nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    else:
        spread = targets[:, None, None].expand(len(targets), *logits.shape[2:])
        losses = nn.functional.cross_entropy(logits, spread, reduction="none")
    return losses.flatten(1).mean(1)


def penalty(weights: list[Tensor], recipe: PenaltyRecipe) -> Tensor:
    """``l1 * sum(|w|) + l2 * sum(w ** 2)`` over all weights.

    Example:
        >>> float(penalty([torch.tensor([[3.0, -4.0]])], PenaltyRecipe(l1=1.0, l2=0.5)))
        19.5
    """
    total = torch.zeros(())
    for weight in weights:
        if recipe.l1:
            total = total + recipe.l1 * weight.abs().sum()
        if recipe.l2:
            total = total + recipe.l2 * weight.square().sum()
    return total
