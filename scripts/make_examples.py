#!/usr/bin/env python3
"""Makes examples/ from photographs that ship in scikit-image and scikit-learn.

`camera/` holds the photographs, `generated/` what the FLUX.2 tiny autoencoder makes of other photographs: the
last step of a latent generator, and its traces. All are saved alike, as JPEG of quality 90 with chroma
subsampling 4:2:0, so the format says nothing. `upsampled/` holds a photograph enlarged by repeating pixels, to see
lattice peaks.

    scripts/make_examples.py ../shared/weights
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image

from spectrace.generators.tiny_autoencoder import TinyAutoencoder
from spectrace.images.decode import decode

SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
CAMERA = (SKLEARN / "china.jpg", SKLEARN / "flower.jpg", SKIMAGE / "rocket.jpg")
GENERATED_FROM = (SKIMAGE / "astronaut.png", SKIMAGE / "chelsea.png", SKIMAGE / "coffee.png")


def main() -> None:
    autoencoder = TinyAutoencoder.load(sys.argv[1])
    examples = Path(__file__).resolve().parents[1] / "examples"
    for path in CAMERA:
        save(decode(path).pixels, examples / "camera" / f"{path.stem}.jpg")
    for path in GENERATED_FROM:
        save(autoencoder.reconstruct(decode(path).pixels), examples / "generated" / f"{path.stem}.jpg")
    small = Image.fromarray(decode(SKIMAGE / "chelsea.png").pixels).resize(
        (225, 150), Image.Resampling.LANCZOS
    )
    target = examples / "upsampled" / "chelsea-nearest-x2.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    small.resize((450, 300), Image.Resampling.NEAREST).save(target)


def save(pixels: np.ndarray, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(target, quality=90)


if __name__ == "__main__":
    main()
