"""What is scanned: files, addresses, and pictures that lie inside Parquet files."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from spectrace.errors import ImageError, ImageProblem, ManifestError, MissingDependencyError, UsageError
from spectrace.images.reading import limited_bytes, one_line, read_file_object, read_path, source_name
from spectrace.optional import load_pyarrow
from spectrace.threads import in_order

WHOLE = -1
_READERS = 4
_ROWS_AT_ONCE = 16
_BUFFER = 2**20  # by default pyarrow reads a column of a whole row group at once
# ftp://user:password@host; but host:port/a@b is none, and in github://owner:name@branch nothing is secret.
_PASSWORD = re.compile(r"(?<!github)://[^/@:]*:(?!\d*/)[^@]*@")


class Item(NamedTuple):
    """One picture of a collection.

    Attributes:
        path: of a file, or an address (``s3://...``); of the Parquet file that the picture lies in.
        row: number of its row in the Parquet file, from 0; ``WHOLE`` for a file of its own.

    Example:
        >>> Item("a.jpg").name, Item("shard.parquet", 7).name
        ('a.jpg', 'shard.parquet#7')
    """

    path: str
    row: int = WHOLE

    @property
    def name(self) -> str:
        """What its result calls it."""
        return self.path if self.row == WHOLE else f"{self.path}#{self.row}"


def is_address(path: str) -> bool:
    """Whether a path names something that fsspec reads.

    Example:
        >>> is_address("s3://bucket/a.jpg"), is_address("folder/a.jpg")
        (True, False)
    """
    return "://" in path


def refuse_password(path: str) -> None:
    """Refuse an address with a password in it: addresses are written into results and pages.

    Raises:
        UsageError: there is one.

    Example:
        >>> refuse_password("ftp://host:21/a@b.jpg")
        >>> refuse_password("ftp://me:secret@host/a.jpg")
        Traceback (most recent call last):
        ...
        spectrace.errors.UsageError: ftp://***@host/a.jpg came with a password, which results would show: ...
    """
    if _PASSWORD.search(path):
        raise UsageError(
            f"{_PASSWORD.sub('://***@', path)} came with a password, which results would show: set it for "
            "fsspec instead (as FSSPEC_FTP_PASSWORD, say)"
        )


def fsspec() -> Any:
    """The module.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import fsspec  # noqa: PLC0415  (optional)
    except ImportError as error:
        raise MissingDependencyError("Addresses such as s3://", "fsspec", "cluster") from error
    return fsspec


def open_file(path: str) -> AbstractContextManager[BinaryIO]:
    """Opens a file or an address for reading, in a ``with`` statement.

    Raises:
        UsageError: what such an address needs is not installed.
        OSError: it cannot be opened; what stands behind an address may raise other errors too.
    """
    if not is_address(path):
        return Path(path).open("rb")
    opener = fsspec()
    try:
        file: AbstractContextManager[BinaryIO] = opener.open(path, "rb")
    except ImportError as error:  # "Install s3fs to access S3"
        raise UsageError(f"{path} cannot be opened: {one_line(error)}") from error
    return file


def parquet_file(file: BinaryIO, path: str) -> Any:
    """A file opened as Parquet.

    Raises:
        ManifestError: it is none.
        MissingDependencyError: pyarrow is not installed.
    """
    pyarrow, parquet = load_pyarrow()
    try:
        return parquet.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER)
    except (pyarrow.ArrowException, OSError) as error:
        raise ManifestError(f"{path} is not a Parquet file ({one_line(error)}): give another") from error


def read(
    items: Iterable[Item], limit: int, column: str | None = None
) -> Generator[tuple[Item, bytes | ImageError]]:
    """Bytes of each item, in order, read a few ahead.

    Args:
        items: taken one by one.
        limit: the most bytes of one picture.
        column: of the pictures inside Parquet files.

    Yields:
        Each item with its bytes, or with why it could not be read.

    Raises:
        UsageError: what an address needs is not installed.
    """
    for shard, group in groupby(items, lambda item: None if item.row == WHOLE else item.path):
        if shard is None:
            with closing(in_order(partial(_read_whole, limit=limit), group, _READERS)) as found:
                yield from found
        else:
            yield from _read_rows(shard, list(group), limit, column or "")


def _read_whole(item: Item, limit: int) -> tuple[Item, bytes | ImageError]:
    try:
        if not is_address(item.path):
            return item, read_path(item.path, limit)
        with open_file(item.path) as file:
            return item, read_file_object(file, limit)
    except ImageError as error:
        return item, _of(item, error.problem, str(error))
    except (FileNotFoundError, IsADirectoryError):
        return item, _of(item, ImageProblem.MISSING, "is not there: check the address")
    except (UsageError, MissingDependencyError):
        raise
    except Exception as error:  # a file system's library raises its own errors
        return item, _of(item, ImageProblem.UNREADABLE, f"cannot be read ({one_line(error)}): check it")


def _read_rows(
    shard: str, items: Sequence[Item], limit: int, column: str
) -> Generator[tuple[Item, bytes | ImageError]]:
    """Pictures of one Parquet file, in the order of their rows."""
    done = 0
    try:
        with open_file(shard) as file:
            for item, value in zip(
                items, _cells(parquet_file(file, shard), [one.row for one in items], column), strict=True
            ):
                yield item, _cell_bytes(item, value, limit)
                done += 1
    except (UsageError, MissingDependencyError):
        raise
    except Exception as error:  # a damaged file raises errors of many kinds; so does a file system
        for item in items[done:]:
            yield item, _of(item, ImageProblem.UNREADABLE, f"cannot be read ({one_line(error)}): check it")


def _cells(file: Any, rows: Sequence[int], column: str) -> Generator[Any]:
    """Cells of one column, at ascending row numbers, with a few rows in memory at a time."""
    wanted = iter(rows)
    row = next(wanted, None)
    start = 0
    for group in range(file.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        if row is not None and row < end:
            at = start
            for batch in file.iter_batches(_ROWS_AT_ONCE, row_groups=[group], columns=[column]):
                while row is not None and row < at + batch.num_rows:
                    yield batch.column(0)[row - at].as_py()
                    row = next(wanted, None)
                at += batch.num_rows
                if row is None or row >= end:
                    break
        start = end
    if row is not None:
        raise LookupError(f"it has {start:,} rows now, not {row + 1:,}")


def _cell_bytes(item: Item, value: Any, limit: int) -> bytes | ImageError:
    # Hugging Face keeps a picture as {"bytes": ..., "path": ...}.
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        return _of(item, ImageProblem.EMPTY, "has no bytes in that row: nothing to decode")
    try:
        return limited_bytes(data, limit)
    except ImageError as error:
        return _of(item, error.problem, str(error))


def _of(item: Item, problem: ImageProblem, message: str) -> ImageError:
    return ImageError(problem, f"{source_name(item.name)} {message}")
