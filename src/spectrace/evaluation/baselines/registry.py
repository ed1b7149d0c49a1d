"""The list of baselines, by explicit id."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from spectrace.errors import UsageError
from spectrace.evaluation.baselines.baseline import Baseline
from spectrace.evaluation.baselines.eigenfaces import Eigenfaces
from spectrace.evaluation.baselines.features import LOG_DCT, PIXELS, REPRESENTATIONS
from spectrace.evaluation.baselines.metadata import block_grid_baseline, metadata_baseline
from spectrace.evaluation.baselines.methods import Method, Windows
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


class MethodEntry(NamedTuple):
    """A baseline that tells camera from generated.

    Attributes:
        title: for tables.
        build: makes a fresh one; takes the side of the window in pixels.
    """

    title: str
    build: Callable[[int], Method]


def _windows(identity: str, representation: str = PIXELS) -> Callable[[int], Method]:
    return lambda side: Windows(build_baseline(identity, representation), side)


METHODS: dict[str, MethodEntry] = {
    "knn": MethodEntry("kNN on pixels", _windows("knn")),
    "knn-dct": MethodEntry("kNN on the log-DCT", _windows("knn", LOG_DCT)),
    "eigenfaces": MethodEntry("Eigenfaces on pixels", _windows("eigenfaces")),
    "eigenfaces-dct": MethodEntry("Eigenfaces on the log-DCT", _windows("eigenfaces", LOG_DCT)),
    "prnu": MethodEntry("PRNU", _windows("prnu")),
    "metadata": MethodEntry("what the file says", lambda _: metadata_baseline()),
    "block-grid": MethodEntry("earlier JPEG compression in the pixels", lambda _: block_grid_baseline()),
}


def known_method(name: str) -> MethodEntry:
    """The entry of a baseline for detection.

    Args:
        name: a key of :data:`METHODS`.

    Raises:
        UsageError: an unknown name.

    Example:
        >>> known_method("magic")
        Traceback (most recent call last):
        spectrace.errors.UsageError: baseline 'magic' is unknown: use one of knn, knn-dct, ...
    """
    if name not in METHODS:
        raise UsageError(f"baseline {name!r} is unknown: use one of {', '.join(METHODS)}")
    return METHODS[name]
