"""From a trained sampler to one ONNX file with its card inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from spectrace.generators.sampler import METADATA_KEY, GeneratorCard
from spectrace.learning.export import to_onnx
from spectrace.learning.saving import save_onnx


class _Pixels(nn.Module):
    """The sampler with its output as bytes; an autoencoder's with its input, too."""

    def __init__(self, sampler: nn.Module, *, takes_pixels: bool) -> None:
        super().__init__()
        self.sampler, self.takes_pixels = sampler, takes_pixels

    def forward(self, x: Tensor) -> Tensor:
        if self.takes_pixels:
            x = x.float() / 127.5 - 1.0
        drawn: Tensor = self.sampler(x).clamp(-1, 1)
        return (127.5 * drawn + 127.5).round().to(torch.uint8)


def export_generator(sampler: nn.Module, card: GeneratorCard, path: Path) -> Path:
    """Write a sampler and its card as one file that :class:`.sampler.Sampler` reads without torch.

    Input ``noise`` float32 ``[N, latent]`` with N free; of an autoencoder ``photographs`` uint8
    ``[N, 3, H, W]``. Output ``pictures`` uint8 ``[N, 3, H, W]``.

    Args:
        sampler: see :class:`.families.Family`; put into evaluation mode.
        card: travels in the metadata.
        path: of the ``.onnx`` file; replaced at once.

    Returns:
        The path.
    """
    free: dict[int, Any] = {0: torch.export.Dim("N", min=1)}
    if card.latent:
        example = torch.zeros(2, card.latent)
    else:
        example = torch.zeros(2, 3, card.recipe.size, card.recipe.size, dtype=torch.uint8)
        free |= dict.fromkeys((2, 3), torch.export.Dim.DYNAMIC)
    names = ("noise" if card.latent else "photographs", "pictures")
    module = _Pixels(sampler, takes_pixels=not card.latent).eval()
    model = to_onnx(module, example, free, names=names)
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    save_onnx(model, path)
    return path
