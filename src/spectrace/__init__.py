"""Spectrace tells camera pictures from generated ones by the traces generators leave.

The public face is small: :func:`detect` for one picture, :func:`detect_all` for many, :class:`Detector` for
other models and settings, :class:`Detection`, :class:`Detections` and :class:`Verdict` for what they answer,
and the errors.

Example:
    >>> import numpy as np
    >>> import spectrace
    >>> spectrace.detect(np.zeros((1, 1, 3), np.uint8)).verdict.value  # too small to tell
    'inconclusive'
"""

from __future__ import annotations

import os
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
    from collections.abc import Iterable

    from spectrace.detectors.detection import Detection, Verdict
    from spectrace.detectors.detections import Detections
    from spectrace.detectors.detector import Detector
    from spectrace.images.decode import Source

__version__ = "0.1.0"

# Since 1.29 onnxruntime reports to its maker, and leaves an identifier in the home folder, unless this
# is set before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "Detection",
    "Detections",
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
    "detect_all",
]

_LAZY = {
    "Detection": "spectrace.detectors.detection",
    "Detections": "spectrace.detectors.detections",
    "Detector": "spectrace.detectors.detector",
    "Verdict": "spectrace.detectors.detection",
}


def detect(source: Source) -> Detection:
    """Say of one picture whether a camera or a generator made it, with the shipped detector.

    For more than one picture take :func:`detect_all`, or load a :class:`Detector` once and use it again.

    Args:
        source: path, bytes, file object, PIL image, or array (uint8 [H, W, 3] RGB among others).

    Returns:
        The verdict, the score behind it (a natural-log likelihood ratio, positive means generated), and why.

    Raises:
        ImageError: the picture cannot be read.
    """
    from spectrace.detectors.detector import Detector  # noqa: PLC0415  (heavy: only when it is used)

    return Detector.load().detect(source)


def detect_all(
    sources: str | os.PathLike[str] | Iterable[Source], *, workers: int | None = None
) -> Detections:
    """Say it of many pictures, with the shipped detector, and give a table of them.

    Args:
        sources: a folder, a pattern or ``@list.txt``, or any number of these and of pictures as for
            :func:`detect`.
        workers: threads; None takes one a processor.

    Returns:
        The detections in their order, which are a table too: for pandas, for Arrow, and to look at in a
        notebook. A picture that cannot be read is a row with ``error``.

    Example:
        >>> import spectrace
        >>> spectrace.detect_all(["not-there.jpg"]).rows()[0]["error"]
        'not-there.jpg is not there: check the path'
    """
    from spectrace.detectors.detector import Detector  # noqa: PLC0415

    return Detector.load().detect_all(sources, workers=workers)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'spectrace' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
