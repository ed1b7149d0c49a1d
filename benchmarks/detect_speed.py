"""How long `spectrace detect` takes against decoding the same files alone, as whole processes in one run.

    python benchmarks/detect_speed.py [--out results/speed.json] [--repeats 5]

Three folders of JPEGs are made from the photographs that ship in scikit-image: small pictures, 1 MP and
12 MP. For each, the command and a process that only decodes (Pillow, the same number of threads) run in
turn, and the ratio is taken pair by pair. Start-up is measured against `import onnxruntime` alone. Where
torch is installed, a rival is the same command with the network of NPR, its weights untrained, on the same
tiles.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

FOLDERS = {  # name: (width, height, pictures)
    "small 288x288": (288, 288, 200),
    "1 MP": (1152, 864, 60),
    "12 MP": (4000, 3000, 12),
}
DECODE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from PIL import Image
def decode(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).shape
with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    for shape in pool.map(decode, sorted(Path(sys.argv[1]).iterdir())):
        pass
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/speed.json"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", help="the shipped one when not given")
    arguments = parser.parse_args()
    model = ["--model", arguments.model] if arguments.model else []

    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, (width, height, count) in FOLDERS.items():
            folder = Path(scratch) / name.replace(" ", "-")
            make_photographs(folder, width, height, count)
            detect = command(
                "detect", folder, "--exit-zero", "--jsonl", "--workers", arguments.workers, *model
            )
            decode = [sys.executable, "-c", DECODE, str(folder), str(arguments.workers)]
            results[name] = paired(detect, decode, arguments.repeats) | {
                "pictures": count,
                "workers": arguments.workers,
            }
            print(name, json.dumps(results[name]))
            if name == "1 MP" and (rival := npr(Path(scratch) / "npr.onnx", arguments.model)):
                theirs = command("detect", folder, "--exit-zero", "--jsonl", "--workers", arguments.workers)
                results["1 MP, NPR's network on the same tiles"] = paired(
                    [*theirs, "--model", str(rival)], detect, arguments.repeats, other="the shipped model"
                )
        one = next(iter(sorted((Path(scratch) / "small-288x288").iterdir())))
        bare = [sys.executable, "-c", "import onnxruntime"]
        results["start-up, one small picture"] = paired(
            command("detect", one, "--exit-zero", *model), bare, arguments.repeats, other="import onnxruntime"
        )
        results["start-up, --help"] = paired(
            command("--help"), [sys.executable, "-c", "pass"], arguments.repeats, other="python -c pass"
        )
    document = {
        "what": "seconds as whole processes, medians; ratios pair by pair in one run",
        "repeats": arguments.repeats,
        "versions": {name: version(name) for name in ("spectrace", "numpy", "pillow", "onnxruntime")}
        | {"python": platform.python_version()},
        "machine": {"processor": processor(), "system": platform.platform()},
        "results": results,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(results, indent=2))


def npr(path: Path, model: str | None) -> Path | None:
    """NPR's network with fresh weights, for as many tiles of the same size as the model takes."""
    try:
        from spectrace.learning.export import export_onnx
        from spectrace.learning.network import DetectorNetwork
        from spectrace.learning.networks import build_network
        from spectrace.learning.representations import Pixels
    except ImportError:
        return None
    from spectrace.detectors.card import Card, Thresholds
    from spectrace.detectors.runtime import Model, find_model

    card = Model(find_model(model)).card
    network = build_network("npr", 1, card.tile_size)
    undecided = Thresholds(generated=1e9, camera=-1e9)  # no second look at any tile
    rival = Card(
        id="npr",
        version="0",
        title="NPR's network, untrained",
        tile_size=card.tile_size,
        tiles=card.tiles,
        thresholds=undecided,
    )
    export_onnx(DetectorNetwork(Pixels(), network.eval()), rival, path)
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "spectrace", *map(str, arguments)]


def paired(
    ours: list[str], theirs: list[str], repeats: int, other: str = "decoding alone"
) -> dict[str, object]:
    seconds(ours), seconds(theirs)  # the first run fills the file cache
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    ratios = [a / b for a, b in pairs]
    return {
        "seconds": round(median(a for a, _ in pairs), 3),
        "other": other,
        "other_seconds": round(median(b for _, b in pairs), 3),
        "ratio": round(median(ratios), 2),
        "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        "difference_seconds": round(median(a - b for a, b in pairs), 3),
    }


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def make_photographs(folder: Path, width: int, height: int, count: int) -> None:
    """Photographs of the asked size: mirrored tilings of crops, JPEG quality 90 to 95 like a camera's."""
    import skimage.data

    sources = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        picture = sources[number % len(sources)]
        top, left = rng.integers(0, 100, 2)
        crop = picture[top:, left:]
        mirrored = np.pad(
            crop,
            ((0, max(0, height - crop.shape[0])), (0, max(0, width - crop.shape[1])), (0, 0)),
            mode="reflect",
        )
        path = folder / f"{number:03}.jpg"
        Image.fromarray(mirrored[:height, :width]).save(path, quality=int(rng.integers(90, 96)))


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


if __name__ == "__main__":
    main()
