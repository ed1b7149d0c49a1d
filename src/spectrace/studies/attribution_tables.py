"""The tables of the study ``attribution``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.kernels import Floats
from spectrace.studies.registry import Result

_RESAMPLES = 1000


class Attributed(NamedTuple):
    """What one method makes of the test pictures, one entry a seed.

    Attributes:
        method: its name.
        representation: what it sees.
        scores: ``[seed, picture, class]``, higher speaks for the class.
        unknown: ``[seed, picture]``, higher speaks for a source that is no class.
        chosen: what was chosen on validation pictures.
    """

    method: str
    representation: str
    scores: Floats
    unknown: Floats
    chosen: list[dict[str, float]]


@dataclass(frozen=True)
class Shown:
    """What is known of the test pictures.

    Attributes:
        classes: the sources that methods were trained on, camera first.
        outside: sources that they were not.
        truth: int ``[picture]``, index into classes and then outside.
        clusters: of each picture; those cut from one photograph share theirs.
    """

    classes: Sequence[str]
    outside: Sequence[str]
    truth: NDArray[np.int64]
    clusters: Sequence[str]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which pictures are of a class: bool ``[picture]``."""
        return self.truth < len(self.classes)

    def draws(self) -> Floats:
        """Weights of the pictures, the first row as they are, then resamples; sources count alike."""
        generated = self.truth > 0
        resampled = resampled_weights(generated, self.clusters, resamples=_RESAMPLES)
        sizes = np.bincount(self.truth, minlength=len(self.classes) + len(self.outside))
        return np.concatenate([np.ones((1, len(generated))), resampled]) / sizes[self.truth]


def tables(attributed: Sequence[Attributed], pictures: Shown) -> Result:
    """Accuracy, confusion matrix and AUROC of unknown sources of every method.

    Returns:
        ``classes``, ``unknown`` and ``methods``: of each method its ``accuracy``, its ``unknown_auroc`` by
        outside source (unknown is the positive class, every known source counts alike), both with
        ``value`` (mean over seeds), ``low``, ``high`` and ``seeds``; its ``confusion`` (rows are classes
        and then outside sources, columns classes: shares of the row, mean over seeds); ``chosen``.
    """
    drawn = pictures.draws()
    return {
        "classes": list(pictures.classes),
        "unknown": list(pictures.outside),
        "methods": [
            {
                "method": one.method,
                "representation": one.representation,
                "accuracy": _accuracy(one, pictures, drawn),
                "unknown_auroc": {
                    name: _auroc(one, pictures, drawn, len(pictures.classes) + index)
                    for index, name in enumerate(pictures.outside)
                },
                "confusion": _confusion(one, pictures),
                "chosen": one.chosen,
            }
            for one in attributed
        ],
    }


def _accuracy(one: Attributed, pictures: Shown, drawn: Floats) -> dict[str, Any]:
    known = pictures.known
    right = one.scores[:, known].argmax(axis=2) == pictures.truth[known]
    return _cell([kernels.mean(seed, drawn[:, known]) for seed in right])


def _auroc(one: Attributed, pictures: Shown, drawn: Floats, outside: int) -> dict[str, Any]:
    taken = pictures.known | (pictures.truth == outside)
    positive = pictures.truth[taken] == outside
    return _cell([kernels.auroc(positive, seed[taken], drawn[:, taken]) for seed in one.unknown])


def _confusion(one: Attributed, pictures: Shown) -> list[list[float]]:
    called = one.scores.argmax(axis=2)
    return [
        [
            round(float(np.mean(called[:, pictures.truth == row] == column)), 4)
            for column in range(len(pictures.classes))
        ]
        for row in range(len(pictures.classes) + len(pictures.outside))
    ]


def _cell(by_seed: Sequence[Floats]) -> dict[str, Any]:
    values = np.array(by_seed)
    low, high = np.quantile(values.mean(axis=0)[1:], [0.025, 0.975])
    return {
        "value": round(float(values[:, 0].mean()), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "seeds": [round(float(value), 4) for value in values[:, 0]],
    }
