"""The tiny autoencoder of the FLUX.2 latent space: photographs as a latent generator would have decoded them.

A reconstruction shows the same content at the same size as its photograph, so the pair differs in the
decoder's traces alone. The network was distilled by Ollin Boer Bohan (repository madebyollin/taesd, MIT
licence); its weights are not part of Spectrace and are read from files of the user's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spectrace.errors import ModelError
from spectrace.generators.reconstruction import reconstruct

_WIDTH = 64
_LATENT = 32
_FACTOR = 8


class _Block(nn.Module):
    def __init__(self, *, pooled: bool = False) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1),
        )
        self.pool = (
            nn.Sequential(
                nn.Conv2d(_WIDTH, 4 * _WIDTH, 1, bias=False),
                nn.GroupNorm(4, 4 * _WIDTH),
                nn.ReLU(),
                nn.Conv2d(4 * _WIDTH, _WIDTH, 1, bias=False),
            )
            if pooled
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.pool is not None:
            x = x + self.pool(x)
        result: Tensor = torch.relu(self.conv(x) + x)
        return result


class _Squash(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 3.0 * torch.tanh(x / 3.0)


def _encoder() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, _WIDTH, 3, padding=1), _Block()]
    for level in range(3):
        layers.append(nn.Conv2d(_WIDTH, _WIDTH, 3, stride=2, padding=1, bias=False))
        layers += [_Block(pooled=level == 2) for _ in range(3)]
    layers.append(nn.Conv2d(_WIDTH, _LATENT, 3, padding=1))
    return nn.Sequential(*layers)


def _decoder() -> nn.Sequential:
    layers: list[nn.Module] = [_Squash(), nn.Conv2d(_LATENT, _WIDTH, 3, padding=1), nn.ReLU()]
    layers += [_Block(pooled=True) for _ in range(3)]
    for blocks in (3, 3, 1):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False)]
        layers += [_Block() for _ in range(blocks)]
    layers.append(nn.Conv2d(_WIDTH, 3, 3, padding=1))
    return nn.Sequential(*layers)


class TinyAutoencoder(nn.Module):
    """Encoder to 1/8 of the size with 32 channels, and decoder back, upsampling by nearest three times.

    Example:
        >>> autoencoder = TinyAutoencoder()  # untrained; see load()
        >>> sum(p.numel() for p in autoencoder.parameters())
        2677027
        >>> autoencoder.reconstruct(np.zeros((50, 70, 3), np.uint8)).shape
        (50, 70, 3)
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _encoder()
        self.decoder = _decoder()
        self.eval()

    @classmethod
    def load(cls, folder: str | Path) -> TinyAutoencoder:
        """Read ``taef2_encoder.safetensors`` and ``taef2_decoder.safetensors`` in a folder.

        Raises:
            ModelError: a file is missing or holds other weights.
        """
        from safetensors import SafetensorError  # noqa: PLC0415
        from safetensors.torch import load_file  # noqa: PLC0415

        autoencoder = cls()
        for name, half in (("encoder", autoencoder.encoder), ("decoder", autoencoder.decoder)):
            path = Path(folder) / f"taef2_{name}.safetensors"
            try:
                weights = load_file(path)
                half.load_state_dict({key: value.float() for key, value in weights.items()})
            except (OSError, SafetensorError, RuntimeError) as error:
                reason = str(error).partition("\n")[0]
                raise ModelError(
                    f"{path} is not the FLUX.2 tiny {name} ({reason}): wanted the safetensors file of "
                    "madebyollin/taesd"
                ) from error
        return autoencoder

    def forward(self, x: Tensor) -> Tensor:
        """Float32 ``[N, 3, H, W]`` in 0..1 to the same, sides multiples of 8."""
        decoded: Tensor = self.decoder(self.encoder(x))
        return decoded

    def reconstruct(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture as this autoencoder would have decoded it; see :func:`.reconstruction.reconstruct`."""
        return reconstruct(self, pixels, _FACTOR)
