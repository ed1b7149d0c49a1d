"""Detections made by hand over photographs from wheels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from spectrace.detectors.card import Card, OperatingLimits, Thresholds
from spectrace.detectors.detection import Detection, Evidence, Verdict
from spectrace.detectors.patches import PatchGrid
from spectrace.images.decode import Picture, decode
from spectrace.provenance import read

TILE = 128


@pytest.fixture(scope="session")
def card() -> Card:
    return Card(
        id="demo",
        version="3",
        title="A demonstration",
        description="Knows nothing.",
        tile_size=TILE,
        thresholds=Thresholds(generated=2.5, camera=-1.5, false_positive_rate=0.01, miss_rate=0.05),
        limits=OperatingLimits(min_side=TILE, min_jpeg_quality=60),
        stability=["jpeg(quality=90)"],
        results={"unseen": {"auroc": {"value": 0.91234, "low": 0.9, "high": 0.93}}},
    )


def picture_of(pixels: np.ndarray, kind: str = "PNG", **options) -> Picture:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return decode(out.getvalue())


def detection_of(
    picture: Picture, score: float | None = 1.0, verdict: str = "inconclusive", **fields
) -> Detection:
    height, width = picture.pixels.shape[:2]
    corners = np.array(
        [(y, x) for y in range(0, height - TILE + 1, TILE) for x in range(0, width - TILE + 1, TILE)],
        np.int64,
    ).reshape(-1, 2)
    scores = np.full((len(corners), 1, 1), 0.0 if score is None else score, np.float32)
    evidence = Evidence(
        corners=corners,
        extent=(TILE, TILE),
        patches=PatchGrid(size=TILE, stride=TILE),
        logits=scores,
        scores=scores,
        facts=picture.facts,
    )
    settings = {
        "path": "/photos/summer/one.png",
        "model": "demo@3",
        "sha256": picture.facts.sha256,
        "width": width,
        "height": height,
        "format": picture.facts.format,
        "score": score,
        "verdict": Verdict(verdict),
        "tiles": len(corners),
        "provenance": None if picture.raw is None else read(picture.raw),
        "evidence": evidence if len(corners) else None,
    }
    return Detection(**(settings | fields))


@pytest.fixture(scope="session")
def make():
    """(picture_of, detection_of)"""
    return picture_of, detection_of
