#!/usr/bin/env python3
"""The training manifest of the shipped detector: the corpus, and photographs beside their reconstructions.

    scripts/trace_pairs.py ../shared/corpus/manifest.csv ../shared/weights runs/traces

Trains small autoencoders with several upsamplers, reconstructs photographs of every source of the
manifest's train and val splits with each of them and with the FLUX.2 tiny one, and lists all in
runs/traces/manifest.csv. What is there already is kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from spectrace.corpora.manifest import Manifest, Row

AUTOENCODERS = (
    ("autoencoder", "transposed"),
    ("autoencoder", "pixel-shuffle"),
    ("autoencoder", "nearest"),
    ("autoencoder2", "transposed"),
    ("autoencoder2", "bilinear"),
)
STEPS = 600
WIDTH = 24
PER_SOURCE = 3
FLUX_PER_SOURCE = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    folders = [
        reconstructed(arguments, arguments.weights, arguments.out / "flux2-tiny", FLUX_PER_SOURCE),
    ]
    for family, upsampler in AUTOENCODERS:
        name = f"{family}-{upsampler}"
        run = arguments.out / "autoencoders" / name
        if not (run / "generator.onnx").is_file():
            spectrace(
                *("generate", "train", family, arguments.manifest, "--upsampler", upsampler),
                *("--width", WIDTH, "--steps", STEPS, "--out", run),
            )
        folders.append(reconstructed(arguments, run, arguments.out / name, PER_SOURCE))
    rows = [row for row in Manifest.read(arguments.manifest) if row.split in ("train", "val")]
    root = arguments.out.resolve()
    listed = [located(row, arguments.manifest.parent, root) for row in rows]
    for folder in folders:
        made = Manifest.read(folder / "manifest.csv")
        listed += [
            # Contents are told apart by folder: the same photograph has a partner in several of them.
            msgspec.structs.replace(
                located(row, folder, root),
                extra=row.extra | {"content": f"{folder.name}/{row.extra['content']}"},
            )
            for row in made
        ]
    Manifest(listed, root).write(root / "manifest.csv")
    print(root / "manifest.csv", len(listed))


def reconstructed(arguments: argparse.Namespace, autoencoder: Path, out: Path, per_source: int) -> Path:
    """Reconstructions of some photographs of every source."""
    if not (out / "manifest.csv").is_file():
        spectrace(
            *("generate", "reconstruct", autoencoder, arguments.manifest),
            *("--out", out, "--per-source", per_source, "--window", 288),
        )
    return out


def located(row: Row, folder: Path, root: Path) -> Row:
    """The row with a path that counts from another folder."""
    return msgspec.structs.replace(row, path=os.path.relpath((folder / row.path).resolve(), root))


def spectrace(*words: object) -> None:
    """Run a command of the package."""
    subprocess.run([sys.executable, "-m", "spectrace", *map(str, words), "--quiet"], check=True)


if __name__ == "__main__":
    main()
