"""Feeding the trainer: several processes cut tiles; what comes out depends on seed and index alone."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spectrace.errors import RecipeError
from spectrace.learning.cutting import Cutter, Problem, attempt, missing
from spectrace.learning.pictures import Pictures
from spectrace.learning.sampling import Entry, Sampler

_TRAIN, _SURVEY, _VALIDATION, _COUPLES = range(4)
_REDRAWS = 32
_READ_AT_ONCE = 32


class Sample(NamedTuple):
    """Tiles ``uint8 [n, 3, S, S]`` or None, a number (class or picture), and what failed on the way.

    Attributes:
        size: height and width of the picture, where somebody may ask for it.
    """

    tiles: NDArray[np.uint8] | None
    number: int
    problems: list[Problem]
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class TrainingTiles(Dataset[Sample]):
    """The endless training stream: sample ``index`` is the same whoever computes it, and whenever.

    A picture that fails (it was fine in the survey) is replaced by another draw; after many failures in a
    row the sample is without tiles. Samples ``2 k`` and ``2 k + 1`` are a couple; where it is to be an
    aligned one, both sides come from the same chance: same window, augmentation and place of the tile.

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
        couple, side = divmod(index, 2)
        paired = self.sampler.is_paired(couple)
        rng = np.random.default_rng([_COUPLES, self.seed, couple] if paired else [_TRAIN, self.seed, index])
        problems: list[Problem] = []
        for _ in range(_REDRAWS):
            if paired:
                drawn = self.sampler.draw_couple(rng)
                entry = drawn[side]
                # Each side looks at both before it cuts, so both turn to another couple at the same moment.
                failed = [problem for one in drawn if (problem := missing(self.pictures, one))]
                if failed:
                    problems += failed
                    continue
            else:
                entry = self.sampler.draw(index, rng)
            result = attempt(self.cutter, self.pictures, entry, 1, rng)
            if not isinstance(result, Problem):
                return Sample(result, entry.target, problems)
            problems.append(result)
        return Sample(None, -1, problems)


@dataclass(frozen=True)
class PictureTiles(Dataset[Sample]):
    """Every picture once: the same number of tiles of each, seeded by the picture's own name.

    Args:
        entries: the pictures.
        cutter: how tiles are cut.
        count: tiles a picture.
        stream: seed words that keep one use from another.
        pictures: decodes pictures, in each process its own.
    """

    entries: Sequence[Entry]
    cutter: Cutter
    count: int
    stream: tuple[int, ...]
    pictures: Pictures = field(default_factory=Pictures)

    def __getitem__(self, index: int) -> Sample:
        """Tiles ``uint8 [count, 3, S, S]`` and the picture's index; or the problem."""
        entry = self.entries[index]
        rng = np.random.default_rng([*self.stream, entry.key])
        result = attempt(self.cutter, self.pictures, entry, self.count, rng)
        if isinstance(result, Problem):
            return Sample(None, index, [result])
        height, width = self.pictures.read(entry.path).pixels.shape[:2]
        return Sample(result, index, [], (height, width))


@dataclass(frozen=True)
class Batch:
    """Tiles ``uint8 [N, 3, S, S]``, a number each (class or picture), and what failed on the way.

    Attributes:
        sizes: of the pictures that gave tiles, one a picture.
    """

    tiles: Tensor
    numbers: Tensor
    problems: list[Problem]
    sizes: list[tuple[int, int]]


def collate(samples: list[Sample]) -> Batch:
    """Put samples together; those without tiles only leave their problems."""
    good = [sample for sample in samples if sample.tiles is not None]
    tiles = [sample.tiles for sample in good if sample.tiles is not None]
    counts = [len(some) for some in tiles]
    return Batch(
        torch.from_numpy(np.concatenate(tiles) if tiles else np.empty((0, 3, 1, 1), np.uint8)),
        torch.from_numpy(np.repeat(np.array([sample.number for sample in good], np.int64), counts)),
        [problem for sample in samples for problem in sample.problems],
        [sample.size for sample in good],
    )


def parts(indices: range, size: int, rank: int = 0, ranks: int = 1) -> list[range]:
    """Indices in order, ``size`` at a time; of each batch the part of one process, neighbours together.

    Example:
        >>> parts(range(0, 10), 4)
        [range(0, 4), range(4, 8), range(8, 10)]
        >>> parts(range(0, 8), 4, rank=1, ranks=2)
        [range(2, 4), range(6, 8)]
    """
    batches = [indices[start : start + size] for start in range(0, len(indices), size)]
    return [batch[rank * len(batch) // ranks : (rank + 1) * len(batch) // ranks] for batch in batches]


def batches(dataset: Dataset[Sample], indices: Sequence[range], workers: int) -> Iterator[Batch]:
    """Go through batches of a dataset in order.

    Args:
        dataset: gives a sample for an index.
        indices: of each batch.
        workers: processes, each computing on one thread; 0 does it in this one.
    """
    loader: DataLoader[Batch] = DataLoader(
        dataset,  # type: ignore[arg-type]  # the collated type differs from the sample's
        batch_sampler=indices,  # type: ignore[arg-type]  # ranges do as well as lists
        num_workers=workers,
        collate_fn=collate,
        prefetch_factor=4 if workers else None,
        # A generator of its own: torch's global one belongs to the network and must not depend on workers.
        generator=torch.Generator(),
        worker_init_fn=_leave_interrupts_to_the_trainer,
    )
    return iter(loader)


def training_batches(tiles: TrainingTiles, indices: Sequence[range], workers: int) -> Iterator[Batch]:
    """Batches of the training stream, all of them whole.

    Raises:
        RecipeError: hardly any picture gives tiles any more.
    """
    for wanted, batch in zip(indices, batches(tiles, indices, workers), strict=True):
        if len(batch.tiles) < len(wanted):
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
    *,
    aligned: bool = False,
    pictures: Pictures | None = None,
) -> Survey:
    """Read every training picture once, before any training.

    Args:
        entries: the training pictures.
        cutter: how tiles are cut.
        seed: of the run.
        workers: processes.
        visit: called with tiles ``uint8 [N, 3, S, S]``, one of each good picture, and the number of
            pictures that were looked at for them.
        aligned: hold pictures of the same content to the same size.
        pictures: decodes them.

    Raises:
        RecipeError: they are not.
    """
    found = Survey()
    first_of: dict[str, tuple[str, tuple[int, int]]] = {}
    for batch in picture_batches(
        PictureTiles(entries, cutter, 1, (_SURVEY, seed), pictures or Pictures()), workers
    ):
        found.add(batch.problems)
        visit(batch.tiles, len(batch.tiles) + len(batch.problems))
        for number, size in zip(batch.numbers.tolist(), batch.sizes, strict=True):
            entry = entries[number]
            name, wanted = first_of.setdefault(entry.content, (entry.name, size))
            if aligned and entry.content and size != wanted:
                raise RecipeError(
                    f"{entry.name} has {size[1]}x{size[0]} pixels, {name} of the same content "
                    f"{wanted[1]}x{wanted[0]}: aligned pictures have one size; correct the column content"
                )
    return found


def picture_batches(tiles: PictureTiles, workers: int) -> Iterator[Batch]:
    """Every picture once, in order."""
    return batches(tiles, parts(range(len(tiles.entries)), _READ_AT_ONCE), workers)


def validation_dataset(
    entries: Sequence[Entry], cutter: Cutter, count: int, pictures: Pictures | None = None
) -> PictureTiles:
    """The fixed validation tiles: the same for every seed and every recipe with the same augmentation."""
    return PictureTiles(entries, cutter, count, (_VALIDATION,), pictures or Pictures())
