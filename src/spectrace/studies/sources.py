"""Pictures by source for studies: crops of photographs and samples of generators, all saved alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ImageError, UsageError
from spectrace.generators.sampler import Sampler, write_samples
from spectrace.images.decode import decode
from spectrace.learning.recipes import FORBIDDEN_SPLIT
from spectrace.studies.pieces import TEST, TRAIN, VAL
from spectrace.studies.registry import Context

CAMERA = "camera"
PHOTOGRAPH = "photograph"
"""Column that says which crops come from one photograph."""
_EVERY = 6  # one photograph in six of the training split decides when to stop
_ZOOM = 0.8


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures of each source in each split, at most."""

    train: int = 1500
    val: int = 300
    test: int = 480


def pictures_of_sources(
    photographs: Manifest,
    generators: Mapping[str, Path],
    context: Context,
    *,
    sources: tuple[str, ...],
    train_split: str,
    test_split: str,
    counts: Counts,
    size: int,
) -> Manifest:
    """Crops of photographs and samples of generators as PNG, as many of each source, with a manifest.

    A crop is a random square of 80 to 100 % of the photograph's shorter side, scaled down by Lanczos. No
    photograph is in two splits; no sample shares its noise with one of another split. Pictures that are
    there already are kept.

    Args:
        photographs: of whose real pictures crops are cut.
        generators: by name, the folder of each one's run.
        context: its folder gets the pictures.
        sources: of the photographs; none takes all.
        train_split: of the photographs, for training and stopping (one in six).
        test_split: of the photographs, for the test.
        counts: pictures of each source.
        size: of the pictures in pixels.

    Returns:
        Rows with the splits ``train``, ``val`` and ``test``; the column ``photograph`` tells which crops
        belong together.

    Raises:
        UsageError: the split that is kept for the last measurement, or no usable photograph.
    """
    if FORBIDDEN_SPLIT in (train_split, test_split):
        raise UsageError(f"the split {FORBIDDEN_SPLIT!r} is kept for the last measurement: name another one")
    real = photographs.select(label="real", source=sources or None)
    training = list(real.select(split=train_split))
    by_split = {
        TRAIN: [row for number, row in enumerate(training) if number % _EVERY],
        VAL: training[::_EVERY],
        TEST: list(real.select(split=test_split)),
    }
    words = msgspec.json.encode(
        [[row.path for rows in by_split.values() for row in rows], size, counts, _named(generators)]
    )
    folder = context.folder / f"pictures-{hashlib.sha256(words).hexdigest()[:8]}"
    rows: list[Row] = []
    for seed, (split, chosen) in enumerate(by_split.items(), start=1):
        count: int = getattr(counts, split)
        located = [(row, photographs.locate(row)) for row in chosen]
        rows += _camera(located, folder / CAMERA, split, count=count, size=size, say=context.progress.say)
        for name, run in generators.items():
            paths = write_samples(Sampler(run, threads=1), folder / name, count, seed)
            rows += [_row(path, split, name, name, "") for path in paths]
        context.progress.say(f"pictures of the split {split}: done")
    manifest = Manifest(rows, folder)
    manifest.write(folder / "manifest.csv")
    return manifest


def _camera(
    photographs: list[tuple[Row, Path]],
    folder: Path,
    split: str,
    *,
    count: int,
    size: int,
    say: Callable[[str], None],
) -> list[Row]:
    """The same number of crops of each photograph, up to so many in all."""
    if not photographs:
        raise UsageError(f"no photograph for the split {split!r} of the study: give more, or other sources")
    folder.mkdir(parents=True, exist_ok=True)
    made: list[tuple[int, Row]] = []
    share = -(-count // len(photographs))
    for row, file in photographs:
        key = hashlib.sha256(row.path.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        paths = [folder / f"{key}-{number}.png" for number in range(share)]
        if not all(path.is_file() for path in paths):
            try:
                pixels = decode(file).pixels
            except ImageError as error:
                say(str(error))
                continue
            rng = np.random.default_rng(int(key, 16))
            for path in paths:
                unfinished = path.with_suffix(".part")
                Image.fromarray(_crop(pixels, size, rng)).save(unfinished, "PNG")
                unfinished.replace(path)
        made += [(number, _row(path, split, CAMERA, row.source, key)) for number, path in enumerate(paths)]
    # The first crop of each photograph, then the second: what is cut off is shared by all.
    return [row for _, row in sorted(made, key=lambda entry: entry[0])][:count]


def _crop(pixels: NDArray[np.uint8], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    shorter = min(pixels.shape[:2])
    side = int(rng.integers(min(max(size, round(_ZOOM * shorter)), shorter), shorter + 1))
    top, left = (int(rng.integers(length - side + 1)) for length in pixels.shape[:2])
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))


def _row(path: Path, split: str, generator: str, source: str, photograph: str) -> Row:
    return Row(
        path=f"{path.parent.name}/{path.name}",
        label="real" if generator == CAMERA else "generated",
        split=split,
        generator=generator,
        source=source,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        extra={PHOTOGRAPH: photograph},
    )


def _named(generators: Mapping[str, Path]) -> dict[str, str]:
    """The files' digests: another training gives other pictures."""
    return {
        name: hashlib.sha256((run / "generator.onnx").read_bytes()).hexdigest()
        for name, run in generators.items()
    }
