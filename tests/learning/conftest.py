from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.images.tiles import cut_tiles, tile_grid
from spectrace.learning.recipes import (
    DataRecipe,
    NetworkRecipe,
    PenaltyRecipe,
    Recipe,
    RepresentationRecipe,
)


@pytest.fixture(autouse=True)
def _same_threads():
    """Trainings set torch's thread count; each test starts from one."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_tiles(photographs) -> np.ndarray:
    """uint8 [N, 3, 128, 128]: tiles of photographs, and flat ones (black, white, grey)."""
    tiles = [cut_tiles(p, tile_grid(*p.shape[:2], 128, limit=4), 128) for p in photographs.values()]
    flat = [np.full((1, 3, 128, 128), value, np.uint8) for value in (0, 255, 77)]
    return np.concatenate(tiles + flat)


@pytest.fixture(scope="session")
def recipe_of():
    """Builds a small recipe with some fields changed."""
    return _make_recipe


def _make_recipe(**changes) -> Recipe:
    """A recipe that trains in a moment: 16-pixel tiles, 2 steps an epoch."""
    fields = {
        "name": "small",
        "tile": 16,
        "epochs": 4,
        "steps_per_epoch": 2,
        "batch": 8,
        "workers": 0,
        "data": DataRecipe(
            manifest="made.csv", augment=["flip@0.5", "jpeg(quality=60..95)@0.5"], val_tiles=2
        ),
        "representation": RepresentationRecipe(id="log-dct"),
        "network": NetworkRecipe(id="linear"),
        "penalties": PenaltyRecipe(l2=0.01),
    }
    return Recipe(**(fields | changes))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory, photographs) -> Manifest:
    """Crops of photographs, and the same with every second row and column repeated; splits train and val."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(5)
    names = ["astronaut", "coffee", "china", "retina"]
    rows = []
    for number in range(24):
        photograph = photographs[names[number % 4]]
        top, left = (int(rng.integers(side - 40)) for side in photograph.shape[:2])
        crop = photograph[top : top + 40, left : left + 40]
        doubled = crop[::2, ::2].repeat(2, 0).repeat(2, 1)
        for label, pixels, generator in (("real", crop, ""), ("generated", doubled, f"up{number // 4 % 2}")):
            path = f"{label}/{number}.png"
            (root / label).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(root / path)
            rows.append(
                Row(
                    path=path,
                    label=label,
                    split="val" if number % 4 == 3 else "train",
                    generator=generator,
                    source=f"source{number % 3}",
                )
            )
    return Manifest(rows, root)


@pytest.fixture(scope="session")
def spoiled():
    """Adds bad pictures to a manifest."""
    return _spoil


def _spoil(manifest: Manifest, root: Path) -> Manifest:
    """The same pictures and three more in train: one broken, one missing, one of 8 pixels."""
    root.mkdir(exist_ok=True)
    (root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    Image.new("RGB", (8, 8)).save(root / "tiny.png")
    names = ("broken.png", "missing.png", "tiny.png")
    more = [Row(path=str(root / name), label="real", split="train") for name in names]
    return Manifest([*manifest.rows, *more], manifest.root)
