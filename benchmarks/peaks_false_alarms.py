"""How often the lattice-peak finder is wrong on photographs, and how often it is right on upsampled ones.

    python benchmarks/peaks_false_alarms.py ../shared/corpus/manifest.csv
    python benchmarks/peaks_false_alarms.py FOLDER...

Pictures of the splits train and val: thresholds were chosen on the camera pictures among them, and `unseen`
stays unseen. False alarms are counted for the file as it is (a JPEG is known to be one), for its pixels alone
(as when it was saved again as PNG), for small crops, and for a sample that is coded again. For the detection
rates a sample of these photographs is cut and upsampled. Generated pictures are counted for comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from spectrace import __version__
from spectrace.corpora.manifest import Manifest
from spectrace.errors import ImageError
from spectrace.images import perturbations
from spectrace.images.decode import decode
from spectrace.images.sources import expand
from spectrace.spectra.census import binomial_interval
from spectrace.spectra.peaks import DEPTH, LEAD, MARGINS, MIN_SIDE, THRESHOLDS, find_peaks, upsampling_factor
from spectrace.spectra.survey import JPEG_FORMATS
from spectrace.spectra.upsampling import KERNELS, upsample

Pixels = NDArray[np.uint8]

SPLITS = ("train", "val")
CROPS = (64, 128)
FACTORS = (2, 4, 8)
RESAMPLERS = ("bilinear", "bicubic", "lanczos")
ENDINGS = {"lossless": "identity()", "jpeg90": "jpeg(quality=90, subsampling=4:2:0)"}
RECODED = {"webp 50": "webp(quality=50)", "webp 80": "webp(quality=80)", "jpeg 75": "jpeg(quality=75)"}
SIDE = 256
OFF_GRID = (slice(3, None), slice(5, None))


def listed(sources: list[str]) -> tuple[list[tuple[str, Path]], list[tuple[str, Path]], str | None]:
    """``(source, path)`` of every photograph and every generated picture, and the manifest's digest."""
    if len(sources) == 1 and Path(sources[0]).suffix in (".csv", ".parquet"):
        manifest = Manifest.read(Path(sources[0]))
        rows = [row for row in manifest.rows if row.split in SPLITS]
        real = [(row.source, manifest.root / row.path) for row in rows if row.label == "real"]
        generated = [
            (f"{row.generator}, {row.source}", manifest.root / row.path)
            for row in rows
            if row.label == "generated"
        ]
        return real, generated, manifest.digest()
    return [(Path(source).name, path) for source in sources for path in expand([source])], [], None


def false_alarms(item: tuple[int, tuple[str, Path]], seed: int) -> dict[str, Any] | None:
    """What is found in one photograph: as a file, as pixels alone, and in crops."""
    index, (source, path) = item
    try:
        picture = decode(path)
    except ImageError as error:
        print(error, file=sys.stderr)
        return None
    pixels = picture.pixels
    if min(pixels.shape[:2]) < MIN_SIDE:
        return None
    jpeg = picture.facts.format in JPEG_FORMATS
    result: dict[str, Any] = {
        "source": source,
        "file": upsampling_factor(find_peaks(pixels, jpeg_grid=jpeg or None)),
        "pixels": upsampling_factor(find_peaks(pixels)),
    }
    rng = np.random.default_rng((seed, index))
    for side in CROPS:
        if min(pixels.shape[:2]) >= side:
            crop = random_crop(pixels, side, rng)
            result[f"crop {side}"] = upsampling_factor(find_peaks(crop))
    return result


def prints(item: tuple[str, Path]) -> tuple[str, int | None] | None:
    """What is found in one generated picture."""
    try:
        picture = decode(item[1])
    except ImageError as error:
        print(error, file=sys.stderr)
        return None
    known = picture.facts.format in JPEG_FORMATS or None
    return item[0], upsampling_factor(find_peaks(picture.pixels, jpeg_grid=known))


def recoded(item: tuple[int, tuple[str, Path]]) -> dict[str, int | None]:
    """What is found in one photograph that was coded again and cut off the block grid, from pixels alone."""
    pixels = decode(item[1][1]).pixels
    return {
        f"pixels, coded again as {name}": upsampling_factor(
            find_peaks(perturbations.apply(spec, pixels, 0)[OFF_GRID])
        )
        for name, spec in RECODED.items()
    }


def detections(item: tuple[int, tuple[str, Path]], seed: int) -> list[tuple[str, int, str, int | None]]:
    """What is found in one photograph's upsampled versions: ``(kernel, factor, ending, found)``."""
    index, (_, path) = item
    pixels = decode(path).pixels
    rng = np.random.default_rng((seed, index))
    rows = []
    for factor in FACTORS:
        crop = random_crop(pixels, SIDE // factor, rng)
        for kernel, large in upsampled(crop, factor):
            for ending, spec in ENDINGS.items():
                found = find_peaks(perturbations.apply(spec, large, 0), jpeg_grid=ending == "jpeg90" or None)
                rows.append((kernel, factor, ending, upsampling_factor(found)))
    return rows


def upsampled(crop: Pixels, factor: int) -> Iterator[tuple[str, Pixels]]:
    for kernel in KERNELS:
        values = upsample(crop, factor, kernel)
        yield kernel, np.clip(np.rint(values), 0, 255).astype(np.uint8)
    for kernel in RESAMPLERS:
        spec = f"resize(scale={factor}, kernel={kernel})"
        yield f"resize-{kernel}", perturbations.apply(spec, crop, 0)


def random_crop(pixels: Pixels, side: int, rng: np.random.Generator) -> Pixels:
    top, left = (int(rng.integers(0, length - side + 1)) for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def count(findings: Iterable[int | None]) -> dict[str, Any]:
    """Share of pictures in which anything was found, with its interval and the factors."""
    found = list(findings)
    factors = Counter(factor for factor in found if factor is not None)
    alarms = factors.total()
    interval = binomial_interval(alarms, len(found))
    return {
        "pictures": len(found),
        "alarms": alarms,
        "share": round(alarms / len(found), 5),
        "interval_95": [round(bound, 5) for bound in interval],
        "by_factor": {str(factor): factors[factor] for factor in sorted(factors)},
    }


def grouped(findings: Iterable[tuple[str, int | None]]) -> dict[str, dict[str, Any]]:
    """:func:`count` by the first of each pair."""
    groups: dict[str, list[int | None]] = defaultdict(list)
    for name, found in findings:
        groups[name].append(found)
    return {name: count(groups[name]) for name in sorted(groups)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="+", help="a manifest, or folders of photographs")
    parser.add_argument("--upsampled", type=int, default=200, help="photographs to upsample [200]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path("results/peaks-false-alarms.json"))
    options = parser.parse_args()

    pictures, generated, digest = listed(options.sources)
    with ProcessPoolExecutor(options.workers) as pool:
        judged = pool.map(partial(false_alarms, seed=options.seed), enumerate(pictures), chunksize=16)
        rows = [row for row in judged if row is not None]
        printed = [row for row in pool.map(prints, generated, chunksize=16) if row is not None]
        large = [item for item in pictures if min(decode(item[1]).pixels.shape[:2]) >= SIDE // 2]
        chosen = np.random.default_rng(options.seed).permutation(len(large))[: options.upsampled]
        items = [(int(index), large[index]) for index in chosen]
        again = list(pool.map(recoded, items, chunksize=4))
        parts = list(pool.map(partial(detections, seed=options.seed), items, chunksize=4))

    ways = ("file", "pixels", *(f"crop {side}" for side in CROPS))
    by_source = grouped((row["source"], row["file"]) for row in rows)
    cells: dict[str, dict[str, dict[str, list[int | None]]]] = {}
    for kernel, factor, ending, found in (cell for part in parts for cell in part):
        cells.setdefault(kernel, {}).setdefault(str(factor), {}).setdefault(ending, []).append(found)
    report: dict[str, Any] = {
        "command": " ".join(["python", "benchmarks/peaks_false_alarms.py", *sys.argv[1:]]),
        "seed": options.seed,
        "spectrace": __version__,
        "environment": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "machine": platform.machine(),
        },
        "manifest_digest": digest,
        "splits": list(SPLITS),
        "thresholds": {
            **THRESHOLDS,
            "margin": MARGINS[False],
            "margin with grid": MARGINS[True],
            "lead": LEAD,
            "depth": DEPTH,
        },
        "false_alarms": {way: count(row[way] for row in rows if way in row) for way in ways}
        | {way: count(row[way] for row in again) for way in again[0]},
        "false_alarms_by_source": by_source,
        "prints_by_generator": grouped(printed),
        "detection": {
            "pictures": len(items),
            "side": SIDE,
            "share_with_right_factor": {
                kernel: {
                    factor: {
                        ending: round(sum(f == int(factor) for f in found) / len(found), 4)
                        for ending, found in endings.items()
                    }
                    for factor, endings in factors.items()
                }
                for kernel, factors in cells.items()
            },
        },
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for way, counts in report["false_alarms"].items():
        low, high = counts["interval_95"]
        of = f"{counts['alarms']} of {counts['pictures']}"
        print(f"{way}: {of} = {counts['share']:.2%} [{low:.2%}, {high:.2%}]")
    print(f"written: {options.out}")


if __name__ == "__main__":
    main()
