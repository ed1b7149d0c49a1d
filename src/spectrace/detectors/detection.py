"""The result of looking at one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.detectors.card import Card
from spectrace.detectors.patches import PatchGrid
from spectrace.detectors.shown import Shown
from spectrace.images.decode import Source
from spectrace.images.facts import Facts
from spectrace.provenance import Provenance

SCHEMA_VERSION = 1


class Verdict(StrEnum):
    """What a score means at the model's thresholds."""

    GENERATED = "generated"
    CAMERA = "camera"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where in the picture the score comes from.

    Attributes:
        corners: int64 [N, 2], top and left of each scored region, in pixels of the displayed picture.
        extent: height and width of each region: of the tiles, or of the picture where it was seen whole.
        patches: which pixels of its region each patch sees.
        logits: float32 [N, h, w], the network's logit of each patch.
        scores: float32 [N, h, w], the same through the card's calibration: log-likelihood ratios.
        facts: what the file says of its format.
        rescored: (perturbation, score) of the card's stability checks; none where the score decides nothing.
    """

    corners: NDArray[np.int64]
    extent: tuple[int, int]
    patches: PatchGrid
    logits: NDArray[np.float32]
    scores: NDArray[np.float32]
    facts: Facts
    rescored: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection(Shown):
    """One picture's row: the verdict, the score behind it and why.

    Attributes:
        path: as given by the caller; None for pictures without one.
        score: natural-log likelihood ratio, positive means generated; None when nothing could be scored.
        probability: probability of *generated* if both classes were equally likely beforehand, 0..1.
        verdict: None only when the picture could not be read.
        reasons: why a verdict is ``inconclusive``, each ``code: sentence``.
        model: ``id@version`` of the detector.
        tiles: number of regions the score was taken from; 1 where the picture was seen whole.
        branches: of a fusion, what each branch adds to the score, in its units; empty for other detectors.
        family: which generators' traces the picture's resemble; None where that is not known, or the verdict
            is ``camera``. A hint, not a finding.
        family_probability: that of ``family`` among the families the model knows, 0..1.
        provenance: what the file says about itself. Never part of the score.
        error: one line when the picture could not be read, else None.
        evidence: for heatmaps and reports; not part of the row.
        source: what the picture can be read from once more, to be shown; None where it was not kept. Not part
            of the row.
        card: of the model; not part of the row.

    Example:
        >>> row = Detection(path="a.jpg", model="demo@1", error="a.jpg is empty")
        >>> row.verdict is None, row.to_dict()["error"]
        (True, 'a.jpg is empty')
    """

    path: str | None
    model: str
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    score: float | None = None
    verdict: Verdict | None = None
    reasons: list[str] = field(default_factory=list)
    tiles: int = 0
    branches: dict[str, float] = field(default_factory=dict)
    family: str | None = None
    family_probability: float | None = None
    provenance: Provenance | None = None
    error: str | None = None
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    source: Source | None = field(default=None, repr=False, compare=False)
    card: Card | None = field(default=None, repr=False, compare=False)

    @property
    def probability(self) -> float | None:
        """Probability of *generated* at even prior odds, 0..1."""
        return None if self.score is None else 0.5 * (1.0 + math.tanh(0.5 * self.score))

    def to_dict(self) -> dict[str, Any]:
        """The row as plain Python values, the keys of a JSON line in their order."""
        return {
            "schema_version": SCHEMA_VERSION,
            "path": self.path,
            "sha256": self.sha256,
            "width": self.width,
            "height": self.height,
            "format": self.format,
            "score": None if self.score is None else round(self.score, 4),
            "probability": None if self.probability is None else round(self.probability, 4),
            "verdict": None if self.verdict is None else self.verdict.value,
            "reasons": list(self.reasons),
            "model": self.model,
            "tiles": self.tiles,
            "branches": {name: round(share, 4) for name, share in self.branches.items()},
            "family": self.family,
            "family_probability": None
            if self.family_probability is None
            else round(self.family_probability, 4),
            "provenance": None if self.provenance is None else msgspec.to_builtins(self.provenance),
            "error": self.error,
        }
