"""Pictures by source, which studies share: pieces of photographs and samples of generators, all PNG."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.rows import CAMERA
from spectrace.errors import ImageError, ManifestError
from spectrace.images.decode import decode
from spectrace.studies.pieces import TEST, TRAIN, VAL
from spectrace.studies.registry import Context

MANIFEST = "manifest.csv"
PHOTOGRAPH = "photograph"
"""The manifest's column that names the photograph that a piece was cut from."""

_EVERY = 6  # one photograph in six of the training split decides when to stop
_SMALLEST_SHARE = 0.8


class Source(NamedTuple):
    """Something that makes pictures.

    Attributes:
        name: of its class.
        key: names its folder; what makes other pictures has another one.
        write: ``(folder, count, seed)`` to the paths of so many PNG files in it; files that are there
            already are kept.
    """

    name: str
    key: str
    write: Callable[[Path, int, int], Sequence[Path]]


class Counts(NamedTuple):
    """Pictures of each source for training, for choosing and for the test."""

    train: int
    val: int
    test: int


def split_names(seed: int) -> tuple[str, str]:
    """The splits that a seed trains and chooses on; the test pictures are the same for all."""
    return f"{TRAIN}-{seed}", f"{VAL}-{seed}"


def write_pictures(
    photographs: Manifest,
    test_photographs: Manifest,
    generators: Sequence[Source],
    unknown: Sequence[Source],
    context: Context,
    *,
    side: int,
    counts: Counts,
    seeds: Iterable[int],
) -> Manifest:
    """Write the pictures of every source in every split, with a manifest.

    No photograph is in two splits of a seed, no generator's seed in two splits.

    Args:
        photographs: of whose real pictures the camera's are cut, for training and choosing.
        test_photographs: the same for the test.
        generators: the classes beside the camera.
        unknown: generators that are only in the split ``test``.
        context: of the study.
        side: of a picture in pixels.
        counts: of each source.
        seeds: of the study, each with training pictures of its own.

    Raises:
        ManifestError: too few photographs that are large enough.
    """
    folder = context.folder / "pictures"
    rows: list[Row] = []
    known = _readable(photographs, side, context)
    tests = _readable(test_photographs, side, context)
    held_out = known[:: min(_EVERY, max(2, len(known) // 2))]
    fitted = [row for row in known if row not in held_out]
    if not (fitted and held_out and tests):
        raise ManifestError(
            f"{len(known)} photographs to train and {len(tests)} to test on have sides of {side} pixels or "
            "more: wanted at least 2 and 1"
        )
    wanted = [(TEST, counts.test, tests, 0)]
    for seed in seeds:
        train, val = split_names(seed)
        wanted += [(train, counts.train, fitted, 2 * seed + 1), (val, counts.val, held_out, 2 * seed + 2)]
    sources = [*generators, *unknown]
    with context.progress.task("pictures", len(wanted) * (1 + len(sources))) as advance:
        for split, count, cut_from, chance in wanted:
            key = _digest([row.path for row in cut_from], side)
            rows += write_pieces(
                Manifest(cut_from, photographs.root),
                folder,
                f"{CAMERA}-{key}",
                split=split,
                count=count,
                side=side,
                seed=chance,
            )
            advance(1)
            for source in sources if split == TEST else generators:
                paths = source.write(folder / source.key, count, chance)
                rows += [_row(path, folder, split, source.name) for path in paths]
                advance(1)
    manifest = Manifest(rows, folder)
    manifest.write(folder / MANIFEST)
    return manifest


def write_pieces(
    photographs: Manifest, folder: Path, name: str, *, split: str, count: int, side: int, seed: int
) -> list[Row]:
    """Write pieces of photographs, scaled down by Lanczos, as ``folder/name/SEED-NUMBER.png``.

    A piece is a square of 0.8 to 1 of the shorter side at a random place, half of them mirrored. Photographs
    take turns; each piece depends on its seed and number alone.

    Args:
        photographs: all of them large enough.
        folder: of the manifest.
        name: of the folder in it.
        split: for the rows.
        count: of pieces.
        side: of a piece in pixels.
        seed: of places and sizes.
    """
    out = folder / name
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, photograph in enumerate(photographs):
        numbers = range(index, count, len(photographs))
        paths = [out / f"{seed}-{number:06d}.png" for number in numbers]
        if not all(path.is_file() for path in paths):
            pixels = decode(photographs.locate(photograph)).pixels
            for number, path in zip(numbers, paths, strict=True):
                _save(_piece(pixels, side, np.random.default_rng([seed, number])), path)
        rows += [_row(path, folder, split, CAMERA, photograph.path) for path in paths]
    return rows


def read_pictures(manifest: Manifest) -> NDArray[np.uint8]:
    """All pictures of a manifest, of one size: uint8 ``[N, S, S, 3]``."""
    return np.stack([decode(manifest.locate(row)).pixels for row in manifest])


def _piece(pixels: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    shorter = min(pixels.shape[:2])
    share = rng.uniform(_SMALLEST_SHARE, 1.0)
    length = max(side, round(share * shorter))
    top, left = (int(rng.integers(size - length + 1)) for size in pixels.shape[:2])
    square = Image.fromarray(pixels[top : top + length, left : left + length])
    piece = np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))
    return piece[:, ::-1] if rng.random() < 0.5 else piece


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    unfinished = path.with_suffix(".part")
    Image.fromarray(pixels).save(unfinished, "PNG")
    unfinished.replace(path)


def _row(path: Path, folder: Path, split: str, generator: str, photograph: str = "") -> Row:
    return Row(
        path=path.relative_to(folder).as_posix(),
        label="real" if generator == CAMERA else "generated",
        split=split,
        generator=generator,
        source=generator,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        extra={PHOTOGRAPH: photograph},
    )


def _readable(photographs: Manifest, side: int, context: Context) -> list[Row]:
    rows = []
    for row in photographs.select(label="real"):
        try:
            large_enough = min(decode(photographs.locate(row)).pixels.shape[:2]) >= side
        except ImageError as error:
            context.progress.say(str(error))
            continue
        if large_enough:
            rows.append(row)
    return rows


def _digest(*words: object) -> str:
    return hashlib.sha256(msgspec.json.encode(words)).hexdigest()[:8]
