"""The first paper's central claim: what cannot be told from pixels can be told from the spectrum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from spectrace.detectors.runtime import Model
from spectrace.learning.recipes import load_manifest, read_recipe
from spectrace.learning.runs import run

# A photograph lends its crops to one side only, so nothing can be learnt about the held-out contents.
TRAINING = ("astronaut", "coffee", "hubble", "retina", "china")
HELD_OUT = ("chelsea", "flower", "rocket")

RECIPE = """
name = "claim-{representation}"
epochs = 15
batch = 32

[data]
real = "real"
generated = "generated"
grid = 8

[representation]
id = "{representation}"

[network]
id = "linear"

[penalties]
l2 = 0.01
"""


def crops(photographs, names, count: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Crops of 128 pixels, and the same at 64 pixels enlarged by repeating pixels.

    Both come from the same 256 pixels of a photograph, which is made smaller by 2 and by 4: so contents are equal
    pair by pair, and the photograph's side is as sharp as a picture of its size can be.
    """
    rng = np.random.default_rng(seed)
    real, generated = [], []
    for number in range(count):
        photograph = photographs[names[number % len(names)]]
        top, left = (int(rng.integers(side - 255)) for side in photograph.shape[:2])
        region = Image.fromarray(photograph[top : top + 256, left : left + 256])
        real.append(np.asarray(region.resize((128, 128), Image.Resampling.LANCZOS)))
        small = region.resize((64, 64), Image.Resampling.LANCZOS)
        generated.append(np.asarray(small.resize((128, 128), Image.Resampling.NEAREST)))
    return real, generated


@pytest.mark.slow
def test_upsampling_is_seen_in_the_spectrum_and_hardly_in_pixels(photographs, tmp_path):
    for label, pictures in zip(("real", "generated"), crops(photographs, TRAINING, 200, 1), strict=True):
        (tmp_path / label).mkdir()
        for number, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    real, generated = crops(photographs, HELD_OUT, 60, 2)
    tiles = np.ascontiguousarray(np.stack([*real, *generated]).transpose(0, 3, 1, 2))
    truth = np.repeat([0, 1], 60)

    found = {}
    for representation in ("log-dct", "pixels"):
        path: Path = tmp_path / f"{representation}.toml"
        path.write_text(RECIPE.format(representation=representation))
        recipe = read_recipe(path)
        run(recipe, load_manifest(recipe.data), tmp_path / representation, seed=0, workers=1)
        logits = Model(tmp_path / representation / "model.onnx").logits(tiles)
        found[representation] = roc_auc_score(truth, logits[:, 0, 0])
    assert found["log-dct"] > 0.99
    assert found["pixels"] < 0.75
