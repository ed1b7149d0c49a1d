"""Methods side by side on the same pictures: figures with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spectrace.corpora.manifest import Manifest
from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.kernels import Bools, Floats, Kernel
from spectrace.evaluation.metrics import source_weights
from spectrace.studies.registry import Result
from spectrace.studies.resampling import bounds

_RESAMPLES = 1000

FIGURES: dict[str, tuple[Kernel, bool]] = {
    "auroc": (kernels.auroc, False),
    "auroc_by_source": (kernels.auroc, True),
    "tpr_at_5_fpr": (kernels.tpr_at_fpr(0.05), False),
    "cllr": (kernels.cllr, False),
}
"""Kernel, and whether every source counts alike."""


class Measured(NamedTuple):
    """What a method said of the test pictures.

    Attributes:
        name: of the method; runs of other seeds have the same one.
        title: for people.
        kind: ``network``, ``baseline`` or ``shipped``.
        equalised: what made the formats of its training pictures alike: ``study``, ``recipe`` or ``no``.
        scores: float64 ``[condition, N]``, NaN where a picture could not be scored.
        seconds: of the processor for a picture, reading included.
    """

    name: str
    title: str
    kind: str
    equalised: str
    scores: Floats
    seconds: float


def tables(measured: Sequence[Measured], testing: Manifest, conditions: Sequence[str]) -> Result:
    """Every method's figures on the pictures that all of them scored.

    Sources, pictures within them and seeds are resampled, the same for all methods.
    """
    scored: Bools = ~np.isnan(np.array([one.scores for one in measured])).any(axis=(0, 1))
    rows = [row for row, kept in zip(testing, scored, strict=True) if kept]
    Manifest(rows).require_both_labels()
    generated = np.array([row.is_generated for row in rows])
    sources = [row.source for row in rows]
    drawn = np.concatenate(
        [np.ones((1, len(rows))), resampled_weights(generated, sources, resamples=_RESAMPLES)]
    )
    by_source = drawn * source_weights(generated, sources)
    by_name: dict[str, list[Measured]] = {}
    for one in measured:
        by_name.setdefault(one.name, []).append(one)
    methods = []
    for name, runs in by_name.items():
        scores = np.array([one.scores[:, scored] for one in runs])  # [seed, condition, N]
        methods.append(
            {
                "name": name,
                "title": runs[0].title,
                "kind": runs[0].kind,
                "equalised": runs[0].equalised,
                "seconds_a_picture": round(float(np.mean([one.seconds for one in runs])), 4),
                "figures": {
                    condition: {
                        label: _cell(kernel, generated, scores[:, number], by_source if alike else drawn)
                        for label, (kernel, alike) in FIGURES.items()
                    }
                    for number, condition in enumerate(conditions)
                },
            }
        )
    return {
        "conditions": list(conditions),
        "pictures": {"real": int((~generated).sum()), "generated": int(generated.sum())},
        "sources": len(set(sources)),
        "not_scored_by_all": int((~scored).sum()),
        "methods": methods,
    }


def _cell(kernel: Kernel, generated: Bools, scores: Floats, drawn: Floats) -> Result:
    """A figure's mean over seeds, its interval and each seed's value; scores ``[seed, N]``."""
    by_seed = np.array([kernel(generated, one, drawn) for one in scores])
    rng = np.random.default_rng(0)
    picked = rng.integers(len(scores), size=(len(drawn), len(scores)))
    picked[0] = np.arange(len(scores))
    means = by_seed[picked, np.arange(len(drawn))[:, None]].mean(axis=1)
    return {**bounds(means), "seeds": [round(float(value), 4) for value in by_seed[:, 0]]}
