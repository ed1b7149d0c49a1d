"""Operating limits: down to which side, JPEG quality and scale a detector's error rates hold.

Both classes are treated alike, at growing strength. Every strength is measured on the pictures that it leaves
large enough to be scored, beside the same pictures untouched, so a figure that falls was lost by the
treatment and not by a change of pictures. Verdicts are the scores' at the card's thresholds: its limits are
what is looked for, and its stability checks, which only take verdicts back, are off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from spectrace.corpora.manifest import Row
from spectrace.detectors.card import OperatingLimits
from spectrace.detectors.detector import Detector
from spectrace.detectors.runtime import Model, find_model
from spectrace.detectors.verdict import verdict_of
from spectrace.errors import UsageError
from spectrace.evaluation.audit.spectral import spectral_traits
from spectrace.evaluation.kernels import Floats
from spectrace.evaluation.summaries import Observation
from spectrace.evaluation.versions import look_at_each
from spectrace.images import perturbations
from spectrace.images.decode import Pixels
from spectrace.images.tiles import JPEG_BLOCK
from spectrace.studies.operating_limits_figure import figure
from spectrace.studies.operating_limits_rule import (
    CROP,
    DOWNSCALE,
    JPEG,
    SCALED,
    UPSCALE,
    Rule,
    found_limits,
    hold_to,
    measured,
)
from spectrace.studies.operating_limits_stand_ins import predictions
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.robustness_pictures import capped
from spectrace.studies.stand_ins import counts_by_class, pictures_of_split


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is measured, and the rule.

    Attributes:
        model: name of an installed model, or a path; None takes the shipped one.
        manifest: labelled pictures, or ``wheels``.
        split: of the manifest; pictures that the model was not trained on.
        per_source: pictures of each source and class at most.
        sides: shortest sides in pixels, of centre crops and of pictures scaled down.
        qualities: of JPEG.
        scales: factors that both sides are scaled down by, with each of the kernels.
        kernels: for that.
        upscales: factors that both sides are scaled up by; no limit follows from them.
        traits: of the audit's kind ``spectral``, tried as stand-ins for a limit on upscaling.
        times: a limit holds while either error rate stays within so many times what the card states.
        bound: what must stay within: the rate itself, or the upper end of its 95 % interval.
        resamples: for the intervals.
        pieces, side: of ``wheels``: pieces of either half of the photographs, and their side in pixels.
    """

    model: str | None = None
    manifest: str = "../shared/corpus/manifest.csv"
    split: str = "val"
    per_source: int = 100
    sides: tuple[int, ...] = (288, 256, 224, 192, 160, 128, 96, 64)
    qualities: tuple[int, ...] = (95, 90, 80, 70, 60, 50, 40, 30, 20)
    scales: tuple[float, ...] = (0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.25)
    kernels: tuple[str, ...] = ("bilinear", "bicubic", "lanczos")
    upscales: tuple[float, ...] = (1.25, 1.5, 2.0)
    traits: tuple[str, ...] = ("fine_detail", "resampling_strength")
    times: float = 2.0
    bound: Literal["value", "high"] = "value"
    resamples: int = 500
    pieces: int = 12
    side: int = 224


Treat = Callable[[Pixels], Pixels | None]
"""Gives a picture treated, None where it is too small for that."""


class Ladder(NamedTuple):
    """One treatment from mild to strong.

    Attributes:
        name: ``crop``, ``scaled``, ``jpeg``, ``downscale-KERNEL`` or ``upscale``.
        title: what is done.
        unit: of the strengths.
        strengths: and what each does.
    """

    name: str
    title: str
    unit: str
    strengths: list[tuple[float, Treat]]


def run_study(settings: Settings, context: Context) -> Result:
    """Score every picture once in every version, then see how far the rule holds.

    Raises:
        UsageError: the split that is kept for the last measurement, or a card that states no rates.
        ManifestError: pictures that are missing, or of one class only.
        ModelError: no such model.
    """
    model = Model(find_model(settings.model))
    rule = Rule.of(model.card, times=settings.times, bound=settings.bound)
    card = msgspec.structs.replace(model.card, limits=OperatingLimits(), stability=[])
    detector = Detector(model, card=card)
    listed = pictures_of_split(
        settings.manifest, settings.split, context, count=settings.pieces, side=settings.side
    )
    pictures = capped(listed, settings.per_source)
    ladders = ladders_of(settings)
    with context.progress.task(f"versions for {card.name}", len(pictures)) as advance:
        rows, seen = look_at_each(
            pictures,
            partial(_look, detector, ladders, settings.traits),
            workers=max(1, context.workers),
            visit=lambda: advance(1),
        )
    scores = np.array([one for one, _ in seen])
    observed = [
        [
            Observation(row, None if np.isnan(score) else score, str(verdict_of(score, card)))
            for row, score in zip(rows, column, strict=True)
        ]
        for column in scores.T.tolist()
    ]
    untouched, treated = observed[0], iter(observed[1:])
    found: dict[str, Result] = {}
    for ladder in ladders:
        points = [
            measured(strength, next(treated), untouched, rule, resamples=settings.resamples)
            for strength, _ in ladder.strengths
        ]
        found[ladder.name] = {
            "name": ladder.name,
            "title": ladder.title,
            "unit": ladder.unit,
            "points": points,
            "holds_to": hold_to(points),
        }
    upscaled = observed[len(observed) - len(settings.upscales) :]
    return {
        "manifest_digest": pictures.digest(),
        "model": card.name,
        "tile_size": card.tile_size,
        "allowed": rule._asdict(),
        "pictures": counts_by_class(rows),
        "ladders": list(found.values()),
        "limits": found_limits(found),
        "stand_ins": predictions(
            settings.traits,
            [untouched, *upscaled],
            np.array([values for _, values in seen]),
            resamples=settings.resamples,
        ),
    }


def limits_of(result: Mapping[str, Any]) -> OperatingLimits:
    """The limits for a card.

    Args:
        result: of the study, ``result`` in its results file.

    Raises:
        UsageError: a limit that the rule holds nowhere for.

    Example:
        >>> limits_of({"model": "demo@1", "limits": {"min_side": 160, "min_jpeg_quality": 60}})
        OperatingLimits(min_side=160, min_jpeg_quality=60)
    """
    limits = result["limits"]
    for name in ("min_side", "min_jpeg_quality"):
        if limits[name] is None:
            raise UsageError(
                f"no {name} of {result['model']}: its error rates or its AUROC fail the rule at the mildest "
                "strength already; calibrate it on pictures like these, or measure on more of them"
            )
    return OperatingLimits(min_side=limits["min_side"], min_jpeg_quality=limits["min_jpeg_quality"])


def ladders_of(settings: Settings) -> list[Ladder]:
    """The treatments of some settings, each from mild to strong; ``upscale`` is the last."""
    sides = sorted(settings.sides, reverse=True)
    qualities = sorted(settings.qualities, reverse=True)
    scales = sorted(settings.scales, reverse=True)
    return [
        Ladder(
            CROP,
            "Centre crops",
            "side (pixels)",
            [(side, partial(centre_square, side=side)) for side in sides],
        ),
        Ladder(
            SCALED,
            "Scaled down to a side",
            "shortest side (pixels)",
            [(side, partial(scaled_to, side=side)) for side in sides],
        ),
        Ladder(
            JPEG,
            "JPEG",
            "quality",
            [(quality, _perturbed("jpeg", quality=quality)) for quality in qualities],
        ),
        *(
            Ladder(
                f"{DOWNSCALE}-{kernel}",
                f"Scaled down, {kernel}",
                "scale",
                [(scale, _perturbed("resize", scale=scale, kernel=kernel)) for scale in scales],
            )
            for kernel in settings.kernels
        ),
        Ladder(
            UPSCALE,
            "Scaled up, bicubic",
            "scale",
            [(scale, _perturbed("resize", scale=scale)) for scale in sorted(settings.upscales)],
        ),
    ]


def centre_square(pixels: Pixels, *, side: int) -> Pixels | None:
    """The middle of a picture, its corner on JPEG's block grid; None where the picture is smaller.

    Example:
        >>> centre_square(np.zeros((50, 40, 3), np.uint8), side=32).shape
        (32, 32, 3)
    """
    height, width = pixels.shape[:2]
    if min(height, width) < side:
        return None
    top, left = ((length - side) // 2 // JPEG_BLOCK * JPEG_BLOCK for length in (height, width))
    return pixels[top : top + side, left : left + side]


def scaled_to(pixels: Pixels, *, side: int) -> Pixels | None:
    """A picture scaled down (Lanczos) to a shortest side; None where it is smaller.

    Example:
        >>> scaled_to(np.zeros((50, 40, 3), np.uint8), side=20).shape
        (25, 20, 3)
    """
    shortest = min(pixels.shape[:2])
    if shortest < side:
        return None
    return _perturbed("resize", scale=side / shortest, kernel="lanczos")(pixels)


def _perturbed(name: str, **parameters: float | str) -> Callable[[Pixels], Pixels]:
    return partial(perturbations.apply, perturbations.Perturbation(name, tuple(parameters.items())))


def _look(
    detector: Detector, ladders: Sequence[Ladder], traits: Sequence[str], row: Row, pixels: Pixels
) -> tuple[list[float], Floats]:
    """Scores of a picture untouched and at every strength (NaN: too small), and its traits.

    Traits are those of the picture untouched, then at each strength of the last ladder: [1 + U, T].
    """
    scores = [_score(detector, pixels)]
    described = [pixels]
    for ladder in ladders:
        for _, treat in ladder.strengths:
            treated = treat(pixels)
            scores.append(_score(detector, treated))
            if ladder.name == UPSCALE and treated is not None:
                described.append(treated)
    found = [spectral_traits(one) for one in described]
    return scores, np.array([[values.get(trait, np.nan) for trait in traits] for values in found])


def _score(detector: Detector, pixels: Pixels | None) -> float:
    score = None if pixels is None else detector.detect(pixels).score
    return np.nan if score is None else score


register_study("operating-limits", Settings, figure=figure)(run_study)
