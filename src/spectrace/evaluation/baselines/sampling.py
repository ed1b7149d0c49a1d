"""Which pictures a baseline is fitted on, and which of them are held out together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import LABELS, Row
from spectrace.errors import ManifestError
from spectrace.evaluation.crossfit import fold_count, folds_of


def balanced(manifest: Manifest, per_source: int, *, seed: int = 0) -> Manifest:
    """As many pictures of one class as of the other, and as evenly from their sources as can be.

    Args:
        manifest: pictures of both classes.
        per_source: pictures of each source and class at most.
        seed: of which they are.

    Raises:
        ManifestError: a class has no pictures.

    Example:
        >>> real = [Row(path=f"{n}.jpg", label="real", source=n[0]) for n in ("a1", "a2", "a3", "b1")]
        >>> made = [Row(path=f"{n}.png", label="generated", source="gan") for n in ("c1", "c2")]
        >>> sorted(balanced(Manifest([*real, *made]), 2).count("label", "source").items())
        [(('generated', 'gan'), 2), (('real', 'a'), 1), (('real', 'b'), 1)]
    """
    manifest.require_both_labels()
    rng = np.random.default_rng(seed)
    by_class = [_in_turn(manifest.select(label=label).rows, per_source, rng) for label in LABELS]
    count = min(map(len, by_class))
    kept = {row.path for rows in by_class for row in rows[:count]}
    return Manifest([row for row in manifest if row.path in kept], manifest.root, manifest.columns)


def source_folds(rows: Sequence[Row], folds: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Deal pictures out to folds so that no source is in two of them.

    Where a class has fewer sources than there are folds, the pictures are dealt out by themselves.

    Args:
        rows: of both classes.
        folds: how many, at least 2.
        seed: of which source goes where.

    Returns:
        int64 ``[N]``, 0 to ``folds - 1``; every fold has pictures of both classes.

    Raises:
        ManifestError: a class has fewer pictures than there are folds.

    Example:
        >>> rows = [Row(path=f"{n}.jpg", label=LABELS[n % 2], source=f"s{n // 4}-{n % 2}") for n in range(16)]
        >>> found = source_folds(rows, 2)
        >>> len({(row.source, int(fold)) for row, fold in zip(rows, found, strict=True)})
        8
    """
    labels = np.array([row.is_generated for row in rows], np.bool_)
    for names in ([row.source for row in rows], [row.path for row in rows]):
        held_together = np.array(names, np.str_)
        if fold_count(labels, held_together, folds) == folds:
            return folds_of(labels, held_together, folds, seed)
    raise ManifestError(
        f"{int((~labels).sum())} real and {int(labels.sum())} generated pictures to fit on: "
        f"wanted {folds} of each at least"
    )


def _in_turn(rows: Sequence[Row], per_source: int, rng: np.random.Generator) -> list[Row]:
    """The first of every source, then the second of every source, and so on; each source in random order."""
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_source[row.source].append(row)
    shuffled = [[several[k] for k in rng.permutation(len(several))] for several in by_source.values()]
    return [several[turn] for turn in range(per_source) for several in shuffled if turn < len(several)]
