"""Robustness: one small detector trained clean and augmented, over the strengths of every treatment.

The two trainings differ in nothing but that the pictures of the second, of both classes, were resized and
re-encoded at random. Detectors that are there already are measured beside them. A patch detector trained in
the same two ways shows what is left of heatmaps.
"""

from __future__ import annotations

import msgspec

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.splits import refuse_forbidden
from spectrace.detectors.detector import Detector
from spectrace.evaluation.stability import map_stability
from spectrace.evaluation.sweeps import ALL, find_sweeps, observe_strengths
from spectrace.learning.recipes import DataRecipe, NetworkRecipe, Recipe, RepresentationRecipe
from spectrace.studies.pieces import WHEELS
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.robustness_figure import figure
from spectrace.studies.robustness_pictures import capped, large, training_pictures
from spectrace.studies.robustness_tables import (
    AUGMENTED,
    CLEAN,
    OF_SCORES,
    OF_VERDICTS,
    Comparison,
    Group,
    curves,
)
from spectrace.studies.stand_ins import stand_ins
from spectrace.studies.trainings import Training, of_recipe, train_all

KINDS = (CLEAN, AUGMENTED)


class Trained(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a detector is trained; the fields are those of a recipe."""

    network: str
    tile: int
    window: int
    batch: int = 64
    steps_per_epoch: int = 60
    epochs: int = 4
    learning_rate: float = 1e-3


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained and tested.

    Attributes:
        manifest: labelled pictures, or ``wheels``: pieces of photographs against the same pieces upsampled.
        train_split, test_split: of the manifest; choosing the best epoch takes a part of the first.
        train_per_source, test_per_source: pictures of each source at most.
        test_side: test pictures have no shorter side, so that every detector can score every strength.
        detector: whose figures are measured.
        patches: whose heatmaps are.
        augment: of the augmented trainings; clean ones mirror at random, and so do these.
        seeds: of the detector; patch detectors are trained with the first.
        models: detectors measured beside them: names or files.
        sweeps: names; ``all`` takes every one.
        map_perturbations: after which heatmaps are compared.
        map_per_source: test pictures of each source for that, at most.
        pieces: of photographs of each split, for ``wheels``.
    """

    manifest: str = "../shared/corpus/manifest.csv"
    train_split: str = "train"
    test_split: str = "val"
    train_per_source: int = 60
    test_per_source: int = 4
    test_side: int = 224
    detector: Trained = Trained(network="block-spectrum", tile=128, window=224)
    patches: Trained = Trained(network="resnet18-layer1-slim", tile=64, window=128, learning_rate=2e-3)
    augment: tuple[str, ...] = (
        "resize(scale=0.6..1.2, kernel=bilinear|bicubic|lanczos)@0.4",
        "jpeg(quality=60..98, subsampling=4:2:0|4:4:4)@0.9",
    )
    seeds: tuple[int, ...] = (0, 1, 2)
    models: tuple[str, ...] = ("frequency",)
    sweeps: tuple[str, ...] = (ALL,)
    map_perturbations: tuple[str, ...] = (
        "jpeg(quality=95)",
        "jpeg(quality=80)",
        "jpeg(quality=50)",
        "webp(quality=80)",
        "blur(sigma=1)",
        "noise(std=5)",
    )
    map_per_source: int = 1
    pieces: int = 60


def run_study(settings: Settings, context: Context) -> Result:
    """Train the detectors, then measure all of them over all strengths.

    Raises:
        UsageError: the split that is kept for the last measurement, an unknown sweep.
        ManifestError: no manifest, or no test picture that is large enough.
        RecipeError: settings that make no recipe.
        ModelError: no such model.
    """
    splits = settings.train_split, settings.test_split
    refuse_forbidden(*splits)
    sweeps = find_sweeps(settings.sweeps)
    others = [Group(name, [Detector.load(name)], OF_SCORES + OF_VERDICTS) for name in settings.models]
    if settings.manifest == WHEELS:
        pictures = stand_ins(context, splits=splits, count=settings.pieces, side=settings.test_side)
    else:
        pictures = Manifest.read(settings.manifest)
    training = training_pictures(pictures.select(split=settings.train_split), settings.train_per_source)
    testing = capped(
        large(pictures.select(split=settings.test_split), settings.test_side), settings.test_per_source
    )
    trained, patched = _trained(settings, training, context)
    groups = [*(Group(kind, detectors, OF_SCORES) for kind, detectors in trained.items()), *others]
    specs = dict.fromkeys(strength.spec for one in sweeps for strength in one.strengths)
    workers = max(1, context.workers)
    with context.progress.task("treated pictures", len(testing)) as advance:
        observed = observe_strengths(
            [detector for group in groups for detector in group.detectors],
            testing,
            list(specs),
            workers=workers,
            visit=lambda: advance(1),
        )
    compared = Comparison.of(observed)
    mapped = capped(testing, settings.map_per_source)
    maps = {}
    for kind, detector in patched.items():
        with context.progress.task(f"heatmaps, {kind}", len(mapped)) as advance:
            maps[kind] = map_stability(
                detector,
                mapped,
                settings.map_perturbations,
                workers=workers,
                visit=lambda: advance(1),
            )
    return {
        "manifest_digest": pictures.digest(),
        "training_pictures": len(training),
        "test": {
            label: {
                "pictures": int((compared.labels == generated).sum()),
                "sources": len({row.source for row in testing if row.is_generated == generated}),
            }
            for label, generated in (("real", False), ("generated", True))
        },
        "sweeps": [curves(one, groups, observed, compared) for one in sweeps],
        "maps": msgspec.to_builtins(maps),
    }


def _trained(
    settings: Settings, training: Manifest, context: Context
) -> tuple[dict[str, list[Detector]], dict[str, Detector]]:
    """The detectors of each kind, one a seed, and the patch detector of each kind."""
    wanted = [
        *((kind, settings.detector, seed) for kind in KINDS for seed in settings.seeds),
        *((kind, settings.patches, settings.seeds[0]) for kind in KINDS),
    ]
    trainings = [Training(_recipe(settings, how, kind), training, seed) for kind, how, seed in wanted]
    models = iter(train_all(trainings, context))
    detectors = {kind: [Detector.load(next(models)) for _ in settings.seeds] for kind in KINDS}
    return detectors, {kind: Detector.load(next(models)) for kind in KINDS}


def _recipe(settings: Settings, how: Trained, kind: str) -> Recipe:
    return Recipe(
        name=f"{how.network}-{kind}",
        data=DataRecipe(
            manifest="pictures",
            source_temperature=0.5,
            # A smaller picture would lose its stronger augmentations.
            min_side=how.window,
            window=how.window,
            grid=8,
            augment=["flip@0.5", *(settings.augment if kind == AUGMENTED else ())],
            val_tiles=1,
        ),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id=how.network),
        patience=how.epochs,
        schedule="cosine",
        select="auroc",
        **of_recipe(how),
    )


register_study("robustness", Settings, figure=figure)(run_study)
