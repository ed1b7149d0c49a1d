"""What an audit of two classes of pictures says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ImageError, UsageError
from spectrace.evaluation.audit.classifier import column_of, one_hot
from spectrace.evaluation.audit.separation import LEAST, separation, separation_of_new_sources
from spectrace.evaluation.audit.tells import Tell, Uniform, tells, uniform_sources
from spectrace.evaluation.audit.traits import KINDS, Kind, Traits, names_of, traits_of
from spectrace.evaluation.environment import Environment
from spectrace.evaluation.kernels import Bools, Floats
from spectrace.evaluation.results import Estimate, Unreadable
from spectrace.images.decode import decode
from spectrace.threads import in_order

LEAK = 0.55
"""AUROC from which a separation beyond chance is called a leak."""
HARMLESS = 0.60
"""AUROC that an interval must stay below for the words *no leak found*."""
P_VALUE = 0.01

HISTORY: tuple[Kind, ...] = ("file", "grid")
"""Kinds of traits that tell the history of the files and nothing else: the verdict rests on them."""


class Verdict(StrEnum):
    """What is said of a kind of traits, and of the whole."""

    LEAK = "leak"
    APART = "tells them apart"
    NONE = "no leak found"
    UNCLEAR = "too few pictures to say"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """How well one kind of traits tells the classes apart.

    Attributes:
        kind: of the traits.
        auroc: cross-validated over pictures of the same sources; None for too few pictures.
        p_value: of label permutations.
        new_sources: AUROC on sources that the classifier has not seen; None where there are too few.
        verdict: on this kind; spectral traits that separate are no leak of formats, they tell apart.
    """

    kind: Kind
    auroc: Estimate | None
    p_value: float | None
    new_sources: Estimate | None
    verdict: Verdict


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What tells two classes of pictures apart apart from what they show.

    Attributes:
        manifest_digest: of the rows that were audited.
        split: that they have, or None for all.
        seed: of folds, permutations and resamples.
        real: pictures that were read.
        generated: pictures that were read.
        real_sources: collections.
        generated_sources: collections.
        parts: one for each kind of traits.
        tells: the single traits, the one that tells most first.
        uniform: sources that share one size or JPEG quality.
        unreadable: files that could not be read.
        verdict: of the kinds that tell the history of the files.
        environment: versions and machine.
    """

    manifest_digest: str
    split: str | None
    seed: int
    real: int
    generated: int
    real_sources: int
    generated_sources: int
    parts: list[Part]
    tells: list[Tell]
    uniform: list[Uniform]
    unreadable: list[Unreadable]
    verdict: Verdict
    environment: Environment

    def part(self, kind: Kind) -> Part:
        """The part of one kind of traits."""
        return next(part for part in self.parts if part.kind == kind)

    def to_json(self) -> bytes:
        """The whole audit as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"

    def write(self, path: Path) -> None:
        """Write the JSON file; its folder is made when it is not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.to_json())


class Gathered(NamedTuple):
    """Traits of the pictures that could be read, and the files that could not."""

    rows: list[Row]
    traits: list[Traits]
    unreadable: list[Unreadable]

    def chosen(self, keep: Callable[[Row], bool]) -> Gathered:
        """The pictures whose rows are to be kept."""
        kept = [(row, one) for row, one in zip(self.rows, self.traits, strict=True) if keep(row)]
        return Gathered([row for row, _ in kept], [one for _, one in kept], self.unreadable)


def gather(
    manifest: Manifest, *, workers: int | None = None, visit: Callable[[], None] = lambda: None
) -> Gathered:
    """Read every picture of a manifest and note its traits.

    Args:
        manifest: labelled pictures.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.
    """

    def look(row: Row) -> Traits | ImageError:
        try:
            return traits_of(decode(manifest.locate(row)))
        except ImageError as error:
            return error

    found = Gathered([], [], [])
    with closing(in_order(look, manifest, workers)) as answers:
        for row, traits in zip(manifest, answers, strict=True):
            if isinstance(traits, ImageError):
                found.unreadable.append(Unreadable(row.path, str(traits)))
            else:
                found.rows.append(row)
                found.traits.append(traits)
            visit()
    return found


def audit(
    manifest: Manifest,
    *,
    split: str | None = None,
    seed: int = 0,
    workers: int | None = None,
    visit: Callable[[], None] = lambda: None,
) -> Audit:
    """Audit the pictures of a manifest.

    Args:
        manifest: labelled pictures of both classes.
        split: the rows to take; None takes all.
        seed: of folds, permutations and resamples.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.

    Raises:
        ManifestError: a class has no pictures.
    """
    rows = manifest if split is None else manifest.select(split=split)
    rows.require_both_labels()
    return judge(gather(rows, workers=workers, visit=visit), digest=rows.digest(), split=split, seed=seed)


def judge(found: Gathered, *, digest: str, split: str | None = None, seed: int = 0) -> Audit:
    """The audit of pictures whose traits are known.

    Raises:
        UsageError: a class of which nothing could be read.
    """
    generated = np.array([row.is_generated for row in found.rows], dtype=np.bool_)
    counts = (int((~generated).sum()), int(generated.sum()))
    if not min(counts):
        raise UsageError("of one class no picture could be read: nothing can be compared")
    enough = min(counts) >= LEAST
    parts = [_part(kind, found, generated, seed) for kind in KINDS]
    verdicts = [part.verdict for part in parts if part.kind in HISTORY]
    return Audit(
        manifest_digest=digest,
        split=split,
        seed=seed,
        real=counts[0],
        generated=counts[1],
        real_sources=len({row.source for row in found.rows if not row.is_generated}),
        generated_sources=len({row.source for row in found.rows if row.is_generated}),
        parts=parts,
        tells=tells(found.traits, generated, seed=seed) if enough else [],
        uniform=uniform_sources(found.rows, found.traits),
        unreadable=found.unreadable,
        verdict=next(v for v in (Verdict.LEAK, Verdict.UNCLEAR, Verdict.NONE) if v in verdicts),
        environment=Environment.here(),
    )


def _part(kind: Kind, found: Gathered, generated: Bools, seed: int) -> Part:
    if min(int((~generated).sum()), int(generated.sum())) < LEAST:
        return Part(kind=kind, auroc=None, p_value=None, new_sources=None, verdict=Verdict.UNCLEAR)
    rows = rows_of(found.traits, kind)
    inside = separation(rows, generated, seed=seed)
    new = separation_of_new_sources(
        rows,
        generated,
        [row.source for row in found.rows],
        [f"pair {row.pair}" if row.pair else row.source for row in found.rows],
        seed=seed,
    )
    return Part(
        kind=kind,
        auroc=Estimate(*(round(value, 4) for value in inside.auroc)),
        p_value=inside.p_value,
        new_sources=new and Estimate(*(round(value, 4) for value in new)),
        verdict=verdict_on(kind, inside.auroc.value, inside.auroc.high, inside.p_value),
    )


def rows_of(traits: Sequence[Traits], *kinds: Kind) -> Floats:
    """One-hot columns of the traits of some kinds: float64 ``[N, D]``."""
    return one_hot([column_of(name, traits) for name in names_of(*kinds)], traits)


def verdict_on(kind: Kind, value: float, high: float, p_value: float) -> Verdict:
    """What is said of one classifier's AUROC.

    Example:
        >>> verdict_on("file", 0.87, 0.9, 0.005).value, verdict_on("grid", 0.52, 0.56, 0.2).value
        ('leak', 'no leak found')
        >>> verdict_on("spectral", 0.87, 0.9, 0.005).value, verdict_on("grid", 0.58, 0.71, 0.08).value
        ('tells them apart', 'too few pictures to say')
    """
    if value >= LEAK and p_value <= P_VALUE:
        return Verdict.LEAK if kind in HISTORY else Verdict.APART
    return Verdict.NONE if high < HARMLESS else Verdict.UNCLEAR
