"""Train on one group of pictures, test on each: across generators, picture sets or sizes.

Beside the detectors of one group stand those of all groups but one: what a detector is worth on a group that
it has never met, when it has met many others.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.corpora.folders import file_sha256
from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.splits import refuse_forbidden
from spectrace.detectors.detector import Detector
from spectrace.errors import ImageError, UsageError
from spectrace.evaluation.evaluate import picture_seed
from spectrace.evaluation.sweeps import NONE, observe_strengths
from spectrace.images.decode import decode
from spectrace.images.perturbations import apply
from spectrace.learning.recipes import (
    DataRecipe,
    NetworkRecipe,
    PenaltyRecipe,
    Recipe,
    RepresentationRecipe,
)
from spectrace.studies.across_tables import Groups, figure, tables
from spectrace.studies.pieces import TEST, TRAIN, VAL, WHEELS
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.stand_ins import stand_ins
from spectrace.studies.trainings import Training, of_recipe, train_all

_EVERY = 6  # the second and every sixth picture after it, of each source, choose the epoch
_GROUP = "group"
_COMMON = ""  # real pictures that belong to every group


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is trained on what, and how.

    Attributes:
        manifest: labelled pictures; or ``wheels``, photographs of installed packages and the same upsampled.
        train_split: split to train on; one picture in six of each source chooses the epoch.
        test_split: split of the test.
        by: what makes a group. ``generator``: its pictures, against all real ones. ``pair``: real and
            generated pictures of one pipeline. ``scale``: all pictures, scaled.
        groups: their names (numbers for ``scale``); none takes those with ``fewest`` pictures a class.
        fewest: pictures of each class that a group must have in training.
        most: pictures of a generator or real source that are trained or tested on at most.
        test_more: generated pictures of a group's training split that detectors are tested on that never met
            the group; none for ``scale``.
        window: pixels a side that are cut from each picture, at a random place.
        treatment: done once to every picture of both classes alike, so that formats tell nothing.
        augment: of the trainings.
        network, tile, batch, steps_per_epoch, epochs, learning_rate, l2: of the trainings.
        seeds: of the trainings.
    """

    manifest: str = "../shared/corpus/manifest.csv"
    train_split: str = "train"
    test_split: str = "val"
    by: Literal["generator", "pair", "scale"] = "generator"
    groups: tuple[str, ...] = ()
    fewest: int = 20
    most: int = 120
    test_more: int = 60
    window: int = 176
    treatment: str = (
        "resize(scale=0.7..1.1, kernel=bilinear|bicubic|lanczos)@0.5 + "
        "shift(rows=0..7, columns=0..7) + jpeg(quality=70..95, subsampling=4:2:0|4:4:4)"
    )
    augment: tuple[str, ...] = ("flip@0.5",)
    network: str = "block-spectrum"
    tile: int = 96
    batch: int = 64
    steps_per_epoch: int = 40
    epochs: int = 4
    learning_rate: float = 1e-3
    l2: float = 2e-5
    seeds: tuple[int, ...] = (0, 1, 2)


def run_study(settings: Settings, context: Context) -> Result:
    """Train on each group and on all groups but each, and test on each.

    Raises:
        UsageError: the split that is kept for the last measurement, or fewer than two groups.
        ManifestError: no such manifest.
    """
    refuse_forbidden(settings.train_split, settings.test_split)
    pictures = _treated(settings, _listed(settings, context), context)
    names = _groups(settings, pictures)
    trainings = []
    for chosen in [*([name] for name in names), *([n for n in names if n != left] for left in names)]:
        members = Manifest(
            [row for row in pictures if row.split != TEST and row.extra[_GROUP] in (_COMMON, *chosen)],
            pictures.root,
        )
        trainings += [Training(_recipe(settings), members, seed) for seed in settings.seeds]
    models = train_all(trainings, context)
    testing = _testing(settings, pictures)
    with context.progress.task("test pictures", len(testing)) as advance:
        observed = observe_strengths(
            [Detector.load(model) for model in models], testing, [NONE.spec], visit=lambda: advance(1)
        )
    scores = [[np.nan if one.score is None else one.score for one in seen[NONE.spec]] for seen in observed]
    return {
        "manifest_digest": pictures.digest(),
        "by": settings.by,
        "groups": names,
        "pictures": {
            split: {label: len(pictures.select(split=split, label=label)) for label in ("real", "generated")}
            for split in (TRAIN, VAL, TEST)
        },
        **tables(
            np.array(scores).reshape(2, len(names), len(settings.seeds), len(testing)),
            Groups(
                names=names,
                group=[row.extra[_GROUP] or None for row in testing],
                generated=np.array([row.is_generated for row in testing]),
                test=np.array([row.split == TEST for row in testing]),
                source=[row.source for row in testing],
            ),
        ),
    }


def _listed(settings: Settings, context: Context) -> Manifest:
    if settings.manifest == WHEELS:
        return stand_ins(
            context,
            splits=(settings.train_split, settings.test_split),
            count=24,
            side=settings.window,
            kernels=("nearest", "bilinear", "lanczos"),
        )
    return Manifest.read(settings.manifest)


def _testing(settings: Settings, pictures: Manifest) -> Manifest:
    """The test split, and generated training pictures for detectors that never met their group."""
    # Of other sizes of a picture those detectors have met the picture itself.
    more = 0 if settings.by == "scale" else settings.test_more
    counts: dict[str, int] = {}
    rows = []
    for row in pictures:
        if row.split != TEST:
            counts[row.extra[_GROUP]] = counts.get(row.extra[_GROUP], 0) + row.is_generated
            if not row.is_generated or counts[row.extra[_GROUP]] > more:
                continue
        rows.append(row)
    return Manifest(rows, pictures.root)


def _groups(settings: Settings, pictures: Manifest) -> list[str]:
    names = list(settings.groups)
    if not names:
        counts = pictures.select(split=TRAIN)
        found = {row.extra[_GROUP] for row in counts} - {_COMMON}
        for name in sorted(found):
            members = [row for row in counts if row.extra[_GROUP] in (name, _COMMON)]
            generated = sum(row.is_generated for row in members)
            if min(generated, len(members) - generated) >= settings.fewest:
                names.append(name)
    if len(names) < 2:
        raise UsageError(f"{len(names)} groups: wanted at least 2; lower `fewest`, or name them in `groups`")
    return names


def _treated(settings: Settings, listed: Manifest, context: Context) -> Manifest:
    """The pictures of all groups, treated and cut, as PNG; those that are there already are kept."""
    chosen = _capped(settings, listed)
    deciding = (settings.by, settings.groups, settings.window, settings.treatment, settings.tile)
    digest = hashlib.sha256(msgspec.json.encode((chosen.digest(), deciding))).hexdigest()[:8]
    folder = context.folder / f"pictures-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    scales = [float(name) for name in settings.groups] if settings.by == "scale" else [1.0]
    rows: list[Row] = []
    with context.progress.task("pictures", len(chosen)) as advance:
        for row in chosen:
            try:
                rows += _versions(settings, row, chosen.locate(row), folder, scales)
            except ImageError as error:
                context.progress.say(str(error))
            advance(1)
    return Manifest(rows, folder)


def _capped(settings: Settings, listed: Manifest) -> Manifest:
    """The rows that take part: real ones, and generated ones that belong to a group."""
    counts: dict[tuple[str, str, str], int] = {}
    rows = []
    for row in sorted(
        listed.select(split=[settings.train_split, settings.test_split]),
        key=lambda row: (row.sha256, row.path),
    ):
        if settings.by == "pair" and not (row.pair and _wanted(settings, row.pair)):
            continue
        if settings.by == "generator" and row.is_generated and not _wanted(settings, row.generator):
            continue
        key = row.split, row.generator, row.source
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= settings.most:
            split = TEST
            if row.split == settings.train_split:
                split = VAL if counts[key] % _EVERY == 2 else TRAIN
            rows.append(msgspec.structs.replace(row, split=split))
    return Manifest(rows, listed.root, listed.columns)


def _wanted(settings: Settings, group: str) -> bool:
    return not settings.groups or group in settings.groups


def _versions(settings: Settings, row: Row, source: Path, folder: Path, scales: list[float]) -> list[Row]:
    """A picture as it takes part, once a scale; none where it is too small at one of them."""
    made = []
    pixels = None
    for scale in scales:
        group = {"generator": row.generator if row.is_generated else _COMMON, "pair": row.pair}.get(
            settings.by, f"{scale:g}"
        )
        key = hashlib.sha256(row.path.encode("utf-8", "surrogateescape")).hexdigest()[:20]
        path = folder / f"{key}-{scale:g}.png"
        if not path.is_file():
            if pixels is None:
                pixels = decode(source).pixels
            rng = picture_seed(0, row.path)
            spec = settings.treatment
            if scale != 1.0:
                spec = f"resize(scale={scale:g}, kernel=lanczos) + {spec}"
            cut = apply(spec, _window(pixels, round(settings.window / scale), rng), rng)
            if min(cut.shape[:2]) < settings.tile:
                return []
            unfinished = path.with_suffix(".part")
            Image.fromarray(cut).save(unfinished, "PNG")
            unfinished.replace(path)
        made.append(
            msgspec.structs.replace(row, path=path.name, sha256=file_sha256(path), extra={_GROUP: group})
        )
    return made


def _window(pixels: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    top, left = (int(rng.integers(max(length - side, 0) + 1)) for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def _recipe(settings: Settings) -> Recipe:
    return Recipe(
        name=f"{settings.network}-across",
        data=DataRecipe(
            manifest="pictures",
            source_temperature=0.5,
            augment=list(settings.augment),
            window=settings.window,
            val_tiles=1,
        ),
        representation=RepresentationRecipe(id="pixels"),
        network=NetworkRecipe(id=settings.network),
        penalties=PenaltyRecipe(l2=settings.l2),
        patience=settings.epochs,
        select="auroc",
        **of_recipe(settings),
    )


register_study("across", Settings, figure=figure)(run_study)
