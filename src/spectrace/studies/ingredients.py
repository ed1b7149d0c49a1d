"""What each ingredient of the shipped detector's training brings, on generators and sources left out.

Ingredients are added one after the other. The detector is the discriminant on averaged spectra, which is
fitted in moments, so that every one of them is tried on every fold with several seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spectrace.corpora.folds import generator_folds
from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.calibration import balanced_weights
from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.calibrate import CONDITIONS
from spectrace.evaluation.kernels import Floats
from spectrace.images.perturbations import parse
from spectrace.learning.cutting import Cutter
from spectrace.learning.discriminant import fit_discriminant
from spectrace.learning.fitting import Statistics, statistics_of
from spectrace.learning.network import build_detector
from spectrace.learning.pictures import Pictures
from spectrace.learning.recipes import DataRecipe, NetworkRecipe, Recipe, RepresentationRecipe
from spectrace.learning.sampling import Entry
from spectrace.studies.pieces import TRAIN, VAL, WHEELS
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.resampling import bounds
from spectrace.studies.stand_ins import counts_by_class, stand_ins

_TILES = 2
_GRID = 8
_PICTURES = Pictures(2**30)


class Ingredient(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training, by what it has and the one before has not.

    Attributes:
        name: of what was added.
        augment: perturbations of both classes alike.
        temperature: 1 weighs every picture alike, 0 every source.
        between: weight of the scatter between sources.
        pairs: whether photographs and their reconstructions are among the pictures.
    """

    name: str
    augment: list[str] = []
    temperature: float = 1.0
    between: float = 0.0
    pairs: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is tried on what.

    Attributes:
        ingredients: in the order in which they are added.
        manifest: labelled pictures with splits ``train`` and ``val``, or ``wheels``.
        per_source: pictures of each source at most.
        network: a network of statistics.
        tile: side in pixels.
        ridge: of the discriminant.
        kin: generators that stay together in a fold, by their family's name.
        folds: of generators and sources; each is left out once.
        conditions: that the pictures left out are tried under.
        seeds: of augmentation and places of tiles.
        resamples: for the intervals.
        pieces, side: of ``wheels``: pieces of either half of the photographs, and their side in pixels.
    """

    ingredients: list[Ingredient]
    manifest: str = "../runs/traces/manifest.csv"
    per_source: int = 60
    network: str = "spectral-statistics"
    tile: int = 128
    ridge: float = 0.1
    kin: dict[str, list[str]] = {}
    folds: int = 5
    conditions: tuple[str, ...] = CONDITIONS
    seeds: tuple[int, ...] = (0, 1, 2)
    resamples: int = 300
    pieces: int = 12
    side: int = 160


class _Dealt(NamedTuple):
    """The pictures: rows and entries, the fold of each, and which of them are a pair's."""

    rows: list[Row]
    entries: list[Entry]
    folds: NDArray[np.int64]
    paired: NDArray[np.bool_]


def run_study(settings: Settings, context: Context) -> Result:
    """Fit every ingredient on all folds but one, and try it on that one.

    Raises:
        ManifestError: no such manifest, or fewer groups than folds.
    """
    rows, manifest = _rows(settings, context)
    kin = {generator: family for family, members in settings.kin.items() for generator in members}
    dealt = _Dealt(
        rows,
        [
            Entry(manifest.locate(row), row.path, int(row.is_generated), f"{row.generator}/{row.source}")
            for row in rows
        ],
        np.array(generator_folds(rows, settings.folds, kin)),
        np.array([bool(row.extra.get("content")) for row in rows]),
    )
    detector = build_detector(
        Recipe(
            name="ingredients",
            tile=settings.tile,
            data=DataRecipe(manifest=settings.manifest),
            representation=RepresentationRecipe(id="pixels"),
            network=NetworkRecipe(id=settings.network),
        ),
        1,
        0,
    )

    def measured(augment: Sequence[str], seed: int, chosen: NDArray[np.int64]) -> Statistics:
        cutter = Cutter(settings.tile, 1, 512, _GRID, tuple(parse(spec) for spec in augment))
        found = statistics_of(
            [dealt.entries[number] for number in chosen],
            cutter,
            detector,
            tiles=_TILES,
            seed=(seed,),
            workers=context.workers,
            progress=context.progress,
            pictures=_PICTURES,
        )
        return found._replace(entries=chosen[found.entries])

    by_ingredient: dict[str, dict[str, list[tuple[NDArray[np.int64], Floats]]]] = {}
    for seed in settings.seeds:
        tests = {
            condition: measured([condition], 2 * seed, np.flatnonzero(~dealt.paired))
            for condition in settings.conditions
        }
        trainings: dict[tuple[str, ...], Statistics] = {}
        for ingredient in settings.ingredients:
            augment = tuple(ingredient.augment)
            if augment not in trainings:
                trainings[augment] = measured(augment, 2 * seed + 1, np.arange(len(rows)))
            found = _left_out(trainings[augment], tests, dealt, ingredient, settings)
            for condition, logits in found.items():
                kept = by_ingredient.setdefault(ingredient.name, {}).setdefault(condition, [])
                kept.append((tests[condition].entries, logits))
        context.progress.say(
            f"seed {seed}: {len(settings.ingredients)} ingredients on {settings.folds} folds"
        )
    return {
        "manifest_digest": manifest.digest(),
        "pictures": counts_by_class(
            [row for row, paired in zip(rows, dealt.paired, strict=True) if not paired]
        ),
        "reconstructions": sum(
            row.is_generated for row, paired in zip(rows, dealt.paired, strict=True) if paired
        ),
        "rows": [
            {
                "ingredient": ingredient.name,
                "condition": condition,
                **_figures(by_ingredient[ingredient.name][condition], dealt, settings),
            }
            for ingredient in settings.ingredients
            for condition in settings.conditions
        ],
    }


def _rows(settings: Settings, context: Context) -> tuple[list[Row], Manifest]:
    """The first pictures of each source by their paths, and each reconstruction with its photograph."""
    if settings.manifest == WHEELS:
        manifest = stand_ins(
            context,
            splits=(TRAIN, VAL),
            count=settings.pieces,
            side=settings.side,
            kernels=("bilinear", "lanczos"),
        )
        return [msgspec.structs.replace(row, pair="") for row in manifest], manifest
    manifest = Manifest.read(settings.manifest)
    taken: dict[tuple[str, str, bool], int] = {}
    rows = []
    for row in sorted(manifest, key=lambda row: row.path):
        group = (row.generator, row.source, bool(row.extra.get("content")))
        taken[group] = taken.get(group, 0) + 1
        if row.split in (TRAIN, VAL) and taken[group] <= settings.per_source:
            rows.append(row)
    return rows, manifest


def _left_out(
    training: Statistics,
    tests: dict[str, Statistics],
    dealt: _Dealt,
    ingredient: Ingredient,
    settings: Settings,
) -> dict[str, Floats]:
    """Logits of all pictures under each condition, by discriminants fitted without the picture's fold."""
    found = {condition: np.empty(len(test.entries)) for condition, test in tests.items()}
    usable = np.ones(len(training.entries), bool) if ingredient.pairs else ~dealt.paired[training.entries]
    for fold in range(settings.folds):
        chosen = usable & (dealt.folds[training.entries] != fold)
        numbers = training.entries[chosen]
        discriminant = fit_discriminant(
            training.features[chosen],
            np.array([bool(dealt.entries[number].target) for number in numbers]),
            np.array([dealt.entries[number].group for number in numbers]),
            between=ingredient.between,
            ridge=settings.ridge,
            temperature=ingredient.temperature,
        )
        for condition, test in tests.items():
            inside = dealt.folds[test.entries] == fold
            found[condition][inside] = discriminant.logits(test.features[inside])[:, 0]
    return found


def _figures(
    runs: list[tuple[NDArray[np.int64], Floats]], dealt: _Dealt, settings: Settings
) -> dict[str, Any]:
    """Mean AUROC over folds and seeds with its interval, and each seed's."""
    by_seed = []
    for numbers, logits in runs:
        parts = []
        for fold in range(settings.folds):
            inside = dealt.folds[numbers] == fold
            chosen = [dealt.rows[number] for number in numbers[inside]]
            labels = np.array([row.is_generated for row in chosen])
            groups = [f"{row.generator}/{row.source}" for row in chosen]
            drawn = resampled_weights(labels, groups, resamples=settings.resamples, seed=0)
            weights = np.concatenate([np.ones((1, len(labels))), drawn]) * balanced_weights(labels, groups)
            parts.append(kernels.auroc(labels, logits[inside], weights))
        by_seed.append(np.mean(parts, axis=0))
    return {
        "auroc": bounds(np.mean(by_seed, axis=0)),
        "seeds": [round(float(one[0]), 4) for one in by_seed],
    }


def figure(result: Result) -> Figure:
    """AUROC of every ingredient, a line a condition."""
    names = list(dict.fromkeys(row["ingredient"] for row in result["rows"]))
    drawn = Figure(figsize=(8.0, 4.0), layout="constrained")
    axis = drawn.subplots()
    conditions = list(dict.fromkeys(row["condition"] for row in result["rows"]))
    for number, condition in enumerate(conditions):
        rows = [row for row in result["rows"] if row["condition"] == condition]
        places = np.arange(len(rows)) + 0.12 * (number - 0.5 * (len(conditions) - 1))
        values = np.array([[row["auroc"][key] for key in ("value", "low", "high")] for row in rows])
        errors = np.clip([values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]], 0.0, None)
        label = "untouched" if condition == "identity" else condition
        axis.errorbar(places, values[:, 0], errors, fmt="o-", label=label)
    axis.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    axis.axhline(0.5, color="0.6", linewidth=0.8)
    axis.set_xlabel("added, from left to right")
    axis.set_ylabel("AUROC on what was left out")
    axis.set_title("Ingredients of the training; 95 % intervals, sources resampled")
    axis.legend(fontsize=7)
    return drawn


register_study("ingredients", Settings, figure=figure)(run_study)
