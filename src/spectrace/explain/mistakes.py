"""The worst mistakes of a detector: pictures whose score lies farthest on the wrong side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spectrace.corpora.manifest import Manifest
from spectrace.detectors.detector import Detector
from spectrace.evaluation.summaries import Observation
from spectrace.explain.entries import ReportEntry, entry
from spectrace.images.decode import decode

SIDE = 256


class Mistake(NamedTuple):
    """A picture on the wrong side.

    Attributes:
        entry: the picture with its heatmap.
        truth: what made it: ``camera``, or the generator.
        source: the collection it comes from.
    """

    entry: ReportEntry
    truth: str
    source: str


class Mistakes(NamedTuple):
    """The worst mistakes of one model, worst first: real pictures, then generated ones."""

    model: str
    real: list[Mistake]
    generated: list[Mistake]


def worst(observations: Iterable[Observation], count: int) -> tuple[list[Observation], list[Observation]]:
    """Real pictures with the highest scores above 0, and generated ones with the lowest below 0.

    Args:
        observations: what a detector said of pictures.
        count: of each class at most.

    Example:
        >>> from spectrace.corpora.manifest import Row
        >>> seen = [Observation(Row(path=f"{n}.png", label="real"), score=n) for n in (-1.0, 2.0, 1.0)]
        >>> [one.score for one in worst(seen, 2)[0]]
        [2.0, 1.0]
    """
    signed = [
        ((1.0 if not one.row.is_generated else -1.0) * one.score, one)
        for one in observations
        if one.score is not None
    ]
    wrong = sorted((pair for pair in signed if pair[0] > 0.0), key=lambda pair: (-pair[0], pair[1].row.path))
    real, generated = (
        [one for _, one in wrong if one.row.is_generated is label][:count] for label in (False, True)
    )
    return real, generated


def mistakes(
    detector: Detector, manifest: Manifest, observations: Iterable[Observation], *, count: int = 6
) -> Mistakes:
    """Look again at the pictures that a detector was most wrong about.

    Args:
        detector: that made them.
        manifest: says where the pictures lie.
        observations: what it said of untouched pictures.
        count: of each class at most.

    Raises:
        ImageError: a picture is no longer there.
    """
    shown = []
    for some in worst(observations, count):
        found = []
        for one in some:
            picture = decode(manifest.locate(one.row), detector.limits)
            detection = detector.examine(picture, path=one.row.path)
            found.append(Mistake(entry(picture, detection, side=SIDE), one.row.generator, one.row.source))
        shown.append(found)
    return Mistakes(detector.card.name, *shown)
