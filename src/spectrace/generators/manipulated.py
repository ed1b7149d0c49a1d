"""Partly manipulated photographs with their masks, all saved alike."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from spectrace.corpora.folders import find_pictures
from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.splits import split_of
from spectrace.errors import ManifestError, UsageError
from spectrace.generators.aligned import MANIFEST, Crop, Reconstruct, read_crops
from spectrace.generators.manipulations import MANIPULATIONS, Pixels, down_and_up, manipulate
from spectrace.generators.regions import random_region

FAMILY = "region"


def make_manipulations(
    photographs: Manifest | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    size: int = 128,
    scale: float = 1.0,
    per_photograph: int = 1,
    seed: int = 0,
    reconstruct: Reconstruct = down_and_up,
    on_problem: Callable[[str], None] = lambda _: None,
    visit: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Cut square pieces from photographs and write them with all four manipulations of each.

    Args:
        photographs: a manifest, of which the real pictures count and keep their splits and sources; or a
            folder, split by hash.
        out: folder for the pictures, see :func:`write_manipulations`.
        size: side of the pieces in pixels, 64 or more; smaller photographs are left out.
        scale: photographs are scaled down by it first (:func:`spectrace.generators.aligned.read_crops`).
        per_photograph: pieces of each photograph at most.
        seed: of the regions and of what happens in them.
        reconstruct: for ``resynthesise``.
        on_problem: called with one line for what cannot be read.
        visit: called with 1 after each piece, for progress.

    Returns:
        The manifest, which was written too.

    Raises:
        ManifestError: no photograph that is large enough, or only one in a split.
        UsageError: a size below 64.
    """
    manifest = photographs if isinstance(photographs, Manifest) else photographs_in(Path(photographs))
    crops = read_crops(manifest, side=size, scale=scale, per_photograph=per_photograph, on_problem=on_problem)
    placed = [(crop.row.split, crop) for crop in crops]
    return write_manipulations(placed, Path(out), seed=seed, reconstruct=reconstruct, visit=visit)


def photographs_in(folder: Path) -> Manifest:
    """Every picture below a folder as a photograph, split by hash of its name.

    Raises:
        ManifestError: the folder is not there, or holds no picture.
    """
    return Manifest(
        Row(path=path.as_posix(), label="real", split=split_of(path.stem), source=path.parent.name)
        for path in find_pictures(folder)
    )


def write_manipulations(
    crops: Sequence[tuple[str, Crop]],
    out: Path,
    *,
    manipulations: Sequence[str] = MANIPULATIONS,
    seed: int = 0,
    reconstruct: Reconstruct = down_and_up,
    visit: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write pieces of photographs as they are and manipulated, each with a region of its own, as PNG.

    The donor of a swap is a piece of another photograph of the same split. What else happens to a piece
    depends on the seed and the photograph's path alone. Pictures that are there already are kept: give every
    seed its own folder.

    Args:
        crops: (split, piece).
        out: folder for ``camera/``, one folder a manipulation, ``masks/`` and ``manifest.csv``.
        manipulations: which, of :data:`spectrace.generators.manipulations.MANIPULATIONS`.
        seed: of regions and manipulations.
        reconstruct: for ``resynthesise``.
        visit: called with 1 after each piece.

    Returns:
        The manifest, which was written too. The generator names the manipulation; the column ``content`` ties
        a piece to its manipulations, ``mask`` names the mask; ``source`` is the photograph's.

    Raises:
        ManifestError: a split with a single photograph, so that there is none to swap from.
        UsageError: an unknown manipulation, or pieces below 64 pixels.
    """
    unknown = [name for name in manipulations if name not in MANIPULATIONS]
    if unknown:
        raise UsageError(f"unknown manipulation {unknown[0]!r}: wanted some of {', '.join(MANIPULATIONS)}")
    members: dict[str, list[Crop]] = {}
    for split, crop in crops:
        members.setdefault(split, []).append(crop)
    for split, others in members.items():
        if len({crop.row.path for crop in others}) < 2:
            raise ManifestError(f"split {split!r} has one photograph: wanted two, to swap between them")
    rows: list[Row] = []
    for split, crop in crops:
        rows.append(_row(crop, split, _save(crop.pixels, out, f"camera/{crop.key}.png")))
        for name in manipulations:
            rng = np.random.default_rng([seed, MANIPULATIONS.index(name), int(crop.key, 16)])
            path, mask = f"{name}/{crop.key}.png", f"masks/{name}/{crop.key}.png"
            # Drawn by a generator of its own: nothing else may depend on which others there are.
            donor = _another(members[split], crop, rng.spawn(1)[0])
            height, width = crop.pixels.shape[:2]
            region = random_region(height, width, rng)
            if not (out / path).is_file():
                changed = manipulate(
                    name, crop.pixels, region, rng, donor=donor.pixels, reconstruct=reconstruct
                )
                _save(region.mask, out, mask)
                _save(changed, out, path)
            rows.append(_row(crop, split, out / path, name, mask))
        visit(1)
    manifest = Manifest(rows, out)
    manifest.write(out / MANIFEST)
    return manifest


def _row(crop: Crop, split: str, path: Path, name: str = "", mask: str = "") -> Row:
    return Row(
        path=f"{path.parent.name}/{path.name}",
        label="generated" if name else "real",
        split=split,
        generator=name,
        source=crop.row.source,
        family=FAMILY if name else "",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        extra={"content": crop.key, "mask": mask},
    )


def _save(pixels: Pixels, out: Path, name: str) -> Path:
    path = out / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        Image.fromarray(pixels).save(unfinished, "PNG")
        unfinished.replace(path)
    return path


def _another(members: Sequence[Crop], crop: Crop, rng: np.random.Generator) -> Crop:
    while True:
        other = members[int(rng.integers(len(members)))]
        if other.row.path != crop.row.path:
            return other
