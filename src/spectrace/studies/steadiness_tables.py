"""Figures of the study of steadiness: shares of flips and of decisions, with intervals over sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import wilson
from spectrace.evaluation.kernels import Bools, Floats
from spectrace.studies.registry import Result
from spectrace.studies.resampling import bounds

ALL = "all"
"""Name of the conditions together."""

AFTER = ("reversed", "wavered", "lost", "unsteady")
"""Figures of what a re-encoding does."""


@dataclass(frozen=True)
class Verdicts:
    """What was decided.

    Attributes:
        decisions: float [P, C, 1 + R, S]: of each picture under each condition, untouched and after each
            re-encoding, by each set of checks: 1 generated, -1 camera, 0 inconclusive, NaN outside of the
            limits.
        generated: bool [P], the truth.
    """

    decisions: Floats
    generated: Bools

    @property
    def kept(self) -> Bools:
        """Bool [P, C]: within the limits in every version, so that no flip is one of size."""
        return np.asarray(~np.isnan(self.decisions).any(axis=(2, 3)), np.bool_)

    @property
    def empty(self) -> bool:
        """Whether a class has no picture within the limits."""
        there = self.generated[self.kept.any(axis=1)]
        return bool(there.all() or not there.any())


class _Share(NamedTuple):
    """A share: of the weight of each picture's cases [P], so much is counted [P]."""

    counted: Floats
    cases: Floats

    def values(self, resampled: Floats) -> Floats:
        """The share as it is, then on each resample: [1 + B]; NaN where nothing is drawn that is a case."""
        drawn = np.concatenate([np.ones((1, len(self.cases))), resampled])
        of_picture = np.divide(
            self.counted, self.cases, out=np.zeros_like(self.cases), where=self.cases > 0.0
        )
        return kernels.mean(of_picture, drawn * self.cases)

    def cell(self, resampled: Floats) -> Result:
        """The share with its 95 % interval, which is at least Wilson's for so many pictures."""
        pictures = int((self.cases > 0.0).sum())
        cell = _cell(self.values(resampled))
        if cell["value"] is not None:
            least = wilson(round(cell["value"] * pictures), pictures)
            cell["low"] = round(min(cell["low"], least.low), 4)
            cell["high"] = round(max(cell["high"], least.high), 4)
        return cell


def tables(
    verdicts: Verdicts, resampled: Floats, conditions: Sequence[str], reencodings: Sequence[str]
) -> list[Result]:
    """Figures of each set of checks, by condition (all together last) and by re-encoding.

    All are shares, both classes alike.

    * ``decided``: of the pictures.
    * ``wrong``: of the decided.
    * ``reversed``: of the re-encoded pictures, those that went from camera to generated or back.
    * ``wavered``: of the re-encoded pictures, those that went to inconclusive or came from there.
    * ``lost``: of the re-encoded pictures that had been decided, those with another verdict afterwards.
    * ``unsteady``: of the same, those whose score alone gives another verdict afterwards: how fragile the
      verdicts are that the checks let through. ``lost`` counts also those that a check takes back afterwards.
    * ``saved``: the first set's ``unsteady`` less this one's; ``given_up``: the same for ``decided``; with
      intervals of the differences.

    Args:
        verdicts: of the sets, of which the first has no checks.
        resampled: [B, P], how often each picture is drawn, with all of its versions.
        conditions: names.
        reencodings: names.
    """
    found = []
    for number in range(verdicts.decisions.shape[-1]):
        by_condition = []
        for place, condition in enumerate((*conditions, ALL)):
            chosen = slice(None) if condition == ALL else slice(place, place + 1)
            shares, first = (_shares(verdicts, chosen, slice(1, None), one) for one in (number, 0))
            figures = {name: one.cell(resampled) for name, one in shares.items()}
            for name, of in (("saved", "unsteady"), ("given_up", "decided")):
                figures[name] = _cell(first[of].values(resampled) - shares[of].values(resampled))
            by_condition.append({"condition": condition, "figures": figures})
        by_reencoding = []
        for place, reencoding in enumerate(reencodings, start=1):
            shares = _shares(verdicts, slice(None), slice(place, place + 1), number)
            figures = {name: shares[name].cell(resampled) for name in AFTER}
            by_reencoding.append({"reencoding": reencoding, "figures": figures})
        found.append({"by_condition": by_condition, "by_reencoding": by_reencoding})
    return found


def _shares(verdicts: Verdicts, conditions: slice, reencodings: slice, number: int) -> dict[str, _Share]:
    decisions = verdicts.decisions[:, conditions, :, number]
    kept = verdicts.kept[:, conditions]
    before, after = decisions[:, :, :1], decisions[:, :, reencodings]
    generated = verdicts.generated[:, None, None]
    truth = np.where(generated, 1.0, -1.0)
    # Comparisons with NaN would count: only what is kept does.
    once, again = kept[:, :, None], np.broadcast_to(kept[:, :, None], after.shape)
    decided = once & (before != 0.0)
    turned = again & (after * before == -1.0)
    changed = again & (after != before)
    of_score = again & (verdicts.decisions[:, conditions, reencodings, 0] != before)
    of_class = [max(int((once & (generated == label)).sum()), 1) for label in (False, True)]
    alike = np.where(verdicts.generated, 1.0 / of_class[1], 1.0 / of_class[0])

    def share(counted: Bools, cases: Bools) -> _Share:
        return _Share(*(alike * one.sum(axis=(1, 2)) for one in (counted, cases)))

    return {
        "decided": share(decided, once),
        "wrong": share(decided & (before == -truth), decided),
        "reversed": share(turned, again),
        "wavered": share(changed & ~turned, again),
        "lost": share(changed & decided, again & decided),
        "unsteady": share(of_score & decided, again & decided),
    }


def _cell(values: Floats) -> Result:
    """Value and interval of ``[1 + B]``, resamples without a value left out; None where there is none."""
    if np.isnan(values[0]):
        return {"value": None, "low": None, "high": None}
    return bounds(values[~np.isnan(values)])
