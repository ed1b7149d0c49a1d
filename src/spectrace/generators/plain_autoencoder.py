"""A plain convolutional autoencoder, trained in a minute: strided convolutions down, transposed ones up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spectrace.errors import ModelError, UsageError

_FACTOR = 4
_LATENT = 16
_WIDTH = 32


class PlainAutoencoder(nn.Module):
    """Encoder to 1/4 of the size with 16 channels, and decoder back by two transposed convolutions.

    Transposed convolutions of 4 x 4 with stride 2 leave the traces that Frank et al. 2020 describe.

    Example:
        >>> autoencoder = PlainAutoencoder()  # untrained; see train_autoencoder()
        >>> sum(parameter.numel() for parameter in autoencoder.parameters())
        87251
        >>> autoencoder.reconstruct(np.zeros((30, 41, 3), np.uint8)).shape
        (30, 41, 3)
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, _WIDTH, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(_WIDTH, 2 * _WIDTH, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * _WIDTH, _LATENT, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(_LATENT, 2 * _WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * _WIDTH, _WIDTH, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(_WIDTH, 3, 4, stride=2, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float32 ``[N, 3, H, W]``, 0 to 1, sides multiples of 4, to the same shape."""
        # Centred around zero, where fresh layers work best.
        result: Tensor = self.decoder(self.encoder(x - 0.5)) + 0.5
        return result

    @torch.inference_mode()
    def reconstruct(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture as this autoencoder makes it: uint8 [H, W, 3] of 4 pixels a side or more, same out."""
        height, width = pixels.shape[:2]
        x = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255.0
        x = nn.functional.pad(x, (0, -width % _FACTOR, 0, -height % _FACTOR), mode="reflect")
        y = self(x)[0, :, :height, :width]
        out: NDArray[np.uint8] = (y.clamp(0, 1) * 255.0).round().byte().permute(1, 2, 0).contiguous().numpy()
        return out

    def save(self, path: str | Path) -> None:
        """Write the weights as a safetensors file."""
        from safetensors.torch import save_file  # noqa: PLC0415

        save_file(self.state_dict(), path)

    @classmethod
    def load(cls, path: str | Path) -> PlainAutoencoder:
        """Read weights that :meth:`save` wrote.

        Raises:
            ModelError: the file is missing or holds something else.
        """
        from safetensors import SafetensorError  # noqa: PLC0415
        from safetensors.torch import load_file  # noqa: PLC0415

        autoencoder = cls()
        try:
            autoencoder.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise ModelError(f"{path} holds no plain autoencoder ({reason}): train one") from error
        return autoencoder.eval()


def train_autoencoder(
    pictures: Sequence[NDArray[np.uint8]],
    *,
    steps: int,
    seed: int,
    batch: int = 16,
    crop: int = 64,
    visit: Callable[[int], None] = lambda _: None,
) -> PlainAutoencoder:
    """Train on random crops: Adam at 2e-3 with a cosine decay, mean absolute error.

    Args:
        pictures: uint8 [H, W, 3] each, of ``crop`` pixels a side or more.
        steps: how many.
        seed: of weights and crops; torch's global generator is left as it was.
        batch: crops a step.
        crop: side of a crop in pixels.
        visit: called with 1 after each step, for progress.

    Returns:
        The autoencoder, ready to use.

    Raises:
        UsageError: no picture that is large enough.
    """
    large = [pixels for pixels in pictures if min(pixels.shape[:2]) >= crop]
    if not large:
        raise UsageError(f"no picture of {crop} pixels a side or more to train an autoencoder on")
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        autoencoder = PlainAutoencoder()
    optimiser = torch.optim.Adam(autoencoder.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, steps))
    for _ in range(steps):
        crops = np.stack([_crop(large[int(rng.integers(len(large)))], crop, rng) for _ in range(batch)])
        x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255.0
        loss = nn.functional.l1_loss(autoencoder(x), x)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        visit(1)
    return autoencoder.eval()


def _crop(pixels: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    top, left = (int(rng.integers(side - size + 1)) for side in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]
