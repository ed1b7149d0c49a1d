"""The manifest: which pictures there are, and what is known of each."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from spectrace.corpora.folders import Folder, rows_from_folders
from spectrace.corpora.rows import COLUMNS, LABELS, REQUIRED_COLUMNS, Row, fields_from_row, row_from_fields
from spectrace.corpora.splits import DEFAULT_SHARES
from spectrace.corpora.tables import read_table, write_table
from spectrace.errors import ManifestError

__all__ = ["Manifest", "Row"]

Choice = str | Collection[str] | None


class Manifest:
    """Labelled pictures, and the folder their relative paths start from.

    Args:
        rows: the pictures; no two may have the same path.
        root: folder that relative paths are relative to.
        columns: order of the columns when written; columns that it does not name come after.

    Raises:
        ManifestError: two rows with the same path.

    Example:
        >>> rows = [Row(path="a.jpg", label="real", split="train"), Row(path="b.png", label="generated")]
        >>> manifest = Manifest(rows, root="pictures")
        >>> len(manifest), len(manifest.select(label="real"))
        (2, 1)
        >>> manifest.locate(manifest.rows[0]).as_posix()
        'pictures/a.jpg'
    """

    def __init__(
        self, rows: Iterable[Row], root: str | os.PathLike[str] = ".", columns: Iterable[str] = COLUMNS
    ) -> None:
        self.rows: list[Row] = list(rows)
        self.root = Path(root)
        self.columns: tuple[str, ...] = tuple(columns)
        counts = Counter(posixpath.normpath(row.path) for row in self.rows)
        twice = [path for path, count in counts.items() if count > 1]
        if twice:
            raise ManifestError(
                f"{len(twice)} path(s) occur more than once, the first is {twice[0]}: keep one row a picture"
            )

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Manifest:
        """Read a manifest; the suffix (``.csv`` or ``.parquet``) names the format.

        Only the columns ``path`` and ``label`` must be there. Relative paths are relative to the
        manifest's folder. Columns that Spectrace does not know are kept.

        Raises:
            ManifestError: missing or empty file, missing columns, impossible values, duplicate paths.
            MissingDependencyError: Parquet without pyarrow.
        """
        file = Path(path)
        columns, lines = read_table(file)
        missing = [name for name in REQUIRED_COLUMNS if name not in columns]
        if missing:
            raise ManifestError(
                f"{file} has no column {' and no column '.join(missing)} "
                f"(it has {', '.join(columns)[:200]}): add what is missing"
            )
        repeated = [name for name, count in Counter(columns).items() if count > 1]
        if repeated:
            raise ManifestError(f"{file} has the column {repeated[0]} twice: keep one")
        if not lines:
            raise ManifestError(f"{file} lists no pictures: wanted at least one row below the header")
        rows = []
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(row_from_fields(line))
            except ManifestError as error:
                raise ManifestError(f"{file}, row {number}: {error}") from error
        try:
            return cls(rows, file.parent, columns)
        except ManifestError as error:
            raise ManifestError(f"{file}: {error}") from error

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the manifest; the suffix (``.csv`` or ``.parquet``) names the format.

        Relative paths are written so that they are right in the new place: unchanged in the manifest's
        own folder, otherwise relative to the new folder when the picture lies below it, else absolute.

        Raises:
            ManifestError: the file cannot be written.
            MissingDependencyError: Parquet without pyarrow.
        """
        file = Path(path)
        lines = [fields_from_row(row) for row in self._moved(file.parent)]
        named = dict.fromkeys(self.columns)
        filled = dict.fromkeys(name for line in lines for name, value in line.items() if value)
        write_table(file, list(named | filled), lines)

    @classmethod
    def from_folders(
        cls,
        *,
        real: Folder | Iterable[Folder],
        generated: Folder | Iterable[Folder],
        root: str | os.PathLike[str] = ".",
        shares: Mapping[str, float] = DEFAULT_SHARES,
        keep_stems_together: bool = False,
        visit: Callable[[Path], None] | None = None,
    ) -> Manifest:
        """Build a manifest from folders, one or several a class.

        The first folder below a given one names the pictures' source (and generator); pictures that lie
        in a given folder directly are named after it. Files that are not pictures by their suffix, and
        hidden ones, are left out. Every file is read once for its SHA-256.

        Args:
            real: folders of camera pictures.
            generated: folders of generated pictures.
            root: folder that the paths are made relative to; pictures outside keep absolute paths.
            shares: share of each split, by hash of the content
                (:func:`spectrace.corpora.splits.split_of`).
            keep_stems_together: split by file name without suffix instead, so that a photograph and
                what was made from it stay on one side.
            visit: called with each picture once it was read, for progress.

        Raises:
            ManifestError: a folder that is missing or holds no pictures, or lies inside another one.
        """
        rows: list[Row] = []
        for label, folders in zip(LABELS, (real, generated), strict=True):
            rows += rows_from_folders(
                folders,
                label,
                root=Path(root),
                shares=shares,
                keep_stems_together=keep_stems_together,
                visit=visit,
            )
        return cls(rows, root)

    def select(
        self,
        *,
        split: Choice = None,
        label: Choice = None,
        generator: Choice = None,
        source: Choice = None,
        family: Choice = None,
        pair: Choice = None,
    ) -> Manifest:
        """The rows that match every condition given; each is a value or several.

        Example:
            >>> rows = [Row(path=f"{n}.png", label="generated", generator=n) for n in ("gan", "vae", "ldm")]
            >>> [row.path for row in Manifest(rows).select(generator={"gan", "ldm"})]
            ['gan.png', 'ldm.png']
        """
        conditions = {
            name: {choice} if isinstance(choice, str) else set(choice)
            for name, choice in (
                ("split", split),
                ("label", label),
                ("generator", generator),
                ("source", source),
                ("family", family),
                ("pair", pair),
            )
            if choice is not None
        }
        chosen = [row for row in self.rows if all(getattr(row, name) in c for name, c in conditions.items())]
        return Manifest(chosen, self.root, self.columns)

    def require_both_labels(self) -> Manifest:
        """Return the manifest itself if it holds real and generated pictures.

        Raises:
            ManifestError: a class has no pictures.
        """
        counts = self.count("label")
        empty = [label for label in LABELS if not counts[label,]]
        if empty:
            found = ", ".join(f"{counts[label,]} {label}" for label in LABELS)
            raise ManifestError(f"no {' and no '.join(empty)} pictures ({found}): both classes are needed")
        return self

    def count(self, *columns: str) -> Counter[tuple[str, ...]]:
        """How many pictures each combination of some columns' values has.

        Example:
            >>> Manifest([Row(path="a.jpg", label="real", split="val")]).count("split", "label")
            Counter({('val', 'real'): 1})
        """
        return Counter(tuple(str(getattr(row, name)) for name in columns) for row in self.rows)

    def locate(self, row: Row) -> Path:
        """Where a row's picture lies on this machine."""
        return self.root / row.path

    def digest(self) -> str:
        """SHA-256 (hex) of all rows, whatever their order.

        It covers every column that Spectrace knows (path, label, split, generator, source, family, pair,
        sha256), not the extra ones and not the root: the same corpus has the same digest on any machine.

        Example:
            >>> a, b = Row(path="a.jpg", label="real"), Row(path="b.jpg", label="real")
            >>> Manifest([a, b]).digest() == Manifest([b, a]).digest()
            True
        """
        lines = sorted(
            json.dumps([getattr(row, name) for name in COLUMNS]).encode("ascii") for row in self.rows
        )
        total = hashlib.sha256()
        for line in lines:
            total.update(hashlib.sha256(line).digest())
        return total.hexdigest()

    def _moved(self, folder: Path) -> list[Row]:
        old, new = self.root.resolve(), folder.resolve()
        if old == new:
            return self.rows

        def moved(path: str) -> str:
            place = old / path
            return (place.relative_to(new) if place.is_relative_to(new) else place).as_posix()

        return [msgspec.structs.replace(row, path=moved(row.path)) for row in self.rows]
