"""Every number behind a study's figures, as plain values for JSON."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import msgspec
import numpy as np

from spectrace.detectors.card import Card
from spectrace.evaluation.bootstrap import CONFIDENCE, Bounds
from spectrace.evaluation.environment import Environment
from spectrace.explain.findings import MeanHeatmap, PatchGroup, Study
from spectrace.explain.mean_heatmap import GRID
from spectrace.explain.predictive import RANDOM_PER_PATCH

SCHEMA_VERSION = 1
_DIGITS = 5


def card_digest(card: Card) -> str:
    """SHA-256 (hex) of a card's JSON text.

    Example:
        >>> len(card_digest(Card(id="demo", version="1", title="", tile_size=8)))
        64
    """
    return hashlib.sha256(card.to_json().encode()).hexdigest()


def numbers(study: Study, card: Card) -> dict[str, Any]:
    """What ``explain.json`` holds.

    Args:
        study: what was found.
        card: of the model.

    Returns:
        Plain values; what is not known is None.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "model": card.name,
        "card_sha256": card_digest(card),
        "patch": msgspec.to_builtins(card.patches),
        "settings": msgspec.to_builtins(study.settings),
        "random_patches_per_patch": RANDOM_PER_PATCH,
        "confidence": CONFIDENCE,
        "pictures": dict(study.counts),
        "regions_from": study.regions,
        "mean_heatmaps": [_mean(one) for one in study.means],
        "predictive_patches": [_group(one) for one in study.groups],
        "left_out": [
            {"path": one.path, "why": one.message, "unreadable": one.unreadable} for one in study.problems
        ],
        "environment": msgspec.to_builtins(Environment.here()),
    }


def _mean(one: MeanHeatmap) -> dict[str, Any]:
    return {
        "label": one.label,
        "end": one.end,
        "count": len(one.maps),
        "grid": [GRID, GRID],
        "mean_score": _number(float(np.nanmean(one.scores))),
        "scores": [[_number(value) for value in row] for row in one.scores.tolist()],
        "pictures": [{"path": picture.path, "score": _number(picture.score)} for picture in one.maps],
    }


def _group(one: PatchGroup) -> dict[str, Any]:
    return {
        "name": one.direction.name,
        "of": one.direction.label,
        "speaking_for": "generated" if one.direction.sign > 0 else "camera",
        "count": len(one.patches),
        "pictures": len({patch.picture for patch in one.patches}),
        "histogram": {
            "patches": one.counted,
            "pictures": one.counted_pictures,
            "regions": [
                {
                    "region": bar.region,
                    "area": _number(bar.area),
                    "share": _number(bar.share),
                    "random_share": _number(bar.random_share),
                    "ratio": _bounds(bar.ratio),
                    "random_ratio": _bounds(bar.random_ratio),
                    "against_random": _bounds(bar.against_random),
                }
                for bar in one.bars
            ],
        },
        "patches": [
            {
                "path": patch.path,
                "rectangle": list(patch.rectangle),
                "logit": _number(patch.logit),
                "score": _number(patch.score),
            }
            for patch in one.patches
        ],
    }


def _bounds(bounds: Bounds) -> dict[str, float | None]:
    return {name: _number(value) for name, value in zip(bounds._fields, bounds, strict=True)}


def _number(value: float) -> float | None:
    return round(value, _DIGITS) if math.isfinite(value) else None
