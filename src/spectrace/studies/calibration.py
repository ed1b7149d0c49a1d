"""Calibration methods on sources that had no part in the fit: what each is worth, and what thresholds hold.

Pictures are scored once. Then sources are dealt out to folds by chance, several times; calibration and
thresholds are fitted to all folds but one and tried on that one, so every picture is judged by a fit that its
source had no part in.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spectrace.detectors.runtime import Model, find_model
from spectrace.evaluation import kernels
from spectrace.evaluation.calibrate import CONDITIONS, raw_logits
from spectrace.evaluation.crossfit import FOLDS, Held, Scored, cross_fit
from spectrace.evaluation.figures import BINS as ECE_BINS
from spectrace.evaluation.figures import probabilities
from spectrace.evaluation.kernels import Bools, Floats
from spectrace.evaluation.reliability import calibration_error, draw, reliability
from spectrace.evaluation.results import Bin
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.resampling import bounds
from spectrace.studies.stand_ins import pictures_of_split

ALL = "all"
"""Name of the conditions together."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is calibrated on what.

    Attributes:
        models: names of installed models, or paths.
        manifest: labelled pictures, or ``wheels``.
        split: of the manifest; pictures that the models were not trained on.
        conditions: what is done to the pictures of both classes.
        methods: of calibration.
        folds: of sources.
        fold_seeds: each deals the sources out anew.
        false_positive_rate, miss_rate: of the thresholds.
        resamples: for the intervals.
        pieces, side: of ``wheels``: pieces of either half of the photographs, and their side in pixels.
    """

    models: tuple[str, ...] = ("frequency",)
    manifest: str = "../shared/corpus/manifest.csv"
    split: str = "val"
    conditions: tuple[str, ...] = CONDITIONS
    methods: tuple[str, ...] = ("none", "temperature", "platt", "isotonic")
    folds: int = FOLDS
    fold_seeds: tuple[int, ...] = tuple(range(10))
    false_positive_rate: float = 0.05
    miss_rate: float = 0.05
    resamples: int = 500
    pieces: int = 12
    side: int = 224


def run_study(settings: Settings, context: Context) -> Result:
    """Score the pictures with every model, then fit and try every method on folds of sources.

    Raises:
        UsageError: the split that is kept for the last measurement, or more folds than a class has sources.
        ManifestError: pictures that are missing, or of one class only.
    """
    pictures = pictures_of_split(
        settings.manifest, settings.split, context, count=settings.pieces, side=settings.side
    )
    models = []
    for name in settings.models:
        model = Model(find_model(name))
        with context.progress.task(f"scoring with {name}", len(pictures) * len(settings.conditions)) as done:
            scored = raw_logits(
                model,
                pictures,
                settings.conditions,
                workers=max(1, context.workers),
                visit=partial(done, 1),
            )
        models.append({"model": model.card.name, **compared(scored, settings, context)})
    return {"manifest_digest": pictures.digest(), "models": models}


def compared(scored: Scored, settings: Settings, context: Context) -> Result:
    """Every method on the same logits: figures by condition, and bins for reliability diagrams."""
    rows: list[Result] = []
    diagrams = {}
    resampled = scored.resampled(resamples=settings.resamples, seed=0)
    for method in settings.methods:
        held = [
            cross_fit(
                scored,
                method,
                false_positive_rate=settings.false_positive_rate,
                miss_rate=settings.miss_rate,
                folds=settings.folds,
                seed=seed,
            )
            for seed in settings.fold_seeds
        ]
        for number, condition in enumerate((*settings.conditions, ALL)):
            seen = scored.conditions == number if condition != ALL else np.ones(len(scored.labels), bool)
            found = _figures(scored, seen, held, resampled)
            rows.append({"condition": condition, "method": method, "figures": found})
        bins = reliability(
            scored.labels,
            held[0].scores,
            scored.sources.tolist(),
            by_source=True,
            resamples=settings.resamples,
        )
        diagrams[method] = msgspec.to_builtins(bins)
        context.progress.say(f"{method}: tried on {len(settings.fold_seeds)} x {settings.folds} folds")
    once = scored.take(np.unique(scored.pictures, return_index=True)[1])
    counts = {
        name: {
            "pictures": int((once.labels == label).sum()),
            "sources": len(np.unique(once.sources[once.labels == label])),
        }
        for name, label in (("real", False), ("generated", True))
    }
    return {**counts, "rows": rows, "reliability": diagrams}


def _figures(scored: Scored, seen: Bools, held: list[Held], resampled: Floats) -> Result:
    """Figures of one condition with intervals: sources, pictures in them and dealings of folds resampled."""
    labels = scored.labels[seen]
    drawn = np.concatenate([np.ones((1, len(labels))), resampled[:, seen]]) * scored.take(seen).weights()
    by_seed: dict[str, list[Floats]] = {}
    for one in held:
        for name, values in _measured(labels, one.scores[seen], one.decisions[seen], drawn).items():
            by_seed.setdefault(name, []).append(values)
    rng = np.random.default_rng(0)
    picked = rng.integers(len(held), size=(len(drawn), len(held)))
    picked[0] = np.arange(len(held))
    return {name: _cell(np.array(values), picked) for name, values in by_seed.items()}


def _cell(values: Floats, picked: NDArray[np.int64]) -> Result:
    """A figure with its interval from ``[seeds, 1 + resamples]``; None where it is not defined.

    Nothing may be decided, and then nothing can be right: such seeds and resamples are left out.
    """
    chosen = values[picked, np.arange(len(picked))[:, None]]
    defined = ~np.isnan(chosen)
    means = np.where(defined, chosen, 0.0).sum(axis=1) / np.maximum(defined.sum(axis=1), 1)
    known = means[defined.any(axis=1)]
    if np.isnan(values[:, 0]).all() or len(known) < 2:
        return {"value": None, "low": None, "high": None, "seeds": []}
    cell = bounds(known)
    # Resamples of a distance, or of a fitted figure, lean to one side; the interval holds the value yet.
    cell |= {"low": min(cell["low"], cell["value"]), "high": max(cell["high"], cell["value"])}
    return {**cell, "seeds": [round(float(one), 4) for one in values[:, 0] if not np.isnan(one)]}


def _measured(labels: Bools, scores: Floats, decisions: Floats, drawn: Floats) -> dict[str, Floats]:
    """Each figure under every weighting ``drawn`` [B, n]: float64 [B]."""
    error = kernels.expected_calibration_error(ECE_BINS)
    return {
        "cllr": kernels.cllr(labels, scores, drawn),
        "minimum_cllr": kernels.minimum_cllr(labels, scores, drawn),
        "ece": error(labels, probabilities(scores), drawn),
        "false_alarms": kernels.called_generated(of_generated=False)(labels, decisions, drawn),
        "misses": kernels.called_camera(of_generated=True)(labels, decisions, drawn),
        "decided": kernels.decided(labels, decisions, drawn),
        "accuracy_of_decided": kernels.accuracy_of_decided(labels, decisions, drawn),
    }


def figure(result: Result) -> Figure:
    """Reliability diagrams, a row of them for each model and a column for each method."""
    models = result["models"]
    columns = len(models[0]["reliability"])
    drawn = Figure(figsize=(3.2 * columns, 3.4 * len(models) + 0.4), layout="constrained")
    axes: Any = drawn.subplots(len(models), columns, squeeze=False, sharex=True, sharey=True)
    for row, model in zip(axes, models, strict=True):
        for axis, (method, plain) in zip(row, model["reliability"].items(), strict=True):
            bins = msgspec.convert(plain, list[Bin])
            draw(axis, bins, label=f"ECE of these bins {calibration_error(bins):.3f}")
            axis.set_title(f"{model['model']}, {method}")
            axis.legend(loc="upper left", fontsize=8)
        row[0].set_ylabel("observed share of generated")
    for axis in axes[-1]:
        axis.set_xlabel("claimed probability of generated")
    drawn.suptitle(
        "Sources outside of the fit, all conditions, even prior odds; 95 % intervals, sources resampled"
    )
    return drawn


register_study("calibration", Settings, figure=figure)(run_study)
