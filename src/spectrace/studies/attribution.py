"""Which source made a picture? Camera and four generators, in pixels and in frequency (Frank et al. 2020).

The generators are small ones trained here on the photographs that the camera's pieces are cut from. One more
generator is in no training: its samples are the unknown source.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import numpy as np

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import CAMERA
from spectrace.corpora.splits import refuse_forbidden
from spectrace.errors import UsageError
from spectrace.evaluation.baselines.baseline import Labels, Pixels
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import Sampler, write_samples
from spectrace.spectra.linear import weight_map
from spectrace.spectra.transforms import log_dct
from spectrace.studies.attribution_figure import figure
from spectrace.studies.attribution_methods import Networks, Outcome, Trial, accuracy_of, representations_of
from spectrace.studies.attribution_tables import Attributed, Shown, tables
from spectrace.studies.encoding import encode_map
from spectrace.studies.pieces import TEST, photographs_of, real_pictures, trained_generator
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.source_pictures import PHOTOGRAPH, Counts, Source, read_pictures, write_pictures


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is told apart, and by what.

    Attributes:
        photographs: a manifest, of which the real pictures are used; a folder, split by hash into ``train``
            and ``val``; or ``wheels``, the few photographs in installed packages.
        sources: of the photographs; empty takes all.
        train_split, test_split: of the photographs; generators and methods see the first one only.
        generators: families, a class each beside the camera.
        unknown: families that no method is trained on.
        generator_steps: of training; 0 is each family's own.
        size: of all pictures in pixels.
        train, val, test: pictures of each source. A sixth of the training photographs gives the camera's
            pictures for choosing.
        methods: of ``knn``, ``eigenfaces``, ``prnu``, ``linear`` and ``cnn``.
        seeds: of training pictures and of networks; generators and test pictures are the same for all.
        ridge: penalty of the linear model.
        batch, epochs, patience: of the networks.
    """

    photographs: str = "../shared/corpus/manifest.csv"
    sources: tuple[str, ...] = ()
    train_split: str = "train"
    test_split: str = "val"
    generators: tuple[str, ...] = ("progressive", "sngan", "cramergan", "mmdgan")
    unknown: tuple[str, ...] = ("dcgan",)
    generator_steps: int = 0
    size: int = 64
    train: int = 2000
    val: int = 400
    test: int = 500
    methods: tuple[str, ...] = ("knn", "eigenfaces", "prnu", "linear", "cnn")
    seeds: tuple[int, ...] = (0, 1, 2)
    ridge: float = 0.01
    batch: int = 32
    epochs: int = 50
    patience: int = 5


def run_study(settings: Settings, context: Context) -> Result:
    """Train every method on every representation and seed, and test it on known and unknown sources.

    Raises:
        UsageError: an unknown method, a source twice, or the split that is kept for the last measurement.
        ManifestError: photographs that are missing, too small or too few.
    """
    _check(settings)
    manifest = pictures_by_source(settings, context)
    testing = manifest.select(split=TEST)
    classes = [CAMERA, *sorted(settings.generators)]
    names = [*classes, *settings.unknown]
    truth = np.array([names.index(row.generator) for row in testing], np.int64)
    tests = read_pictures(testing)
    networks = Networks(settings.ridge, settings.batch, settings.epochs, settings.patience)
    trial = Trial(manifest, classes, tests, networks, context)
    attributed = []
    maps: dict[str, Any] = {"mean_log_dct": _spectra(tests, truth, names)}
    for method in settings.methods:
        for representation in representations_of(method):
            outcomes = [trial.outcome(method, representation, seed) for seed in settings.seeds]
            one = _together(method, representation, outcomes)
            attributed.append(one)
            weights = [weight_map(found.weights) for found in outcomes if found.weights is not None]
            if weights:
                means = map(encode_map, np.mean(weights, axis=0))
                maps[f"weights_{representation}"] = dict(zip(classes, means, strict=True))
            context.progress.say(f"{method}, {representation}: accuracy {accuracy_of(one.scores, truth):.4f}")
    clusters = [row.extra[PHOTOGRAPH] or row.path for row in testing]
    return {
        "manifest_digest": manifest.digest(),
        "test_photographs": len({row.extra[PHOTOGRAPH] for row in testing} - {""}),
        **tables(attributed, Shown(classes, settings.unknown, truth, clusters)),
        "maps": maps,
    }


def pictures_by_source(settings: Settings, context: Context) -> Manifest:
    """Pieces of photographs and samples of all generators, in splits; those that are there are kept."""
    photographs = real_pictures(settings.photographs, settings.sources)
    learned = photographs_of(photographs, context, split=settings.train_split, size=settings.size)
    train, test = (photographs.select(split=name) for name in (settings.train_split, settings.test_split))
    return write_pictures(
        train,
        test,
        generator_sources(settings.generators, settings, learned, context),
        generator_sources(settings.unknown, settings, learned, context),
        context,
        side=settings.size,
        counts=Counts(settings.train, settings.val, settings.test),
        seeds=settings.seeds,
    )


def generator_sources(
    families: tuple[str, ...], settings: Settings, photographs: Photographs, context: Context
) -> list[Source]:
    """Generators of some families, trained on the photographs unless they were before."""
    sources = []
    for family in families:
        recipe = GeneratorRecipe(family=family, size=settings.size, steps=settings.generator_steps)
        folder = trained_generator(recipe, photographs, context)
        sources.append(Source(family, folder.name, partial(write_samples, Sampler(folder))))
    return sources


def _check(settings: Settings) -> None:
    refuse_forbidden(settings.train_split, settings.test_split)
    for method in settings.methods:
        representations_of(method)
    families = [*settings.generators, *settings.unknown]
    if len(set(families)) < len(families):
        raise UsageError(f"generators {', '.join(families)}: wanted each once, known or unknown")


def _together(method: str, representation: str, outcomes: list[Outcome]) -> Attributed:
    return Attributed(
        method,
        representation,
        np.stack([one.judged.scores for one in outcomes]),
        np.stack([one.judged.unknown for one in outcomes]),
        [one.chosen for one in outcomes],
    )


def _spectra(tests: Pixels, truth: Labels, names: list[str]) -> dict[str, Any]:
    """Mean log-DCT of each source's test pictures, over their channels."""
    return {
        name: encode_map(log_dct(tests[truth == index].transpose(0, 3, 1, 2)).mean(axis=(0, 1)))
        for index, name in enumerate(names)
    }


register_study("attribution", Settings, figure=figure)(run_study)
