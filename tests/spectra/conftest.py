"""Sets of small pictures made of photographs, as surveys, without files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, islice

import numpy as np
import pytest
from PIL import Image

from spectrace.spectra.census import PeakCensus
from spectrace.spectra.fingerprints import Fingerprint, centre_crop
from spectrace.spectra.survey import Survey
from spectrace.spectra.traits import Traits, spectral_traits
from spectrace.spectra.upsampling import upsample

SIZE = 64


def surveyed(pictures: Sequence[np.ndarray], kind: str = "PNG") -> Survey:
    """A survey of pictures of one size, no peaks looked for."""
    crops = [centre_crop(pixels, SIZE, "grey") for pixels in pictures]
    fingerprint = Fingerprint.empty(SIZE, "grey").update(np.stack(crops))
    traits = tuple(
        Traits(*spectral_traits(crop[0]), False, kind, pixels.shape[1], pixels.shape[0])
        for crop, pixels in zip(crops, pictures, strict=True)
    )
    jpeg = len(pictures) if kind == "JPEG" else 0
    return Survey(fingerprint, PeakCensus(len(pictures), jpeg=jpeg), traits=traits)


@pytest.fixture(scope="session")
def small_pictures(photographs: dict[str, np.ndarray]) -> Callable[..., list[np.ndarray]]:
    """``make(count, seed, kernel, factor)``: random pieces of photographs, scaled down, upsampled again."""

    def make(count: int, seed: int, kernel: str | None = None, factor: int = 2) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        names = ("astronaut", "coffee", "chelsea", "rocket", "china", "flower")
        made = []
        for name in islice(cycle(names), count):
            height, width = photographs[name].shape[:2]
            side = int(rng.integers(140, 300))
            top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
            piece = Image.fromarray(photographs[name][top : top + side, left : left + side])
            small = SIZE // factor if kernel else SIZE
            pixels = np.asarray(piece.resize((small, small), Image.Resampling.LANCZOS))
            if kernel:
                pixels = np.clip(np.rint(upsample(pixels, factor, kernel)), 0, 255).astype(np.uint8)
            made.append(pixels)
        return made

    return make


@pytest.fixture(scope="session")
def make_survey() -> Callable[..., Survey]:
    return surveyed
