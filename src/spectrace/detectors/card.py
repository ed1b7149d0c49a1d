"""The card: what a detector is, how its logits become scores, and where it may be trusted.

A card travels as JSON in the metadata of the detector's ONNX file, so a model is one file.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from spectrace.detectors.patches import PatchGrid
from spectrace.errors import ModelError

METADATA_KEY = "spectrace.card"
SCHEMA = 1

Pooling = Literal["logit-mean", "softmax-mean", "vote"]
"""How patch logits become a picture's: see :func:`spectrace.detectors.pooling.pool`."""

_Share = Annotated[float, Meta(ge=0.0, le=1.0)]
_Positive = Annotated[int, Meta(ge=1)]

NO_FAMILY = "none"
"""The family of pictures that carry no family's traces."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Turns a picture's pooled logit into a natural-log likelihood ratio.

    ``platt`` and ``temperature`` (no intercept): ``slope * logit + intercept``. ``isotonic``: straight lines
    between ``knots``, constant beyond the first and the last. How they are fitted:
    :mod:`spectrace.detectors.calibration`.

    Attributes:
        slope: of the line.
        intercept: of the line.
        method: how it was fitted; ``none`` leaves logits as they are.
        knots: (logit, score) of ``isotonic``, logits rise and scores never fall; None for the others.

    Example:
        >>> Calibration(slope=2.0, intercept=-1.0).apply(0.75)
        0.5
        >>> steps = Calibration(method="isotonic", knots=[(0.0, -1.0), (2.0, 3.0)])
        >>> [float(steps.apply(logit)) for logit in (-9.0, 0.5, 9.0)]
        [-1.0, 0.0, 3.0]
    """

    slope: float = 1.0
    intercept: float = 0.0
    method: Literal["none", "platt", "temperature", "isotonic"] = "none"
    knots: list[tuple[float, float]] | None = None

    def __post_init__(self) -> None:
        if (self.method == "isotonic") != bool(self.knots):
            raise ModelError(
                f"a calibration of method {self.method}: knots go with isotonic and with it alone"
            )
        for (logit, score), (next_logit, next_score) in pairwise(self.knots or []):
            if not (logit < next_logit and score <= next_score):
                raise ModelError("a calibration's knots: wanted logits that rise and scores that never fall")

    def apply(self, logit: Any) -> Any:
        """Score of a pooled logit (float or array of any shape)."""
        if self.knots:
            return np.interp(logit, *np.transpose(self.knots))
        return self.slope * logit + self.intercept


class Bounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a score becomes a verdict.

    ``generated`` at or above the upper threshold, which ``false_positive_rate`` of camera pictures reach;
    ``camera`` at or below the lower one, which ``miss_rate`` of generated pictures stay under: rates of
    the calibration pictures themselves.

    Attributes:
        generated: upper threshold, on the score.
        camera: lower threshold, on the score.
        false_positive_rate: of the calibration pictures, 0..1.
        miss_rate: of the calibration pictures, 0..1.
        generated_bounds: upper threshold with its interval, sources resampled.
        camera_bounds: lower threshold with its interval, sources resampled.
        new_false_positive_rate: the false-positive rate on sources that had no part in the fit.
        new_miss_rate: the miss rate on sources that had no part in the fit.
    """

    generated: float = 0.0
    camera: float = 0.0
    false_positive_rate: _Share | None = None
    miss_rate: _Share | None = None
    generated_bounds: Bounds | None = None
    camera_bounds: Bounds | None = None
    new_false_positive_rate: Bounds | None = None
    new_miss_rate: Bounds | None = None


class OperatingLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outside of these a verdict is ``inconclusive``: shortest side in pixels, lowest JPEG quality."""

    min_side: _Positive = 1
    min_jpeg_quality: Annotated[int, Meta(ge=1, le=100)] = 1


class Branch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the detectors that a fusion is made of; it adds ``weight * (logit - mean)`` to a tile's logit.

    Attributes:
        name: by which it is switched off.
        title: for people.
        kind: of the detector that it was.
        weight: of its logit.
        mean: logit of a branch that knows nothing.
    """

    name: str
    title: str
    kind: str
    weight: Annotated[float, Meta(ge=0.0)]
    mean: float


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a user of a detector must know, and all that the runtime needs.

    Attributes:
        id: short name; with ``version`` it identifies the model in every result.
        classes: class names; a binary detector has ``["camera", "generated"]`` and one logit.
        tile_size: side of the square tiles the network takes, in pixels.
        stride: distance of neighbouring patches in pixels; equals ``tile_size`` for whole-tile detectors.
        receptive_field: side of a patch, the pixels its logit depends on; equals ``tile_size`` for whole-tile
            detectors.
        patch_start: first pixel of a tile's first patch; negative where the network pads its input.
        any_size: whether the network is fully convolutional and takes pictures of any size.
        pooling: how patch logits become the picture's logit.
        tiles: how many tiles of a picture are scored by default.
        stability: size-preserving perturbations under which a verdict must hold still.
        branches: of a fusion, in the order of its output ``branches``; none for other detectors.
        families: of traces, in the order of the output ``families``: which one a picture's traces resemble;
            ``none`` is among them where pictures without traces are told apart. Empty without that output.
        families_threshold: probability below which no family is named.
        training: recipe, manifest digest, seeds: enough to train it again.
        results: measured figures, as written by ``spectrace evaluate``.

    Example:
        >>> card = Card(id="demo", version="1", title="A demonstration", tile_size=128)
        >>> Card.from_json(card.to_json()) == card
        True
    """

    id: str
    version: str
    title: str
    tile_size: _Positive
    schema: int = SCHEMA
    kind: str = "frequency"
    description: str = ""
    licence: str = "Apache-2.0"
    classes: list[str] = msgspec.field(default_factory=lambda: ["camera", "generated"])
    stride: int = 0
    receptive_field: int = 0
    patch_start: int = 0
    any_size: bool = False
    pooling: Pooling = "logit-mean"
    tiles: _Positive = 64
    calibration: Calibration = Calibration()
    thresholds: Thresholds = Thresholds()
    limits: OperatingLimits = OperatingLimits()
    stability: list[str] = msgspec.field(default_factory=list)
    branches: list[Branch] = msgspec.field(default_factory=list)
    families: list[str] = msgspec.field(default_factory=list)
    families_threshold: _Share = 0.5
    training: dict[str, Any] = msgspec.field(default_factory=dict)
    results: dict[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", self.id):
            raise ModelError(f"card id {self.id!r}: wanted lower-case letters, digits, '.', '_' and '-'")
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise ModelError(f"card of {self.id}: classes {self.classes}: wanted two or more distinct names")
        names = [branch.name for branch in self.branches]
        if len(set(names)) < len(names):
            raise ModelError(f"card of {self.id}: branches {names}: wanted distinct names")
        families = len(self.families)
        if families == 1 or len(set(self.families)) < families:
            raise ModelError(
                f"card of {self.id}: families {self.families}: wanted two or more distinct names"
            )
        if self.thresholds.camera > self.thresholds.generated:
            raise ModelError(
                f"card of {self.id}: the camera threshold {self.thresholds.camera:g} lies above the "
                f"generated threshold {self.thresholds.generated:g}"
            )
        # A frozen Struct fills in what depends on other fields through force_setattr.
        if self.stride < 1:
            msgspec.structs.force_setattr(self, "stride", self.tile_size)
        if self.receptive_field < 1:
            msgspec.structs.force_setattr(self, "receptive_field", self.tile_size)

    @property
    def name(self) -> str:
        """``id@version``, the model's name in every result."""
        return f"{self.id}@{self.version}"

    @property
    def patches(self) -> PatchGrid:
        """Which pixels of its input each logit sees."""
        return PatchGrid(size=self.receptive_field, stride=self.stride, start=self.patch_start)

    @property
    def binary(self) -> bool:
        """Whether the detector tells camera from generated (and not one generator from another)."""
        return self.classes == ["camera", "generated"]

    def to_json(self) -> str:
        """The card as JSON text, keys in a fixed order."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Card:
        """Read a card.

        Raises:
            ModelError: the text is no card, or one of a later schema.
        """
        try:
            card = msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ModelError(f"not a Spectrace card: {error}") from error
        if card.schema != SCHEMA:
            raise ModelError(
                f"card of {card.id} has schema {card.schema}, this Spectrace reads schema {SCHEMA}: "
                "install a matching version"
            )
        return card
