"""The one tree of errors.

Every message is one line and says what was found, what was wanted and what to do.
"""

from __future__ import annotations

from enum import StrEnum


class SpectraceError(Exception):
    """Root of every error that Spectrace raises on purpose."""


class ImageProblem(StrEnum):
    """Why a picture could not be read."""

    MISSING = "missing"
    EMPTY = "empty"
    NOT_AN_IMAGE = "not-an-image"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_MANY_BYTES = "too-many-bytes"
    TOO_MANY_FRAMES = "too-many-frames"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"


class ImageError(SpectraceError):
    """A picture could not be read.

    Args:
        problem: the reason, one of :class:`ImageProblem`.
        message: one line for people.

    Example:
        >>> error = ImageError(ImageProblem.EMPTY, "photo.jpg is empty (0 bytes): nothing to decode")
        >>> error.problem.value, str(error)
        ('empty', 'photo.jpg is empty (0 bytes): nothing to decode')
    """

    def __init__(self, problem: ImageProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


class ModelError(SpectraceError):
    """A model file is missing, is not a Spectrace model, or does not fit the input."""


class ManifestError(SpectraceError):
    """A manifest is missing columns, holds impossible values or points nowhere."""


class RecipeError(SpectraceError):
    """A training or experiment recipe asks for something that cannot be done."""


class UsageError(SpectraceError):
    """A value given by the caller makes no sense; nothing was started."""


class MissingDependencyError(SpectraceError):
    """A feature needs an optional package: one of an extra of this one, or to be installed by its own name.

    Example:
        >>> str(MissingDependencyError("Parquet files", "pyarrow", "parquet"))
        "Parquet files need pyarrow, which is not installed: pip install 'spectrace[parquet]'"
        >>> str(MissingDependencyError("Data frames", "pandas"))
        'Data frames need pandas, which is not installed: pip install pandas'
    """

    def __init__(self, feature: str, package: str, extra: str | None = None) -> None:
        wanted = package if extra is None else f"'spectrace[{extra}]'"
        super().__init__(f"{feature} need {package}, which is not installed: pip install {wanted}")
