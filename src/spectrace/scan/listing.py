"""Which items the sources of a scan mean: streamed, so that no collection is too large to list."""

from __future__ import annotations

import csv
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
from spectrace.scan.items import Item, fsspec, is_address, open_file, parquet_file, refuse_password

_TABLES = (".csv", ".parquet")
_MARKS = "*?["
_ROWS_AT_ONCE = 4096

Problem = Callable[[str], None]


def list_items(
    sources: Iterable[str], on_problem: Problem, column: str | None = None, *, but: Path | None = None
) -> Iterator[Item]:
    """Items that the sources mean, as they are found; one that is meant twice comes twice.

    A source is a file, a folder, a pattern or ``@list`` as :func:`spectrace.images.sources.expand` takes
    them; a table (``.csv`` or ``.parquet``) with a column of paths or addresses, relative to the table's
    folder; a Parquet file with a column of pictures; or an address that fsspec knows, of any of these.

    Args:
        sources: what the caller named.
        on_problem: called with one line when a list cannot be read, a pattern matches nothing, a folder is
            empty or cannot be listed, or rows of a table are empty; the rest goes on.
        column: of paths or pictures. When it is given, folders mean the tables in them. Without it tables
            are read by their column ``path``.
        but: a folder whose tables are left out: that of the results, which may lie among the sources.

    Raises:
        ManifestError: a table cannot be read, or has no such column.
        UsageError: what an address needs is not installed, it holds a password, or it cannot be listed.
        MissingDependencyError: an optional package is missing.

    Example:
        >>> [item.path for item in list_items(["a.jpg", "missing/b.png", "a.jpg"], print)]
        ['a.jpg', 'missing/b.png', 'a.jpg']
    """
    endings = frozenset(_TABLES) if column else SUFFIXES
    for source in sources:
        if source.startswith("@") and len(source) > 1:
            yield from list_items(_lines(source[1:], on_problem), on_problem, column, but=but)
            continue
        for path in _files(source, endings, on_problem):
            if _ending(path) not in _TABLES:
                yield Item(path)
            elif but is None or is_address(path) or but.resolve() not in Path(path).resolve().parents:
                yield from _table(path, column, on_problem)


def _files(source: str, endings: frozenset[str], on_problem: Problem) -> Iterator[str]:
    if is_address(source):
        return _remote(source, endings, on_problem)
    return (os.fspath(path) for path in stream([source], on_problem, endings=endings))


def _remote(address: str, endings: frozenset[str], on_problem: Problem) -> Iterator[str]:
    refuse_password(address)
    module = fsspec()
    try:
        # Without its cache of listings a file system's memory does not grow with the collection.
        system, root = module.core.url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as error:  # "Install s3fs to access S3", "Protocol not known"
        raise UsageError(f"{address} cannot be opened: {one_line(error)}") from error
    marked = any(mark in root for mark in _MARKS)
    # What is named like a file is taken for one: a list of a million needs no request for each.
    if not marked and _ending(address) in (*SUFFIXES, *_TABLES):
        yield address
        return
    before, after = _around(system, root, address)
    empty = True
    try:
        for path in _found(system, root, endings, marked=marked):
            empty = False
            yield before + path + after
    except SpectraceError:
        raise
    except Exception as error:  # a file system's library raises its own errors
        raise UsageError(f"{address} cannot be listed: {one_line(error)}") from error
    if empty:
        on_problem(f"{address} holds nothing to scan: wanted files ending in {' '.join(sorted(endings))}")


def _found(system: Any, root: str, endings: frozenset[str], *, marked: bool) -> Iterator[str]:
    if marked and not system.exists(root):
        for path, facts in sorted(system.glob(root, detail=True).items()):
            if facts["type"] == "directory":
                yield from _walk(system, path, endings)
            else:
                yield path
    elif system.isdir(root):
        yield from _walk(system, root, endings)
    else:
        yield root


def _walk(system: Any, root: str, endings: frozenset[str]) -> Iterator[str]:
    for folder, folders, names in system.walk(root, on_error="raise"):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and _ending(name) in endings:
                yield posixpath.join(folder, name)


def _around(system: Any, root: str, address: str) -> tuple[str, str]:
    """What makes a file system's path an address again: all of the given one but its path.

    So the host stays (``ftp://host/folder``), and what it is chained to (``zip://folder::s3://...``).
    """
    head, chained, tail = address.partition("::")
    if not is_address(head):  # simplecache::s3://bucket: the path is that of the last one
        head, chained, tail = address, "", ""
    path = root.rstrip("/")
    given = head.rstrip("/") if path else head.removesuffix(root)
    if given.endswith(path):
        return given.removesuffix(path), chained + tail
    # file://relative, say: the system made another path of it.
    protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
    return f"{protocol}://", chained + tail


def _lines(name: str, on_problem: Problem) -> Iterator[str]:
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            for line in file:
                # Names of files are bytes, and may be no UTF-8. A byte-order mark is no part of the first.
                text = os.fsdecode(line).removeprefix("\ufeff").strip()
                if "\0" in text:
                    raise ValueError("it holds a zero byte")
                if text and not text.startswith("#"):
                    yield text
    except (OSError, ValueError) as error:
        on_problem(f"@{name} cannot be read as a list of paths ({error}): wanted one path a line")


def _table(path: str, column: str | None, on_problem: Problem) -> Iterator[Item]:
    wanted = column or "path"
    without = 0
    try:
        for item in _csv(path, wanted) if _ending(path) == ".csv" else _parquet(path, wanted):
            if item is None:
                without += 1
            else:
                yield item
    except SpectraceError:
        raise
    except Exception as error:  # a damaged file raises errors of many kinds; so does a file system
        raise ManifestError(f"{path} cannot be read ({one_line(error)}): give another table") from error
    if without:
        on_problem(f"{path}: left out, for nothing in the column {wanted}: {without:,} of its rows")


def _csv(path: str, column: str) -> Iterator[Item | None]:
    # As corpora.tables reads it, but line by line.
    with (
        open_file(path) as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="") as file,
    ):
        lines = csv.DictReader(file, strict=True)
        _check(path, column, lines.fieldnames or ())
        for line in lines:
            yield _beside(path, line[column])


def _parquet(path: str, column: str) -> Iterator[Item | None]:
    arrow, _ = load_pyarrow()
    types = arrow.types
    with open_file(path) as raw:
        file = parquet_file(raw, path)
        _check(path, column, file.schema_arrow.names)
        kind = file.schema_arrow.field(column).type
        if types.is_dictionary(kind):
            kind = kind.value_type
        if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=[column]):
                yield from (_beside(path, value) for value in batch.column(0).to_pylist())
        elif _holds_bytes(types, kind):
            yield from (Item(path, row) for row in range(file.metadata.num_rows))
        else:
            raise ManifestError(
                f"{path}: column {column} is {kind}, wanted text (paths) or binary (pictures): "
                "name another with --column"
            )


def _holds_bytes(types: Any, kind: Any) -> bool:
    if types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _check(path: str, column: str, columns: Iterable[str]) -> None:
    names = list(columns)
    if column not in names:
        raise ManifestError(
            f"{path} has no column {column} (it has {', '.join(names)[:200] or 'none'}): name the column of "
            "paths or pictures with --column"
        )


def _beside(table: str, path: str | None) -> Item | None:
    """An item of a table, whose path is relative to the table's folder; None where there is no path."""
    if not path:
        return None
    if is_address(path):
        refuse_password(path)
        return Item(path)
    if is_address(table):
        return Item(posixpath.join(posixpath.dirname(table), path))
    return Item(os.path.join(os.path.dirname(table), path))  # noqa: PTH118, PTH120  (paths stay as they were given)


def _ending(path: str) -> str:
    return os.path.splitext(path.partition("::")[0])[1].lower()  # noqa: PTH122  (an address is no Path)
