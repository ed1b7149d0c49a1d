"""Folds that share no generator, no source of camera pictures and no pair set: what is held out is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from spectrace.corpora.manifest import Row
from spectrace.errors import ManifestError


def generator_folds(rows: Sequence[Row], count: int, kin: Mapping[str, str] | None = None) -> list[int]:
    """The fold of each row, 0 to ``count - 1``.

    Rows of one generator, of one source of camera pictures, or of one pair set stay together, and so does
    what is joined by them. A generated row's source alone joins nothing: one collection may show many
    generators. A picture made from a photograph (the column ``content`` says so) goes with the photograph.
    Groups go, largest first, to the fold that has least of what they bring; a source of n pictures counts as
    its square root, camera and generated pictures apart.

    Args:
        rows: labelled pictures; folds depend on them and not on their order.
        count: number of folds.
        kin: name of the family that a generator belongs to, where several are to stay together.

    Raises:
        ManifestError: fewer groups than folds.

    Example:
        >>> rows = [
        ...     Row(path=f"{g}{n}", label="generated" if g else "real", generator=g, source=g or f"phone{n}")
        ...     for g in ("", "gan", "vae")
        ...     for n in range(2)
        ... ]
        >>> folds = generator_folds(rows, 2)
        >>> folds[2] == folds[3], folds[4] == folds[5], folds[2] == folds[4], folds[0] == folds[1]
        (True, True, False, False)
    """
    root: dict[str, str] = {}

    def group(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    photographs = {
        row.extra["content"]: row.source for row in rows if not row.is_generated and row.extra.get("content")
    }
    makers = []
    for row in rows:
        source = photographs.get(row.extra.get("content", "")) if row.is_generated else row.source
        generator = (kin or {}).get(row.generator, row.generator)
        makers.append(f"generator {generator}" if source is None else f"source {source}")
        if row.pair:
            root[group(makers[-1])] = group(f"pair {row.pair}")
    members: dict[str, list[int]] = {}
    for number, maker in enumerate(makers):
        members.setdefault(group(maker), []).append(number)
    if len(members) < count:
        raise ManifestError(
            f"{len(members)} groups of generators and sources: wanted {count} or more, one a fold"
        )
    loads = np.zeros((count, 2))
    folds = [0] * len(rows)
    brought = {name: _load([rows[number] for number in numbers]) for name, numbers in members.items()}
    for name in sorted(
        members, key=lambda name: (-brought[name].sum(), min(rows[n].path for n in members[name]))
    ):
        fold = int(np.argmin(((loads + brought[name]) ** 2).sum(1) - (loads**2).sum(1)))
        loads[fold] += brought[name]
        for number in members[name]:
            folds[number] = fold
    return folds


def _load(rows: Sequence[Row]) -> np.ndarray:
    sizes = Counter((row.is_generated, row.generator, row.source) for row in rows)
    load = np.zeros(2)
    for (generated, *_), size in sizes.items():
        load[int(generated)] += size**0.5
    return load
