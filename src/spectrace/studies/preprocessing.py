"""The preprocessing ablation: what detectors learn where the classes went through different pipelines.

Photographs stand against reconstructions of other photographs by a small autoencoder. For each factor of the
preprocessing (codec, quality, subsampling, resize kernel, order) detectors are trained with both classes
through one pipeline, and with each class through its own, as benchmark sets are made; and all are tested in
either way, on generators not trained on, and on photographs against photographs, where there is nothing to
find. Grommelt et al., *Fake or JPEG?*, arXiv 2403.17608.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import CAMERA
from spectrace.detectors.detector import Detector
from spectrace.errors import UsageError
from spectrace.evaluation.evaluate import observe
from spectrace.evaluation.kernels import Floats
from spectrace.images import perturbations
from spectrace.learning.recipes import (
    DataRecipe,
    NetworkRecipe,
    PenaltyRecipe,
    Recipe,
    RepresentationRecipe,
)
from spectrace.studies.pieces import (
    FLUX,
    TEST,
    TRAIN,
    VAL,
    folder_of,
    placed_pieces,
    real_pictures,
    reconstructions,
)
from spectrace.studies.preprocessing_figure import figure
from spectrace.studies.preprocessing_parts import (
    PHOTOGRAPH,
    PHOTOGRAPHS,
    PIPELINE,
    Case,
    pictures_of,
    through,
    write_pipelines,
)
from spectrace.studies.preprocessing_tables import Said, Tests
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.trainings import Training, of_recipe, train_all

DETECTORS = {
    "ridge": ("log-dct", "linear", 0.01),
    "patches": ("pixels", "resnet18-layer1-slim", 0.0),
}
"""Representation, network and L2 penalty by name."""


class Factor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing in which the preprocessing of the classes may differ.

    Attributes:
        name: of it.
        camera, generated: perturbation specs, what the pictures of each class go through where the classes
            are treated differently. Where they are treated alike, both go through the first.
    """

    name: str
    camera: str
    generated: str


_JPEG = "jpeg(quality=90)"
_LANCZOS = "resize(scale=0.75, kernel=lanczos)"
FACTORS = (
    Factor("codec: JPEG or PNG", _JPEG, "identity"),
    Factor("codec: JPEG or WebP", _JPEG, "webp(quality=90)"),
    Factor("quality: 90 or 75", _JPEG, "jpeg(quality=75)"),
    Factor("quality: 90 or 95", _JPEG, "jpeg(quality=95)"),
    Factor("subsampling: 4:2:0 or 4:4:4", _JPEG, "jpeg(quality=90, subsampling=4:4:4)"),
    Factor("kernel: lanczos or bicubic", _LANCZOS, "resize(scale=0.75, kernel=bicubic)"),
    Factor("order: JPEG last or first", f"{_LANCZOS} + {_JPEG}", f"{_JPEG} + {_LANCZOS}"),
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained and tested.

    Attributes:
        photographs: manifest or folder with real pictures, or ``wheels``.
        train_split, test_split: of the manifest; generators and detectors see the first one only.
        train, test: photographs of each.
        per_photograph: pieces of each.
        side: of the pieces in pixels before the pipelines, cut after scaling down by ``scale``.
        upsamplers: of the autoencoders.
        generator_steps: training steps of an autoencoder.
        weights: folder of the FLUX.2 tiny autoencoder; empty leaves it out.
        trained_on: an upsampler or ``flux2-tiny``; the other generators are for the test.
        factors: of the preprocessing.
        detectors: of :data:`DETECTORS`.
        seeds: one training each.
        tile, batch, steps_per_epoch, epochs, patience: of the detectors' recipe.
    """

    photographs: str = "../shared/corpus/manifest.csv"
    train_split: str = "train"
    test_split: str = "val"
    train: int = 500
    test: int = 200
    per_photograph: int = 1
    side: int = 128
    scale: float = 0.5
    upsamplers: tuple[str, ...] = ("transposed", "nearest", "pixel-shuffle")
    generator_steps: int = 800
    weights: str = "../shared/weights"
    trained_on: str = "transposed"
    factors: Annotated[tuple[Factor, ...], msgspec.Meta(min_length=1)] = FACTORS
    detectors: tuple[str, ...] = tuple(DETECTORS)
    seeds: tuple[int, ...] = (0, 1, 2)
    tile: int = 64
    batch: int = 32
    steps_per_epoch: int = 50
    epochs: int = 5
    patience: int = 5


def cases_of(factor: Factor, generator: str) -> dict[str, Case]:
    """How detectors are trained for a factor, by name.

    Example:
        >>> list(cases_of(FACTORS[0], "transposed"))
        ['mismatched', 'matched']
    """
    return {
        "mismatched": Case(generator, factor.camera, factor.generated),
        "matched": Case(generator, factor.camera, factor.camera),
    }


def run_study(settings: Settings, context: Context) -> Result:
    """Train every detector for every factor in both ways, and test each in all ways.

    Raises:
        UsageError: the split that is kept for the last measurement, an unknown detector, or a bad pipeline.
        ManifestError: photographs that are missing, too small or too few.
    """
    _check(settings)
    manifest = _pictures(settings, context)
    generator = settings.trained_on
    asked = [
        (factor, kind, case)
        for factor in settings.factors
        for kind, case in cases_of(factor, generator).items()
    ]
    # Without any generator, for the first factor: nothing but the pipelines, and nothing at all to learn.
    asked += [
        (settings.factors[0], f"no generator, {kind}", case)
        for kind, case in cases_of(settings.factors[0], PHOTOGRAPHS).items()
    ]
    trained = _train(settings, manifest, [case for _, _, case in asked], context)
    testing = manifest.select(split=TEST)
    tests = _tests(testing, generator)
    said = _Said(testing)
    rows = []
    with context.progress.task("tests", len(settings.detectors) * len(asked)) as advance:
        for name in settings.detectors:
            for factor, kind, case in asked:
                pipelines = (factor.camera, factor.generated)
                auroc = tests.of(said.by(trained[name, case], pipelines), case, pipelines)
                rows.append({"detector": name, "factor": factor.name, "trained": kind, "auroc": auroc})
                advance(1)
    return {
        "manifest_digest": manifest.digest(),
        "photographs": {
            split: len({row.extra[PHOTOGRAPH] for row in manifest.select(split=split)})
            for split in (TRAIN, VAL, TEST)
        },
        "trained_on": generator,
        "others": tests.unknown,
        "factors": msgspec.to_builtins(settings.factors),
        "rows": rows,
    }


def _train(
    settings: Settings, manifest: Manifest, cases: Sequence[Case], context: Context
) -> dict[tuple[str, Case], list[Path]]:
    """Every detector on every case, each case once however many factors share it: models, one a seed."""
    known = manifest.select(split=[TRAIN, VAL])
    pictures = {case: pictures_of(known, case) for case in cases}
    wanted = [
        (name, case, seed) for seed in settings.seeds for name in settings.detectors for case in pictures
    ]
    # Small pictures are read once and then kept: processes that read them would take longer to start.
    models = train_all(
        [Training(_recipe(settings, name), pictures[case], seed) for name, case, seed in wanted],
        replace(context, workers=0),
    )
    trained: dict[tuple[str, Case], list[Path]] = {}
    for (name, case, _), model in zip(wanted, models, strict=True):
        trained.setdefault((name, case), []).append(model)
    return trained


def _tests(testing: Manifest, generator: str) -> Tests:
    once = through(testing, testing.rows[0].extra[PIPELINE])
    makers = dict.fromkeys(row.generator for row in once)
    camera, generated = (
        [row.extra[PHOTOGRAPH] for row in once.select(generator=name)] for name in (CAMERA, generator)
    )
    others = [name for name in makers if name not in {CAMERA, PHOTOGRAPHS, generator}]
    return Tests(camera, generated, generator, others)


class _Said:
    """What models say of the test pictures; each looks at a pipeline's pictures once."""

    def __init__(self, testing: Manifest) -> None:
        self._testing = testing
        self._known: dict[tuple[Path, str], dict[str, Floats]] = {}

    def by(self, models: Sequence[Path], pipelines: Sequence[str]) -> list[Said]:
        """Scores of some models, each by pipeline and maker."""
        return [{pipeline: self._of(model, pipeline) for pipeline in pipelines} for model in models]

    def _of(self, model: Path, pipeline: str) -> dict[str, Floats]:
        if (model, pipeline) not in self._known:
            found: dict[str, list[float]] = {}
            for seen in observe(Detector.load(model), through(self._testing, pipeline)):
                if seen.score is None:
                    raise UsageError(f"{seen.row.path} gave no score: {seen.error or 'too small'}")
                found.setdefault(seen.row.generator, []).append(seen.score)
            self._known[model, pipeline] = {maker: np.array(scores) for maker, scores in found.items()}
        return self._known[model, pipeline]


def _check(settings: Settings) -> None:
    unknown = set(settings.detectors) - set(DETECTORS)
    if unknown:
        raise UsageError(f"detectors: {', '.join(sorted(unknown))}; known are {', '.join(DETECTORS)}")
    generators = [*settings.upsamplers, *([FLUX] if settings.weights else [])]
    if settings.trained_on not in generators:
        raise UsageError(f"trained_on is {settings.trained_on!r}: wanted one of {', '.join(generators)}")
    blank = np.zeros((settings.side, settings.side, 3), np.uint8)
    for factor in settings.factors:
        first, second = (
            perturbations.apply(spec, blank).shape[:2] for spec in (factor.camera, factor.generated)
        )
        if first != second or min(first) < settings.tile:
            raise UsageError(
                f"{factor.name}: the pipelines make {first[1]}x{first[0]} and {second[1]}x{second[0]} pixels "
                f"of a piece, wanted one size and at least {settings.tile}"
            )


def _pictures(settings: Settings, context: Context) -> Manifest:
    """The pictures of all pipelines, made once; generators see the photographs of the training split only."""
    placed = placed_pieces(
        real_pictures(settings.photographs),
        context,
        train_split=settings.train_split,
        test_split=settings.test_split,
        count=settings.train,
        test_count=settings.test,
        side=settings.side,
        scale=settings.scale,
        per_photograph=settings.per_photograph,
    )
    steps = settings.generator_steps
    folder = folder_of(
        context, placed, settings.side, settings.scale, settings.upsamplers, steps, settings.weights
    )
    makers = reconstructions(settings.upsamplers, steps, settings.weights, placed, context)
    pipelines = [spec for factor in settings.factors for spec in (factor.camera, factor.generated)]
    with context.progress.task("pictures", len(placed)) as advance:
        return write_pipelines(
            placed, folder, makers, pipelines, trained_on=settings.trained_on, visit=advance
        )


def _recipe(settings: Settings, detector: str) -> Recipe:
    representation, network, penalty = DETECTORS[detector]
    return Recipe(
        name=f"preprocessing-{detector}",
        # Cut on JPEG's block grid, as detection does, and every picture is drawn alike.
        data=DataRecipe(
            manifest="pictures", window=settings.side, grid=8, val_tiles=2, source_temperature=1.0
        ),
        representation=RepresentationRecipe(id=representation),
        network=NetworkRecipe(id=network),
        penalties=PenaltyRecipe(l2=penalty),
        **of_recipe(settings),
    )


register_study("preprocessing-ablation", Settings, figure=figure)(run_study)
