"""A small autoencoder with any upsampler: photographs as a generator with that upsampler would draw them.

Its reconstructions show the same content at the same size as their photographs, so that a detector trained on
the pairs finds nothing but the decoder's traces to learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spectrace.errors import ModelError, UsageError
from spectrace.generators.reconstruction import reconstruct
from spectrace.generators.upsamplers import build_upsampler
from spectrace.learning.progress import Progress, Silent


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
        """Float32 ``[N, 3, H, W]`` in 0..1 to the same, sides multiples of ``factor``."""
        decoded: Tensor = self.decoder(self.encoder(2.0 * x - 1.0))
        return 0.5 * decoded + 0.5

    def reconstruct(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture as this autoencoder gives it back; see :func:`.reconstruction.reconstruct`."""
        return reconstruct(self, pixels, self.factor)

    def save(self, path: Path) -> None:
        """Write weights and settings."""
        temporary = path.with_name(f"{path.name}.part")
        torch.save({"settings": self.settings, "weights": self.state_dict()}, temporary)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Autoencoder:
        """Read what :meth:`save` wrote, in evaluation mode.

        Raises:
            ModelError: the file is missing or something else.
        """
        try:
            saved = torch.load(path, weights_only=True)
            autoencoder = cls(**saved["settings"])
            autoencoder.load_state_dict(saved["weights"])
        except Exception as error:  # torch raises whatever the unpickler meets
            raise ModelError(
                f"{path} is no autoencoder of Spectrace ({error!r:.120}): train it again"
            ) from error
        return autoencoder.eval()


def train_autoencoder(
    photographs: Sequence[NDArray[np.uint8]],
    upsampler: str,
    *,
    levels: int = 1,
    steps: int = 1500,
    batch: int = 8,
    crop: int = 64,
    learning_rate: float = 2e-3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Autoencoder:
    """Train on random crops with the mean absolute error; the learning rate falls along a half cosine.

    Args:
        photographs: uint8 [H, W, 3], no side below ``crop``.
        upsampler: see :class:`Autoencoder`.
        levels: see :class:`Autoencoder`.
        steps: of Adam.
        batch: crops a step.
        crop: side of a crop in pixels, a multiple of the autoencoder's factor.
        learning_rate: at the start.
        seed: of weights and crops.
        progress: is told how far it is, and the losses.

    Returns:
        The autoencoder, in evaluation mode.

    Raises:
        UsageError: no photographs, or one smaller than a crop.
    """
    if not photographs or min(min(pixels.shape[:2]) for pixels in photographs) < crop:
        raise UsageError(f"photographs to train an autoencoder on: wanted some, no side below {crop} pixels")
    shown = progress or Silent()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    autoencoder = Autoencoder(upsampler, levels=levels)
    optimiser = torch.optim.Adam(autoencoder.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    total = 0.0
    with shown.task(f"autoencoder, {upsampler}", steps) as advance:
        for step in range(1, steps + 1):
            crops = np.stack([_crop(photographs, crop, rng) for _ in range(batch)])
            x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255.0
            loss = (autoencoder(x) - x).abs().mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
            advance(1)
            if step % 250 == 0:
                shown.say(f"autoencoder, {upsampler}: step {step}, mean absolute error {total / 250:.4f}")
                total = 0.0
    return autoencoder.eval()


def _crop(photographs: Sequence[NDArray[np.uint8]], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    pixels = photographs[int(rng.integers(len(photographs)))]
    top, left = (int(rng.integers(length - side + 1)) for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]
