"""What a calibration does on sources that had no part in it.

A threshold that 5 % of the calibration pictures reach may be reached by more of the pictures of a new camera,
site or album. So everything is fitted without a fold of sources, and tried on the fold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectrace.detectors.calibration import METHODS, balanced_weights, threshold_cuts
from spectrace.detectors.card import Calibration
from spectrace.errors import UsageError
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.kernels import Bools, Floats

FOLDS = 5
NONE = "none"
"""The method that leaves logits as they are."""


class Scored(NamedTuple):
    """Logits of pictures, each seen under one condition or several.

    Attributes:
        logits: float64 [n], pooled logits; [n, B] of the branches of a fusion.
        labels: bool [n], true for generated.
        sources: str [n], the collection that each picture comes from.
        conditions: int64 [n], number of the condition that the picture was seen under.
        pictures: int64 [n], number of the picture: the same under every condition.
    """

    logits: Floats
    labels: Bools
    sources: NDArray[np.str_]
    conditions: NDArray[np.int64]
    pictures: NDArray[np.int64]

    def take(self, kept: Bools | NDArray[np.int64]) -> Scored:
        """Those for which ``kept`` [n] is true, or those of the numbers ``kept``."""
        return Scored(
            self.logits[kept],
            self.labels[kept],
            self.sources[kept],
            self.conditions[kept],
            self.pictures[kept],
        )

    def weights(self) -> Floats:
        """Weights [n]: classes alike, and within a class every source under every condition alike."""
        groups = np.char.add(np.char.add(self.conditions.astype(np.str_), "\0"), self.sources)
        return balanced_weights(self.labels, groups.tolist())

    def resampled(self, *, resamples: int, seed: int) -> Floats:
        """How often each is drawn in each resample, float64 [resamples, n]: sources, then pictures in them.

        A picture is drawn with all its conditions.
        """
        _, first, index = np.unique(self.pictures, return_index=True, return_inverse=True)
        drawn = resampled_weights(
            self.labels[first], self.sources[first].tolist(), resamples=resamples, seed=seed
        )
        return drawn[:, index]

    def fit(self, method: str) -> Calibration:
        """A calibration of one of :data:`.METHODS`, or of ``none``."""
        return Calibration() if method == NONE else METHODS[method](self.logits, self.labels, self.weights())


class Held(NamedTuple):
    """What became of pictures whose sources had no part in the fit.

    Attributes:
        scores: float64 [n], calibrated.
        decisions: float64 [n]: 1 for *generated*, -1 for *camera*, 0 for *inconclusive*.
    """

    scores: Floats
    decisions: Floats


def fold_count(labels: Bools, sources: NDArray[np.str_], most: int = FOLDS) -> int:
    """How many folds there can be: each takes a source of either class, so no more than either has.

    Example:
        >>> fold_count(np.array([False, False, True, True]), np.array(["a", "b", "x", "x"]))
        1
    """
    return min(most, *(len(np.unique(sources[labels == label])) for label in (False, True)))


def folds_of(labels: Bools, sources: NDArray[np.str_], count: int, seed: int = 0) -> NDArray[np.int64]:
    """Deal sources out to folds by chance; a source is never in two, and every fold has both classes.

    Args:
        labels: bool [n], true for generated.
        sources: str [n]. One name in both classes is one source.
        count: folds, at least 2.
        seed: of the chance.

    Returns:
        Number of each picture's fold, int64 [n].

    Raises:
        UsageError: fewer than 2 folds, or more than a class has sources.

    Example:
        >>> labels = np.array([False, False, True, True, True])
        >>> sorted(folds_of(labels, np.array(["a", "b", "x", "x", "y"]), 2)[:2].tolist())
        [0, 1]
    """
    if not 2 <= count <= fold_count(labels, sources, count):
        raise UsageError(f"{count} folds: wanted 2 or more, and as many sources of each class")
    rng = np.random.default_rng(seed)
    classes = [set(sources[labels == label].tolist()) for label in (False, True)]
    names = np.unique(sources)
    rng.shuffle(names)
    dealt: dict[str, int] = {}
    held = np.zeros((2, count), int)
    # Sources of both classes first: the others can still fill whichever fold is short of a class.
    for name in sorted(names.tolist(), key=lambda one: -sum(one in known for known in classes)):
        member = [name in known for known in classes]
        dealt[name] = int(held[member].sum(axis=0).argmin())
        held[member, dealt[name]] += 1
    return np.array([dealt[name] for name in sources.tolist()], np.int64)


def cross_fit(
    scored: Scored,
    method: str,
    *,
    false_positive_rate: float,
    miss_rate: float,
    folds: int = FOLDS,
    seed: int = 0,
) -> Held:
    """Score and decide on every picture by a calibration and thresholds that its source had no part in.

    Args:
        scored: logits of both classes.
        method: one of :data:`spectrace.detectors.calibration.METHODS`, or ``none``.
        false_positive_rate: of the upper threshold.
        miss_rate: of the lower threshold.
        folds: of sources.
        seed: of the folds.

    Raises:
        UsageError: more folds than sources, or a rate outside 0..1.
    """
    scores, decisions = np.zeros(len(scored.logits)), np.zeros(len(scored.logits))
    number = folds_of(scored.labels, scored.sources, folds, seed)
    for fold in range(folds):
        inside = number == fold
        others = scored.take(~inside)
        calibration = others.fit(method)
        upper, lower = threshold_cuts(
            calibration.apply(others.logits),
            others.labels,
            others.weights()[None],
            false_positive_rate=false_positive_rate,
            miss_rate=miss_rate,
        )
        scores[inside] = calibration.apply(scored.logits[inside])
        decisions[inside] = decide(scores[inside], float(upper[0]), float(lower[0]))
    return Held(scores, decisions)


def decide(scores: Floats, generated: float, camera: float) -> Floats:
    """Decisions [n] by both thresholds, as the verdict takes them: 1, -1 or 0.

    Example:
        >>> decide(np.array([2.0, 0.0, -1.0]), 2.0, -1.0).tolist()
        [1.0, 0.0, -1.0]
    """
    return np.where(scores >= generated, 1.0, np.where(scores <= camera, -1.0, 0.0))
