"""One door to all autoencoders: a file or a folder, told apart by what is there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import ModelError
from spectrace.generators.autoencoder import Autoencoder
from spectrace.generators.tiny_autoencoder import TinyAutoencoder
from spectrace.images.encodings import MCU
from spectrace.learning.checkpoints import CHECKPOINT
from spectrace.learning.pairs import Reconstructor

TINY = "flux2-tiny-autoencoder"

_TINY_WEIGHTS = ("taef2_encoder.safetensors", "taef2_decoder.safetensors")


def load_autoencoder(path: str | Path) -> Reconstructor:
    """An autoencoder as a maker of aligned pictures, named after its file.

    Its weights are read now, to know that they are good, and once more in each process that it is sent to.

    Args:
        path: a file that :meth:`spectrace.generators.autoencoder.Autoencoder.save` wrote, the folder of a run
            that trained one, or the folder with the weights of the FLUX.2 tiny autoencoder.

    Raises:
        ModelError: nothing is there, or something else.

    Example:
        >>> load_autoencoder("nothing.pt")
        Traceback (most recent call last):
        spectrace.errors.ModelError: no autoencoder at nothing.pt: give the file or run of a small one, or ...
    """
    place = Path(path).absolute()
    if not (place.is_file() or _is_tiny(place) or (place / CHECKPOINT).is_file()):
        raise ModelError(
            f"no autoencoder at {path}: give the file or run of a small one, or the folder that holds "
            f"{' and '.join(_TINY_WEIGHTS)}"
        )
    network = _load(place)
    if isinstance(network, Autoencoder) and network.factor > MCU:
        raise ModelError(
            f"{path} makes pictures {network.factor} times smaller inside: wanted {MCU} at most, for pairs "
            f"are cut in steps of {MCU} pixels"
        )
    digest = _digest(network)
    name = TINY if isinstance(network, TinyAutoencoder) else place.stem if place.is_file() else place.name
    return Reconstructor(name, digest, _Saved(place, digest))


@dataclass(frozen=True)
class _Saved:
    """Goes to another process as a path, not as weights."""

    path: Path
    digest: str

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return _loaded(self.path, self.digest).reconstruct(pixels)


@lru_cache(maxsize=16)
def _loaded(path: Path, digest: str) -> Autoencoder | TinyAutoencoder:
    network = _load(path)
    if _digest(network) != digest:
        raise ModelError(f"{path} holds other weights than before: wait until its training has ended")
    return network


def _load(path: Path) -> Autoencoder | TinyAutoencoder:
    return TinyAutoencoder.load(path) if _is_tiny(path) else Autoencoder.load(path)


def _is_tiny(path: Path) -> bool:
    return all((path / name).is_file() for name in _TINY_WEIGHTS)


def _digest(network: Autoencoder | TinyAutoencoder) -> str:
    settings = network.settings if isinstance(network, Autoencoder) else TINY
    digest = hashlib.sha256(repr(settings).encode())
    for name, values in network.state_dict().items():
        digest.update(f"{name} {values.dtype} {list(values.shape)}".encode())
        digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()
