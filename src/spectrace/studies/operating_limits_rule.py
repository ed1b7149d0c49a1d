"""The rule by which operating limits follow from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from spectrace.detectors.card import Card
from spectrace.errors import UsageError
from spectrace.evaluation.results import Comparison, Estimate
from spectrace.evaluation.summaries import Observation, compare
from spectrace.studies.registry import Result

CROP, SCALED, JPEG, DOWNSCALE, UPSCALE = "crop", "scaled", "jpeg", "downscale", "upscale"
"""Names of the treatments; downscaling has one for each kernel."""

FALSE_ALARMS, MISSES = "false_alarm_rate_by_source", "miss_rate_by_source"
UNTOUCHED = (FALSE_ALARMS, MISSES, "auroc")
TREATED = (*UNTOUCHED, "accuracy_of_decided", "decided")
"""Ids of the figures of pictures as they are, and treated; rates weigh sources alike, as thresholds do."""

_GUESSING = 0.5


class Rule(NamedTuple):
    """When a strength is within the limits.

    Camera pictures called generated, and generated ones called camera, at the card's thresholds, are no more
    than allowed, and the AUROC is significantly above 0.5: so is the lower end of its 95 % interval.

    Attributes:
        false_alarms: share of camera pictures that is allowed, every source alike, 0..1.
        misses: the same for generated ones.
        bound: what must not exceed them: the rate itself, or the upper end of its 95 % interval.
    """

    false_alarms: float
    misses: float
    bound: Literal["value", "high"]

    @classmethod
    def of(cls, card: Card, *, times: float, bound: Literal["value", "high"]) -> Rule:
        """So many times the rates that a card states.

        Raises:
            UsageError: it states none.
        """
        false_alarms, misses = card.thresholds.false_positive_rate, card.thresholds.miss_rate
        if false_alarms is None or misses is None:
            raise UsageError(
                f"the card of {card.name} states no error rates: run spectrace calibrate on the model first"
            )
        return cls(times * false_alarms, times * misses, bound)

    def holds(self, figures: Mapping[str, Estimate]) -> bool:
        """Whether it does; not where pictures are too few to say.

        Example:
            >>> rule = Rule(0.1, 0.1, "value")
            >>> rates = {FALSE_ALARMS: Estimate(0.05), MISSES: Estimate(0.06)}
            >>> sure = rates | {"auroc": Estimate(0.8, 0.7, 0.9)}
            >>> rule.holds(sure), rule.holds(sure | {MISSES: Estimate(0.11)})
            (True, False)
        """
        least = figures["auroc"].low
        rates = [(getattr(figures[FALSE_ALARMS], self.bound), self.false_alarms)]
        rates += [(getattr(figures[MISSES], self.bound), self.misses)]
        within = all(rate is not None and rate <= allowed for rate, allowed in rates)
        return within and least is not None and least > _GUESSING


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
