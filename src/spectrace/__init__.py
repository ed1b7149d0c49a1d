"""Spectrace tells camera pictures from generated ones by the traces generators leave.

The public face is small: :func:`detect` for one picture, :class:`Detector` for many,
:class:`Detection` and :class:`Verdict` for what they answer, and the errors.

Example:
    >>> import numpy as np
    >>> import spectrace
    >>> spectrace.detect(np.zeros((1, 1, 3), np.uint8)).verdict.value  # too small to tell
    'inconclusive'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spectrace.errors import (
    ImageError,
    ImageProblem,
    ManifestError,
    MissingDependencyError,
    ModelError,
    RecipeError,
    SpectraceError,
    UsageError,
)

if TYPE_CHECKING:
    from spectrace.detectors.detection import Detection, Verdict
    from spectrace.detectors.detector import Detector
    from spectrace.images.decode import Source

__version__ = "0.1.0"

__all__ = [
    "Detection",
    "Detector",
    "ImageError",
    "ImageProblem",
    "ManifestError",
    "MissingDependencyError",
    "ModelError",
    "RecipeError",
    "SpectraceError",
    "UsageError",
    "Verdict",
    "__version__",
    "detect",
]

_LAZY = {
    "Detection": "spectrace.detectors.detection",
    "Detector": "spectrace.detectors.detector",
    "Verdict": "spectrace.detectors.detection",
}


def detect(source: Source) -> Detection:
    """Say of one picture whether a camera or a generator made it, with the shipped detector.

    For more than one picture load a :class:`Detector` once and use it again.

    Args:
        source: path, bytes, file object, PIL image, or array (uint8 [H, W, 3] RGB among others).

    Returns:
        The verdict, the score behind it (a natural-log likelihood ratio, positive means generated), and why.

    Raises:
        ImageError: the picture cannot be read.
    """
    from spectrace.detectors.detector import Detector  # noqa: PLC0415  (heavy: only when it is used)

    return Detector.load().detect(source)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'spectrace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
