"""The line on which a report marks a score between the card's two thresholds, and bars of what adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spectrace.detectors.card import Branch, Thresholds

_SHORTEST, _LONGEST, _MARGIN = 6.0, 24.0, 3.0
_NARROW = 23.0
_SMALLEST_REACH = 1.0


@dataclass(frozen=True, slots=True)
class Zone:
    """A stretch of the scale with one verdict, in per cent of its length.

    Attributes:
        verdict: ``camera``, ``inconclusive`` or ``generated``.
        start: where it begins.
        width: how long it is.
        named: whether its name has room inside.
    """

    verdict: str
    start: float
    width: float
    named: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """Where everything lies on the scale, in per cent of its length.

    Attributes:
        zones: from camera to generated.
        camera: the camera threshold.
        generated: the generated threshold.
        mark: the score, at an end when it lies beyond.
        anchor: which way the score's label grows (``start``, ``middle``, ``end``) to stay inside.
    """

    zones: tuple[Zone, ...]
    camera: float
    generated: float
    mark: float
    anchor: str


def scale_of(score: float, thresholds: Thresholds) -> Scale:
    """Lay out the scale of a score: 0 in the middle, both thresholds and (nearly always) the score inside.

    Example:
        >>> scale = scale_of(3.0, Thresholds(generated=3.0, camera=-3.0))
        >>> scale.camera, scale.generated, scale.mark, [zone.verdict for zone in scale.zones]
        (25.0, 75.0, 75.0, ['camera', 'inconclusive', 'generated'])
    """
    farthest = max(abs(thresholds.camera), abs(thresholds.generated))
    half = max(_SHORTEST, farthest + _MARGIN, min(abs(score) + 1.0, _LONGEST))

    def place(value: float) -> float:
        return 50.0 + 50.0 * min(max(value / half, -1.0), 1.0)

    camera, generated, mark = place(thresholds.camera), place(thresholds.generated), place(score)
    ends = (("camera", 0.0, camera), ("inconclusive", camera, generated), ("generated", generated, 100.0))
    zones = tuple(
        Zone(verdict, start, end - start, named=end - start >= _NARROW)
        for verdict, start, end in ends
        if end > start
    )
    anchor = "start" if mark < 12.0 else "end" if mark > 88.0 else "middle"
    return Scale(zones=zones, camera=camera, generated=generated, mark=mark, anchor=anchor)


@dataclass(frozen=True, slots=True)
class Bar:
    """What one branch of a fusion adds to a score, in per cent of the longest bar's room; 50 is nothing.

    Attributes:
        name: of the branch.
        title: of the branch.
        share: what it adds, in units of the score.
        verdict: which side it speaks for: ``camera`` or ``generated``.
        start: where the bar begins.
        width: how long it is.
    """

    name: str
    title: str
    share: float
    verdict: str
    start: float
    width: float


def bars_of(shares: Sequence[tuple[str, float]], branches: Sequence[Branch]) -> list[Bar]:
    """Lay out the shares of branches: nothing in the middle, the largest up to an end, camera to the left.

    Args:
        shares: (name of the branch, what it adds to the score).
        branches: of the card, for their titles.

    Example:
        >>> [bar] = bars_of([("a", -2.0)], [Branch("a", "Branch A", "patch", weight=1.0, mean=0.0)])
        >>> bar.title, bar.verdict, bar.start, bar.width
        ('Branch A', 'camera', 0.0, 50.0)
    """
    titles = {branch.name: branch.title for branch in branches}
    # Shares that are all tiny shall look tiny.
    reach = max([_SMALLEST_REACH, *(abs(share) for _, share in shares)])
    return [
        Bar(
            name=name,
            title=titles.get(name) or name,
            share=share,
            verdict="camera" if share < 0.0 else "generated",
            start=50.0 + min(0.0, 50.0 * share / reach),
            width=50.0 * abs(share) / reach,
        )
        for name, share in shares
    ]
