"""Pictures a second of the patch networks and their rivals, at the same input, in one run.

    python benchmarks/patch_speed.py [--out results/patch-speed.json] [--side 256] [--repeats 7]

Networks have random weights: speed does not depend on them. Each is timed in turn with the default patch
network, and the ratio is taken pair by pair. Decoding is not part of it.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
import torch

from spectrace.detectors.card import Card
from spectrace.detectors.runtime import Model
from spectrace.evaluation.environment import Environment
from spectrace.learning.export import export_onnx
from spectrace.learning.network import DetectorNetwork
from spectrace.learning.networks import build_network
from spectrace.learning.representations import Pixels

DEFAULT = "resnet18-layer1-slim"
OTHERS = (
    "npr",
    "safe",
    "cnndetection",
    "resnet18",
    "xception",
    "mesoinception4",
    "resnet18-layer1",
    "xception-block1",
    "xception-block2",
    "xception-block3",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/patch-speed.json"))
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()

    shape = (arguments.pictures, 3, arguments.side, arguments.side)
    pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        default = exported(DEFAULT, arguments, Path(scratch))
        for name in OTHERS:
            other = exported(name, arguments, Path(scratch))
            seconds(default, pictures), seconds(other, pictures)  # the first run allocates
            pairs = [(seconds(default, pictures), seconds(other, pictures)) for _ in range(arguments.repeats)]
            ratios = [theirs / ours for ours, theirs in pairs]
            results[name] = {
                "pictures_per_second": round(arguments.pictures / median(theirs for _, theirs in pairs), 1),
                "default_pictures_per_second": round(
                    arguments.pictures / median(ours for ours, _ in pairs), 1
                ),
                "default_is_faster_by": round(median(ratios), 2),
                "range": [round(min(ratios), 2), round(max(ratios), 2)],
            }
            print(name, json.dumps(results[name]))
    document = {
        "what": f"pictures of {arguments.side} pixels a second, onnxruntime, medians; ratios pair by pair",
        "default": DEFAULT,
        "threads": arguments.threads,
        "repeats": arguments.repeats,
        "environment": {
            "onnxruntime": version("onnxruntime"),
            "torch": torch.__version__,
            "platform": platform.platform(),
            "cpu": Environment.here().cpu,
            "cores": Environment.here().cores,
        },
        "results": results,
    }
    arguments.out.write_text(json.dumps(document, indent=1) + "\n")


def exported(name: str, arguments: argparse.Namespace, folder: Path) -> Model:
    torch.manual_seed(0)
    network = build_network(name, 1, arguments.side)
    card = Card(
        id=name,
        version="0",
        title=name,
        tile_size=arguments.side,
        stride=network.patches.stride,
        receptive_field=network.patches.size,
        patch_start=network.patches.start,
        any_size=network.any_size,
    )
    path = folder / f"{name}.onnx"
    export_onnx(DetectorNetwork(Pixels(), network), card, path)
    return Model(path, threads=arguments.threads)


def seconds(model: Model, pictures: np.ndarray) -> float:
    start = time.perf_counter()
    model.logits(pictures)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
