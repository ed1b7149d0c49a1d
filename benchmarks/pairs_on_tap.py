"""Tiles a second of the training stream on one worker: plain, and with aligned pairs on tap.

    python benchmarks/pairs_on_tap.py MANIFEST WEIGHTS [--out results/pairs-on-tap.json] [--rounds 2]

MANIFEST lists photographs and generated pictures (split train), WEIGHTS is the folder of the FLUX.2 tiny
autoencoder. A worker's work is done in this process, on one thread, and its processor time is taken, so that
other programs do not count. The kinds take turns, ratios are taken round by round. On tap every couple is a
pair.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from spectrace.corpora.manifest import Manifest
from spectrace.evaluation.environment import Environment
from spectrace.generators.autoencoder import Autoencoder
from spectrace.generators.autoencoders import load_autoencoder
from spectrace.learning.cutting import Cutter
from spectrace.learning.data import TrainingTiles
from spectrace.learning.pairs import Reconstructor
from spectrace.learning.pictures import Pictures
from spectrace.learning.recipes import DataRecipe, NetworkRecipe, PairsRecipe, Recipe, RepresentationRecipe
from spectrace.learning.sampling import Sampler, entries_of

WARM_UP = 2
PHOTOGRAPHS = 4
AUGMENT = [
    "flip@0.5",
    "resize(scale=0.6..1.2, kernel=bilinear|bicubic|lanczos)@0.4",
    "jpeg(quality=60..98, subsampling=4:2:0|4:4:4)@0.9",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results/pairs-on-tap.json"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--window", type=int, default=224)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    manifest = Manifest.read(arguments.manifest)
    by_label = {label: manifest.select(split="train", label=label).rows for label in ("real", "generated")}
    # Evenly over the manifest, and few: a short run must meet every window again.
    rows = [row for some in by_label.values() for row in some[:: len(some) // PHOTOGRAPHS][:PHOTOGRAPHS]]
    few = Manifest(rows, manifest.root)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        torch.manual_seed(0)
        Autoencoder("nearest", levels=1).save(folder / "small.pt")
        small, tiny = load_autoencoder(folder / "small.pt"), load_autoencoder(arguments.weights)
        kinds = {
            "plain": (stream(few, arguments.window), 256),
            "small autoencoder": (stream(few, arguments.window, small), 64),
            "small autoencoder, cached": (stream(few, arguments.window, small, folder / "cache"), 256),
            "FLUX.2 tiny autoencoder": (stream(few, arguments.window, tiny), 8),
            "FLUX.2 tiny autoencoder, cached": (stream(few, arguments.window, tiny, folder / "cache"), 256),
        }
        for name, (tiles, count) in kinds.items():
            if "cached" in name:
                speed(tiles, count)  # fills the cache
        found = [
            {name: speed(tiles, count) for name, (tiles, count) in kinds.items()}
            for _ in range(arguments.rounds)
        ]
    results = {}
    for name in kinds:
        ratios = [one[name] / one["plain"] for one in found]
        results[name] = {
            "tiles_per_second": round(median(one[name] for one in found), 1),
            "share_of_plain": round(median(ratios), 3),
            "range": [round(min(ratios), 3), round(max(ratios), 3)],
        }
        print(name, json.dumps(results[name]))
    document = {
        "what": "tiles of 128 pixels a second of processor time, one thread, medians; ratios round by round",
        "window": arguments.window,
        "augment": AUGMENT,
        "rounds": arguments.rounds,
        "environment": {
            "torch": torch.__version__,
            "platform": platform.platform(),
            "cpu": Environment.here().cpu,
            "cores": Environment.here().cores,
        },
        "results": results,
    }
    arguments.out.write_text(json.dumps(document, indent=1) + "\n")


def stream(
    manifest: Manifest, window: int, maker: Reconstructor | None = None, cache: Path | None = None
) -> TrainingTiles:
    pairs = PairsRecipe(autoencoders=["named elsewhere"], windows=2, cache=str(cache or ""))
    recipe = Recipe(
        name="speed",
        data=DataRecipe(
            manifest="named-elsewhere.csv",
            window=window,
            grid=8,
            augment=AUGMENT,
            paired_share=1.0 if maker else 0.0,
            pairs=pairs if maker else None,
        ),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id="linear"),
    )
    reconstructors = [maker] if maker else []
    makers = [one.name for one in reconstructors]
    entries = entries_of(manifest, recipe, "train", ["camera", "generated"], makers)
    sampler = Sampler(entries, 2, 0.0, recipe.data.paired_share)
    return TrainingTiles(sampler, Cutter.of(recipe, reconstructors), 0, Pictures(2**28))


def speed(tiles: TrainingTiles, count: int) -> float:
    """Tiles a second of processor time; pictures are decoded once and kept, as in a training."""
    for index in range(WARM_UP):
        tiles[index]
    start = time.process_time()
    for index in range(WARM_UP, WARM_UP + count):
        tiles[index]
    return count / (time.process_time() - start)


if __name__ == "__main__":
    main()
