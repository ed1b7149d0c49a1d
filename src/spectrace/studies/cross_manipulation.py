"""Trained on one manipulation, tested on each: the 4 x 4 table of Chai et al. 2020, on made manipulations.

FaceForensics++ is given out by agreement only; the four manipulations stand for its four. Pictures are pieces
of photographs and the same with a region manipulated, all saved alike. As published, every patch is trained
with its picture's label, and no mask is seen; the schedule and the aligned couples are ours.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.masks import mask_of
from spectrace.detectors.detection import Evidence
from spectrace.detectors.detector import Detector
from spectrace.detectors.pooling import pool
from spectrace.errors import UsageError
from spectrace.evaluation.localisation import choose_threshold, localise
from spectrace.explain.heatmap import score_map
from spectrace.generators.aligned import Reconstruct
from spectrace.generators.manipulated import write_manipulations
from spectrace.generators.manipulations import MANIPULATIONS
from spectrace.generators.tiny_autoencoder import TinyAutoencoder
from spectrace.learning.recipes import DataRecipe, NetworkRecipe, Recipe, RepresentationRecipe
from spectrace.studies.manipulation_tables import Seen, figure, tables
from spectrace.studies.pieces import (
    TEST,
    TRAIN,
    VAL,
    autoencoder,
    folder_of,
    placed_pieces,
    real_pictures,
)
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.trainings import Training, of_recipe, train_all

STRONGEST = 0.1
"""Share of a picture's patches whose mean logit is the second way of pooling."""

_CAMERA = "camera"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is manipulated, trained and tested.

    Attributes:
        photographs: a manifest, of which the real pictures are used; a folder, split by hash into ``train``
            and ``val``; or ``wheels``, the few photographs in installed packages.
        train_split, test_split: of the photographs; never ``unseen``.
        pictures, test_pictures: photographs of each at most.
        per_photograph: pieces of each photograph at most; intervals are right for one.
        side: of the pieces in pixels, cut after scaling down by ``scale``.
        weights: folder of the FLUX.2 tiny autoencoder, for the region that is synthesised anew; empty trains
            a small autoencoder with ``upsampler`` for ``autoencoder_steps`` on the training pieces instead.
        seed: of regions and manipulations.
        network: id of the detectors' network.
        seeds: one training each, for every manipulation.
        tile, batch, learning_rate, steps_per_epoch, epochs, augment, paired_share: of the detectors' recipe;
            the learning rate falls along a half cosine, the epoch of the lowest validation loss is taken.
    """

    photographs: str = "../shared/corpus/manifest.csv"
    train_split: str = "train"
    test_split: str = "val"
    pictures: int = 1500
    test_pictures: int = 300
    per_photograph: int = 1
    side: int = 128
    scale: float = 0.5
    weights: str = ""
    upsampler: str = "transposed"
    autoencoder_steps: int = 1500
    seed: int = 0
    network: str = "resnet18-layer1-slim"
    seeds: tuple[int, ...] = (0, 1, 2)
    tile: int = 64
    batch: int = 32
    learning_rate: float = 3e-3
    steps_per_epoch: int = 150
    epochs: int = 12
    augment: tuple[str, ...] = ("flip@0.5",)
    paired_share: float = 1.0


def run_study(settings: Settings, context: Context) -> Result:
    """Train a detector on every manipulation and test it on all of them.

    Raises:
        UsageError: the split that is kept for the last measurement.
        ManifestError: photographs that are missing, too small or too few.
    """
    manifest = _pictures(settings, context)
    names = [name for name in MANIPULATIONS for _ in settings.seeds]
    trainings = []
    for name in MANIPULATIONS:
        known = manifest.select(split=[TRAIN, VAL], generator=[_CAMERA, name])
        trainings += [Training(_recipe(settings, name), known, seed) for seed in settings.seeds]
    seen: dict[str, list[Seen]] = {name: [] for name in MANIPULATIONS}
    for name, model in zip(names, train_all(trainings, context), strict=True):
        validation = manifest.select(split=VAL, generator=name)
        seen[name].append(_look(Detector.load(model, dense=True), manifest.select(split=TEST), validation))
        context.progress.say(f"trained on {name}: tested")
    return {
        "manifest_digest": manifest.digest(),
        "pictures": {split: len(manifest.select(split=split, label="real")) for split in (TRAIN, VAL, TEST)},
        **tables(seen),
    }


def _pictures(settings: Settings, context: Context) -> Manifest:
    """The manipulated pictures, made once; the autoencoder is trained on pieces of the training split."""
    placed = placed_pieces(
        real_pictures(settings.photographs),
        context,
        train_split=settings.train_split,
        test_split=settings.test_split,
        count=settings.pictures,
        test_count=settings.test_pictures,
        side=settings.side,
        scale=settings.scale,
        per_photograph=settings.per_photograph,
    )
    upsampler, steps = settings.upsampler, settings.autoencoder_steps
    made_by = settings.weights or [upsampler, steps]
    folder = folder_of(context, placed, settings.side, settings.scale, settings.seed, made_by)
    reconstruct: Reconstruct
    if settings.weights:
        reconstruct = TinyAutoencoder.load(settings.weights).reconstruct
    else:
        reconstruct = autoencoder(upsampler, steps, placed, context).reconstruct
    with context.progress.task("manipulations", len(placed)) as advance:
        return write_manipulations(placed, folder, seed=settings.seed, reconstruct=reconstruct, visit=advance)


def _recipe(settings: Settings, name: str) -> Recipe:
    """As published, every patch has its picture's label; every picture is drawn with its own original."""
    return Recipe(
        name=f"manipulated-{name}",
        data=DataRecipe(
            manifest="pictures",
            augment=list(settings.augment),
            window=settings.side,
            paired_share=settings.paired_share,
        ),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id=settings.network),
        schedule="cosine",
        patience=settings.epochs,
        **of_recipe(settings),
    )


def _look(detector: Detector, testing: Manifest, validation: Manifest) -> Seen:
    maps = [_map(detector, validation, row)[1:] for row in validation]
    threshold = choose_threshold(maps)
    pooled: dict[str, list[list[float]]] = {}
    figures: dict[str, list[list[float]]] = {}
    for row in testing:
        evidence, scores, mask = _map(detector, testing, row)
        strongest = np.sort(evidence.logits, axis=None)[::-1]
        count = max(1, round(STRONGEST * strongest.size))
        pooled.setdefault(row.generator, []).append([pool(evidence.logits), float(strongest[:count].mean())])
        if row.is_generated:
            zero, chosen = localise(scores, mask), localise(scores, mask, threshold)
            values = [zero.auroc, zero.iou, chosen.iou, zero.best_iou, float(mask.mean())]
            figures.setdefault(row.generator, []).append(values)
    return Seen(
        np.array([pooled[name] for name in (_CAMERA, *MANIPULATIONS)]).transpose(2, 0, 1),
        np.array([figures[name] for name in MANIPULATIONS]).transpose(2, 0, 1),
        threshold,
    )


def _map(
    detector: Detector, manifest: Manifest, row: Row
) -> tuple[Evidence, NDArray[np.float32], NDArray[np.bool_]]:
    detection = detector.detect(manifest.locate(row))
    evidence = detection.evidence
    if evidence is None or detection.height is None or detection.width is None:
        raise UsageError(f"{row.path} gave no score: {'; '.join(detection.reasons)}; take larger pieces")
    height, width = detection.height, detection.width
    return evidence, score_map(evidence, height, width), mask_of(manifest, row, height, width)


register_study("cross-manipulation", Settings, figure=figure)(run_study)
