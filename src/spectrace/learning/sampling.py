"""Who is drawn: pictures with their class and source, and a balanced draw among them."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest
from spectrace.errors import RecipeError
from spectrace.learning.recipes import Recipe

BINARY_CLASSES = ["camera", "generated"]
CAMERA = "camera"


@dataclass(frozen=True)
class Entry:
    """One labelled picture.

    Attributes:
        path: where it lies.
        name: its path in the manifest, the same on every machine.
        target: index of its class.
        group: what balanced sampling draws first: its generator and source.
    """

    path: Path
    name: str
    target: int
    group: str

    @property
    def key(self) -> int:
        """A number from the name alone, to seed what must be the same for this picture in every run."""
        return zlib.crc32(self.name.encode("utf-8", "surrogateescape"))


def class_names(manifest: Manifest, recipe: Recipe) -> list[str]:
    """Class names in the order of the logits: camera first.

    Raises:
        RecipeError: attribution without two generators or more.
    """
    if recipe.task == "binary":
        return list(BINARY_CLASSES)
    rows = manifest.select(split=recipe.data.train_split, label="generated").rows
    generators = sorted({row.generator for row in rows if not _excluded(row, recipe)})
    if not generators:
        raise RecipeError(f"no generated pictures in split {recipe.data.train_split!r}: nothing to attribute")
    return [CAMERA, *generators]


def entries_of(manifest: Manifest, recipe: Recipe, split: str, classes: list[str]) -> list[Entry]:
    """The recipe's pictures of one split, in the order of their paths.

    Raises:
        RecipeError: a class has no picture.
    """
    entries = []
    for row in sorted(manifest.select(split=split), key=lambda row: row.path):
        name = row.generator if classes != BINARY_CLASSES else BINARY_CLASSES[row.is_generated]
        if _excluded(row, recipe) or name not in classes:
            continue
        group = f"{row.generator}/{row.source}"
        entries.append(Entry(manifest.locate(row), row.path, classes.index(name), group))
    require_every_class(entries, classes, f"split {split!r} of the data")
    return entries


def require_every_class(entries: Iterable[Entry], classes: list[str], where: str) -> None:
    """Refuse a class without pictures.

    Raises:
        RecipeError: naming the empty classes.

    Example:
        >>> require_every_class([Entry(Path("a.png"), "a.png", 0, "phone")], ["camera", "generated"], "data")
        Traceback (most recent call last):
        spectrace.errors.RecipeError: data: no pictures of class generated; add some or exclude the class
    """
    found = {entry.target for entry in entries}
    empty = [name for target, name in enumerate(classes) if target not in found]
    if empty:
        raise RecipeError(f"{where}: no pictures of class {', '.join(empty)}; add some or exclude the class")


@dataclass(frozen=True)
class Sampler:
    """Draws pictures balanced by class, and within a class by source.

    Args:
        entries: all pictures.
        classes: number of classes; each has at least one entry.
        temperature: a source of n pictures has weight ``n ** temperature``.

    Example:
        >>> entries = [Entry(Path(f"{n}"), f"{n}", n % 2, "web") for n in range(6)]
        >>> sampler = Sampler(tuple(entries), 2, 0.0)
        >>> [sampler.draw(index, np.random.default_rng(index)).target for index in range(4)]
        [0, 1, 0, 1]
    """

    entries: tuple[Entry, ...]
    classes: int
    temperature: float

    def draw(self, index: int, rng: np.random.Generator) -> Entry:
        """The picture of sample ``index``: classes take turns, source and picture come from ``rng``."""
        groups, weights = self._groups[index % self.classes]
        members = groups[int(np.searchsorted(weights, rng.random(), side="right"))]
        return self.entries[int(members[rng.integers(len(members))])]

    @cached_property
    def _groups(self) -> list[tuple[list[NDArray[np.int64]], NDArray[np.float64]]]:
        by_class: list[dict[str, list[int]]] = [{} for _ in range(self.classes)]
        for number, entry in enumerate(self.entries):
            by_class[entry.target].setdefault(entry.group, []).append(number)
        result = []
        for groups in by_class:
            members = [np.array(group) for group in groups.values()]
            shares = np.array([len(group) for group in members], np.float64) ** self.temperature
            cumulative = np.cumsum(shares / shares.sum())
            cumulative[-1] = 1.0
            result.append((members, cumulative))
        return result


def without(entries: Iterable[Entry], names: Collection[str]) -> list[Entry]:
    """The entries that are not among some names."""
    return [entry for entry in entries if entry.name not in names]


def _excluded(row: object, recipe: Recipe) -> bool:
    return any(getattr(row, column) in values for column, values in recipe.data.exclude.items())
