"""The folder of a scan: its settings, its lock, and the results as parts.

A part holds the rows of one chunk. It is written under another name, flushed to disk and renamed, as all that
is written here: a part that is there is whole, and its being there is what says that the chunk is done.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from spectrace import __version__
from spectrace.detectors.schema import flat, schema
from spectrace.errors import SpectraceError, UsageError
from spectrace.images.reading import one_line
from spectrace.optional import load_pyarrow
from spectrace.scan.chunks import Listing
from spectrace.scan.scoring import DUPLICATE_OF, Row

_VERSION = 1
_PART = "part-"
_SETTINGS, _ROWS, _LISTING, _DIGESTS, _LOCK, _PAGE = (
    "scan.json",
    "rows",
    "listing.sqlite",
    "digests.sqlite",
    "lock.sqlite",
    "summary.html",
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What one scan is of: a folder goes on with nothing else.

    Attributes:
        sources: as given.
        folder: that relative sources start from; None where there are none.
        column: of tables.
        once: whether the same bytes are scored once.
        model: ``id@version``.
        model_sha256: of the model file.
        tiles: at most a picture; None for the card's number.
        dense: whether all of every picture is scored.
        max_pixels: of a picture.
        started: the moment, in ISO 8601.
        spectrace: version that began it.
        format: of the folder.
    """

    sources: list[str]
    folder: str | None
    column: str | None
    once: bool
    model: str
    model_sha256: str
    tiles: int | None
    dense: bool
    max_pixels: int
    started: str = msgspec.field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    spectrace: str = __version__
    format: int = _VERSION


_FREE = ("started", "spectrace")


class ScanFolder:
    """The folder, locked against a second scan.

    Args:
        path: made when it is not there.
        settings: of this scan.

    Raises:
        UsageError: the folder holds another scan, or something else, or is in use.

    Attributes:
        settings: those that the folder was begun with.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        if path.is_dir() and not (path / _SETTINGS).exists() and any(_foreign(path)):
            raise UsageError(f"{path} holds other files: name a new folder with --out, or an earlier scan's")
        self.rows.mkdir(parents=True, exist_ok=True)
        self._lock = self._locked()
        try:
            begun = (path / _SETTINGS).exists() and self._holds_something()
            self.settings = self._same(settings) if begun else self._write(settings)
        except BaseException:
            self.close()
            raise
        for unfinished in self.rows.glob(f".{_PART}*"):
            unfinished.unlink()

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.close()

    @property
    def rows(self) -> Path:
        """Folder of the results: one Parquet data set."""
        return self.path / _ROWS

    @property
    def listing(self) -> Path:
        """File of the listing."""
        return self.path / _LISTING

    @property
    def digests(self) -> Path:
        """File of the digests of what was scored."""
        return self.path / _DIGESTS

    def parts(self) -> list[int]:
        """Numbers of the chunks whose parts are there, in order."""
        with os.scandir(self.rows) as entries:
            names = (entry.name.removesuffix(".parquet") for entry in entries)
            return sorted(int(name.removeprefix(_PART)) for name in names if name.startswith(_PART))

    def write_part(self, chunk: int, rows: Iterable[Row]) -> None:
        """Write the results of a chunk; from then on it is done."""
        arrow, parquet = load_pyarrow()
        table = arrow.Table.from_pylist([flat(row) for row in rows], schema=schema(DUPLICATE_OF))
        _write_whole(self._part(chunk), lambda file: parquet.write_table(table, file, compression="zstd"))

    def read_part(self, chunk: int, columns: list[str]) -> Iterator[Row]:
        """Rows of a part, some of the columns.

        Raises:
            SpectraceError: it is damaged.
        """
        arrow, parquet = load_pyarrow()
        path = self._part(chunk)
        try:
            table = parquet.read_table(path, columns=columns, partitioning=None)
        except (arrow.ArrowException, OSError) as error:
            raise SpectraceError(
                f"{path} is damaged ({one_line(error)}): delete it, and the same command makes it again"
            ) from error
        yield from table.to_pylist()

    def write_page(self, page: str) -> None:
        """Write the summary."""
        _write_whole(self.path / _PAGE, lambda file: file.write(page.encode()))

    def _part(self, chunk: int) -> Path:
        return self.rows / f"{_PART}{chunk:08d}.parquet"

    def _holds_something(self) -> bool:
        """Whether any item was listed; if none was, a first command that was wrong may be put right."""
        with closing(Listing(self.listing)) as listing:
            return listing.items > 0 or bool(self.parts())

    def _write(self, settings: Settings) -> Settings:
        text = msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n"
        _write_whole(self.path / _SETTINGS, lambda file: file.write(text))
        return settings

    def _same(self, wanted: Settings) -> Settings:
        """The settings in the folder, if they are those of this scan."""
        path = self.path / _SETTINGS
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Settings)
        except msgspec.DecodeError as error:
            raise UsageError(f"{path} is not the settings of a scan ({error}): name another --out") from error
        for name in Settings.__struct_fields__:
            old, new = getattr(found, name), getattr(wanted, name)
            if old != new and name not in _FREE:
                raise UsageError(
                    f"{self.path} holds a scan whose {name} is {_shown(old)}, here it is {_shown(new)}: "
                    f"results are not mixed; name another --out, or delete {self.path} to start anew"
                )
        return found

    def _locked(self) -> sqlite3.Connection:
        # The system takes a lock away from a process that is killed, on every platform.
        lock = sqlite3.connect(self.path / _LOCK, timeout=0.5, isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise UsageError(f"{self.path} is in use by another scan ({error}): wait for it") from error
        return lock


def _write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    unfinished = path.with_name(f".{path.name}")
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise SpectraceError(
            f"{path} cannot be written ({error.strerror or error}): see to it, then the same command goes on"
        ) from error


def _foreign(path: Path) -> Iterator[Path]:
    """What is in a folder that no scan left there before it had settings."""
    ours = {f".{_SETTINGS}", _ROWS, _LOCK, f"{_LOCK}-journal"}
    yield from (entry for entry in path.iterdir() if entry.name not in ours)
    rows = path / _ROWS
    if rows.exists():
        yield from rows.iterdir()


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()
