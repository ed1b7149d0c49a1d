"""Folders of aligned pairs: windows of photographs and their reconstructions, encoded alike."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.splits import FORBIDDEN_SPLIT
from spectrace.errors import ImageError, ManifestError, UsageError
from spectrace.generators.aligned import MANIFEST
from spectrace.images.codecs import encode_jpeg
from spectrace.images.decode import decode
from spectrace.images.encodings import Encoding
from spectrace.images.perturbations import Perturbation, parse
from spectrace.learning.pairs import CAMERA, Reconstructor, Tap
from spectrace.learning.pictures import Photograph, TooSmallError

KEEP = "keep"
SETTINGS = "pairs.json"
FAMILY = "autoencoder"
_SMALLEST = 64


def write_pairs(
    photographs: Manifest,
    out: Path,
    reconstructors: Sequence[Reconstructor],
    *,
    file_format: str = KEEP,
    scale: float = 1.0,
    window: int = 1024,
    windows: int = 1,
    per_source: int = 0,
    rest: bool = False,
    on_problem: Callable[[str], None] = lambda _: None,
    visit: Callable[[], None] = lambda: None,
) -> Manifest:
    """Write windows of photographs, and what autoencoders make of them, with a manifest.

    Both sides are files of one format, size, quantisation and block grid; a training on tap
    (:class:`spectrace.learning.pairs.Tap`) cuts the same windows. The manifest's column ``content`` ties them
    together. Pictures that are there already are kept.

    Args:
        photographs: the real pictures of all splits but ``unseen`` are taken; see :func:`chosen`.
        out: folder for ``camera/``, one folder an autoencoder, and ``manifest.csv``.
        reconstructors: see :func:`spectrace.generators.autoencoders.load_autoencoder`.
        file_format: see :func:`encoding_of`.
        scale: photographs are scaled down by it first; then ``keep`` is PNG.
        window: pixels a side at most; smaller photographs lose what is beyond multiples of 16.
        windows: of each photograph.
        per_source: photographs of each source and split at most; 0 takes all.
        rest: let the manifest list the other pictures of ``photographs`` too.
        on_problem: called with one line for each photograph that is left out.
        visit: called after each photograph.

    Raises:
        ManifestError: no photograph is of use.
        UsageError: a bad format, or the folder holds pairs that were made otherwise.
    """
    tap = Tap(reconstructors, window, windows, scale, _SMALLEST)
    shared = encoding_of(file_format)
    _hold_to(
        out / SETTINGS,
        {
            "autoencoders": [[one.name, one.digest] for one in reconstructors],
            "format": file_format,
            "scale": scale,
            "window": window,
        },
    )
    rows: list[Row] = []
    used: set[str] = set()
    done: set[str] = set()
    for row in chosen(photographs, per_source):
        try:
            photograph = Photograph.read(photographs.locate(row))
            if photograph.sha256 not in done:
                rows += list(_pairs(photograph, row, out, tap, shared))
                done.add(photograph.sha256)
            used.add(row.path)
        except (ImageError, TooSmallError) as error:
            on_problem(f"{row.path}: {error}")
        visit()
    if not rows:
        raise ManifestError(
            f"no photograph gives a window of {_SMALLEST} pixels a side: give others or a larger scale"
        )
    if rest:
        others = [row for row in photographs if row.path not in used]
        rows = [*(_moved(row, photographs, out) for row in others), *rows]
    manifest = Manifest(rows, out, photographs.columns)
    manifest.write(out / MANIFEST)
    return manifest


def encoding_of(file_format: str) -> Encoding | None:
    """The encoding that a format names; None for ``keep``, which is each photograph's own.

    Args:
        file_format: ``keep``, ``png``, or a JPEG as ``jpeg(quality=90, subsampling=4:4:4)``.

    Raises:
        UsageError: it names none.

    Example:
        >>> encoding_of("jpeg(quality=90)").tables[0][:3]
        (3, 2, 2)
    """
    if file_format == KEEP:
        return None
    if file_format == "png":
        return Encoding("PNG")
    step = parse(file_format) if file_format.startswith("jpeg(") else None
    if isinstance(step, Perturbation) and step.probability == 1:
        values: dict[str, Any] = dict(step.parameters)
        if all(isinstance(value, int | str) for value in values.values()):
            return Encoding.of(decode(encode_jpeg(np.zeros((16, 16, 3), np.uint8), **values)))
    raise UsageError(f"format is {file_format!r}: wanted keep, png or jpeg(quality=90)")


def chosen(photographs: Manifest, per_source: int) -> list[Row]:
    """Real pictures of all splits but ``unseen``; of each source and split those whose paths hash lowest."""
    groups = defaultdict(list)
    for row in photographs.select(label="real"):
        if row.split != FORBIDDEN_SPLIT:
            groups[row.split, row.source].append(row)
    return [row for rows in groups.values() for row in sorted(rows, key=_hash)[: per_source or None]]


def _pairs(photograph: Photograph, row: Row, out: Path, tap: Tap, shared: Encoding | None) -> Iterator[Row]:
    encoding = shared or tap.encoding(photograph)
    for number in range(tap.windows):
        key = f"{photograph.sha256[:12]}-{number}"
        for maker in (CAMERA, *(one.name for one in tap.reconstructors)):
            path = out / maker / f"{key}{encoding.suffix}"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                unfinished = path.with_suffix(".part")
                unfinished.write_bytes(encoding.encode(tap.side(photograph, maker, number)))
                unfinished.replace(path)
            yield Row(
                path=f"{maker}/{path.name}",
                label="real" if maker == CAMERA else "generated",
                split=row.split,
                generator=maker,
                source=row.source if maker == CAMERA else maker,
                family=row.family if maker == CAMERA else FAMILY,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                extra={"content": key},
            )


def _moved(row: Row, photographs: Manifest, out: Path) -> Row:
    return msgspec.structs.replace(row, path=os.path.relpath(photographs.locate(row), out))


def _hash(row: Row) -> str:
    return hashlib.sha256(row.path.encode("utf-8", "surrogateescape")).hexdigest()


def _hold_to(path: Path, settings: dict[str, Any]) -> None:
    """Refuse to mix pairs that were made in two ways in one folder."""
    text = json.dumps(settings, indent=1) + "\n"
    if path.is_file() and path.read_text("utf-8") != text:
        raise UsageError(
            f"{path.parent} holds pairs that were made otherwise, see {path}: give another folder"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
