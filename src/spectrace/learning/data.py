"""Feeding the trainer: several processes cut tiles; what comes out depends on seed and index alone."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spectrace.errors import RecipeError
from spectrace.learning.cutting import Cutter, Pictures, Problem, attempt
from spectrace.learning.sampling import Entry, Sampler

_TRAIN, _SURVEY, _VALIDATION = range(3)
_REDRAWS = 32

Sample = tuple[NDArray[np.uint8] | None, int, list[Problem]]
"""Tiles ``uint8 [n, 3, S, S]`` or None, a number (class or picture), and what failed on the way."""


@dataclass(frozen=True)
class TrainingTiles(Dataset[Sample]):
    """The endless training stream: sample ``index`` is the same whoever computes it, and whenever.

    A picture that fails (it was fine in the survey) is replaced by another draw; after many failures in a
    row the sample is without tiles.

    Args:
        sampler: draws pictures.
        cutter: cuts tiles.
        seed: of the run.
        pictures: decodes and keeps pictures, in each process its own.
    """

    sampler: Sampler
    cutter: Cutter
    seed: int
    pictures: Pictures

    def __getitem__(self, index: int) -> Sample:
        """One tile ``uint8 [1, 3, S, S]``, its class, and the pictures that failed before it was found."""
        rng = np.random.default_rng([_TRAIN, self.seed, index])
        problems: list[Problem] = []
        for _ in range(_REDRAWS):
            entry = self.sampler.draw(index, rng)
            result = attempt(self.cutter, self.pictures, entry, 1, rng)
            if not isinstance(result, Problem):
                return result, entry.target, problems
            problems.append(result)
        return None, -1, problems


@dataclass(frozen=True)
class PictureTiles(Dataset[Sample]):
    """Every picture once: the same number of tiles of each, seeded by the picture's own name.

    Args:
        entries: the pictures.
        cutter: how tiles are cut.
        count: tiles a picture.
        stream: seed words that keep one use from another.
    """

    entries: Sequence[Entry]
    cutter: Cutter
    count: int
    stream: tuple[int, ...]

    def __getitem__(self, index: int) -> Sample:
        """Tiles ``uint8 [count, 3, S, S]`` and the picture's index; or the problem."""
        entry = self.entries[index]
        rng = np.random.default_rng([*self.stream, entry.key])
        result = attempt(self.cutter, Pictures(), entry, self.count, rng)
        if isinstance(result, Problem):
            return None, index, [result]
        return result, index, []


@dataclass(frozen=True)
class Batch:
    """Tiles ``uint8 [N, 3, S, S]``, a number each (class or picture), and what failed on the way."""

    tiles: Tensor
    numbers: Tensor
    problems: list[Problem]


def collate(items: list[Sample]) -> Batch:
    """Put samples together; those without tiles only leave their problems."""
    good = [(tiles, number) for tiles, number, _ in items if tiles is not None]
    problems = [problem for _, _, some in items for problem in some]
    tiles = np.concatenate([tiles for tiles, _ in good]) if good else np.empty((0, 3, 1, 1), np.uint8)
    numbers = np.concatenate([np.full(len(tiles), number) for tiles, number in good] or [np.empty(0)])
    return Batch(torch.from_numpy(tiles), torch.from_numpy(numbers.astype(np.int64)), problems)


def batches(dataset: Dataset[Sample], indices: range, size: int, workers: int) -> Iterator[Batch]:
    """Go through indices of a dataset in order, ``size`` at a time.

    Args:
        dataset: gives a sample for an index.
        indices: which, in which order.
        size: samples a batch.
        workers: processes, each computing on one thread; 0 does it in this one.
    """
    loader: DataLoader[Batch] = DataLoader(
        dataset,  # type: ignore[arg-type]  # the collated type differs from the sample's
        batch_size=size,
        sampler=indices,
        num_workers=workers,
        collate_fn=collate,
        prefetch_factor=4 if workers else None,
        # A generator of its own: torch's global one belongs to the network and must not depend on workers.
        generator=torch.Generator(),
        worker_init_fn=_leave_interrupts_to_the_trainer,
    )
    return iter(loader)


def training_batches(tiles: TrainingTiles, indices: range, size: int, workers: int) -> Iterator[Batch]:
    """Batches of the training stream, all of them whole.

    Raises:
        RecipeError: hardly any picture gives tiles any more.
    """
    for batch in batches(tiles, indices, size, workers):
        if len(batch.tiles) < size:
            last = batch.problems[-1]
            raise RecipeError(
                f"{_REDRAWS} pictures in a row gave no tile, the last was {last.name}: {last.reason}; "
                "check that the pictures are still there"
            )
        yield batch


def _leave_interrupts_to_the_trainer(_: int) -> None:
    # Ctrl-C reaches every process of the terminal; workers would answer with a traceback each.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass
class Survey:
    """What one pass over every training picture found.

    Attributes:
        unreadable: name and reason of each picture that could not be read.
        too_small: names of the pictures that no tile fits in.
    """

    unreadable: dict[str, str] = field(default_factory=dict)
    too_small: list[str] = field(default_factory=list)

    def add(self, problems: Sequence[Problem]) -> None:
        """Note pictures that gave no tiles."""
        for problem in problems:
            if problem.too_small:
                self.too_small.append(problem.name)
            else:
                self.unreadable[problem.name] = problem.reason

    def summary(self) -> str:
        """What is left out, in words.

        Example:
            >>> Survey({"a.jpg": "is empty"}, ["b.png", "c.png"]).summary()
            '1 unreadable, 2 smaller than a tile'
        """
        return f"{len(self.unreadable)} unreadable, {len(self.too_small)} smaller than a tile"

    @property
    def left_out(self) -> set[str]:
        """Names of all pictures that are left out."""
        return {*self.unreadable, *self.too_small}


def survey(
    entries: Sequence[Entry],
    cutter: Cutter,
    seed: int,
    workers: int,
    visit: Callable[[Tensor, int], None],
) -> Survey:
    """Read every training picture once, before any training.

    Args:
        entries: the training pictures.
        cutter: how tiles are cut.
        seed: of the run.
        workers: processes.
        visit: called with tiles ``uint8 [N, 3, S, S]``, one of each good picture, and the number of
            pictures that were looked at for them.
    """
    found = Survey()
    tiles = PictureTiles(entries, cutter, 1, (_SURVEY, seed))
    for batch in batches(tiles, range(len(entries)), 32, workers):
        found.add(batch.problems)
        visit(batch.tiles, len(batch.tiles) + len(batch.problems))
    return found


def validation_dataset(entries: Sequence[Entry], cutter: Cutter, count: int) -> PictureTiles:
    """The fixed validation tiles: the same for every seed and every recipe with the same augmentation."""
    return PictureTiles(entries, cutter, count, (_VALIDATION,))
