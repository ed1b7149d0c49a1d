"""What studies of many small classifiers share: pictures by source, trainings, and figures with intervals.

Each study compares pixels with the log-DCT, on pieces of photographs and samples of small generators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import CAMERA
from spectrace.corpora.splits import refuse_forbidden
from spectrace.detectors.runtime import Model
from spectrace.errors import UsageError
from spectrace.evaluation import kernels
from spectrace.evaluation.baselines.features import LOG_DCT, PIXELS, REPRESENTATIONS
from spectrace.evaluation.evaluate import picture_seed
from spectrace.evaluation.kernels import Floats
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import Sampler, write_samples
from spectrace.images import perturbations
from spectrace.learning.recipes import (
    DataRecipe,
    NetworkRecipe,
    PenaltyRecipe,
    Recipe,
    RepresentationRecipe,
)
from spectrace.studies.attribution_tables import Shown
from spectrace.studies.pieces import TEST, photographs_of, real_pictures, trained_generator
from spectrace.studies.registry import Context
from spectrace.studies.resampling import bounds
from spectrace.studies.source_pictures import (
    PHOTOGRAPH,
    Counts,
    Source,
    read_pictures,
    split_names,
    write_pictures,
)
from spectrace.studies.trainings import of_recipe

LABELS = {PIXELS: "pixels", LOG_DCT: "log-DCT"}
COLOURS = {PIXELS: "#D55E00", LOG_DCT: "#0072B2"}

BySeed = Sequence[Floats]
"""A figure of each seed's classifier: float64 ``[1 + resamples]`` each."""


class ClassifierSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Pictures and schedule.

    Attributes:
        photographs: manifest or folder with real pictures, or ``wheels``.
        sources: of the manifest; none takes all.
        train_split, test_split: of the manifest; generators and classifiers see the first one only.
        generators: one or more, each a class beside the camera; a family once.
        size: of all pictures in pixels; overrides the generators'.
        train, val, test: pictures of each source.
        seeds: of training pictures and classifiers; generators and test pictures are the same for all.
        batch, epochs, steps_per_epoch, patience: of the recipes; 0 steps an epoch show every picture once.
    """

    photographs: str = "../shared/corpus/manifest.csv"
    sources: tuple[str, ...] = ()
    train_split: str = "train"
    test_split: str = "val"
    generators: tuple[GeneratorRecipe, ...] = ()
    size: int = 64
    train: int = 1000
    val: int = 100
    test: int = 480
    seeds: tuple[int, ...] = (0, 1, 2)
    batch: int = 32
    epochs: int = 10
    steps_per_epoch: int = 0
    patience: int = 5

    @property
    def families(self) -> list[str]:
        """Of the generators, in order."""
        return [recipe.family for recipe in self.generators]


def pictures_of(settings: ClassifierSettings, context: Context) -> Manifest:
    """Pieces of photographs and samples of the generators, made once; splits by :func:`.split_names`.

    Raises:
        UsageError: no generator or a family twice, or the split that is kept for the last measurement.
        ManifestError: photographs that are missing, too small or too few.
    """
    refuse_forbidden(settings.train_split, settings.test_split)
    families = settings.families
    if not families or len(set(families)) < len(families):
        raise UsageError(f"generators {', '.join(families) or '(none)'}: wanted one or more, a family once")
    photographs = real_pictures(settings.photographs, settings.sources)
    train, test = (photographs.select(split=name) for name in (settings.train_split, settings.test_split))
    return write_pictures(
        train,
        test,
        generator_sources(settings, photographs, context),
        [],
        context,
        side=settings.size,
        counts=Counts(settings.train, settings.val, settings.test),
        seeds=settings.seeds,
    )


def generator_sources(settings: ClassifierSettings, photographs: Manifest, context: Context) -> list[Source]:
    """The generators, trained on the photographs unless they were before."""
    learned = photographs_of(photographs, context, split=settings.train_split, size=settings.size)
    sources = []
    for recipe in settings.generators:
        folder = trained_generator(msgspec.structs.replace(recipe, size=settings.size), learned, context)
        sources.append(Source(recipe.family, folder.name, partial(write_samples, Sampler(folder))))
    return sources


def recipe_of(
    settings: ClassifierSettings,
    network: str,
    representation: str,
    seed: int,
    *,
    task: Literal["binary", "attribution"],
    penalties: PenaltyRecipe | None = None,
    augment: Sequence[str] = (),
) -> Recipe:
    """A classifier's training on a seed's pictures (Adam at 1e-3, early stopping by validation loss)."""
    train, val = split_names(seed)
    return Recipe(
        name=f"{network}-{representation}",
        task=task,
        data=DataRecipe(
            manifest="pictures",
            train_split=train,
            val_split=val,
            val_tiles=1,
            source_temperature=1.0,
            augment=list(augment),
        ),
        representation=RepresentationRecipe(id=representation),
        network=NetworkRecipe(id=network),
        penalties=penalties or PenaltyRecipe(),
        tile=settings.size,
        **of_recipe(settings),
    )


@dataclass(frozen=True)
class Draws:
    """Test pictures and seeds as they are, then resampled: the same for all that is compared.

    Attributes:
        pictures: weights, float64 ``[1 + resamples, N]``.
        seeds: which are averaged, int64 ``[1 + resamples, S]``.
    """

    pictures: Floats
    seeds: NDArray[np.int64]

    def mean(self, by_seed: BySeed) -> Floats:
        """Mean over the drawn seeds: float64 ``[1 + resamples]``."""
        values = np.asarray(by_seed)
        mean: Floats = values[self.seeds, np.arange(values.shape[1])[:, None]].mean(axis=1)
        return mean

    def cell(self, by_seed: BySeed) -> dict[str, Any]:
        """``value`` (mean over seeds), ``low``, ``high`` and each of the ``seeds``."""
        return {**bounds(self.mean(by_seed)), "seeds": [round(float(one[0]), 4) for one in by_seed]}

    def gain(self, better: BySeed, worse: BySeed) -> dict[str, float]:
        """``value``, ``low`` and ``high`` of a difference."""
        return bounds(self.mean(better) - self.mean(worse))

    def compared(self, by_seed: Mapping[str, BySeed]) -> dict[str, Any]:
        """A cell of each representation, and the ``gain`` of the log-DCT over pixels."""
        cells = {name: self.cell(by_seed[name]) for name in REPRESENTATIONS}
        return {**cells, "gain": self.gain(by_seed[LOG_DCT], by_seed[PIXELS])}


@dataclass(frozen=True)
class Exam:
    """The test pictures of some classes.

    Attributes:
        manifest: of them.
        classes: camera first, then generators.
        pixels: uint8 ``[N, S, S, 3]``.
    """

    manifest: Manifest
    classes: list[str]
    pixels: NDArray[np.uint8]

    @classmethod
    def of(cls, manifest: Manifest, families: Sequence[str]) -> Exam:
        """The camera's pictures and those of some families, in the order of their classes in a training."""
        testing = manifest.select(split=TEST, generator=[CAMERA, *families])
        return cls(testing, [CAMERA, *sorted(families)], read_pictures(testing))

    @property
    def truth(self) -> NDArray[np.int64]:
        """Index of each picture's class: int64 ``[N]``."""
        return np.array([self.classes.index(row.generator) for row in self.manifest], np.int64)

    @property
    def photographs(self) -> int:
        """How many the camera's pieces are cut from."""
        return len({row.extra[PHOTOGRAPH] for row in self.manifest} - {""})

    def altered(self, spec: str) -> Exam:
        """The same pictures, each changed by a perturbation; its chance comes from the picture's path.

        Raises:
            UsageError: a bad perturbation, or one that changes the size.
        """
        change = perturbations.parse(spec)
        pairs = zip(self.pixels, self.manifest, strict=True)
        changed = [perturbations.apply(change, one, picture_seed(0, row.path)) for one, row in pairs]
        if any(one.shape != self.pixels.shape[1:] for one in changed):
            raise UsageError(f"{spec} changes the size of pictures: wanted one that keeps it")
        return replace(self, pixels=np.stack(changed))

    def logits(self, model: Path) -> Floats:
        """Of a trained classifier: float64 ``[N, K]``, or ``[N, 1]`` of a binary one."""
        outputs = Model(model).logits(np.ascontiguousarray(self.pixels.transpose(0, 3, 1, 2)))
        return outputs.reshape(len(outputs), -1).astype(np.float64)

    def draws(self, seeds: int) -> Draws:
        """Pieces of a photograph are drawn together, sources count alike; seeds are drawn, too."""
        clusters = [row.extra[PHOTOGRAPH] or row.path for row in self.manifest]
        weights = Shown(self.classes, (), self.truth, clusters).draws()
        picked = np.random.default_rng(0).integers(seeds, size=(len(weights), seeds))
        picked[0] = np.arange(seeds)
        return Draws(weights, picked)

    def accuracy(self, logits: Floats, draws: Draws) -> Floats:
        """Share given their class on every draw, classes alike: float64 ``[1 + resamples]``."""
        if logits.shape[1] == 1:
            return kernels.balanced_accuracy(0.0)(self.truth > 0, logits[:, 0], draws.pictures)
        return kernels.mean(logits.argmax(axis=1) == self.truth, draws.pictures)


def bar_panel(
    panel: Any, names: Sequence[str], cells: Sequence[Mapping[str, Mapping[str, Any]]], *, guessing: float
) -> None:
    """Draw accuracies of pixels and log-DCT beside each other for every name, with intervals and seeds."""
    for representation, shift in zip(REPRESENTATIONS, (-0.2, 0.2), strict=True):
        found = [one[representation] for one in cells]
        places = np.arange(len(names)) + shift
        values = [cell["value"] for cell in found]
        panel.bar(places, values, 0.38, color=COLOURS[representation], label=LABELS[representation])
        ends = np.array([[cell["low"], cell["high"]] for cell in found]).T
        panel.vlines(places, *ends, color="black", linewidth=1.2, zorder=3)
        for place, cell in zip(places, found, strict=True):
            seeds = cell["seeds"]
            beside = np.linspace(-0.08, 0.08, len(seeds)) if len(seeds) > 1 else np.zeros(1)
            panel.plot(place + beside, seeds, "o", color="white", mec="0.2", ms=3, mew=0.6)
            top = max(cell["high"], *seeds) + 0.015
            panel.text(place, top, f"{cell['value']:.2f}", ha="center", va="bottom", fontsize=8)
    panel.axhline(guessing, color="0.4", linestyle="--", linewidth=1, zorder=0, label="guessing")
    panel.plot([], [], color="black", linewidth=1.2, label="95 % interval")
    panel.plot([], [], "o", color="white", mec="0.2", ms=3, mew=0.6, label="single seeds")
    panel.set_xticks(range(len(names)), names)
    panel.set_ylim(0.0, 1.1)
    panel.set_axisbelow(True)
    panel.grid(axis="y", alpha=0.25)
