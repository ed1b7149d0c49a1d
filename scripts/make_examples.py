#!/usr/bin/env python3
"""Makes examples/ from photographs that ship in scikit-image and scikit-learn.

`camera/` holds the photographs, `generated/` what the FLUX.2 tiny autoencoder makes of other photographs (the
last step of a latent generator, and its traces) and a sheet of samples of a small GAN. All are saved alike, as JPEG
of quality 90 with chroma subsampling 4:2:0, so the format says nothing. `upsampled/` holds a photograph enlarged by
repeating pixels, to see lattice peaks.

    scripts/make_examples.py ../shared/weights runs/generators/dcgan-transposed-389396e7
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image

from spectrace.generators.sampler import Sampler
from spectrace.generators.tiny_autoencoder import TinyAutoencoder
from spectrace.images.decode import decode

SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
CAMERA = {
    "china": SKLEARN / "china.jpg",
    "clock": SKIMAGE / "clock_motion.png",
    "flower": SKLEARN / "flower.jpg",
    "rocket": SKIMAGE / "rocket.jpg",
}
GENERATED_FROM = (SKIMAGE / "astronaut.png", SKIMAGE / "chelsea.png", SKIMAGE / "coffee.png")


def main() -> None:
    autoencoder = TinyAutoencoder.load(sys.argv[1])
    examples = Path(__file__).resolve().parents[1] / "examples"
    for name, path in CAMERA.items():
        save(decode(path).pixels, examples / "camera" / f"{name}.jpg")
    for path in GENERATED_FROM:
        save(autoencoder.reconstruct(decode(path).pixels), examples / "generated" / f"{path.stem}.jpg")
    save(sheet(Sampler(Path(sys.argv[2])).sample(64, seed=1)), examples / "generated" / "dcgan-samples.jpg")
    small = Image.fromarray(decode(SKIMAGE / "chelsea.png").pixels).resize(
        (225, 150), Image.Resampling.LANCZOS
    )
    target = examples / "upsampled" / "chelsea-nearest-x2.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    small.resize((450, 300), Image.Resampling.NEAREST).save(target)


def sheet(samples: np.ndarray) -> np.ndarray:
    """Square samples, as many as the square of a whole number, side by side."""
    across, size = math.isqrt(len(samples)), samples.shape[1]
    rows = samples.reshape(across, across, size, size, 3).transpose(0, 2, 1, 3, 4)
    return rows.reshape(across * size, across * size, 3)


def save(pixels: np.ndarray, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(target, quality=90)


if __name__ == "__main__":
    main()
