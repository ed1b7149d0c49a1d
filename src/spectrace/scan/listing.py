"""Which items the sources of a scan mean: streamed, so that no collection is too large to list."""

from __future__ import annotations

import csv
import glob
import io
import os
import posixpath
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from spectrace.errors import ManifestError, SpectraceError, UsageError
from spectrace.images.reading import one_line
from spectrace.images.sources import SUFFIXES, stream
from spectrace.optional import load_pyarrow
from spectrace.scan.items import Item, fsspec, is_address, open_file, parquet_file

_TABLES = (".csv", ".parquet")
_MARKS = "*?["
_ROWS_AT_ONCE = 4096

Problem = Callable[[str], None]


def list_items(sources: Iterable[str], on_problem: Problem, column: str | None = None) -> Iterator[Item]:
    """Items that the sources mean, as they are found; one that is meant twice comes twice.

    A source is a file, a folder, a pattern or ``@list`` as :func:`spectrace.images.sources.expand` takes
    them; a table (``.csv`` or ``.parquet``) with a column of paths or addresses, relative to the table's
    folder; a Parquet file with a column of pictures; or an address that fsspec knows, of any of these.

    Args:
        sources: what the caller named.
        on_problem: called with one line when a list cannot be read, a pattern matches nothing or a folder
            is empty; the other sources go on.
        column: of paths or pictures. When it is given, folders and patterns mean the tables in them. Without
            it tables are read by their column ``path``.

    Raises:
        ManifestError: a table cannot be read, or has no such column.
        UsageError: no file system is installed for an address, or it cannot be listed.
        MissingDependencyError: an optional package is missing.

    Example:
        >>> [item.path for item in list_items(["a.jpg", "missing/b.png", "a.jpg"], print)]
        ['a.jpg', 'missing/b.png', 'a.jpg']
    """
    endings = frozenset(_TABLES) if column else SUFFIXES
    for source in sources:
        if source.startswith("@") and len(source) > 1:
            yield from list_items(_lines(source[1:], on_problem), on_problem, column)
            continue
        for path in _files(source, endings, on_problem):
            if _ending(path) in _TABLES:
                yield from _table(path, column)
            else:
                yield Item(path)


def _files(source: str, endings: frozenset[str], on_problem: Problem) -> Iterator[str]:
    if is_address(source):
        return _remote(source, endings, on_problem)
    if endings is not SUFFIXES and (Path(source).is_dir() or any(mark in source for mark in _MARKS)):
        return _tables_below(source, on_problem)
    return (os.fspath(path) for path in stream([source], on_problem))


def _tables_below(source: str, on_problem: Problem) -> Iterator[str]:
    pattern = os.path.join(glob.escape(source), "**") if Path(source).is_dir() else source  # noqa: PTH118
    found = sorted(path for path in glob.iglob(pattern, recursive=True) if _ending(path) in _TABLES)
    if not found:
        on_problem(f"{source} holds no table: wanted files ending in {' '.join(_TABLES)}")
    yield from found


def _remote(address: str, endings: frozenset[str], on_problem: Problem) -> Iterator[str]:
    module = fsspec()
    try:
        # Without its cache of listings a file system's memory does not grow with the collection.
        system, root = module.core.url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as error:  # "Install s3fs to access S3", "Protocol not known"
        raise UsageError(f"{address} cannot be opened: {one_line(error)}") from error
    try:
        if any(mark in root for mark in _MARKS):
            found: Iterable[str] = sorted(system.glob(root))
        elif system.isdir(root):
            found = _walk(system, root, endings)
        else:
            yield _address(system, root, address)
            return
        empty = True
        for path in found:
            empty = False
            yield _address(system, path, address)
    except SpectraceError:
        raise
    except Exception as error:  # a file system's library raises its own errors
        raise UsageError(f"{address} cannot be listed: {one_line(error)}") from error
    if empty:
        on_problem(f"{address} holds nothing to scan: wanted files ending in {' '.join(sorted(endings))}")


def _walk(system: Any, root: str, endings: frozenset[str]) -> Iterator[str]:
    for folder, folders, names in system.walk(root, on_error="raise"):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and _ending(name) in endings:
                yield posixpath.join(folder, name)


def _address(system: Any, path: str, address: str) -> str:
    # A chained address (zip://...::s3://...) keeps its tail.
    head: str = system.unstrip_protocol(path)
    _, chained, tail = address.partition("::")
    return head + chained + tail


def _lines(name: str, on_problem: Problem) -> Iterator[str]:
    try:
        with nullcontext(sys.stdin) if name == "-" else Path(name).open(encoding="utf-8") as file:
            for line in file:
                text = line.strip()
                if text and not text.startswith("#"):
                    yield text
    except (OSError, UnicodeDecodeError) as error:
        on_problem(f"@{name} cannot be read as a list of paths ({error}): wanted one path a line")


def _table(path: str, column: str | None) -> Iterator[Item]:
    wanted = column or "path"
    try:
        if _ending(path) == ".csv":
            yield from _csv(path, wanted)
        else:
            yield from _parquet(path, wanted)
    except SpectraceError:
        raise
    except Exception as error:  # a damaged file raises errors of many kinds; so does a file system
        raise ManifestError(f"{path} cannot be read ({one_line(error)}): give another table") from error


def _csv(path: str, column: str) -> Iterator[Item]:
    # As corpora.tables reads it, but line by line.
    with (
        open_file(path) as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="") as file,
    ):
        lines = csv.DictReader(file, strict=True)
        _check(path, column, lines.fieldnames or ())
        for line in lines:
            if line[column]:
                yield Item(_beside(path, line[column]))


def _parquet(path: str, column: str) -> Iterator[Item]:
    arrow, _ = load_pyarrow()
    types = arrow.types
    with open_file(path) as raw:
        file = parquet_file(raw, path)
        _check(path, column, file.schema_arrow.names)
        kind = file.schema_arrow.field(column).type
        if types.is_string(kind) or types.is_large_string(kind):
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=[column]):
                yield from (Item(_beside(path, value)) for value in batch.column(0).to_pylist() if value)
        elif types.is_binary(kind) or types.is_large_binary(kind) or types.is_struct(kind):
            yield from (Item(path, row) for row in range(file.metadata.num_rows))
        else:
            raise ManifestError(
                f"{path}: column {column} is {kind}, wanted text (paths) or binary (pictures): "
                "name another with --column"
            )


def _check(path: str, column: str, columns: Iterable[str]) -> None:
    names = list(columns)
    if column not in names:
        raise ManifestError(
            f"{path} has no column {column} (it has {', '.join(names)[:200] or 'none'}): name the column of "
            "paths or pictures with --column"
        )


def _beside(table: str, path: str) -> str:
    """A path of a table, which is relative to the table's folder."""
    if is_address(path):
        return path
    return (
        posixpath.join(posixpath.dirname(table), path)
        if is_address(table)
        else (
            os.path.join(os.path.dirname(table), path)  # noqa: PTH118, PTH120  (paths stay as they were given)
        )
    )


def _ending(path: str) -> str:
    return os.path.splitext(path.partition("::")[0])[1].lower()  # noqa: PTH122  (an address is no Path)
