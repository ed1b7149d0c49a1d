"""Content-aligned pictures: photographs, and the same through autoencoders, all saved alike."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ImageError, ManifestError
from spectrace.images.decode import decode
from spectrace.images.tiles import cut_tiles, tile_grid
from spectrace.learning.pairs import Reconstruct

__all__ = ["MANIFEST", "Crop", "Reconstruct", "read_crops", "write_aligned"]

MANIFEST = "manifest.csv"
_KEY_LENGTH = 12


@dataclass(frozen=True)
class Crop:
    """A square piece of a scaled-down photograph.

    Attributes:
        key: names it; from the photograph's path and the piece's number alone.
        row: the photograph's.
        pixels: uint8 [side, side, 3].
    """

    key: str
    row: Row
    pixels: NDArray[np.uint8]


def read_crops(
    photographs: Manifest,
    *,
    side: int,
    scale: float = 0.5,
    per_photograph: int = 1,
    count: int | None = None,
    on_problem: Callable[[str], None] = lambda _: None,
) -> list[Crop]:
    """Cut pieces from the real pictures of a manifest, scaled down first.

    Scaling down by Lanczos removes most of what JPEG left in a photograph, as the generators' own data sets
    were prepared (Chai et al. 2020): else a detector could tell reconstructions by the missing blocks.

    Args:
        photographs: real pictures are taken, sources in turns; others are left out.
        side: of a piece in pixels.
        scale: 0..1; 1 leaves photographs as they are.
        per_photograph: pieces of each at most.
        count: photographs at most; those too small for a piece do not count.
        on_problem: called with one line for what cannot be read.

    Raises:
        ManifestError: no photograph that is large enough.
    """
    crops: list[Crop] = []
    used = 0
    for row in _in_turns(photographs.select(label="real")):
        if used == count:
            break
        try:
            pixels = decode(photographs.locate(row)).pixels
        except ImageError as error:
            on_problem(str(error))
            continue
        size = tuple(round(length * scale) for length in (pixels.shape[1], pixels.shape[0]))
        if min(size) < side:
            continue
        if scale != 1.0:
            pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
        tiles = cut_tiles(
            pixels, tile_grid(pixels.shape[0], pixels.shape[1], side, limit=per_photograph), side
        )
        crops += [
            Crop(_key(row.path, number), row, tile.transpose(1, 2, 0)) for number, tile in enumerate(tiles)
        ]
        used += 1
    if not crops:
        raise ManifestError(
            f"no photograph of {side / scale:.0f} pixels a side or more: give larger ones or a smaller side"
        )
    return crops


def write_aligned(
    crops: Iterable[tuple[str, Crop]],
    out: Path,
    autoencoders: Mapping[str, Reconstruct],
    *,
    visit: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write pieces of photographs and their reconstructions as PNG, with a manifest.

    The manifest's column ``content`` ties a piece to its reconstructions; ``source`` is the photograph's for
    all of them. Pictures that are there already are kept.

    Args:
        crops: (split, piece).
        out: folder for ``camera/``, one folder an autoencoder, and ``manifest.csv``.
        autoencoders: by name; names become generators.
        visit: called with 1 after each piece.
    """
    rows = []
    for split, crop in crops:
        for generator, reconstruct in {"camera": _unchanged, **autoencoders}.items():
            path = out / generator / f"{crop.key}.png"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                unfinished = path.with_suffix(".part")
                Image.fromarray(reconstruct(crop.pixels)).save(unfinished, "PNG")
                unfinished.replace(path)
            rows.append(
                Row(
                    path=f"{generator}/{path.name}",
                    label="real" if generator == "camera" else "generated",
                    split=split,
                    generator=generator,
                    source=crop.row.source,
                    family="" if generator == "camera" else "autoencoder",
                    sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                    extra={"content": crop.key},
                )
            )
        visit(1)
    manifest = Manifest(rows, out)
    manifest.write(out / MANIFEST)
    return manifest


def _unchanged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels


def _key(path: str, number: int) -> str:
    text = f"{path}#{number}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:_KEY_LENGTH]


def _in_turns(photographs: Manifest) -> Iterator[Row]:
    """All rows, one of each source after another; the order depends on the paths alone."""
    seen: Counter[str] = Counter()
    ranked = []
    for row in sorted(photographs, key=lambda row: _key(row.path, 0)):
        ranked.append((seen[row.source], row.source, row))
        seen[row.source] += 1
    return (row for _, _, row in sorted(ranked, key=lambda entry: entry[:2]))
