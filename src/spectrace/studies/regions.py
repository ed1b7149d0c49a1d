"""Where in faces the predictive patches lie: their share of each region over the region's area."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.splits import refuse_forbidden
from spectrace.detectors.detector import Detector
from spectrace.explain import study_numbers
from spectrace.explain.faces import FaceMap
from spectrace.explain.findings import Settings as Looking
from spectrace.explain.findings import Subject
from spectrace.explain.study import look, study
from spectrace.learning.recipes import DataRecipe, NetworkRecipe, Recipe, RepresentationRecipe
from spectrace.studies.pieces import WHEELS
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.stand_ins import stand_ins
from spectrace.studies.trainings import Training, of_recipe, train_all

_TITLES = {
    "generated": "patches of generated faces that speak for generated",
    "real": "patches of real faces that speak for camera",
}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained, and what is looked at.

    Attributes:
        manifest: labelled pictures of faces; or ``wheels``.
        pairs: picture sets of the manifest; none takes every picture.
        train_split: split to train on.
        test_split: split that decides when to stop, and that is looked at: none of it was learnt from.
        augment: of the training, both classes alike.
        network, tile, batch, steps_per_epoch, epochs, learning_rate: of the trainings.
        patches: predictive patches of each class to keep.
        per_picture: of them from one picture at most.
        seeds: of the trainings.
        resamples: for the intervals.
    """

    manifest: str = "../shared/corpus/manifest.csv"
    pairs: tuple[str, ...] = ("faces256", "faces300", "celeba256")
    train_split: str = "train"
    test_split: str = "val"
    augment: tuple[str, ...] = (
        "flip@0.5",
        "resize(scale=0.6..1.2, kernel=bilinear|bicubic|lanczos)@0.4",
        "jpeg(quality=60..98, subsampling=4:2:0|4:4:4)@0.9",
    )
    network: str = "resnet18-layer1-slim"
    tile: int = 64
    batch: int = 64
    steps_per_epoch: int = 50
    epochs: int = 4
    learning_rate: float = 2e-3
    patches: int = 1000
    per_picture: int = 10
    seeds: tuple[int, ...] = (0, 1, 2)
    resamples: int = 500


def run_study(settings: Settings, context: Context) -> Result:
    """Train patch classifiers on faces and see where their strongest patches lie.

    Raises:
        UsageError: the split that is kept for the last measurement.
        MissingDependencyError: no face detector is installed.
    """
    splits = settings.train_split, settings.test_split
    refuse_forbidden(*splits)
    regions = FaceMap()
    if settings.manifest == WHEELS:
        pictures = stand_ins(context, splits=splits, count=24, side=4 * settings.tile)
    else:
        pictures = Manifest.read(settings.manifest).select(split=splits)
    if settings.pairs:
        pictures = pictures.select(pair=settings.pairs)
    models = train_all([Training(_recipe(settings), pictures, seed) for seed in settings.seeds], context)
    testing = pictures.select(split=settings.test_split)
    subjects = [Subject(testing.locate(row), row.label) for row in testing]
    looking = Looking(
        patches=settings.patches, per_picture=settings.per_picture, shown=1, resamples=settings.resamples
    )
    trained = []
    for seed, model in zip(settings.seeds, models, strict=True):
        detector = Detector.load(model, dense=True)
        found = study(look(detector, subjects, looking), detector, regions)
        numbers = study_numbers.numbers(found, detector.card)
        trained.append(
            {
                "seed": seed,
                "scored": numbers["pictures"],
                "patches": {one["name"]: one["histogram"] for one in numbers["predictive_patches"]},
                "mean_heatmaps": [
                    {name: one[name] for name in ("label", "end", "count", "scores")}
                    for one in numbers["mean_heatmaps"]
                ],
            }
        )
        context.progress.say(f"seed {seed}: looked at")
    return {
        "manifest_digest": pictures.digest(),
        "pictures": {
            split: {label: len(pictures.select(split=split, label=label)) for label in ("real", "generated")}
            for split in splits
        },
        "regions": list(regions.names),
        "regions_from": regions.origin,
        "trained": trained,
    }


def figure(result: Result) -> Figure:
    """Share of the patches over share of the area by region, a mark each seed; and the mean heatmaps."""
    drawn = Figure(figsize=(13.0, 8.2), layout="constrained")
    upper, lower = drawn.subfigures(2, 1, height_ratios=(1.0, 0.9), squeeze=False)[:, 0]
    for panel, (name, title) in zip(upper.subplots(1, 2), _TITLES.items(), strict=True):
        _bars(panel, result, name, title)
    shown = [one for one in result["trained"][0]["mean_heatmaps"] if one["end"] == "easiest"]
    maps = [np.array(one["scores"], np.float64) for one in shown]
    limit = max((float(np.nanmax(np.abs(one))) for one in maps), default=1.0)
    panels = lower.subplots(1, max(len(maps), 1), squeeze=False)[0]
    image = None
    for panel, one, scores in zip(panels, shown, maps, strict=False):
        image = panel.imshow(scores, cmap="PuOr_r", vmin=-limit, vmax=limit, extent=(0, 1, 1, 0))
        panel.set_title(f"mean heatmap of the {one['count']} easiest {one['label']} pictures", fontsize=10)
        panel.set(xlabel="share of the width", ylabel="share of the height")
    if image is not None:
        lower.colorbar(image, ax=list(panels), label="mean score (generated above 0)", shrink=0.9)
    seed = result["trained"][0]["seed"]
    drawn.suptitle(f"Where in faces the predictive patches lie (heatmaps: seed {seed})")
    return drawn


def _bars(panel: Any, result: Result, name: str, title: str) -> None:
    regions = result["regions"]
    for number, one in enumerate(result["trained"]):
        bars = {bar["region"]: bar for bar in one["patches"].get(name, {"regions": []})["regions"]}
        for kind, marker, colour, shift in (
            ("ratio", "o", "#b34700", -0.13),
            ("random_ratio", "s", "#888", 0.13),
        ):
            where = [
                place + shift + 0.05 * (number - 1) for place, region in enumerate(regions) if region in bars
            ]
            found = [bars[region][kind] for region in regions if region in bars]
            values = np.array([bounds["value"] for bounds in found], np.float64)
            ends = np.array([[bounds["low"], bounds["high"]] for bounds in found], np.float64).reshape(-1, 2)
            reach = np.nan_to_num(np.maximum([values - ends[:, 0], ends[:, 1] - values], 0.0))
            label = {"ratio": "predictive patches, a mark each seed", "random_ratio": "random patches"}[kind]
            panel.errorbar(
                values,
                where,
                xerr=reach,
                fmt=marker,
                color=colour,
                markersize=4,
                capsize=2,
                label=None if number else label,
            )
    panel.axvline(1.0, color="grey", linewidth=1)
    panel.set_yticks(range(len(regions)), regions)
    panel.invert_yaxis()
    panel.set_xlim(left=0.0)
    panel.set_xlabel("share of the patches' pixels / share of the area (95 % intervals)")
    panel.set_title(title, fontsize=10)
    panel.legend(fontsize=8)


def _recipe(settings: Settings) -> Recipe:
    return Recipe(
        name=f"{settings.network}-faces",
        data=DataRecipe(
            manifest="pictures",
            train_split=settings.train_split,
            val_split=settings.test_split,
            grid=8,
            window=4 * settings.tile,
            augment=list(settings.augment),
            val_tiles=2,
        ),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id=settings.network),
        patience=settings.epochs,
        select="auroc",
        **of_recipe(settings),
    )


register_study("regions", Settings, figure=figure)(run_study)
