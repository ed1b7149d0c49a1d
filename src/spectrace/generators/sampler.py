"""Samples of an exported generator; needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from spectrace.errors import ModelError, UsageError
from spectrace.generators.recipe import GeneratorRecipe

METADATA_KEY = "spectrace.generator"
GENERATOR = "generator.onnx"
_AT_ONCE = 16


class GeneratorCard(msgspec.Struct, frozen=True, kw_only=True):
    """What an exported generator is.

    Attributes:
        recipe: that it was trained by.
        latent: numbers that a sample is made of; 0 for an autoencoder.
        photographs: SHA-256 of what it was trained on.
        steps: of training that were done.
        seconds: that they took.
        note: what else was done to it.
    """

    recipe: GeneratorRecipe
    latent: int
    photographs: str
    steps: int
    seconds: float = 0.0
    note: str = ""

    def to_json(self) -> str:
        """As text for the file's metadata."""
        return msgspec.json.encode(self).decode()


class Sampler:
    """An exported generator.

    Args:
        path: of ``generator.onnx``, or of a folder that holds one.
        threads: that onnxruntime computes on; 0 leaves it to onnxruntime.

    Raises:
        ModelError: the file is missing or is no generator of Spectrace.
    """

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        file = path / GENERATOR if path.is_dir() else path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
            text = self._session.get_modelmeta().custom_metadata_map[METADATA_KEY]
            self.card = msgspec.json.decode(text, type=GeneratorCard)
        except Exception as error:  # onnxruntime raises types of its own that it does not export
            raise ModelError(
                f"{file} is no generator of Spectrace ({error!r:.120}): wanted what `spectrace generate` made"
            ) from error

    def sample(self, count: int, seed: int = 0, *, first: int = 0) -> NDArray[np.uint8]:
        """Draw samples; each depends on the seed and its own number alone.

        Args:
            count: how many.
            seed: of the noise.
            first: number of the first.

        Returns:
            uint8 ``[count, S, S, 3]``.

        Raises:
            UsageError: an autoencoder, which makes nothing of noise.
        """
        if not self.card.latent:
            raise UsageError("an autoencoder draws nothing from noise: see `spectrace generate reconstruct`")
        noise = np.stack(
            [
                np.random.default_rng([seed, number]).standard_normal(self.card.latent, np.float32)
                for number in range(first, first + count)
            ]
        )
        return self._run("noise", noise)

    def reconstruct(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Photographs as an autoencoder gives them back.

        Args:
            pictures: uint8 ``[N, H, W, 3]``, sides that are multiples of 16.

        Returns:
            uint8, same shape.

        Raises:
            UsageError: the generator is no autoencoder.
        """
        if self.card.latent:
            raise UsageError(f"a {self.card.recipe.family} takes no photographs: wanted an autoencoder")
        return self._run("photographs", np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))

    def _run(self, name: str, values: NDArray[Any]) -> NDArray[np.uint8]:
        parts = [
            self._session.run(None, {name: values[start : start + _AT_ONCE]})[0]
            for start in range(0, len(values), _AT_ONCE)
        ]
        return np.ascontiguousarray(np.concatenate(parts).transpose(0, 2, 3, 1))


def write_samples(
    sampler: Sampler,
    folder: Path,
    count: int,
    seed: int = 0,
    *,
    visit: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Write samples as ``SEED-NUMBER.png``; those that are there already are kept.

    Args:
        sampler: an exported generator.
        folder: is made.
        count: how many.
        seed: of the noise.
        visit: called after each sample.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed}-{number:06d}.png" for number in range(count)]
    for start in range(0, count, _AT_ONCE):
        wanted = paths[start : start + _AT_ONCE]
        if not all(path.is_file() for path in wanted):
            for path, pixels in zip(wanted, sampler.sample(len(wanted), seed, first=start), strict=True):
                unfinished = path.with_suffix(".part")
                Image.fromarray(pixels).save(unfinished, "PNG")
                unfinished.replace(path)
        for _ in wanted:
            visit()
    return paths
