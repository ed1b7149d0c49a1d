"""Detectors side by side: networks of the literature trained here alike, and methods from before networks.

Every network is our own version, trained from fresh weights on the same pictures in minutes: the study
compares methods under one roof and says nothing of the published models.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.splits import refuse_forbidden
from spectrace.detectors.card import METADATA_KEY
from spectrace.detectors.detector import Detector
from spectrace.detectors.metadata import replace_metadata
from spectrace.detectors.runtime import Model
from spectrace.evaluation.baselines.detector import FOLDS, fit_baseline
from spectrace.evaluation.baselines.registry import METHODS
from spectrace.evaluation.baselines.sampling import balanced, source_folds
from spectrace.evaluation.calibrate import CONDITIONS, calibrate
from spectrace.evaluation.evaluate import PictureDetector, observe
from spectrace.evaluation.kernels import Floats
from spectrace.learning.recipes import Recipe, read_recipe
from spectrace.studies.baselines_figure import figure
from spectrace.studies.baselines_tables import Measured, tables
from spectrace.studies.pieces import WHEELS
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.stand_ins import stand_ins
from spectrace.studies.trainings import Training, train_all

CHOOSING = "choosing"
"""Split of the training pictures whose sources choose the epoch and calibrate."""

_SCHEDULE_OF_WARMUP = 20


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A network to train.

    Attributes:
        recipe: its file; all but the schedule, the tile and the pictures is taken from it.
        title: for tables and figures; the recipe's may name another tile.
        equalise: whether the settings' ``equalise`` goes before its own augmentation; not needed where that
            resizes and re-encodes both classes itself.
    """

    recipe: str
    title: str
    equalise: bool = True


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained and measured.

    Attributes:
        manifest: labelled pictures, or ``wheels`` for pieces of photographs in installed packages and
            that an upsampler doubled: enough to try the study out.
        exclude: generators whose pictures take no part.
        train_split, test_split: of the manifest.
        networks: to train.
        baselines: to fit, keys of :data:`spectrace.evaluation.baselines.registry.METHODS`.
        as_files: those of them that are fitted on the files as they are; the others on equalised pictures.
        shipped: installed models to measure beside them.
        seeds: each with folds and trainings of its own.
        equalise: perturbations of both classes alike, so that the format does not tell the class.
        per_source: training pictures of each source at most.
        choosing_per_source: pictures of each held-out source at most.
        baseline_per_source: pictures of each source at most that a baseline is fitted on.
        tile: of the networks, in pixels.
        tiles: of each picture that a network scores at most.
        side: of the window that a baseline looks at; below what ``equalise`` leaves of the smallest picture,
            or else small pictures of one class would be missed.
        batch, steps, epochs: of every network's training; ``steps`` is all of them.
        conditions: what is done to the test pictures.
    """

    manifest: str = "../shared/corpus/manifest.csv"
    exclude: tuple[str, ...] = ("dcgan",)
    train_split: str = "train"
    test_split: str = "val"
    networks: tuple[Network, ...] = ()
    baselines: tuple[str, ...] = ()
    as_files: tuple[str, ...] = ("metadata", "block-grid")
    shipped: tuple[str, ...] = ("frequency",)
    seeds: tuple[int, ...] = (0,)
    equalise: tuple[str, ...] = ()
    per_source: int = 50
    choosing_per_source: int = 12
    baseline_per_source: int = 20
    tile: int = 64
    tiles: int = 4
    side: int = 64
    batch: int = 32
    steps: int = 160
    epochs: int = 4
    conditions: tuple[str, ...] = CONDITIONS


def run_study(settings: Settings, context: Context) -> Result:
    """Train and fit everything, then measure it on the same pictures.

    Raises:
        UsageError: the split that is kept for the last measurement, or an unknown baseline.
        RecipeError: a recipe that is missing or does not fit the settings.
        ManifestError: too few pictures.
    """
    refuse_forbidden(settings.train_split, settings.test_split)
    manifest = _pictures(settings, context)
    testing = manifest.select(split=settings.test_split).require_both_labels()
    trainings = [
        (network, Training(recipe_of(network, settings), known, seed))
        for seed in settings.seeds
        for known in [placed(manifest, settings, seed)]
        for network in settings.networks
    ]
    models = train_all([training for _, training in trainings], context)
    measured = []
    for (network, training), model in zip(trainings, models, strict=True):
        detector = Detector.load(_calibrated(model, training, settings, context))
        seen = _scores(detector, settings, testing)
        measured.append(
            Measured(
                training.recipe.name,
                network.title,
                "network",
                "study" if network.equalise else "recipe",
                *seen,
            )
        )
        context.progress.say(f"{training.recipe.name}, seed {training.seed}: measured")
    for seed in settings.seeds:
        for name in settings.baselines:
            equalise = [] if name in settings.as_files else settings.equalise
            baseline = fit_baseline(
                name,
                manifest,
                split=settings.train_split,
                side=settings.side,
                per_source=settings.baseline_per_source,
                perturbation=" + ".join(equalise) or None,
                seed=seed,
            )
            seen = _scores(baseline, settings, testing)
            measured.append(
                Measured(name, METHODS[name].title, "baseline", "study" if equalise else "no", *seen)
            )
            context.progress.say(f"{name}, seed {seed}: measured")
    for name in settings.shipped:
        seen = _scores(Detector.load(name), settings, testing)
        measured.append(Measured(name, name, "shipped", "recipe", *seen))
    return {
        "manifest_digest": manifest.digest(),
        "tiles_seen": settings.steps * settings.batch,
        **tables(measured, testing, settings.conditions),
    }


def recipe_of(network: Network, settings: Settings) -> Recipe:
    """The network's recipe in the settings' schedule."""
    recipe = read_recipe(Path(network.recipe))
    equalise = list(settings.equalise) if network.equalise else []
    return msgspec.structs.replace(
        recipe,
        data=msgspec.structs.replace(
            recipe.data,
            train_split=settings.train_split,
            val_split=CHOOSING,
            augment=[*equalise, *recipe.data.augment],
            min_side=settings.tile,
            exclude={},
            val_tiles=2,
        ),
        tile=settings.tile,
        batch=settings.batch,
        epochs=settings.epochs,
        steps_per_epoch=settings.steps // settings.epochs,
        patience=settings.epochs,
        warmup=min(recipe.warmup, settings.steps // _SCHEDULE_OF_WARMUP),
    )


def placed(manifest: Manifest, settings: Settings, seed: int) -> Manifest:
    """The training pictures, those of one source in :data:`FOLDS` in the split :data:`CHOOSING`."""
    training = manifest.select(split=settings.train_split)
    folds = source_folds(training.rows, FOLDS, seed=seed)
    parts = []
    for split, members, most in (
        (settings.train_split, folds != 0, settings.per_source),
        (CHOOSING, folds == 0, settings.choosing_per_source),
    ):
        rows = [
            msgspec.structs.replace(row, split=split)
            for row, member in zip(training, members, strict=True)
            if member
        ]
        parts += balanced(Manifest(rows, manifest.root), most, seed=seed).rows
    return Manifest(parts, manifest.root, manifest.columns)


def _pictures(settings: Settings, context: Context) -> Manifest:
    if settings.manifest == WHEELS:
        splits = settings.train_split, settings.test_split
        return stand_ins(context, splits=splits, count=40, side=2 * settings.side)
    rows = [row for row in Manifest.read(settings.manifest) if row.generator not in settings.exclude]
    manifest = Manifest(rows, Path(settings.manifest).parent)
    return manifest.select(split=[settings.train_split, settings.test_split])


def _calibrated(model: Path, training: Training, settings: Settings, context: Context) -> Path:
    """A copy whose scores and thresholds come from the sources that chose the epoch."""
    copy = context.folder / f"{model.parent.name}.onnx"
    card = msgspec.structs.replace(Model(model).card, tiles=settings.tiles, stability=[])
    replace_metadata(model, METADATA_KEY, card.to_json(), output=copy)
    calibrate(copy, training.manifest, split=CHOOSING, conditions=settings.conditions, seed=training.seed)
    return copy


def _scores(detector: PictureDetector, settings: Settings, testing: Manifest) -> tuple[Floats, float]:
    """Scores ``[condition, N]``, and processor seconds for a picture under the first condition."""
    scores, seconds = [], []
    for condition in settings.conditions:
        started = time.process_time()
        seen = observe(detector, testing, perturbation=None if condition == "identity" else condition)
        seconds.append((time.process_time() - started) / len(testing))
        scores.append([np.nan if one.score is None else one.score for one in seen])
    return np.array(scores, np.float64), seconds[0]


register_study("baselines", Settings, figure=figure)(run_study)
