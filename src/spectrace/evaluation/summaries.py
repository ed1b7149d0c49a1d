"""From what a detector said of each picture to figures with intervals. Pure: no files, no models."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spectrace.corpora.rows import Row
from spectrace.evaluation import metrics
from spectrace.evaluation.bootstrap import RESAMPLES, Bounds, interval, resampled_weights, wilson
from spectrace.evaluation.figures import BY_GENERATOR, BY_PAIR, FIGURES, OVERALL, Figure, probabilities
from spectrace.evaluation.kernels import Bools, Floats
from spectrace.evaluation.reliability import reliability
from spectrace.evaluation.results import Bin, Comparison, Estimate, FalseAlarms, Tally

# With fewer pictures a resampled interval would claim a certainty that nobody has.
FEWEST_FOR_INTERVAL = 8
PATCHES = 8
_DECISIONS = {"generated": 1.0, "camera": -1.0, "inconclusive": 0.0}


@dataclass(frozen=True, slots=True)
class Observation:
    """What a detector said of one picture.

    Attributes:
        row: the picture and its true label.
        score: log-likelihood ratio; None when the picture was too small to be scored.
        verdict: ``generated``, ``camera`` or ``inconclusive``; None when it could not be read.
        error: why it could not be read.
        patches: float [:data:`PATCHES`], a sample of the patches' scores by :func:`patch_sample`; None for
            detectors of whole tiles.
    """

    row: Row
    score: float | None = None
    verdict: str | None = None
    error: str | None = None
    patches: Floats | None = None


def patch_sample(scores: ArrayLike) -> Floats:
    """A picture's patch scores as so many quantiles: the middle of each eighth of the sorted scores.

    However many patches a picture has, it counts like any other, and memory stays bounded.

    Example:
        >>> patch_sample(np.arange(16.0)).tolist()
        [0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5]
    """
    middles = (np.arange(PATCHES) + 0.5) / PATCHES
    sampled: Floats = np.quantile(np.asarray(scores, np.float64), middles, method="hazen")
    return sampled


def overall(observations: Sequence[Observation], *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """All generated pictures against all real ones, with every figure."""
    return compare("all", observations, OVERALL, resamples=resamples, seed=seed)


def by_generator(
    observations: Sequence[Observation], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Comparison]:
    """Each generator against all real pictures, sorted by name."""
    real = [seen for seen in observations if not seen.row.is_generated]
    return [
        compare(name, [*real, *seen], BY_GENERATOR, resamples=resamples, seed=seed)
        for name, seen in _grouped([seen for seen in observations if seen.row.is_generated], "generator")
    ]


def by_pair(
    observations: Sequence[Observation], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Comparison]:
    """Each pair set by itself, sorted by id; sets that lack a class are left out."""
    return [
        compare(name, seen, BY_PAIR, resamples=resamples, seed=seed)
        for name, seen in _grouped([seen for seen in observations if seen.row.pair], "pair")
        if len({one.row.label for one in seen}) > 1
    ]


def by_real_source(observations: Sequence[Observation]) -> list[FalseAlarms]:
    """False alarms of each collection of real pictures, sorted by name, with Wilson's intervals."""
    real = [seen for seen in observations if not seen.row.is_generated]
    alarms = []
    for name, seen in _grouped(real, "source"):
        counts = tally(seen)
        alarms.append(FalseAlarms(name, counts, _estimate(wilson(counts.generated, counts.read))))
    return alarms


def reliability_bins(
    observations: Sequence[Observation], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Bin]:
    """Bins of a reliability diagram at even prior odds; none where no picture of a class was scored."""
    scored = [(seen.row, seen.score) for seen in observations if seen.score is not None]
    labels = [row.is_generated for row, _ in scored]
    if all(labels) or not any(labels):
        return []
    scores = [score for _, score in scored]
    return reliability(labels, scores, [row.source for row, _ in scored], resamples=resamples, seed=seed)


def tally(observations: Sequence[Observation]) -> Tally:
    """Count what became of some pictures.

    Example:
        >>> row = Row(path="a.jpg", label="real")
        >>> tally([Observation(row, 1.5, "generated"), Observation(row, None, "inconclusive")]).scored
        1
    """
    verdicts = [seen.verdict for seen in observations]
    return Tally(
        listed=len(observations),
        read=len(observations) - verdicts.count(None),
        scored=sum(seen.score is not None for seen in observations),
        generated=verdicts.count("generated"),
        camera=verdicts.count("camera"),
        inconclusive=verdicts.count("inconclusive"),
        sources=len({seen.row.source for seen in observations if seen.verdict is not None}),
    )


def compare(
    name: str,
    observations: Sequence[Observation],
    figures: Collection[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Hold the generated pictures among some against the real ones.

    Args:
        name: of the comparison.
        observations: of both classes.
        figures: ids of :data:`~spectrace.evaluation.figures.FIGURES`.
        resamples: for the intervals.
        seed: of the resamples.

    Returns:
        Counts and figures. A figure is None when it is not defined, its interval when a class has fewer than
        :data:`FEWEST_FOR_INTERVAL` pictures. Figures of patches are left out for detectors of whole tiles.
    """
    real, generated = (
        tally([seen for seen in observations if seen.row.is_generated is label]) for label in (False, True)
    )
    read = _Measured([seen for seen in observations if seen.verdict is not None], resamples, seed)
    scored = read.where([seen.score is not None for seen in read.observations], resamples, seed)
    values = {"decisions": read.decisions(), "scores": scored.scores()}
    values["probabilities"] = probabilities(values["scores"])
    found = {}
    patched = [seen.patches for seen in scored.observations if seen.patches is not None]
    measured_on = {"decisions": read}
    if patched and len(patched) == len(scored.observations):
        values["patches"] = np.concatenate(patched)
        measured_on["patches"] = scored.repeated(PATCHES)
    for figure_id in figures:
        figure = FIGURES[figure_id]
        if figure.of not in values:
            continue
        measured = measured_on.get(figure.of, scored)
        found[figure_id] = _estimate(measured.bounds(figure, values[figure.of]))
    return Comparison(name, real, generated, found)


class _Measured:
    """Pictures with their labels, sources and resamples as arrays."""

    def __init__(self, observations: Sequence[Observation], resamples: int, seed: int) -> None:
        self.observations = observations
        self.labels: Bools = np.array([seen.row.is_generated for seen in observations], dtype=np.bool_)
        self.sources = [seen.row.source for seen in observations]
        self.resampled = resampled_weights(self.labels, self.sources, resamples=resamples, seed=seed)
        ones = np.ones(len(observations))
        self.weights: dict[str, Floats] = {
            "pictures": ones,
            "classes": metrics.class_weights(self.labels),
            "sources": metrics.source_weights(self.labels, self.sources),
        }
        smaller = min(int(self.labels.sum()), int((~self.labels).sum()))
        self.enough = smaller >= FEWEST_FOR_INTERVAL

    def repeated(self, count: int) -> _Measured:
        """The same pictures with ``count`` values each; a picture is drawn with all of its values."""
        several = copy(self)
        several.labels = np.repeat(self.labels, count)
        several.resampled = np.repeat(self.resampled, count, axis=1)
        several.weights = {name: np.repeat(weights, count) for name, weights in self.weights.items()}
        return several

    def where(self, kept: Sequence[bool], resamples: int, seed: int) -> _Measured:
        if all(kept):
            return self
        chosen = [seen for seen, keep in zip(self.observations, kept, strict=True) if keep]
        return _Measured(chosen, resamples, seed)

    def scores(self) -> Floats:
        return np.array([seen.score for seen in self.observations], dtype=np.float64)

    def decisions(self) -> Floats:
        return np.array([_DECISIONS[seen.verdict or "inconclusive"] for seen in self.observations])

    def bounds(self, figure: Figure, values: Floats) -> Bounds:
        weights = self.weights[figure.weighing]
        resampled = self.resampled if self.enough else self.resampled[:0]
        bounds = interval(figure.kernel, self.labels, values, resampled, weights=weights)
        if figure.proportion_of is None or math.isnan(bounds.value):
            return bounds
        trials = int((self.labels == (figure.proportion_of == "generated")).sum())
        return _wider(bounds, wilson(round(bounds.value * trials), trials))


def _grouped(observations: Sequence[Observation], column: str) -> list[tuple[str, list[Observation]]]:
    groups: dict[str, list[Observation]] = {}
    for seen in observations:
        groups.setdefault(str(getattr(seen.row, column)), []).append(seen)
    return sorted(groups.items())


def _wider(bounds: Bounds, other: Bounds) -> Bounds:
    # Where no picture is found the bootstrap claims certainty; Wilson's interval never does.
    low, high = np.fmin(bounds.low, other.low), np.fmax(bounds.high, other.high)
    return Bounds(bounds.value, float(low), float(high))


def _estimate(bounds: Bounds) -> Estimate:
    return Estimate(*(number if math.isfinite(number) else None for number in bounds))
