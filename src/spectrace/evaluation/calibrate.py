"""Give a trained model's scores a meaning: calibration and thresholds from pictures it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.splits import FORBIDDEN_SPLIT
from spectrace.detectors.calibration import METHODS
from spectrace.detectors.card import METADATA_KEY, Calibration, Card, OperatingLimits, Pooling, Thresholds
from spectrace.detectors.detector import Detector
from spectrace.detectors.metadata import replace_metadata
from spectrace.detectors.runtime import Model
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation.crossfit import Scored
from spectrace.evaluation.evaluate import observe
from spectrace.evaluation.thresholds import stated_thresholds

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
    method: str = "platt",
    conditions: Sequence[str] = CONDITIONS,
    false_positive_rate: float = 0.05,
    miss_rate: float = 0.05,
    limits: OperatingLimits | None = None,
    pooling: Pooling | None = None,
    output: Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    visit: Callable[[], None] | None = None,
) -> Card:
    """Fit a model's calibration and thresholds and write them into its card.

    The classes weigh alike, and so do the sources within a class, and the conditions. Thresholds are
    weighted shares of the same pictures; what they are on other sources is estimated beside
    (:func:`.stated_thresholds`).

    Args:
        model: the ``.onnx`` file; its card is replaced, its network left as it is.
        manifest: labelled pictures that the model was not trained on.
        split: the rows to use; None takes all. ``unseen`` is refused: nothing is chosen on it.
        method: one of :data:`spectrace.detectors.calibration.METHODS`.
        conditions: perturbations, see :mod:`spectrace.images.perturbations`.
        false_positive_rate: share of camera pictures above the upper threshold, 0..1.
        miss_rate: share of generated pictures below the lower threshold, 0..1.
        limits: operating limits to state; None keeps the card's.
        pooling: how patch logits become the picture's; None keeps the card's.
        output: write a calibrated copy here and leave the model's file as it is.
        seed: of the conditions' chance, of the resamples and folds.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.

    Returns:
        The new card.

    Raises:
        UsageError: an unknown method, no condition, a bad rate, or split ``unseen``.
        ManifestError: no picture of a class could be scored.
    """
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}: wanted one of {', '.join(METHODS)}")
    if split == FORBIDDEN_SPLIT:
        raise UsageError("the split unseen is for the last measurement only: calibrate on another one")
    rows = manifest if split is None else manifest.select(split=split)
    loaded = Model(model)
    chosen = pooling or loaded.card.pooling
    scored = raw_logits(loaded, rows, conditions, pooling=chosen, seed=seed, workers=workers, visit=visit)
    calibration = scored.fit(method)
    card = msgspec.structs.replace(
        loaded.card,
        calibration=calibration,
        thresholds=stated_thresholds(
            scored, calibration, false_positive_rate=false_positive_rate, miss_rate=miss_rate, seed=seed
        ),
        pooling=chosen,
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
    replace_metadata(Path(model), METADATA_KEY, card.to_json(), output=output)
    return card


def raw_logits(
    model: Model,
    rows: Manifest,
    conditions: Sequence[str],
    *,
    pooling: Pooling | None = None,
    seed: int = 0,
    workers: int | None = None,
    visit: Callable[[], None] | None = None,
) -> Scored:
    """Pooled logits of pictures under some conditions; arguments as for :func:`calibrate`.

    Pictures that cannot be read, or are too small, are left out.

    Raises:
        UsageError: no condition.
        ManifestError: no picture of a class could be scored.
    """
    if not conditions:
        raise UsageError("no condition to calibrate under: give at least one, 'identity' for none")
    rows.require_both_labels()
    # Plain logits are wanted, and no stability checks of verdicts that mean nothing yet.
    blank = msgspec.structs.replace(
        model.card,
        calibration=Calibration(),
        thresholds=Thresholds(),
        stability=[],
        pooling=pooling or model.card.pooling,
    )
    detector = Detector(model, card=blank)
    found: list[tuple[float, bool, str, int, int]] = []
    for number, condition in enumerate(conditions):
        seen = observe(
            detector,
            rows,
            perturbation=None if condition == "identity" else condition,
            seed=seed,
            workers=workers,
            visit=None if visit is None else lambda _: visit(),
        )
        found += [
            (one.score, one.row.is_generated, one.row.source, number, picture)
            for picture, one in enumerate(seen)
            if one.score is not None
        ]
    if len({generated for _, generated, *_ in found}) < 2:
        raise ManifestError("no picture of one of the classes could be scored: are all smaller than a tile?")
    logits, labels, sources, numbers, pictures = zip(*found, strict=True)
    return Scored(
        np.array(logits, np.float64),
        np.array(labels, np.bool_),
        np.array(sources, np.str_),
        np.array(numbers, np.int64),
        np.array(pictures, np.int64),
    )
