"""Pictures for the study of robustness: so many of each source, and large enough."""

from __future__ import annotations

import msgspec

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ImageError
from spectrace.images.decode import decode
from spectrace.studies.pieces import TRAIN, VAL

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
