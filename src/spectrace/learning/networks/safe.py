"""SAFE (Li et al. 2024, arXiv 2408.06741): the finest diagonal wavelet band, and the cut ResNet50 of NPR."""

from __future__ import annotations

from torch import Tensor, nn

from spectrace.learning.networks.npr import half_resnet50
from spectrace.learning.networks.registry import Network, register_network


class DiagonalBand(nn.Module):
    """The diagonal band of one wavelet level, resized bilinearly to the input's size.

    The wavelet is bior1.3, whose analysis high-pass is Haar's ``(1, -1) / sqrt(2)`` on pairs of pixels, so
    each 2 x 2 square ``a b / c d`` gives ``(a - b - c + d) / 2``. Libraries that mirror the picture at its
    border add two mirrored coefficients on each side; these are left out.

    Example:
        >>> import torch
        >>> DiagonalBand()(torch.tensor([[[[4.0, 1.0], [2.0, 9.0]]]])).tolist()
        [[[[5.0, 5.0], [5.0, 5.0]]]]
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Float32 ``[N, C, S, S]``, S even, to the same shape."""
        columns = inputs[..., ::2] - inputs[..., 1::2]
        band = (columns[..., ::2, :] - columns[..., 1::2, :]) / 2.0
        return nn.functional.interpolate(band, scale_factor=2.0, mode="bilinear", align_corners=False)


def safe(outputs: int, tile: int) -> Network:
    """The cut ResNet50 on :class:`DiagonalBand`; the paper's augmentations belong to the recipe.

    Args:
        outputs: number of logits.
        tile: side of a tile in pixels, even; the whole of it is one patch.

    Raises:
        RecipeError: for an odd tile.

    Example:
        >>> sum(parameter.numel() for parameter in safe(1, 128).parameters())
        1437761
    """
    return half_resnet50("safe", DiagonalBand(), outputs, tile)


register_network("safe", "SAFE: the diagonal wavelet band, ResNet50 cut behind layer 2, pooled")(safe)
