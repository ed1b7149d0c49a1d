"""Give a trained model's scores a meaning: calibration and thresholds from pictures it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.splits import FORBIDDEN_SPLIT
from spectrace.detectors.calibration import balanced_weights, fit_platt, fit_thresholds
from spectrace.detectors.card import Calibration, Card, OperatingLimits, Pooling, Thresholds
from spectrace.detectors.detector import Detector
from spectrace.detectors.runtime import Model
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation.evaluate import observe
from spectrace.learning.export import replace_card

CONDITIONS = (
    "identity",
    "jpeg(quality=75..95)",
    "resize(scale=0.6..0.95, kernel=bilinear|bicubic|lanczos) + jpeg(quality=75..95)",
)
"""What happens to both classes alike before scoring; each condition weighs the same."""


def calibrate(
    model: str | Path,
    manifest: Manifest,
    *,
    split: str | None = "val",
    conditions: Sequence[str] = CONDITIONS,
    false_positive_rate: float = 0.05,
    miss_rate: float = 0.05,
    limits: OperatingLimits | None = None,
    pooling: Pooling | None = None,
    seed: int = 0,
    workers: int | None = None,
    visit: Callable[[], None] | None = None,
) -> Card:
    """Fit a model's calibration and thresholds and write them into its card.

    The classes weigh alike, and so do the sources within a class, and the conditions. Thresholds are
    weighted shares of the same pictures.

    Args:
        model: the ``.onnx`` file; its card is replaced, its network left as it is.
        manifest: labelled pictures that the model was not trained on.
        split: the rows to use; None takes all. ``unseen`` is refused: nothing is chosen on it.
        conditions: perturbations, see :mod:`spectrace.images.perturbations`.
        false_positive_rate: share of camera pictures above the upper threshold, 0..1.
        miss_rate: share of generated pictures below the lower threshold, 0..1.
        limits: operating limits to state; None keeps the card's.
        pooling: how patch logits become the picture's; None keeps the card's.
        seed: of the conditions' chance.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.

    Returns:
        The new card.

    Raises:
        UsageError: no condition, a bad rate, or split ``unseen``.
        ManifestError: no picture of a class could be scored.
    """
    if split == FORBIDDEN_SPLIT:
        raise UsageError("the split unseen is for the last measurement only: calibrate on another one")
    if not conditions:
        raise UsageError("no condition to calibrate under: give at least one, 'identity' for none")
    rows = manifest if split is None else manifest.select(split=split)
    rows.require_both_labels()
    loaded = Model(model)
    # Plain logits are wanted, and no stability checks of verdicts that mean nothing yet.
    blank = msgspec.structs.replace(
        loaded.card,
        calibration=Calibration(),
        thresholds=Thresholds(),
        stability=[],
        pooling=pooling or loaded.card.pooling,
    )
    detector = Detector(loaded, card=blank)
    logits: list[float] = []
    labels: list[bool] = []
    sources: list[str] = []
    for condition in conditions:
        seen = observe(
            detector,
            rows,
            perturbation=None if condition == "identity" else condition,
            seed=seed,
            workers=workers,
            visit=None if visit is None else lambda _: visit(),
        )
        scored = [observation for observation in seen if observation.score is not None]
        logits += [observation.score for observation in scored if observation.score is not None]
        labels += [observation.row.label == "generated" for observation in scored]
        sources += [f"{condition}\0{observation.row.source}" for observation in scored]
    if all(labels) or not any(labels):
        raise ManifestError("no picture of one of the classes could be scored: are all smaller than a tile?")
    weights = balanced_weights(labels, sources)
    calibration = fit_platt(logits, labels, weights)
    scores = [calibration.apply(logit) for logit in logits]
    thresholds = fit_thresholds(
        scores, labels, weights, false_positive_rate=false_positive_rate, miss_rate=miss_rate
    )
    card = msgspec.structs.replace(
        loaded.card,
        calibration=calibration,
        thresholds=thresholds,
        pooling=blank.pooling,
        limits=limits or loaded.card.limits,
        training=loaded.card.training
        | {
            "calibration": {
                "manifest": rows.digest(),
                "split": split,
                "pictures": len(rows),
                "conditions": list(conditions),
                "seed": seed,
                "date": datetime.now(UTC).date().isoformat(),
            }
        },
    )
    replace_card(Path(model), card)
    return card
