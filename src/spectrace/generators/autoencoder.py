"""A small autoencoder with any upsampler: photographs as a generator with that upsampler would draw them.

Its reconstructions show the same content at the same size as their photographs, so that a detector trained on
the pairs finds nothing but the decoder's traces to learn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spectrace.errors import ModelError
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.reconstruction import reconstruct
from spectrace.generators.upsamplers import build_upsampler
from spectrace.learning.checkpoints import CHECKPOINT

LEVELS = {"autoencoder": 1, "autoencoder2": 2}
"""How often a family of :mod:`.families.autoencoder` halves the size."""


class Autoencoder(nn.Module):
    """Strided convolutions down to ``1 / 2 ** levels`` of the size, and as many upsamplers back.

    Args:
        upsampler: a name of :data:`spectrace.generators.upsamplers.UPSAMPLERS`.
        levels: how often the size is halved: 1 gives faithful pictures, 2 coarser ones.
        width: channels of the hidden layers.
        latent: channels of the bottleneck.

    Example:
        >>> autoencoder = Autoencoder("nearest").eval()
        >>> autoencoder.reconstruct(np.zeros((50, 71, 3), np.uint8)).shape
        (50, 71, 3)
    """

    def __init__(self, upsampler: str, *, levels: int = 1, width: int = 32, latent: int = 8) -> None:
        super().__init__()
        self.settings = {"upsampler": upsampler, "levels": levels, "width": width, "latent": latent}
        self.factor = 2**levels

        def convolution(inputs: int, stride: int = 1) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(inputs, width, 3, stride, padding=1), nn.LeakyReLU(0.1))

        down = [convolution(width if level else 3, 2) for level in range(levels)]
        up = [
            layer for _ in range(levels) for layer in (convolution(width), build_upsampler(upsampler, width))
        ]
        self.encoder = nn.Sequential(*down, convolution(width), nn.Conv2d(width, latent, 3, padding=1))
        self.decoder = nn.Sequential(convolution(latent), *up, nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Float32 ``[N, 3, H, W]`` in -1..1 to the same, sides multiples of ``factor``."""
        decoded: Tensor = self.decoder(self.encoder(x))
        return decoded

    def reconstruct(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture as this autoencoder gives it back; see :func:`.reconstruction.reconstruct`."""
        return reconstruct(lambda x: 0.5 * self(2.0 * x - 1.0) + 0.5, pixels, self.factor)

    def save(self, path: Path) -> None:
        """Write weights and settings."""
        temporary = path.with_name(f"{path.name}.part")
        torch.save({"settings": self.settings, "weights": self.state_dict()}, temporary)
        temporary.replace(path)

    @classmethod
    def of(cls, recipe: GeneratorRecipe) -> Autoencoder:
        """Fresh weights, from a recipe without gaps."""
        return cls(recipe.upsampler, levels=LEVELS[recipe.family], width=recipe.width)

    @classmethod
    def load(cls, path: Path) -> Autoencoder:
        """Read what :meth:`save` wrote, or the averaged weights of a training, in evaluation mode.

        Args:
            path: of the file, or of the folder of a run that `spectrace generate train` or
                :func:`.training.train_generator` made.

        Raises:
            ModelError: it is missing or something else.
        """
        try:
            saved = torch.load(path / CHECKPOINT if path.is_dir() else path, weights_only=True)
            if "training" in saved:
                autoencoder = cls.of(GeneratorRecipe(**saved["training"]["recipe"]))
                autoencoder.load_state_dict(saved["training"]["averaged"])
            else:
                autoencoder = cls(**saved["settings"])
                autoencoder.load_state_dict(saved["weights"])
        except Exception as error:  # torch raises whatever the unpickler meets
            raise ModelError(
                f"{path} is no autoencoder of Spectrace ({error!r:.120}): make one with "
                "`spectrace generate train autoencoder`"
            ) from error
        return autoencoder.eval()
