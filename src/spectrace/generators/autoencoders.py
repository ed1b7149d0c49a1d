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
from spectrace.learning.pairs import Reconstructor

TINY = "flux2-tiny-autoencoder"

_TINY_WEIGHTS = ("taef2_encoder.safetensors", "taef2_decoder.safetensors")


def load_autoencoder(path: str | Path) -> Reconstructor:
    """An autoencoder as a maker of aligned pictures, named after its file.

    Its weights are read now, to know that they are good, and once more in each process that it is sent to.

    Args:
        path: a file that :meth:`spectrace.generators.autoencoder.Autoencoder.save` wrote, or the folder with
            the weights of the FLUX.2 tiny autoencoder.

    Raises:
        ModelError: nothing is there, or something else.

    Example:
        >>> load_autoencoder("nothing.pt")
        Traceback (most recent call last):
        spectrace.errors.ModelError: no autoencoder at nothing.pt: give a file of ...
    """
    place = Path(path).absolute()
    files = [place / name for name in _TINY_WEIGHTS] if place.is_dir() else [place]
    if not all(file.is_file() for file in files):
        raise ModelError(
            f"no autoencoder at {path}: give a file of Spectrace's small one, or the folder that holds "
            f"{' and '.join(_TINY_WEIGHTS)}"
        )
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    saved = _Saved(place, digest.hexdigest())
    network = saved.network()
    if isinstance(network, Autoencoder) and network.factor > MCU:
        raise ModelError(
            f"{path} makes pictures {network.factor} times smaller inside: wanted {MCU} at most, for pairs "
            f"are cut in steps of {MCU} pixels"
        )
    return Reconstructor(TINY if place.is_dir() else place.stem, saved.digest, saved)


@dataclass(frozen=True)
class _Saved:
    """Goes to another process as a path, not as weights."""

    path: Path
    digest: str

    def network(self) -> Autoencoder | TinyAutoencoder:
        return _network(self.path, self.digest)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.network().reconstruct(pixels)


@lru_cache(maxsize=16)
def _network(path: Path, digest: str) -> Autoencoder | TinyAutoencoder:
    # The digest is part of the key: a file that was written anew is read anew.
    return TinyAutoencoder.load(path) if path.is_dir() else Autoencoder.load(path)
