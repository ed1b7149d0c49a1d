"""Curves of the study of robustness, with intervals over sources and seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spectrace.detectors.detector import Detector
from spectrace.errors import ManifestError
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.figures import FIGURES
from spectrace.evaluation.kernels import Bools, Floats
from spectrace.evaluation.metrics import class_weights, source_weights
from spectrace.evaluation.summaries import Observation
from spectrace.evaluation.sweeps import Sweep
from spectrace.studies.registry import Result
from spectrace.studies.resampling import bounds

CLEAN, AUGMENTED = "clean", "augmented"
OF_SCORES = ("auroc", "auroc_by_source", "tpr_at_5_fpr")
OF_VERDICTS = ("false_alarm_rate", "detection_rate", "decided")

_RESAMPLES = 500
_DECISIONS = {"generated": 1.0, "camera": -1.0}

BySpec = dict[str, list[Observation]]
"""What a detector said of the test pictures, by perturbation."""


class Group(NamedTuple):
    """Detectors that differ in nothing but the seed.

    Attributes:
        name: ``clean``, ``augmented``, or that of a model.
        detectors: one a seed.
        figures: that are reported; those of verdicts only where thresholds were chosen with care.
    """

    name: str
    detectors: list[Detector]
    figures: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What all curves have in common: pictures that every detector scored at every strength, and resamples.

    Attributes:
        kept: bool, of all test pictures.
        labels: bool [n], of those kept.
        weights: by the figures' weighing, [n].
        drawn: float [1 + resamples, n], how often each is drawn; row 0 has every picture once.
    """

    kept: Bools
    labels: Bools
    weights: dict[str, Floats]
    drawn: Floats

    @classmethod
    def of(cls, observed: list[BySpec]) -> Comparison:
        """Of detectors that looked at the same pictures.

        Raises:
            ManifestError: a class without a picture.
        """
        conditions = [seen for by_spec in observed for seen in by_spec.values()]
        kept = np.array(
            [all(one.score is not None for one in picture) for picture in zip(*conditions, strict=True)]
        )
        rows = [seen.row for seen, keep in zip(conditions[0], kept, strict=True) if keep]
        labels = np.array([row.is_generated for row in rows], dtype=np.bool_)
        if labels.all() or not labels.any():
            raise ManifestError(
                "no test picture of one class can be scored at every strength: take larger ones"
            )
        sources = [row.source for row in rows]
        weights = {
            "pictures": np.ones(len(rows)),
            "classes": class_weights(labels),
            "sources": source_weights(labels, sources),
        }
        drawn = resampled_weights(labels, sources, resamples=_RESAMPLES)
        return cls(kept, labels, weights, np.concatenate([weights["pictures"][None], drawn]))

    def values(self, seen: list[Observation], name: str) -> Floats:
        """A figure of one detector under one perturbation: on the pictures as they are and on resamples."""
        figure = FIGURES[name]
        chosen = [one for one, keep in zip(seen, self.kept, strict=True) if keep]
        if figure.of == "decisions":
            values = np.array([_DECISIONS.get(one.verdict or "", 0.0) for one in chosen])
        else:
            values = np.array([one.score for one in chosen], dtype=np.float64)
        return figure.kernel(self.labels, values, self.drawn * self.weights[figure.weighing])


def curves(sweep: Sweep, groups: list[Group], observed: list[BySpec], compared: Comparison) -> Result:
    """Figures of each group at each strength, and what augmentation gains.

    Args:
        sweep: the treatment.
        groups: the detectors; those of training are called :data:`CLEAN` and :data:`AUGMENTED`.
        observed: of all groups' detectors, in order.
        compared: of the same.

    Returns:
        For each figure a list with a cell a strength: ``value``, ``low``, ``high`` and ``seeds``. ``gain``
        is the augmented detectors' figure less the clean ones', mean over all strengths but the first.
    """
    left = iter(observed)
    means: dict[tuple[str, str], Floats] = {}
    found = []
    for group in groups:
        own = [next(left) for _ in group.detectors]
        cells: Result = {}
        for name in group.figures:
            by_seed = np.array(
                [[compared.values(one[strength.spec], name) for strength in sweep.strengths] for one in own]
            )
            means[group.name, name] = mean = mean_over_seeds(by_seed)
            cells[name] = [
                {**bounds(resampled), "seeds": [round(float(value), 4) for value in seeds]}
                for resampled, seeds in zip(mean, by_seed[:, :, 0].T, strict=True)
            ]
        found.append({"name": group.name, **cells})
    return {
        "name": sweep.name,
        "title": sweep.title,
        "unit": sweep.unit,
        "strengths": [strength.label for strength in sweep.strengths],
        "perturbations": [strength.spec for strength in sweep.strengths],
        "curves": found,
        "gain": {
            name: bounds((means[AUGMENTED, name] - means[CLEAN, name])[1:].mean(0)) for name in OF_SCORES
        },
    }


def mean_over_seeds(by_seed: Floats) -> Floats:
    """Mean over seeds of ``[seed, strength, resample]``; each resample but the first draws its own seeds.

    Example:
        >>> float(mean_over_seeds(np.array([[[1.0, 1.0]], [[3.0, 3.0]]]))[0, 0])
        2.0
    """
    seeds, _, resamples = by_seed.shape
    picked = np.random.default_rng(0).integers(seeds, size=(seeds, resamples))
    picked[:, 0] = np.arange(seeds)
    each = np.arange(resamples)
    means: Floats = np.mean([by_seed[one, :, each].T for one in picked], axis=0)
    return means
