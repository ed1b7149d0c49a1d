"""Pictures of the study ``preprocessing-ablation``: each maker's, through each pipeline, stored alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.corpora.folders import file_sha256
from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.rows import CAMERA
from spectrace.errors import ManifestError
from spectrace.evaluation.evaluate import picture_seed
from spectrace.generators.aligned import Reconstruct
from spectrace.images import perturbations
from spectrace.studies.pieces import TEST, Placed

PHOTOGRAPHS = "photographs"
"""A maker that makes nothing: other photographs in the generated pictures' place."""
PIPELINE, PHOTOGRAPH = "pipeline", "photograph"
"""The manifest's columns that name what a picture went through, and what it was cut from."""
MANIFEST = "manifest.csv"


class Case(NamedTuple):
    """What stands against what.

    Attributes:
        maker: of the pictures that are labelled as generated: a generator, or :data:`PHOTOGRAPHS`.
        camera: pipeline of the camera's pictures.
        generated: pipeline of the others.
    """

    maker: str
    camera: str
    generated: str


def write_pipelines(
    placed: Placed,
    folder: Path,
    makers: Mapping[str, Reconstruct],
    pipelines: Sequence[str],
    *,
    trained_on: str,
    visit: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write pictures of both classes through every pipeline as PNG, with a manifest; those there are kept.

    In each split the photographs are halved: one half is the camera's, the other is what makers work on. So
    no photograph is in both classes, and :data:`PHOTOGRAPHS` can take a generator's place.

    Args:
        placed: (split, piece).
        folder: of the pictures.
        makers: generators by name, of reconstructions of photographs.
        pipelines: perturbation specs.
        trained_on: the one maker whose pictures are wanted outside of the test, too.
        visit: called with 1 after each piece.

    Raises:
        ManifestError: a split with fewer than two photographs.
    """
    specs = list(dict.fromkeys(pipelines))
    changes = [
        (spec, hashlib.sha256(spec.encode()).hexdigest()[:8], perturbations.parse(spec)) for spec in specs
    ]
    cameras = _camera_half(placed)
    rows = []
    for split, piece in placed:
        if piece.row.path in cameras:
            made_by: dict[str, Reconstruct] = {CAMERA: _unchanged}
        else:
            wanted = makers if split == TEST else {trained_on: makers[trained_on]}
            made_by = {PHOTOGRAPHS: _unchanged, **wanted}
        for maker, make in made_by.items():
            places = [folder / name / maker / f"{piece.key}.png" for _, name, _ in changes]
            if not all(place.is_file() for place in places):
                pixels = make(piece.pixels)
                for place, (_, _, change) in zip(places, changes, strict=True):
                    _save(change(pixels, picture_seed(0, f"{maker} {piece.key}")), place)
            for place, (spec, _, _) in zip(places, changes, strict=True):
                rows.append(
                    Row(
                        path=place.relative_to(folder).as_posix(),
                        label="real" if maker == CAMERA else "generated",
                        split=split,
                        generator=maker,
                        source=piece.row.source,
                        sha256=file_sha256(place),
                        extra={PIPELINE: spec, PHOTOGRAPH: piece.row.path},
                    )
                )
        visit(1)
    manifest = Manifest(rows, folder)
    manifest.write(folder / MANIFEST)
    return manifest


def pictures_of(manifest: Manifest, case: Case) -> Manifest:
    """The pictures of a case, of all splits."""
    wanted = {(CAMERA, case.camera), (case.maker, case.generated)}
    return _those(manifest, lambda row: (row.generator, row.extra[PIPELINE]) in wanted)


def through(manifest: Manifest, pipeline: str) -> Manifest:
    """The pictures of all makers that went through one pipeline."""
    return _those(manifest, lambda row: row.extra[PIPELINE] == pipeline)


def _those(manifest: Manifest, wanted: Callable[[Row], bool]) -> Manifest:
    return Manifest([row for row in manifest if wanted(row)], manifest.root, manifest.columns)


def _camera_half(placed: Placed) -> set[str]:
    """Every second photograph of each split, source by source, so that both halves hold the same sources."""
    found: set[str] = set()
    for split in dict.fromkeys(split for split, _ in placed):
        keys: dict[tuple[str, str], str] = {}
        for piece in (piece for where, piece in placed if where == split):
            keys.setdefault((piece.row.source, piece.row.path), piece.key)
        if len(keys) < 2:
            raise ManifestError(f"split {split}: {len(keys)} photograph, wanted one for each class at least")
        # Within a source by the key, which is a hash: the order of names may mean something.
        ordered = sorted(keys, key=lambda name: (name[0], keys[name]))
        found |= {path for _, path in ordered[::2]}
    return found


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    Image.fromarray(pixels).save(unfinished, "PNG", compress_level=1)
    unfinished.replace(path)


def _unchanged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels
