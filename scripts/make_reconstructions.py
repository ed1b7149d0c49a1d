#!/usr/bin/env python3
"""Content-aligned training pictures: real pictures of a manifest through the FLUX.2 tiny autoencoder.

Each reconstruction is saved as its photograph is: JPEG with the same quantisation tables and subsampling on
the same block grid, everything else lossless. Writes OUT/manifest.csv: the given manifest's rows followed by
the reconstructions; its column `content` ties a photograph to its reconstruction. Finished pictures are kept
when it is started again.

    scripts/make_reconstructions.py ../shared/corpus/manifest.csv ../shared/weights runs/aligned
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
from collections import defaultdict
from pathlib import Path

import msgspec
import torch
from PIL import Image, JpegImagePlugin

from spectrace.corpora.manifest import Manifest, Row
from spectrace.generators.tiny_autoencoder import TinyAutoencoder
from spectrace.images.decode import decode

NAME = "flux2-tiny-autoencoder"
SMALLEST = 160


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--per-source", type=int, default=10, help="pictures of each source and split")
    parser.add_argument("--splits", nargs="+", default=["train", "val"], choices=["train", "val"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    manifest = Manifest.read(arguments.manifest)
    autoencoder = TinyAutoencoder.load(arguments.weights)
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = []
    contents: dict[str, str] = {}
    for row in chosen(manifest, arguments.splits, arguments.per_source):
        target = reconstruct(manifest.locate(row), arguments.out, autoencoder)
        if target is not None:
            contents[row.path] = target.stem
            made.append(
                Row(
                    path=target.name,
                    label="generated",
                    split=row.split,
                    generator=NAME,
                    source=NAME,
                    family="autoencoder",
                    sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
                    extra={"content": target.stem},
                )
            )
    rows = [
        msgspec.structs.replace(
            row,
            path=os.path.relpath(manifest.locate(row), arguments.out),
            extra=row.extra | {"content": contents.get(row.path, "")},
        )
        for row in manifest
    ]
    Manifest([*rows, *made], arguments.out, manifest.columns).write(arguments.out / "manifest.csv")
    print(f"{len(made)} reconstructions in {arguments.out}")


def chosen(manifest: Manifest, splits: list[str], per_source: int) -> list[Row]:
    groups = defaultdict(list)
    for row in manifest.select(split=splits, label="real"):
        groups[row.split, row.source].append(row)
    # By content hash: a choice that depends on nothing but the pictures.
    return [row for rows in groups.values() for row in sorted(rows, key=lambda r: r.sha256)[:per_source]]


def reconstruct(path: Path, out: Path, autoencoder: TinyAutoencoder) -> Path | None:
    for suffix in (".jpg", ".png"):
        if (out / (path.stem + suffix)).exists():
            return out / (path.stem + suffix)
    picture = decode(path)
    if min(picture.pixels.shape[:2]) < SMALLEST:
        return None
    image = Image.fromarray(autoencoder.reconstruct(picture.pixels))
    with Image.open(io.BytesIO(picture.raw or b"")) as original:
        jpeg = original.format == "JPEG"
        tables = getattr(original, "quantization", None)
        subsampling = JpegImagePlugin.get_sampling(original) if jpeg else -1
    target = out / (path.stem + (".jpg" if jpeg else ".png"))
    unfinished = target.with_suffix(".part")
    if jpeg:
        image.save(unfinished, "JPEG", qtables=tables, subsampling=subsampling)
    else:
        image.save(unfinished, "PNG")
    return unfinished.replace(target)


if __name__ == "__main__":
    main()
