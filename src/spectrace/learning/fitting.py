"""Trainings without steps: statistics of every picture once a round, then a discriminant in closed form."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest
from spectrace.errors import RecipeError
from spectrace.learning.cutting import Cutter
from spectrace.learning.data import PictureTiles, Survey, picture_batches
from spectrace.learning.discriminant import fit_discriminant
from spectrace.learning.loop import Trained
from spectrace.learning.network import DetectorNetwork, build_detector
from spectrace.learning.networks.trace_statistics import StatisticsNetwork
from spectrace.learning.pairs import Reconstructor
from spectrace.learning.pictures import Pictures
from spectrace.learning.progress import Progress, Silent
from spectrace.learning.recipes import Recipe
from spectrace.learning.sampling import Entry, class_names, entries_of, require_every_class
from spectrace.learning.validation import load_validation

_ROUNDS = 4  # seed word, apart from those of learning.data


class Statistics(NamedTuple):
    """One row a picture and round.

    Attributes:
        features: float32 [N, D].
        entries: int64 [N], the picture's place in the list of entries.
        found: pictures that gave no row.
    """

    features: NDArray[np.float32]
    entries: NDArray[np.int64]
    found: Survey


def fit(
    recipe: Recipe,
    manifest: Manifest,
    folder: Path,
    *,
    seed: int,
    workers: int,
    progress: Progress | None = None,
    reconstructors: Sequence[Reconstructor] = (),
    pictures: Pictures | None = None,
) -> Trained:
    """Fit a detector of statistics; finished rounds are kept beside the folder, so that a killed fit goes on.

    Args:
        recipe: with ``discriminant``.
        manifest: the labelled pictures.
        folder: of the run.
        seed: of the augmentation.
        workers: processes that cut tiles; 0 does it in this one.
        progress: is told what happens.
        reconstructors: the autoencoders that the recipe names in ``data.pairs``, in its order.
        pictures: decoded pictures that several fits share, where ``workers`` is 0.

    Raises:
        RecipeError: a network without statistics, or a class without usable pictures.
    """
    settings = recipe.discriminant
    assert settings is not None, "run() asks for a fit only where the recipe has a discriminant"
    told = progress or Silent()
    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - workers)))
    classes = class_names(manifest, recipe)
    detector = build_detector(recipe, 1 if len(classes) == 2 else len(classes), seed)
    network = detector.network
    if not isinstance(network, StatisticsNetwork):
        raise RecipeError(
            f"network.id is {recipe.network.id!r}: a discriminant wants a network of statistics"
        )
    folder.mkdir(parents=True, exist_ok=True)
    cutter = Cutter.of(recipe, reconstructors)
    makers = [one.name for one in reconstructors]
    entries = entries_of(manifest, recipe, recipe.data.train_split, classes, makers)
    held_out = entries_of(manifest, recipe, recipe.data.val_split, classes, makers)
    digest = recipe.digest(manifest, reconstructors)
    kept = pictures if pictures is not None and not workers else Pictures(recipe.data.cache_mib * 2**20)
    rounds = [
        statistics_of(
            entries,
            cutter,
            detector,
            tiles=settings.tiles,
            seed=(seed, number),
            workers=workers,
            progress=told,
            pictures=kept,
            # Beside the run: rows depend on picture, recipe and seed, and serve runs on other pictures, too.
            cache=folder.parent / f"statistics-{_measure(recipe)}-seed{seed}" / f"round-{number}.npz",
        )
        for number in range(settings.rounds)
    ]
    rows = np.concatenate([one.entries for one in rounds])
    require_every_class(
        [entries[row] for row in np.unique(rows)], classes, f"training ({rounds[0].found.summary()})"
    )
    network.take(
        fit_discriminant(
            np.concatenate([one.features for one in rounds]),
            np.array([entries[row].target for row in rows]),
            np.array([entries[row].group for row in rows]),
            classes=len(classes),
            between=settings.between,
            ridge=settings.ridge,
            temperature=recipe.data.source_temperature,
        )
    )
    with told.task("validation pictures", len(held_out)) as advance:
        validation, _ = load_validation(
            held_out, cutter, recipe.data.val_tiles, classes, workers=workers, visit=advance
        )
    return Trained(detector.eval(), classes, validation.measure(detector), settings.rounds, digest)


def statistics_of(
    entries: Sequence[Entry],
    cutter: Cutter,
    detector: DetectorNetwork,
    *,
    tiles: int,
    seed: Sequence[int],
    workers: int = 0,
    progress: Progress | None = None,
    pictures: Pictures | None = None,
    cache: Path | None = None,
) -> Statistics:
    """Statistics of every picture, averaged over some tiles of one augmented version of it.

    Args:
        entries: the pictures.
        cutter: cuts and augments.
        detector: a :class:`StatisticsNetwork` behind its representation.
        tiles: of each picture.
        seed: words that keep one round from another.
        workers: processes that cut.
        progress: is told what happens.
        pictures: decodes them.
        cache: file that keeps rows, of these pictures and of others, with the same cutter, tiles and seed.
    """
    network = detector.network
    assert isinstance(network, StatisticsNetwork)
    known = _read(cache) if cache is not None else {}
    missing = [number for number, entry in enumerate(entries) if _key(entry) not in known]
    found = Survey()
    detector.eval()
    dataset = PictureTiles(
        [entries[number] for number in missing], cutter, tiles, (_ROUNDS, *seed), pictures or Pictures()
    )
    with (progress or Silent()).task("statistics", len(missing)) as advance, torch.inference_mode():
        for batch in picture_batches(dataset, workers):
            found.add(batch.problems)
            if len(batch.numbers):
                each = network.statistics(detector.representation(batch.tiles))
                features = each.reshape(-1, tiles, each.shape[1]).mean(1).numpy()
                numbers = batch.numbers[::tiles].tolist()
                known |= {_key(dataset.entries[n]): row for n, row in zip(numbers, features, strict=True)}
            advance(len(batch.numbers) // tiles + len(batch.problems))
    if cache is not None and missing:
        _write(cache, known)
    numbers = [number for number, entry in enumerate(entries) if _key(entry) in known]
    rows = [known[_key(entries[number])] for number in numbers]
    table = np.stack(rows) if rows else np.empty((0, len(network.mean)), np.float32)
    return Statistics(table, np.array(numbers, np.int64), found)


def _measure(recipe: Recipe) -> str:
    """Digest of what decides a row, but for picture and seed."""
    data, discriminant = recipe.data, recipe.discriminant
    assert discriminant is not None
    words = (
        recipe.network.id,
        recipe.tile,
        discriminant.tiles,
        data.min_side,
        data.window,
        data.grid,
        data.augment,
    )
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:8]


def _key(entry: Entry) -> str:
    try:
        file = entry.path.stat()
    except OSError:  # it will be found missing when it is read
        return entry.name
    return f"{entry.name}\n{file.st_size}\n{file.st_mtime_ns}"


def _read(cache: Path) -> dict[str, NDArray[np.float32]]:
    if not cache.is_file():
        return {}
    with np.load(cache) as saved:
        return dict(zip(saved["keys"].tolist(), saved["features"], strict=True))


def _write(cache: Path, known: dict[str, NDArray[np.float32]]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    # Several runs may write: each whole file is right, and the last one stays.
    temporary = cache.with_name(f"{cache.stem}-{os.getpid()}.part.npz")
    np.savez(temporary, keys=np.array(list(known), np.str_), features=np.stack(list(known.values())))
    temporary.replace(cache)
