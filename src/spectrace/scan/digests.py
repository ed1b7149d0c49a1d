"""Which bytes have been scored already, on disk: duplicates are scored once, and each path has its row."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from spectrace.scan.scoring import DUPLICATE_OF, Row

_TABLE = "CREATE TABLE IF NOT EXISTS scored (sha256 BLOB PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID"


class Digests:
    """The first row of each file content that was scored, by its SHA-256.

    Args:
        path: of the SQLite file; made when it is not there.

    Example:
        >>> import tempfile
        >>> digests = Digests(Path(tempfile.mkdtemp()) / "digests.sqlite")
        >>> first = {"path": "a.jpg", "sha256": "00ff", "score": 1.5, "error": None}
        >>> [row["duplicate_of"] for row in digests.settle([first, first | {"path": "b.jpg", "score": None}])]
        [None, 'a.jpg']
        >>> digests.known("00ff"), digests.known("0000")
        (True, False)
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        # What a power cut takes away is scored again: nothing depends on it.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(_TABLE)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def known(self, sha256: str) -> bool:
        """Whether a file of that digest (64 hexadecimal digits) was scored."""
        return self._find(sha256) is not None

    def settle(self, rows: Iterable[Row]) -> list[Row]:
        """The same rows, each duplicate with the result of what was scored first, and marked with its path.

        A row whose content is new is kept for those that come after. Rows with an error pass unchanged.
        """
        self._database.execute("BEGIN IMMEDIATE")
        try:
            return [self._settled(row) for row in rows]
        finally:
            self._database.execute("COMMIT")

    def _settled(self, row: Row) -> Row:
        if row["error"] is not None:
            return row | {DUPLICATE_OF: None}
        first = self._find(row["sha256"])
        if first is None:
            entry = (bytes.fromhex(row["sha256"]), json.dumps(row))
            self._database.execute("INSERT INTO scored VALUES (?, ?)", entry)
            return row | {DUPLICATE_OF: None}
        # The same path comes again when a scan was cut off between scoring and writing.
        other = first["path"] if first["path"] != row["path"] else None
        return first | {"path": row["path"], DUPLICATE_OF: other}

    def _find(self, sha256: str) -> Row | None:
        query = "SELECT row FROM scored WHERE sha256 = ?"
        found = self._database.execute(query, (bytes.fromhex(sha256),)).fetchone()
        return None if found is None else json.loads(found[0])
