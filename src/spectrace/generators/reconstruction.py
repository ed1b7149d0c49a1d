"""A picture through an autoencoder of any kind, at the picture's own size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spectrace.errors import UsageError


@torch.inference_mode()
def reconstruct(
    autoencode: Callable[[Tensor], Tensor], pixels: NDArray[np.uint8], factor: int
) -> NDArray[np.uint8]:
    """The picture as an autoencoder gives it back.

    Args:
        autoencode: float32 ``[1, 3, H, W]`` in 0..1 to the same, for sides that are multiples of ``factor``.
        pixels: uint8 [H, W, 3] RGB, any size from ``factor`` up; other sides are continued by reflection and
            cut back.
        factor: of the autoencoder's smallest maps.

    Returns:
        uint8 [H, W, 3].

    Raises:
        UsageError: wrong shape or dtype, or a side below ``factor`` pixels.

    Example:
        >>> reconstruct(lambda x: x, np.full((9, 10, 3), 7, np.uint8), 8).tolist() == [[[7] * 3] * 10] * 9
        True
    """
    shaped = pixels.ndim == 3 and pixels.shape[2] == 3 and min(pixels.shape[:2]) >= factor
    if pixels.dtype != np.uint8 or not shaped:
        raise UsageError(
            f"picture is {pixels.dtype} {list(pixels.shape)}: wanted uint8 [H, W, 3], "
            f"sides of {factor} or more"
        )
    height, width = pixels.shape[:2]
    x = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255.0
    x = nn.functional.pad(x, (0, -width % factor, 0, -height % factor), mode="reflect")
    y = autoencode(x)[0, :, :height, :width]
    out: NDArray[np.uint8] = (y.clamp(0, 1) * 255.0).round().byte().permute(1, 2, 0).contiguous().numpy()
    return out
