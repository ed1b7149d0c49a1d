"""The listing of a scan on disk: items in chunks that never change once they are listed.

A chunk is the unit of work: handed to one worker, written as one part of the results. It is frozen in the
moment it is listed, so that it means the same items after any interruption. What is listed again is
recognised; what is new makes new chunks at the end.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from spectrace.scan.items import Item

# Small at first, so that a small collection still keeps every worker busy; then few files of results.
SMALLEST, LARGEST = 32, 1000
_SHARE = 32
_PATIENCE = 5.0  # seconds: a slow network must not hold up the end

_TABLES = """
CREATE TABLE IF NOT EXISTS item (
    id INTEGER PRIMARY KEY, path BLOB NOT NULL, row INTEGER NOT NULL, UNIQUE (path, row)
);
CREATE TABLE IF NOT EXISTS chunk (id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS listed (complete INTEGER NOT NULL);
"""


class Chunk(NamedTuple):
    """Items that are scored and written together.

    Attributes:
        id: from 0, in the order of the listing.
        items: in the order of the listing.
    """

    id: int
    items: list[Item]


class Listing:
    """The listing of one scan, in one SQLite file. May be used in several threads, each with its own.

    Args:
        path: of the file; made when it is not there.

    Example:
        >>> import tempfile
        >>> listing = Listing(Path(tempfile.mkdtemp()) / "listing.sqlite")
        >>> listing.extend([Item("a.jpg"), Item("b.jpg"), Item("a.jpg")])
        2
        >>> listing.extend([Item("b.jpg"), Item("c.jpg")])
        1
        >>> [(chunk, listing.chunk(chunk).items[-1].path) for chunk, _ in listing.sizes()]
        [(0, 'b.jpg'), (1, 'c.jpg')]
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        # On disk before a part of the results can be: a part must never outlive its chunk.
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def complete(self) -> bool:
        """Whether the sources were once listed to their end."""
        return self._one("SELECT count(*) FROM listed") > 0

    @property
    def items(self) -> int:
        """Number of items so far."""
        return self._one("SELECT coalesce((SELECT last FROM chunk ORDER BY id DESC LIMIT 1), 0)")

    @property
    def chunks(self) -> int:
        """Number of chunks so far."""
        return self._one("SELECT coalesce(max(id) + 1, 0) FROM chunk")

    def sizes(self, start: int = 0) -> Iterator[tuple[int, int]]:
        """Number and size of each chunk, from one on."""
        query = "SELECT id, last - first + 1 FROM chunk WHERE id >= ? ORDER BY id"
        yield from self._database.execute(query, (start,))

    def chunk(self, number: int) -> Chunk:
        """One chunk with its items."""
        query = (
            "SELECT path, row FROM item JOIN chunk ON item.id BETWEEN first AND last "
            "WHERE chunk.id = ? ORDER BY item.id"
        )
        rows = self._database.execute(query, (number,))
        return Chunk(number, [Item(os.fsdecode(path), row) for path, row in rows])

    def extend(self, items: Iterable[Item]) -> int:
        """Add the items that are not listed yet, chunk by chunk as they come, and say how many these were.

        When the iterable ends, the listing is complete. An error in it leaves finished chunks.
        """
        begin = self.items + 1
        chunk, first = self.chunks, begin
        last = first - 1
        try:
            for item in items:
                if not self._database.in_transaction:
                    self._database.execute("BEGIN IMMEDIATE")
                last += self._add(item)
                if last - first + 1 >= min(max(last // _SHARE, SMALLEST), LARGEST):
                    self._finish(chunk, first, last)
                    chunk, first = chunk + 1, last + 1
            if last >= first:
                self._finish(chunk, first, last)
        finally:
            if self._database.in_transaction:
                self._database.rollback()
        if not self.complete:
            self._database.execute("INSERT INTO listed VALUES (1)")
        return last - begin + 1

    def _add(self, item: Item) -> int:
        insert = "INSERT OR IGNORE INTO item (path, row) VALUES (?, ?)"
        return self._database.execute(insert, (_bytes(item.path), item.row)).rowcount

    def _finish(self, chunk: int, first: int, last: int) -> None:
        self._database.execute("INSERT INTO chunk VALUES (?, ?, ?)", (chunk, first, last))
        self._database.execute("COMMIT")

    def _one(self, query: str) -> int:
        found: int = self._database.execute(query).fetchone()[0]
        return found


class Lister(threading.Thread):
    """Lists in the background, while what is listed already is scored.

    Args:
        path: of the :class:`Listing`.
        items: as :func:`spectrace.scan.listing.list_items` gives them.

    Attributes:
        added: items that were new; known when the thread has ended.
        error: what stopped it, or None.
    """

    def __init__(self, path: Path, items: Iterable[Item]) -> None:
        super().__init__(name="spectrace-lister", daemon=True)
        self._path = path
        self._items = items
        self._stop_asked = threading.Event()
        self.added = 0
        self.error: Exception | None = None

    def run(self) -> None:
        """List to the end, or until asked to stop."""
        try:
            with closing(Listing(self._path)) as listing:
                self.added = listing.extend(self._until_stopped())
        except _StopAsked:
            pass
        except Exception as error:  # it is raised where the results are awaited
            self.error = error

    def stop(self) -> None:
        """Ask it to end, and wait a little; what is in finished chunks stays listed."""
        self._stop_asked.set()
        self.join(_PATIENCE)

    def _until_stopped(self) -> Iterator[Item]:
        for item in self._items:
            if self._stop_asked.is_set():
                raise _StopAsked
            yield item


class _StopAsked(Exception):  # noqa: N818  (no error: the way out of a loop)
    """Leaves the listing incomplete."""


def _bytes(path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # surrogates that stand for no byte name no file
        return path.encode("utf-8", "backslashreplace")
