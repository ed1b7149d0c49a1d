"""Fixtures shared by every room's tests: real photographs that ship inside wheels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import skimage
import sklearn
from PIL import Image

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
_SKIMAGE = Path(skimage.__file__).parent / "data"
_SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
_PHOTOGRAPHS = {
    "astronaut": _SKIMAGE / "astronaut.png",
    "coffee": _SKIMAGE / "coffee.png",
    "chelsea": _SKIMAGE / "chelsea.png",
    "rocket": _SKIMAGE / "rocket.jpg",
    "hubble": _SKIMAGE / "hubble_deep_field.jpg",
    "retina": _SKIMAGE / "retina.jpg",
    "china": _SKLEARN / "china.jpg",
    "flower": _SKLEARN / "flower.jpg",
}

os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def photograph_paths() -> dict[str, Path]:
    """Paths of real photographs (PNG and JPEG) that ship in scikit-image and scikit-learn."""
    return dict(_PHOTOGRAPHS)


@pytest.fixture(scope="session")
def photographs() -> dict[str, np.ndarray]:
    """The same photographs as uint8 [H, W, 3] arrays; read-only, copy before writing."""
    pictures = {}
    for name, path in _PHOTOGRAPHS.items():
        with Image.open(path) as image:
            array = np.asarray(image.convert("RGB"))
        array.flags.writeable = False
        pictures[name] = array
    return pictures


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The corpus beside the checkout; tests that use it are skipped where it is absent."""
    if not (CORPUS / "manifest.csv").is_file():
        pytest.skip("../shared/corpus is not here")
    return CORPUS
