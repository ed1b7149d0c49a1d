"""What a scan found, in figures: one pass over its parts, in memory that does not grow with them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from spectrace.explain.strongest import Strongest
from spectrace.images.reading import source_name
from spectrace.scan.folder import ScanFolder
from spectrace.scan.scoring import DUPLICATE_OF, Row

STRONGEST = 100
BINS = 120
REACH = 15.0  # scores beyond lie in the outer bins

_KINDS = 200
_COLUMNS = ["path", "score", "verdict", "probability", "reasons", "error", DUPLICATE_OF]


@dataclass(frozen=True, slots=True)
class Strong:
    """A picture of the strongest, and where its item is listed.

    Attributes:
        path: its name in the results.
        score: natural-log likelihood ratio.
        verdict: what that means.
        chunk: number of its chunk.
        position: of its item in the chunk.
    """

    path: str
    score: float
    verdict: str
    chunk: int
    position: int


@dataclass(slots=True)
class Summary:
    """Counts over all rows of a scan.

    Attributes:
        pictures: number of rows.
        verdicts: how often each was given.
        reasons: how often each code made a verdict inconclusive.
        errors: how often each kind of error occurred; numbers and names are left out of the kinds.
        examples: a picture of each kind of error.
        duplicates: rows whose bytes another path's row was scored by.
        bins: number of scores in each of ``BINS`` bins from ``-REACH`` to ``REACH``.
        scored: number of scores.
        strongest: the pictures with the highest scores, highest first; of duplicates one.
    """

    pictures: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    duplicates: int = 0
    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    scored: int = 0
    strongest: list[Strong] = field(default_factory=list)


def summarise(folder: ScanFolder) -> Summary:
    """Count what the parts hold."""
    summary = Summary()
    best = Strongest[Strong](STRONGEST)
    for chunk, position, row in _rows(folder):
        score = row["score"]
        if score is not None and not math.isfinite(score):  # a network that computes no number has no place
            row["score"] = score = None
        _count(summary, row)
        if score is not None and row[DUPLICATE_OF] is None and best.admits(score):
            best.add(score, Strong(row["path"], score, row["verdict"], chunk, position))
    summary.strongest = best.ranked()
    return summary


def _rows(folder: ScanFolder) -> Iterator[tuple[int, int, Row]]:
    for chunk in folder.parts():
        for position, row in enumerate(folder.read_part(chunk, _COLUMNS)):
            yield chunk, position, row


def _count(summary: Summary, row: Row) -> None:
    summary.pictures += 1
    summary.duplicates += row[DUPLICATE_OF] is not None
    if row["error"] is not None:
        kind = _kind(row["error"], row["path"])
        if kind not in summary.examples and len(summary.examples) == _KINDS:
            kind = "other errors"
        summary.errors[kind] += 1
        summary.examples.setdefault(kind, row["path"])
        return
    summary.verdicts[row["verdict"]] += 1
    for reason in filter(None, (row["reasons"] or "").split("; ")):
        code, colon, _ = reason.partition(": ")
        if colon and " " not in code:
            summary.reasons[code] += 1
    if row["score"] is not None:
        summary.scored += 1
        place = int((row["score"] + REACH) / (2 * REACH) * BINS)
        summary.bins[min(max(place, 0), BINS - 1)] += 1


def _kind(error: str, path: str) -> str:
    """An error without what differs from picture to picture.

    Example:
        >>> _kind("a/7.jpg is a JPEG of 1,234 bytes whose end is missing", "a/7.jpg")
        'is a JPEG of N bytes whose end is missing'
    """
    message = error.removeprefix(source_name(path)).strip()
    return re.sub(r"\d[\d,.]*", "N", message)
