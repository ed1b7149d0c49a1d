"""Many trainings: each in a folder named after all that decides its result, none done twice.

A training is locked while it goes on, so several processes, started by hand or as ``jobs``, may work through
the same list: each takes what no other has begun.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import torch

from spectrace.corpora.folders import file_sha256
from spectrace.corpora.manifest import Manifest
from spectrace.learning.pictures import Pictures
from spectrace.learning.recipes import Recipe
from spectrace.learning.runs import MODEL, run, run_folder
from spectrace.studies.registry import Context

try:
    import fcntl
except ImportError:  # Windows: one process at a time must do there
    fcntl = None  # type: ignore[assignment]

_T = TypeVar("_T")
_R = TypeVar("_R")

_PICTURES = Pictures(2**30)  # trainings of one study mostly see the same ones
_OF_RECIPE = ("tile", "batch", "learning_rate", "steps_per_epoch", "epochs", "patience")
_LOCK = "lock"
_WAIT = 0.5  # seconds, while others have all that is left


class Training(NamedTuple):
    """One detector to train.

    Attributes:
        recipe: what to do.
        manifest: the labelled pictures; it takes the place of the recipe's.
        seed: of the training.
    """

    recipe: Recipe
    manifest: Manifest
    seed: int


def of_recipe(settings: object) -> dict[str, Any]:
    """What a study's settings say of its trainings: the fields that a recipe has by the same names.

    Example:
        >>> from types import SimpleNamespace
        >>> of_recipe(SimpleNamespace(photographs=500, batch=32, epochs=4))
        {'batch': 32, 'epochs': 4}
    """
    return {name: getattr(settings, name) for name in _OF_RECIPE if hasattr(settings, name)}


def train_all(trainings: Sequence[Training], context: Context) -> list[Path]:
    """Train detectors that were not trained before; an unfinished training goes on where it stopped.

    Args:
        trainings: what to train; the same one twice is trained once.
        context: says where trainings are kept, how many go on at a time, and is told what is done.

    Returns:
        Each training's ``model.onnx``, in order.

    Raises:
        RecipeError: as :func:`spectrace.learning.loop.train`.
    """
    manifests: dict[int, Manifest] = {}
    folders, wanted = [], {}
    for recipe, manifest, seed in trainings:
        if id(manifest) not in manifests:
            manifests[id(manifest)] = _identified(manifest)
        identified = manifests[id(manifest)]
        name = run_folder(recipe, identified, seed, None, several=False).name
        folders.append(context.trainings / name)
        wanted[folders[-1]] = Training(recipe, identified, seed)
    waiting = {folder: one for folder, one in wanted.items() if not (folder / MODEL).is_file()}
    total = len(waiting)
    threads = max(1, (os.cpu_count() or 1) // context.jobs)
    works = partial(_train, workers=context.workers, threads=threads)
    with _pool(context.jobs) as pool:
        while waiting:
            for folder, done in zip(list(waiting), pool(works, list(waiting.items())), strict=True):
                if done:
                    del waiting[folder]
                    context.progress.say(f"{folder.name}: trained, {len(waiting)} of {total} left")
            if waiting:
                time.sleep(_WAIT)
    return [folder / MODEL for folder in folders]


def _train(item: tuple[Path, Training], *, workers: int, threads: int) -> bool:
    """Train, unless another process is at it; whether it is done now."""
    folder, (recipe, manifest, seed) = item
    with _locked(folder) as mine:
        if mine and not (folder / MODEL).is_file():
            torch.set_num_threads(min(torch.get_num_threads(), threads))
            run(recipe, manifest, folder, seed=seed, workers=workers, pictures=_PICTURES)
        return mine


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the folder is this process's; the lock goes with the process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        yield True


@contextmanager
def _pool(jobs: int) -> Iterator[Callable[[Callable[[_T], _R], Iterable[_T]], Iterable[_R]]]:
    """A ``map`` whose calls go on in so many processes, or in this one."""
    if jobs == 1:
        yield map
        return
    # Forked processes would inherit torch's threads half alive.
    with ProcessPoolExecutor(jobs, get_context("spawn"), _end_silently) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in active_children():
                child.terminate()
            raise


def _end_silently() -> None:
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))


def _identified(manifest: Manifest) -> Manifest:
    """The same rows, each with the hash of its content: names alone do not say what was trained on."""
    rows = [
        row if row.sha256 else msgspec.structs.replace(row, sha256=file_sha256(manifest.locate(row)))
        for row in manifest
    ]
    return Manifest(rows, manifest.root, manifest.columns)
