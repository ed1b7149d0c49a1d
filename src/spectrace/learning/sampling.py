"""Who is drawn: pictures with their class and source, and a balanced draw among them."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from spectrace.corpora.manifest import Manifest
from spectrace.errors import RecipeError
from spectrace.learning.pairs import CAMERA
from spectrace.learning.recipes import Recipe

BINARY_CLASSES = [CAMERA, "generated"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Entry:
    """One labelled picture.

    Attributes:
        path: where it lies.
        name: its path in the manifest, the same on every machine.
        target: index of its class.
        group: what balanced sampling draws first: its generator and source.
        content: pictures that share it are aligned pixel by pixel; empty where nothing is known.
        maker: what is to make the picture from the photograph at ``path``: an autoencoder, or
            :data:`~spectrace.learning.pairs.CAMERA` for a pair's other side; empty for the file as it is.
    """

    path: Path
    name: str
    target: int
    group: str
    content: str = ""
    maker: str = ""

    @property
    def key(self) -> int:
        """A number from the name alone, to seed what must be the same for this picture in every run."""
        return zlib.crc32(self.name.encode("utf-8", "surrogateescape"))


Couple = tuple[Entry, Entry]
"""A camera picture and a generated one with the same content."""


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


def entries_of(
    manifest: Manifest, recipe: Recipe, split: str, classes: list[str], makers: Sequence[str] = ()
) -> list[Entry]:
    """The recipe's pictures of one split, in the order of their paths; then those to be made.

    Args:
        manifest: the labelled pictures.
        recipe: says which of them count.
        split: to take.
        classes: names, in the order of the logits.
        makers: autoencoders, each of which makes a generated picture of every photograph.

    Raises:
        RecipeError: a class has no picture.
    """
    entries = []
    for row in sorted(manifest.select(split=split), key=lambda row: row.path):
        name = row.generator if classes != BINARY_CLASSES else BINARY_CLASSES[row.is_generated]
        if _excluded(row, recipe) or name not in classes:
            continue
        group = f"{row.generator}/{row.source}"
        content = row.extra.get("content", "")
        entries.append(Entry(manifest.locate(row), row.path, classes.index(name), group, content))
    if makers and recipe.data.pairs is not None:
        entries += reconstructions_of(entries, makers, recipe.data.pairs.per_source)
    require_every_class(entries, classes, f"split {split!r} of the data")
    return entries


def reconstructions_of(entries: Sequence[Entry], makers: Sequence[str], per_source: int) -> list[Entry]:
    """Generated pictures that autoencoders are to make of the camera pictures.

    Args:
        entries: camera and other pictures.
        makers: the autoencoders' names; each is a source of its own.
        per_source: photographs of each source at most, chosen by their names alone; 0 takes all.

    Example:
        >>> photograph = Entry(Path("a.png"), "a.png", 0, "camera/phone")
        >>> [entry.name for entry in reconstructions_of([photograph], ["nearest"], 0)]
        ['a.png through nearest']
    """
    sources = _grouped((entry.group, entry) for entry in entries if not entry.target)
    chosen = [
        entry
        for photographs in sources
        for entry in sorted(photographs, key=lambda entry: (entry.key, entry.name))[: per_source or None]
    ]
    return [
        replace(
            photograph,
            name=f"{photograph.name} through {maker}",
            target=1,
            group=f"{maker}/{maker}",
            content="",
            maker=maker,
        )
        for maker in makers
        for photograph in chosen
    ]


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


def couples_of(entries: Sequence[Entry]) -> list[Couple]:
    """Every camera picture with every generated one of the same content, or made from it.

    The camera picture of a reconstruction to be made is to go through all but the autoencoder.

    Example:
        >>> entries = [Entry(Path(n), n, int(n > "b"), "web", content=n[1:]) for n in ("a1", "c1", "c2")]
        >>> [(camera.name, generated.name) for camera, generated in couples_of(entries)]
        [('a1', 'c1')]
    """
    cameras: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.content and not entry.target:
            cameras.setdefault(entry.content, []).append(entry)
    photographs = {entry.path: replace(entry, maker=CAMERA) for entry in entries if not entry.target}
    couples = []
    for entry in entries:
        if entry.maker:
            aligned = [photographs[entry.path]] if entry.path in photographs else []
        else:
            aligned = cameras.get(entry.content, []) if entry.target else []
        couples += [(camera, entry) for camera in aligned]
    return couples


def require_couples(entries: Sequence[Entry], where: str) -> None:
    """Refuse pictures of which no two are aligned.

    Raises:
        RecipeError: always then.
    """
    if not couples_of(entries):
        raise RecipeError(
            f"{where}: data.paired_share asks for camera and generated pictures with the same content, there "
            "is no such couple; fill the manifest's column content, name autoencoders in data.pairs or leave "
            "paired_share out"
        )


class Sampler:
    """Draws pictures balanced by class, and within a class by source.

    Aligned couples are drawn by the source of the generated picture, then by that of the camera picture.

    Args:
        entries: all pictures.
        classes: number of classes; each has at least one entry.
        temperature: a source of n pictures (or couples) has weight ``n ** temperature``.
        paired_share: share of couples of samples that are aligned; two classes only.

    Example:
        >>> entries = [Entry(Path(f"{n}"), f"{n}", n % 2, "web") for n in range(6)]
        >>> sampler = Sampler(entries, 2, 0.0)
        >>> [sampler.draw(index, np.random.default_rng(index)).target for index in range(4)]
        [0, 1, 0, 1]
    """

    def __init__(
        self, entries: Sequence[Entry], classes: int, temperature: float, paired_share: float = 0.0
    ) -> None:
        self._paired_share = paired_share
        self._classes = []
        for target in range(classes):
            groups = _grouped((entry.group, entry) for entry in entries if entry.target == target)
            self._classes.append(_Lots(groups, _shares(groups, temperature)))
        self._couples: _Lots[Couple] | None = None
        if paired_share:
            couples = couples_of(entries)
            by_generated = _grouped((generated.group, (camera, generated)) for camera, generated in couples)
            cells: list[list[Couple]] = []
            weights: list[float] = []
            for group, share in zip(by_generated, _shares(by_generated, temperature), strict=True):
                parts = _grouped((camera.group, (camera, generated)) for camera, generated in group)
                cells += parts
                weights += [share * part for part in _shares(parts, temperature)]
            self._couples = _Lots(cells, weights)

    def is_paired(self, couple: int) -> bool:
        """Whether samples ``2 * couple`` and ``2 * couple + 1`` are aligned: evenly spread over a batch."""
        return int((couple + 1) * self._paired_share) > int(couple * self._paired_share)

    def draw(self, index: int, rng: np.random.Generator) -> Entry:
        """The picture of sample ``index``: classes take turns, source and picture come from ``rng``."""
        return self._classes[index % len(self._classes)].draw(rng)

    def draw_couple(self, rng: np.random.Generator) -> Couple:
        """An aligned camera and generated picture; only with a ``paired_share``."""
        assert self._couples is not None
        return self._couples.draw(rng)


class _Lots(Generic[_T]):
    """Groups by weight, then members alike."""

    def __init__(self, groups: list[list[_T]], weights: Sequence[float]) -> None:
        self._groups = groups
        self._cumulative = np.cumsum(np.array(weights) / np.sum(weights))
        self._cumulative[-1] = 1.0

    def draw(self, rng: np.random.Generator) -> _T:
        members = self._groups[int(np.searchsorted(self._cumulative, rng.random(), side="right"))]
        return members[int(rng.integers(len(members)))]


def _grouped(named: Iterable[tuple[str, _T]]) -> list[list[_T]]:
    groups: dict[str, list[_T]] = {}
    for name, member in named:
        groups.setdefault(name, []).append(member)
    return list(groups.values())


def _shares(groups: Sequence[Sequence[object]], temperature: float) -> list[float]:
    weights = np.array([len(group) for group in groups], np.float64) ** temperature
    shares: list[float] = (weights / weights.sum()).tolist()
    return shares


def without(entries: Iterable[Entry], names: Collection[str]) -> list[Entry]:
    """The entries that are not among some names."""
    return [entry for entry in entries if entry.name not in names]


def _excluded(row: object, recipe: Recipe) -> bool:
    return any(getattr(row, column) in values for column, values in recipe.data.exclude.items())
