"""Steadiness: how often verdicts flip under mild re-encodings, with stability checks and without.

A picture is scored under some conditions, and again after each of some mild re-encodings that no check makes.
Every version is scored once, with all checks behind it; what each set of checks would have said follows from
these scores, so the sets are compared on the same flips.
"""

from __future__ import annotations

from functools import partial

import msgspec
import numpy as np

from spectrace.corpora.manifest import Row
from spectrace.detectors.card import Card
from spectrace.detectors.detection import Detection, Verdict
from spectrace.detectors.detector import Detector
from spectrace.detectors.runtime import Model, find_model
from spectrace.detectors.verdict import judge, limit_reasons
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.calibrate import CONDITIONS
from spectrace.evaluation.evaluate import picture_seed
from spectrace.evaluation.kernels import Floats
from spectrace.evaluation.versions import look_at_each
from spectrace.images import perturbations
from spectrace.images.decode import Pixels
from spectrace.studies.registry import Context, Result, register_study
from spectrace.studies.robustness_pictures import capped
from spectrace.studies.stand_ins import counts_by_class, pictures_of_split
from spectrace.studies.steadiness_figure import figure
from spectrace.studies.steadiness_tables import Verdicts, tables

Checks = tuple[str, ...]

_DECISIONS = {Verdict.GENERATED: 1.0, Verdict.CAMERA: -1.0, Verdict.INCONCLUSIVE: 0.0}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is measured.

    Attributes:
        model: name of an installed model, or a path; None takes the shipped one.
        manifest: labelled pictures, or ``wheels``.
        split: of the manifest; pictures that the model was not trained on.
        per_source: pictures of each source and class at most.
        conditions: what is done to both classes before anything else.
        reencodings: mild ones that follow, one at a time; none of them is a check.
        checks: sets of stability checks that are compared; none, and the card's own, are always among them.
        resamples: for the intervals.
        seed: of the conditions' chance and of the resamples.
        pieces, side: of ``wheels``: pieces of either half of the photographs, and their side in pixels.
    """

    model: str | None = None
    manifest: str = "../shared/corpus/manifest.csv"
    split: str = "val"
    per_source: int = 100
    conditions: tuple[str, ...] = CONDITIONS
    reencodings: tuple[str, ...] = (
        "jpeg(quality=92)",
        "jpeg(quality=85)",
        "webp(quality=85)",
        "shift(rows=1, columns=1)",
        "resize(scale=0.97) + resize(scale=1.0309)",
    )
    checks: tuple[Checks, ...] = (
        (),
        ("jpeg(quality=90)",),
        ("jpeg(quality=80)",),
        ("webp(quality=90)",),
        ("noise(std=2)",),
        ("jpeg(quality=90)", "jpeg(quality=80)"),
        ("jpeg(quality=90)", "webp(quality=90)"),
        ("jpeg(quality=90)", "noise(std=2)"),
        ("jpeg(quality=90)", "jpeg(quality=80)", "webp(quality=90)", "noise(std=2)"),
    )
    resamples: int = 500
    seed: int = 0
    pieces: int = 12
    side: int = 224


def run_study(settings: Settings, context: Context) -> Result:
    """Score every version of every picture with all checks, then see what each set of them says.

    Raises:
        UsageError: the split that is kept for the last measurement, a bad perturbation, or a re-encoding
            that is a check.
        ManifestError: pictures that are missing, of one class only, or all too small.
        ModelError: no such model, or a check that changes a picture's size.
    """
    model = Model(find_model(settings.model))
    own = tuple(str(perturbations.parse(spec)) for spec in model.card.stability)
    sets = list(dict.fromkeys([(), *map(_normal, settings.checks), own]))
    every = list(dict.fromkeys(check for checks in sets for check in checks))
    reencodings = _normal(settings.reencodings)
    for spec in set(reencodings) & set(every):
        raise UsageError(f"{spec} is a re-encoding and a check: a check that knows the test passes it")
    detector = Detector(model, card=msgspec.structs.replace(model.card, stability=every))
    pictures = capped(
        pictures_of_split(
            settings.manifest, settings.split, context, count=settings.pieces, side=settings.side
        ),
        settings.per_source,
    )
    with context.progress.task(f"versions for {model.card.name}", len(pictures)) as advance:
        rows, seen = look_at_each(
            pictures,
            partial(
                _look,
                detector=detector,
                sets=sets,
                conditions=settings.conditions,
                reencodings=reencodings,
                seed=settings.seed,
            ),
            workers=max(1, context.workers),
            visit=lambda: advance(1),
        )
    verdicts = Verdicts(np.array(seen), np.array([row.is_generated for row in rows], np.bool_))
    if verdicts.empty:
        raise ManifestError(
            f"no picture of one class is within the limits of {model.card.name}: take larger ones"
        )
    resampled = resampled_weights(
        verdicts.generated,
        [row.source for row in rows],
        resamples=settings.resamples,
        seed=settings.seed,
    )
    kept = verdicts.kept
    taking_part = [rows[number] for number in np.flatnonzero(kept.any(axis=1))]
    return {
        "manifest_digest": pictures.digest(),
        "model": model.card.name,
        "conditions": list(settings.conditions),
        "reencodings": list(reencodings),
        "pictures": counts_by_class(taking_part),
        "outside_of_limits": int((~kept).sum()),
        "sets": [
            {"checks": list(checks), "of_the_card": checks == own, **figures}
            for checks, figures in zip(
                sets, tables(verdicts, resampled, settings.conditions, reencodings), strict=True
            )
        ],
    }


def _normal(specs: Checks) -> Checks:
    return tuple(str(perturbations.parse(spec)) for spec in specs)


def _look(
    row: Row,
    pixels: Pixels,
    *,
    detector: Detector,
    sets: list[Checks],
    conditions: Checks,
    reencodings: Checks,
    seed: int,
) -> Floats:
    """Decisions [C, 1 + R, S]: by condition, untouched and after each re-encoding, by set of checks."""
    found = []
    for condition in conditions:
        version = perturbations.apply(condition, pixels, picture_seed(seed, row.path))
        again = [perturbations.apply(spec, version, picture_seed(seed, row.path)) for spec in reencodings]
        found.append([_decisions(detector.detect(one), detector.card, sets) for one in (version, *again)])
    return np.array(found)


def _decisions(detection: Detection, card: Card, sets: list[Checks]) -> list[float]:
    """What each set of checks would have decided: 1, -1 or 0; NaN outside of the operating limits."""
    score, evidence = detection.score, detection.evidence
    if score is None or evidence is None or limit_reasons(evidence.facts, card):
        return [np.nan] * len(sets)
    return [
        _DECISIONS[
            judge(score, [one for one in evidence.rescored if one[0] in checks], evidence.facts, card)[0]
        ]
        for checks in sets
    ]


register_study("steadiness", Settings, figure=figure)(run_study)
