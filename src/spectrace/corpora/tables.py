"""Text tables on disk: CSV through the standard library, Parquet through pyarrow when it is there.

Both readers give the columns in the file's order and every value as text, so that a manifest does not
depend on the format it was kept in.
"""

from __future__ import annotations

import csv
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spectrace.errors import ManifestError
from spectrace.optional import load_pyarrow

Table = tuple[tuple[str, ...], list[dict[str, str]]]

# File names that are not valid UTF-8 reach Python as lone surrogates: they must survive a round trip.
_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


def read_table(path: Path) -> Table:
    """Read a ``.csv`` or ``.parquet`` file.

    Args:
        path: the file; the suffix names the format.

    Returns:
        The column names in the file's order, and one ``dict`` a line.

    Raises:
        ManifestError: missing, unreadable or malformed file.
        MissingDependencyError: Parquet without pyarrow.
    """
    reader, _ = format_of(path)
    if not path.is_file():
        raise ManifestError(f"{path} is not there: give the path of a manifest (.csv or .parquet)")
    try:
        return reader(path)
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror or error}") from error


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Mapping[str, str]]) -> None:
    """Write a ``.csv`` or ``.parquet`` file; the old file stays whole until the new one is complete.

    Args:
        path: the file; the suffix names the format. Its folder is made when it is not there.
        columns: column names in the order wanted.
        lines: text by column name; an absent column is written empty.

    Raises:
        ManifestError: the file cannot be written.
        MissingDependencyError: Parquet without pyarrow.
    """
    _, writer = format_of(path)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            writer(unfinished, columns, [{name: line.get(name, "") for name in columns} for line in lines])
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise ManifestError(f"{path} cannot be written: {error.strerror or error}") from error


def _read_csv(path: Path) -> Table:
    with path.open(**_TEXT) as file:
        # A byte-order mark is what spreadsheets put first; it is no part of the first column's name.
        start = file.read(1)
        if start != "\ufeff":
            file.seek(0)
        reader = csv.reader(file, strict=True)
        try:
            header = tuple(next(reader, ()))
            if not header:
                raise ManifestError(f"{path} is empty: wanted a header line with the columns' names")
            lines = []
            for values in reader:
                if len(values) != len(header):
                    if not values:
                        continue
                    raise ManifestError(
                        f"{path}, line {reader.line_num}: {len(values)} values for {len(header)} columns: "
                        "quote values that hold commas"
                    )
                lines.append(dict(zip(header, values, strict=True)))
        except csv.Error as error:
            raise ManifestError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from error
    return header, lines


def _write_csv(path: Path, columns: Sequence[str], lines: list[dict[str, str]]) -> None:
    with path.open("w", **_TEXT) as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


def _read_parquet(path: Path) -> Table:
    pyarrow, parquet = load_pyarrow()
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ManifestError(f"{path} is not a Parquet file ({reason}): give a manifest") from error
    return tuple(table.column_names), [
        {name: "" if value is None else str(value) for name, value in line.items()}
        for line in table.to_pylist()
    ]


def _write_parquet(path: Path, columns: Sequence[str], lines: list[dict[str, str]]) -> None:
    pyarrow, parquet = load_pyarrow()
    schema = pyarrow.schema([(name, pyarrow.string()) for name in columns])
    try:
        table = pyarrow.Table.from_pylist(lines, schema=schema)
    except UnicodeEncodeError as error:
        raise ManifestError(
            f"{os.fsencode(error.object)!r} is not UTF-8, which Parquet wants: rename the file or write .csv"
        ) from error
    parquet.write_table(table, path, compression="zstd")


_Reader = Callable[[Path], Table]
_Writer = Callable[[Path, Sequence[str], list[dict[str, str]]], None]
_FORMATS: dict[str, tuple[_Reader, _Writer]] = {
    ".csv": (_read_csv, _write_csv),
    ".parquet": (_read_parquet, _write_parquet),
}


def format_of(path: Path) -> tuple[_Reader, _Writer]:
    """Reader and writer for a file, by its suffix.

    Raises:
        ManifestError: neither ``.csv`` nor ``.parquet``.

    Example:
        >>> format_of(Path("manifest.csv")) == format_of(Path("OTHER.CSV"))
        True
    """
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise ManifestError(
            f"{path}: unknown kind of table {path.suffix!r}, wanted {' or '.join(_FORMATS)}"
        ) from None
