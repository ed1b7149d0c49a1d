"""Robustness sweeps: a detector's figures over the strength of what is done to the pictures.

Both classes are treated alike, so a curve shows what the treatment does to the traces, never that one class
was treated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ImageError, ManifestError, UsageError
from spectrace.evaluation.bootstrap import CONFIDENCE, RESAMPLES
from spectrace.evaluation.evaluate import PictureDetector, picture_seed
from spectrace.evaluation.figures import FIGURES
from spectrace.evaluation.results import SweepCurve, SweepPoint
from spectrace.evaluation.summaries import Observation, compare
from spectrace.evaluation.tables import Table, cell
from spectrace.images import perturbations
from spectrace.images.decode import decode
from spectrace.threads import in_order

ALL = "all"
REPORTED = ("auroc", "auroc_by_source", "tpr_at_5_fpr", "false_alarm_rate", "detection_rate", "decided")
"""Ids of the figures of each strength."""


class Strength(NamedTuple):
    """How strongly pictures are treated: what it is called in the sweep's unit, and the perturbation."""

    label: str
    spec: str


class Sweep(NamedTuple):
    """One kind of treatment over its strengths, of which the first leaves pictures as they are."""

    name: str
    title: str
    unit: str
    strengths: tuple[Strength, ...]


NONE = Strength("none", "identity")
SWEEPS: dict[str, Sweep] = {}
"""All sweeps by name, in the order in which they are shown."""


def _register(name: str, title: str, unit: str, strengths: Iterable[tuple[object, str]]) -> None:
    if name in SWEEPS:
        raise ValueError(f"two sweeps are called {name!r}: give one of them another name")
    SWEEPS[name] = Sweep(
        name, title, unit, (NONE, *(Strength(str(label), spec) for label, spec in strengths))
    )


def _over(name: str, title: str, unit: str, template: str, values: Sequence[object]) -> None:
    """Register a sweep whose strengths differ in one number."""
    _register(name, title, unit, [(value, template.replace("#", str(value))) for value in values])


_over("jpeg", "JPEG", "quality", "jpeg(quality=#)", (95, 90, 80, 70, 50, 30))
_over("webp", "WebP", "quality", "webp(quality=#)", (95, 90, 80, 70, 50, 30))
_SECOND = (95, 90, 80, 70, 50)
_over(
    "double-jpeg",
    "JPEG 75, then JPEG on the same grid",
    "second quality",
    "jpeg(quality=75) + jpeg(quality=#)",
    _SECOND,
)
_over(
    "double-jpeg-shifted",
    "JPEG 75, then JPEG off its grid",
    "second quality",
    "jpeg(quality=75) + shift(rows=4, columns=4) + jpeg(quality=#)",
    _SECOND,
)
_over(
    "jpeg-grid",
    "JPEG 85 twice, shifted in between",
    "shift (pixels)",
    "jpeg(quality=85) + shift(rows=#, columns=#) + jpeg(quality=85)",
    range(8),
)
for _kernel in ("nearest", "bilinear", "bicubic", "lanczos"):
    _over(
        f"resize-down-{_kernel}",
        f"Resized down, {_kernel}",
        "scale",
        f"resize(scale=#, kernel={_kernel})",
        (0.9, 0.8, 0.7, 0.6),
    )
_over("resize-up", "Resized up, bicubic", "scale", "resize(scale=#, kernel=bicubic)", (1.1, 1.25, 1.5, 2))
# A screen scales by what its user chose, and the picture lies anywhere on it.
_SCREEN = "resize(scale=#, kernel=bilinear) + shift(rows=0..7, columns=0..7)"
_SCALING = (1, 0.8, 1.25, 1.5)
_over("screenshot", "Screenshot, saved as PNG", "display scaling", _SCREEN, _SCALING)
_over(
    "screenshot-jpeg",
    "Screenshot, saved as JPEG 85",
    "display scaling",
    f"{_SCREEN} + jpeg(quality=85)",
    _SCALING,
)
_over("crop-resize", "Cropped and resized back", "cut off", "crop-resize(fraction=#)", (0.05, 0.1, 0.2, 0.3))
_over("blur", "Gaussian blur", "sigma (pixels)", "blur(sigma=#)", (0.5, 1, 1.5, 2))
_over("noise", "White noise", "std (of 255)", "noise(std=#)", (2, 5, 10, 20))
_over("gamma", "Gamma", "exponent", "gamma(gamma=#)", (0.5, 0.8, 1.25, 2))
for _property in ("brightness", "contrast", "saturation"):
    _over(_property, _property.capitalize(), "up to ±", f"jitter({_property}=#)", (0.1, 0.2, 0.4, 0.8))
_over("rotate", "Rotated", "degrees", "rotate(degrees=#)", (1, 3, 10, 30))
_over("mask", "Squares blackened", "share", "mask(share=#)", (0.1, 0.25, 0.5, 0.75))
_register("flip", "Mirrored", "", [("mirrored", "flip")])
_register(
    "chain",
    "Resized, then JPEG, then noise",
    "scale, quality, std",
    [
        (f"{scale}, {quality}, {std}", f"resize(scale={scale}) + jpeg(quality={quality}) + noise(std={std})")
        for scale, quality, std in ((0.9, 90, 2), (0.8, 80, 4), (0.7, 65, 7), (0.6, 50, 12))
    ],
)
_register(
    "share",
    "Shared on the web: shrunk and JPEG 80 each time",
    "times",
    [
        (times, " + ".join(["resize(scale=0.85, kernel=lanczos) + jpeg(quality=80)"] * times))
        for times in (1, 2, 3)
    ],
)


def find_sweeps(names: Iterable[str]) -> list[Sweep]:
    """Sweeps by name, each once; ``all`` takes every one.

    Raises:
        UsageError: a name is not known.

    Example:
        >>> [one.name for one in find_sweeps(["blur", "noise", "blur"])]
        ['blur', 'noise']
    """
    found: dict[str, Sweep] = {}
    for name in names:
        if name == ALL:
            found |= SWEEPS
        elif name in SWEEPS:
            found[name] = SWEEPS[name]
        else:
            raise UsageError(f"no sweep is called {name!r}: give {ALL} or some of {', '.join(SWEEPS)}")
    return list(found.values())


def sweep(
    detectors: Sequence[PictureDetector],
    manifest: Manifest,
    sweeps: Sequence[Sweep],
    *,
    split: str | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    workers: int | None = None,
    visit: Callable[[], object] | None = None,
) -> list[SweepCurve]:
    """Measure detectors on a split of a manifest, treated at every strength of some sweeps.

    Each picture is decoded once and every strength made once, for all detectors. A picture is no file once
    it is decoded: limits that a model sets on files' JPEG quality apply to no strength, the first included.

    Args:
        detectors: what to measure.
        manifest: labelled pictures.
        sweeps: see :func:`find_sweeps`.
        split: the rows to measure on; None takes all.
        seed: of the perturbations, with each picture's path, and of the resamples.
        resamples: bootstrap resamples, clustered by source.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.

    Returns:
        One curve a detector and sweep, detector by detector.

    Raises:
        ManifestError: the split has no row, or lacks a class.
        UsageError: a bad number.
    """
    rows = manifest if split is None else manifest.select(split=split)
    if not len(rows):
        raise ManifestError(f"no picture has the split {split!r}: name one that the manifest has")
    rows.require_both_labels()
    specs = dict.fromkeys(strength.spec for one in sweeps for strength in one.strengths)
    observed = observe_strengths(detectors, rows, list(specs), seed=seed, workers=workers, visit=visit)
    return [
        SweepCurve(
            model=detector.card.name,
            sweep=one.name,
            title=one.title,
            unit=one.unit,
            manifest_digest=rows.digest(),
            split=split,
            seed=seed,
            resamples=resamples,
            confidence=CONFIDENCE,
            points=[
                SweepPoint(*strength, compare(strength.label, seen, REPORTED, resamples=resamples, seed=seed))
                for strength, seen in zip(one.strengths, comparable(one, by_spec), strict=True)
            ],
        )
        for detector, by_spec in zip(detectors, observed, strict=True)
        for one in sweeps
    ]


def observe_strengths(
    detectors: Sequence[PictureDetector],
    manifest: Manifest,
    specs: Sequence[str],
    *,
    seed: int = 0,
    workers: int | None = None,
    visit: Callable[[], object] | None = None,
) -> list[dict[str, list[Observation]]]:
    """Let detectors look at every picture of a manifest after every perturbation; arguments as :func:`sweep`.

    Returns:
        For each detector its observations by perturbation, in the manifest's order.
    """
    changes = [perturbations.parse(spec) for spec in specs]

    def look(row: Row) -> list[list[Observation]]:
        """By perturbation, then by detector."""
        try:
            pixels = decode(manifest.locate(row)).pixels
        except ImageError as error:
            return [[Observation(row, error=str(error))] * len(detectors)] * len(changes)
        return [_look(detectors, row, pixels, change, seed) for change in changes]

    observed: list[dict[str, list[Observation]]] = [{spec: [] for spec in specs} for _ in detectors]
    with closing(in_order(look, manifest, workers)) as answers:
        for answer in answers:
            for spec, seen in zip(specs, answer, strict=True):
                for by_spec, one in zip(observed, seen, strict=True):
                    by_spec[spec].append(one)
            if visit is not None:
                visit()
    return observed


def _look(
    detectors: Sequence[PictureDetector],
    row: Row,
    pixels: NDArray[np.uint8],
    change: perturbations.Perturbation | perturbations.Chain,
    seed: int,
) -> list[Observation]:
    try:
        changed = perturbations.apply(change, pixels, picture_seed(seed, row.path))
    except UsageError as error:  # a picture that the perturbation cannot take, for example too wide for JPEG
        return [Observation(row, error=str(error))] * len(detectors)
    observations = []
    for detector in detectors:
        seen = detector.detect(changed)
        observations.append(Observation(row, seen.score, None if seen.verdict is None else str(seen.verdict)))
    return observations


def comparable(one: Sweep, observed: dict[str, list[Observation]]) -> list[list[Observation]]:
    """A sweep's observations by strength, with scores for those pictures only that have one at all of them.

    Args:
        one: the sweep.
        observed: a detector's observations by perturbation, all in the same order.
    """
    by_strength = [observed[strength.spec] for strength in one.strengths]
    complete = [all(seen.score is not None for seen in picture) for picture in zip(*by_strength, strict=True)]
    return [
        [
            seen if kept else replace(seen, score=None)
            for seen, kept in zip(observations, complete, strict=True)
        ]
        for observations in by_strength
    ]


def table(curve: SweepCurve) -> Table:
    """A curve as a table, one line a strength."""
    rows = []
    for point in curve.points:
        real, generated = point.comparison.real, point.comparison.generated
        cells = (cell(point.comparison.figures[name], FIGURES[name].percent) for name in REPORTED)
        rows.append((point.strength, f"{real.scored} + {generated.scored}", *cells))
    unit = curve.unit or "strength"
    header = (unit, "real + generated", *(FIGURES[name].title for name in REPORTED))
    return Table(f"{curve.title} ({curve.sweep}): {curve.model}", header, rows)
