"""Pictures for the study of robustness: parts of a manifest, or photographs from wheels, upsampled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.wheels import wheel_photographs
from spectrace.errors import ImageError
from spectrace.images.decode import decode
from spectrace.studies.pieces import TRAIN, VAL
from spectrace.studies.registry import Context
from spectrace.studies.source_pictures import PHOTOGRAPH, write_pieces

_EVERY = 6


def capped(manifest: Manifest, most: int) -> Manifest:
    """At most so many pictures of each source and class; which ones, their hashes decide.

    Example:
        >>> rows = [Row(path=f"{n}.png", label="real", source="a") for n in range(5)]
        >>> len(capped(Manifest(rows), 2))
        2
    """
    rows: list[Row] = []
    counts: dict[tuple[str, str], int] = {}
    for row in sorted(manifest, key=lambda row: (row.sha256, row.path)):
        key = row.label, row.source
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= most:
            rows.append(row)
    return Manifest(rows, manifest.root, manifest.columns)


def large(manifest: Manifest, side: int) -> Manifest:
    """The pictures that can be read and have no side below so many pixels."""
    rows = []
    for row in manifest:
        try:
            shortest = min(decode(manifest.locate(row)).pixels.shape[:2])
        except ImageError:
            continue
        if shortest >= side:
            rows.append(row)
    return Manifest(rows, manifest.root, manifest.columns)


def training_pictures(manifest: Manifest, most: int) -> Manifest:
    """At most so many pictures of each source; the second and every sixth after it are in ``val``."""
    rows: list[Row] = []
    counts: dict[tuple[str, str], int] = {}
    for row in capped(manifest, most):
        key = row.label, row.source
        counts[key] = counts.get(key, 0) + 1
        rows.append(msgspec.structs.replace(row, split=VAL if counts[key] % _EVERY == 2 else TRAIN))
    return Manifest(rows, manifest.root, manifest.columns)


def wheel_pictures(context: Context, splits: tuple[str, str], count: int, side: int) -> Manifest:
    """Pieces of photographs, and the same pieces halved and upsampled again, in both splits.

    Args:
        context: whose folder they are written to.
        splits: names for training and test; no photograph is in both.
        count: pieces of each split.
        side: of a piece in pixels.
    """
    folder = context.folder / "pictures"
    rows: list[Row] = []
    for number, split in enumerate(splits):
        name = f"camera-{split}-{side}"
        photographs = wheel_photographs().select(split=(TRAIN, VAL)[number])
        pieces = write_pieces(photographs, folder, name, split=split, count=count, side=side, seed=number)
        for piece in pieces:
            rows.append(msgspec.structs.replace(piece, source=Path(piece.extra[PHOTOGRAPH]).stem))
            rows.append(_upsampled(rows[-1], folder))
    return Manifest(rows, folder)


def _upsampled(piece: Row, folder: Path) -> Row:
    path = Path(piece.path.replace("camera-", "upsampled-"))
    (folder / path).parent.mkdir(exist_ok=True)
    with Image.open(folder / piece.path) as image:
        halved = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
        halved.resize(image.size, Image.Resampling.BILINEAR).save(folder / path)
    changed: dict[str, Any] = {"path": path.as_posix(), "label": "generated", "generator": "upsampled"}
    return msgspec.structs.replace(piece, sha256="", **changed)
