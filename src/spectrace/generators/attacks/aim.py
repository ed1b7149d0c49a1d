"""What it takes to aim at a detector: its frozen network, pixels as a file holds them, and the loss."""

from __future__ import annotations

import copy
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from spectrace.errors import RecipeError
from spectrace.learning.checkpoints import CHECKPOINT
from spectrace.learning.network import DetectorNetwork, build_detector
from spectrace.learning.recipes import Recipe
from spectrace.learning.representations import LogDCT, Representation
from spectrace.learning.runs import RECIPE

SMOOTHING = 3.0
"""Added to the DCT's magnitudes before the log where gradients are taken, in grey levels."""


def frozen_detector(run: Path, size: int) -> DetectorNetwork:
    """The best epoch of a detector's training run, in evaluation mode, for pictures of one size.

    The network takes float32 pixels in 0..255 as well as uint8, and passes gradients on to them; those of a
    log-DCT are smoothed (:class:`Smoothed`).

    Args:
        run: folder that ``spectrace train`` wrote.
        size: side of the pictures.

    Raises:
        RecipeError: the folder holds no training of a detector, or one that does not take such pictures.
    """
    try:
        recipe = msgspec.json.decode((run / RECIPE).read_bytes(), type=Recipe)
        state = torch.load(run / CHECKPOINT, weights_only=True, map_location="cpu")
        weights = state["best_weights"]
    except Exception as error:  # torch raises whatever the unpickler meets
        raise RecipeError(
            f"{run} holds no detector's training ({error!r:.120}): name a folder that `spectrace train` wrote"
        ) from error
    if recipe.task != "binary":
        raise RecipeError(f"{run} tells generators apart: wanted a detector of camera against generated")
    # Fresh weights are drawn only to be replaced: the caller's chance must not notice.
    with torch.random.fork_rng(devices=[]):
        detector = build_detector(recipe, 1, 0)
    if size != recipe.tile and not detector.network.any_size:
        raise RecipeError(
            f"{run} looks at tiles of {recipe.tile} pixels, pictures have {size}: wanted the same"
        )
    detector.load_state_dict(weights)
    if isinstance(detector.representation, LogDCT):
        detector.representation = Smoothed(detector.representation)
    return detector.eval().requires_grad_(False)


class Smoothed(Representation):
    """The log-DCT with the gradient of another one, whose log does not run away near zero.

    The log's own gradient, one over the coefficient, belongs to the few coefficients that happen to be nearly
    zero, and leads nowhere: a detector that hides its gradients so looks robust and is not (Athalye et al.
    2018, arXiv 1802.00420). Values are exactly the detector's.

    Args:
        exact: the detector's representation.
    """

    def __init__(self, exact: LogDCT) -> None:
        super().__init__()
        self.exact, self.smooth = exact, copy.deepcopy(exact)
        self.smooth.log_epsilon = SMOOTHING

    def forward(self, tiles: Tensor) -> Tensor:
        """Pixels ``[N, 3, S, S]`` to standardised float32."""
        smooth = self.smooth(tiles)
        values: Tensor = self.exact(tiles).detach() + (smooth - smooth.detach())
        return values


def rounded(pixels: Tensor) -> Tensor:
    """Round and clip to 0..255; gradients pass as if nothing were done.

    Example:
        >>> x = torch.tensor([1.2, 300.0], requires_grad=True)
        >>> rounded(x).tolist()
        [1.0, 255.0]
        >>> rounded(x).sum().backward()
        >>> x.grad.tolist()
        [1.0, 1.0]
    """
    return pixels + (pixels.round().clamp(0.0, 255.0) - pixels).detach()


def towards_camera(logits: Tensor) -> Tensor:
    """Cross-entropy of each picture's patches with the class *camera*, in nats.

    Args:
        logits: ``[N, h, w]``, positive for generated.

    Returns:
        ``[N]``.

    Example:
        >>> [round(float(loss), 4) for loss in towards_camera(torch.tensor([[[0.0]], [[-9.0]]]))]
        [0.6931, 0.0001]
    """
    return nn.functional.softplus(logits).flatten(1).mean(1)
