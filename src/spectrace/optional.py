"""Packages that only some features need, and that take long to import."""

from __future__ import annotations

from typing import Any

from spectrace.errors import MissingDependencyError


def load_pyarrow() -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        MissingDependencyError: they are not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError("Arrow tables and Parquet files", "pyarrow", "parquet") from error
    return pyarrow, pyarrow.parquet


def load_pandas() -> Any:
    """The module ``pandas``.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import pandas  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError("Data frames", "pandas") from error
    return pandas
