"""The rule by which operating limits follow from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from spectrace.evaluation.results import Comparison, Estimate
from spectrace.evaluation.summaries import Observation, compare
from spectrace.studies.registry import Result

CROP, SCALED, JPEG, DOWNSCALE, UPSCALE = "crop", "scaled", "jpeg", "downscale", "upscale"
"""Names of the treatments; downscaling has one for each kernel."""

TREATED = ("auroc", "false_alarm_rate", "miss_rate", "accuracy_of_decided", "decided")
UNTOUCHED = ("auroc", "false_alarm_rate")
"""Ids of the figures of treated pictures, and of the same pictures untouched."""

_GUESSING = 0.5


class Rule(NamedTuple):
    """When a strength is within the limits.

    The false-alarm rate of camera pictures at the card's threshold is at most ``allowed``, and the AUROC is
    significantly above 0.5: so is the lower end of its 95 % interval.

    Attributes:
        allowed: share of camera pictures, 0..1.
        bound: what must not exceed it: the upper end of the rate's 95 % interval, or the rate itself.
    """

    allowed: float
    bound: Literal["high", "value"]

    def holds(self, figures: Mapping[str, Estimate]) -> bool:
        """Whether it does; not where pictures are too few to say.

        Example:
            >>> rule = Rule(0.1, "high")
            >>> sure = {"auroc": Estimate(0.8, 0.7, 0.9), "false_alarm_rate": Estimate(0.05, 0.02, 0.09)}
            >>> rule.holds(sure), rule.holds(sure | {"false_alarm_rate": Estimate(0.05, 0.02, 0.11)})
            (True, False)
        """
        rate = getattr(figures["false_alarm_rate"], self.bound)
        least = figures["auroc"].low
        return rate is not None and least is not None and rate <= self.allowed and least > _GUESSING


def measured(
    strength: float,
    treated: Sequence[Observation],
    untouched: Sequence[Observation],
    rule: Rule,
    *,
    resamples: int,
) -> Result:
    """Figures of one strength, on the pictures that have a score there, beside the same pictures untouched.

    Args:
        strength: of the treatment.
        treated: of all pictures; those too small have no score.
        untouched: of the same pictures, in the same order.
        rule: of the limits.
        resamples: for the intervals, clustered by source.
    """
    scored = [number for number, one in enumerate(treated) if one.score is not None]
    here = compare("treated", [treated[number] for number in scored], TREATED, resamples=resamples)
    before = compare("untouched", [untouched[number] for number in scored], UNTOUCHED, resamples=resamples)
    return {
        "strength": strength,
        "real": here.real.scored,
        "generated": here.generated.scored,
        "figures": _plain(here),
        "untouched": _plain(before),
        "holds": rule.holds(here.figures),
    }


def hold_to(points: Sequence[Result]) -> float | None:
    """The strongest strength that the rule holds at, and at all milder ones; None where it is at none.

    Args:
        points: of :func:`measured`, from mild to strong.

    Example:
        >>> hold_to([{"strength": at, "holds": at != 70} for at in (90, 80, 70, 60)])
        80
    """
    found = None
    for point in points:
        if not point["holds"]:
            break
        found = point["strength"]
    return found


def found_limits(ladders: Mapping[str, Result]) -> Result:
    """``min_side``, ``min_jpeg_quality`` and ``min_scale`` (by kernel); None where the rule holds nowhere.

    A small picture was cut out or scaled down, and its file does not say which: the rule must hold for both.

    Args:
        ladders: by name, with ``holds_to``.
    """
    sides = [ladders[name]["holds_to"] for name in (CROP, SCALED)]
    return {
        "min_side": None if None in sides else max(sides),
        "min_jpeg_quality": ladders[JPEG]["holds_to"],
        "min_scale": {
            name.removeprefix(f"{DOWNSCALE}-"): one["holds_to"]
            for name, one in ladders.items()
            if name.startswith(DOWNSCALE)
        },
    }


def _plain(comparison: Comparison) -> Result:
    return {
        name: {
            end: None if number is None else round(number, 4)
            for end, number in (("value", one.value), ("low", one.low), ("high", one.high))
        }
        for name, one in comparison.figures.items()
    }
