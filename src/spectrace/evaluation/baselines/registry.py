"""The list of baselines, by explicit id."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from spectrace.errors import UsageError
from spectrace.evaluation.baselines.baseline import Baseline
from spectrace.evaluation.baselines.eigenfaces import Eigenfaces
from spectrace.evaluation.baselines.features import PIXELS, REPRESENTATIONS
from spectrace.evaluation.baselines.neighbours import NearestNeighbours
from spectrace.evaluation.baselines.prnu import NoiseFingerprints


class Entry(NamedTuple):
    """A baseline in the list.

    Attributes:
        title: for tables.
        representations: that it takes.
        build: makes a fresh one for a representation.
    """

    title: str
    representations: tuple[str, ...]
    build: Callable[[str], Baseline]


BASELINES: dict[str, Entry] = {
    "knn": Entry("kNN", REPRESENTATIONS, NearestNeighbours),
    "eigenfaces": Entry("Eigenfaces", REPRESENTATIONS, Eigenfaces),
    "prnu": Entry("PRNU", (PIXELS,), lambda _: NoiseFingerprints()),
}


def build_baseline(identity: str, representation: str = PIXELS) -> Baseline:
    """A fresh baseline.

    Args:
        identity: a key of :data:`BASELINES`.
        representation: ``pixels`` or, where it is taken, ``log-dct``.

    Raises:
        UsageError: an unknown id, or a representation that the baseline does not take.

    Example:
        >>> build_baseline("prnu", "log-dct")
        Traceback (most recent call last):
        spectrace.errors.UsageError: prnu does not take log-dct: use pixels
    """
    if identity not in BASELINES:
        raise UsageError(f"baseline {identity!r} is unknown: use one of {', '.join(BASELINES)}")
    entry = BASELINES[identity]
    if representation not in entry.representations:
        raise UsageError(
            f"{identity} does not take {representation}: use {' or '.join(entry.representations)}"
        )
    return entry.build(representation)
