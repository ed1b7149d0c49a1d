"""How a fusion is made: branches twice over, weights from those that know no generator of the pictures.

The pictures are dealt into folds that share no generator, no source of camera pictures and no pair set. Every
branch is trained on all of ``train``, and once more without the held-out folds. The second set of branches
scores the held-out pictures: weights, calibration and thresholds come from there, and the figures, too. Then
the first set is fused with the same weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure

from spectrace.corpora.folds import generator_folds
from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.calibration import balanced_weights, threshold_cuts
from spectrace.detectors.card import NO_FAMILY
from spectrace.detectors.detector import Detector
from spectrace.detectors.runtime import Model
from spectrace.evaluation import kernels
from spectrace.evaluation.calibrate import CONDITIONS
from spectrace.evaluation.crossfit import FOLDS, Scored, fold_count
from spectrace.evaluation.evaluate import evaluate
from spectrace.evaluation.fusion import fit_branches, held_logits
from spectrace.evaluation.kernels import Floats
from spectrace.evaluation.thresholds import stated_thresholds
from spectrace.evaluation.versions import look_at_each
from spectrace.images.decode import Pixels
from spectrace.learning.export import replace_card
from spectrace.learning.fusion import fuse, out_of_fold_logits
from spectrace.learning.recipes import read_recipe
from spectrace.studies.pieces import TRAIN, VAL, WHEELS
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.resampling import bounds
from spectrace.studies.stand_ins import counts_by_class, stand_ins
from spectrace.studies.trainings import Training, train_all

MODEL = "fusion.onnx"
FUSION = "fusion"
"""Name of all branches together, in the rows of a result."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is fused, and on what it is fitted.

    Attributes:
        branches: recipe of each branch, by its name.
        families: recipe of the model that names the family of traces; empty leaves it out.
        traces: generators of each family of traces; pictures of others have no part in that model.
        manifest: labelled pictures with splits ``train`` and ``val``, or ``wheels``.
        kin: generators that stay together in a fold, by their family's name.
        folds: of generators and sources.
        held_out: numbers of the folds that weights and thresholds are fitted on.
        conditions: what is done to the pictures of both classes.
        method: of calibration.
        false_positive_rate, miss_rate: of the thresholds.
        named_camera_rate: share of camera pictures that may be given a family of traces, 0..1.
        card: fields of the card.
        seed: of the trainings.
        resamples: for the intervals.
        pieces, side: of ``wheels``: pieces of either half of the photographs, and their side in pixels.
    """

    branches: dict[str, str]
    families: str = ""
    traces: dict[str, list[str]] = {}
    manifest: str = "../runs/traces/manifest.csv"
    kin: dict[str, list[str]] = {}
    folds: int = 5
    held_out: tuple[int, ...] = (0, 3)
    conditions: tuple[str, ...] = CONDITIONS
    method: str = "platt"
    false_positive_rate: float = 0.05
    miss_rate: float = 0.05
    named_camera_rate: float = 0.05
    card: dict[str, Any] = {}
    seed: int = 0
    resamples: int = 500
    pieces: int = 12
    side: int = 128


class Parts(msgspec.Struct, frozen=True):
    """A manifest dealt out: all of it, what the second set of branches is trained on, what these score."""

    everything: Manifest
    kept: Manifest
    held_out: Manifest


def run_study(settings: Settings, context: Context) -> Result:
    """Train, fit and fuse; the model is ``fusion.onnx`` in the context's folder.

    Raises:
        RecipeError, ManifestError: what a training needs is not there.
    """
    parts = parts_of(settings, context)
    trained = train_all(_trainings(settings, parts), context)
    count = len(settings.branches)
    final, second, families = trained[:count], trained[count : 2 * count], trained[2 * count :]
    with context.progress.task("held-out pictures", len(parts.held_out)) as done:
        scored = out_of_fold_logits(
            [(second, parts.held_out)],
            settings.conditions,
            workers=max(1, context.workers),
            visit=partial(done, 1),
        )
    found = fit_branches(scored)
    fused = scored._replace(logits=found.apply(scored.logits))
    calibration = fused.fit(settings.method)
    thresholds = stated_thresholds(
        fused,
        calibration,
        false_positive_rate=settings.false_positive_rate,
        miss_rate=settings.miss_rate,
    )
    card = {
        "calibration": calibration,
        "thresholds": thresholds,
        "training": {
            "held_out": {
                "manifest": parts.held_out.digest(),
                "pictures": len(parts.held_out),
                "folds": list(settings.held_out),
                "conditions": list(settings.conditions),
            }
        },
        **settings.card,
    }
    for models, hint, name in ((final, families[:1], MODEL), (second, families[1:], f"held-out-{MODEL}")):
        fuse(
            models,
            found.weights.tolist(),
            found.means.tolist(),
            found.bias,
            context.folder / name,
            names=list(settings.branches),
            families=hint[0] if hint else None,
            **card,
        )
    said: Result = {}
    if settings.families:
        said = _families_said(context.folder / f"held-out-{MODEL}", parts.held_out, settings, context)
        for name in (MODEL, f"held-out-{MODEL}"):
            path = context.folder / name
            replace_card(
                path, msgspec.structs.replace(Model(path).card, families_threshold=said["threshold"])
            )
    return {
        "manifest_digest": parts.everything.digest(),
        "trained_on": counts_by_class(parts.everything.select(split=TRAIN).rows),
        "second_trained_on": counts_by_class(parts.kept.select(split=TRAIN).rows),
        "held_out": counts_by_class(parts.held_out.rows),
        "held_out_generators": sorted({row.generator for row in parts.held_out if row.is_generated}),
        "branches": [
            {"name": name, "weight": round(float(weight), 4), "mean": round(float(mean), 4)}
            for name, weight, mean in zip(settings.branches, found.weights, found.means, strict=True)
        ],
        "bias": round(found.bias, 4),
        "calibration": msgspec.to_builtins(calibration),
        "thresholds": msgspec.to_builtins(thresholds),
        "rows": compared(scored, list(settings.branches), settings),
        "pairs": _within_pairs(context.folder / f"held-out-{MODEL}", parts.held_out, settings, context),
        "families": said,
        "model": Model(context.folder / MODEL).card.name,
    }


def _trainings(settings: Settings, parts: Parts) -> list[Training]:
    """Every branch on all pictures, then every branch without the held-out folds, then the families so."""
    recipes = [read_recipe(Path(path)) for path in settings.branches.values()]
    wanted = [
        Training(recipe, manifest, settings.seed)
        for manifest in (parts.everything, parts.kept)
        for recipe in recipes
    ]
    if settings.families:
        recipe = read_recipe(Path(settings.families))
        wanted += [
            Training(recipe, _by_family(manifest, settings.traces), settings.seed)
            for manifest in (parts.everything, parts.kept)
        ]
    return wanted


def _by_family(manifest: Manifest, traces: dict[str, list[str]]) -> Manifest:
    """Camera pictures, and the families' pictures with the family in the generator's place."""
    family = {generator: name for name, members in traces.items() for generator in members}
    rows = [
        msgspec.structs.replace(row, generator=family[row.generator]) if row.is_generated else row
        for row in manifest
        if not row.is_generated or row.generator in family
    ]
    return Manifest(rows, manifest.root, manifest.columns)


def parts_of(settings: Settings, context: Context) -> Parts:
    """Deal the pictures into folds. Reconstructions are for training alone: none is in ``held_out``.

    Raises:
        ManifestError: no such manifest, or fewer groups than folds.
    """
    if settings.manifest == WHEELS:
        made = stand_ins(
            context,
            splits=(TRAIN, VAL),
            count=settings.pieces,
            side=settings.side,
            kernels=("bilinear", "lanczos"),
        )
        rows = [msgspec.structs.replace(row, pair="") for row in made]
    else:
        made = Manifest.read(settings.manifest)
        rows = [row for row in made if row.split in (TRAIN, VAL)]
    kin = {generator: family for family, members in settings.kin.items() for generator in members}
    inside = [fold in settings.held_out for fold in generator_folds(rows, settings.folds, kin)]
    held = [row for row, held in zip(rows, inside, strict=True) if held and not row.extra.get("content")]
    kept = [row for row, held in zip(rows, inside, strict=True) if not held]
    return Parts(*(Manifest(some, made.root, made.columns) for some in (rows, kept, held)))


def compared(scored: Scored, names: list[str], settings: Settings) -> list[Result]:
    """AUROC of each branch alone, of all together, and of all but one, by condition.

    Weights of fusions are fitted without the sources that they are tried on. Sources and conditions weigh
    alike within a class; intervals resample sources, and pictures within them.
    """
    candidates: dict[str, Floats] = {
        f"{name} alone": scored.logits[:, number] for number, name in enumerate(names)
    }
    candidates[FUSION] = _held(scored)
    for number, name in enumerate(names):
        if len(names) > 2:
            others = scored._replace(logits=np.delete(scored.logits, number, axis=1))
            candidates[f"without {name}"] = _held(others)
    resampled = scored.resampled(resamples=settings.resamples, seed=0)
    rows = []
    for number, condition in enumerate(settings.conditions):
        seen = scored.conditions == number
        drawn = (
            np.concatenate([np.ones((1, int(seen.sum()))), resampled[:, seen]]) * scored.take(seen).weights()
        )
        rows += [
            {
                "condition": condition,
                "candidate": candidate,
                "auroc": bounds(kernels.auroc(scored.labels[seen], logits[seen], drawn)),
            }
            for candidate, logits in candidates.items()
        ]
    return rows


def _held(scored: Scored) -> Floats:
    """Logits of a fusion, weights fitted without the picture's source where there are sources enough."""
    folds = fold_count(scored.labels, scored.sources, FOLDS)
    return held_logits(scored, folds=folds) if folds > 1 else fit_branches(scored).apply(scored.logits)


def _within_pairs(model: Path, held_out: Manifest, settings: Settings, context: Context) -> list[Result]:
    """AUROC within each held-out pair set, untouched and under the last condition."""
    paired = Manifest([row for row in held_out if row.pair], held_out.root, held_out.columns)
    rows = []
    for condition in dict.fromkeys((settings.conditions[0], settings.conditions[-1])) if len(paired) else ():
        with context.progress.task("pictures of pair sets", len(paired)) as done:
            evaluation = evaluate(
                Detector.load(model),
                paired,
                perturbation=None if condition == "identity" else condition,
                workers=max(1, context.workers),
                resamples=settings.resamples,
                visit=partial(_count, done),
            )
        rows += [
            {"condition": condition, "pair": one.name, "auroc": msgspec.to_builtins(one.figures["auroc"])}
            for one in evaluation.by_pair
        ]
    return rows


def _families_said(model: Path, held_out: Manifest, settings: Settings, context: Context) -> Result:
    """The threshold at which few camera pictures are given a family, and which family the others are given.

    Pictures are untouched. A picture that is called ``camera`` has no family.
    """
    known = _by_family(held_out, settings.traces)
    opened = Model(model)
    detector = Detector(opened, card=msgspec.structs.replace(opened.card, families_threshold=0.0))

    def named(_: Row, pixels: Pixels) -> tuple[str, float]:
        found = detector.detect(pixels)
        return found.family or NO_FAMILY, found.family_probability or 0.0

    with context.progress.task("families of traces", len(known)) as done:
        rows, said = look_at_each(known, named, workers=max(1, context.workers), visit=partial(done, 1))
    probabilities = np.array([probability for _, probability in said])
    camera = np.array([not row.is_generated for row in rows])
    sources = [row.source for row in rows]
    cuts, _ = threshold_cuts(
        probabilities,
        ~camera,
        balanced_weights(~camera, sources)[None],
        false_positive_rate=settings.named_camera_rate,
        miss_rate=0.0,
    )
    threshold = min(max(float(cuts[0]), 0.0), 1.0)
    made = ["camera" if real else row.generator for row, real in zip(rows, camera, strict=True)]
    counts = Counter(
        (maker, family if probability >= threshold else NO_FAMILY)
        for maker, (family, probability) in zip(made, said, strict=True)
    )
    return {
        "threshold": round(threshold, 4),
        "rows": [
            {
                "made by": group,
                "pictures": made.count(group),
                "said": {family: count for (maker, family), count in counts.items() if maker == group},
            }
            for group in ("camera", *settings.traces)
        ],
    }


def _count(done: Callable[[int], None], _: object) -> None:
    done(1)


def figure(result: Result) -> Figure:
    """AUROC of every candidate on held-out generators and sources, a panel a condition."""
    conditions = list(dict.fromkeys(row["condition"] for row in result["rows"]))
    drawn = Figure(figsize=(4.2 * len(conditions), 3.6), layout="constrained")
    axes = drawn.subplots(1, len(conditions), squeeze=False, sharex=True, sharey=True)[0]
    for axis, condition in zip(axes, conditions, strict=True):
        rows = [row for row in result["rows"] if row["condition"] == condition][::-1]
        for place, row in enumerate(rows):
            auroc = row["auroc"]
            colour = "C3" if row["candidate"] == FUSION else "C0"
            axis.plot([auroc["low"], auroc["high"]], [place, place], color=colour)
            axis.plot([auroc["value"]], [place], "o", color=colour)
        axis.set_yticks(range(len(rows)), [row["candidate"] for row in rows])
        axis.axvline(0.5, color="0.6", linewidth=0.8)
        axis.set_title(
            "untouched" if condition == "identity" else condition.replace(" + ", " +\n"), fontsize=9
        )
        axis.set_xlabel("AUROC")
    drawn.suptitle("Held-out generators and sources; 95 % intervals, sources resampled")
    return drawn


register_study("fusion", Settings, figure=figure)(run_study)
