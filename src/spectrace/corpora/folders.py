"""Labelled rows from folders of pictures."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from spectrace.corpora.rows import Label, Row
from spectrace.corpora.splits import DEFAULT_SHARES, split_of
from spectrace.errors import ManifestError
from spectrace.images.sources import expand

Folder = str | os.PathLike[str]


def as_folders(folders: Folder | Iterable[Folder]) -> list[Path]:
    """One folder or several, as a list of paths.

    Example:
        >>> [folder.name for folder in as_folders("photos")]
        ['photos']
    """
    if isinstance(folders, (str, os.PathLike)):
        return [Path(folders)]
    return [Path(folder) for folder in folders]


def find_pictures(folder: Path) -> list[Path]:
    """Every picture below a folder, as :func:`spectrace.images.sources.expand` finds them.

    Raises:
        ManifestError: the folder is not there, or holds no picture.
    """
    if not folder.is_dir():
        raise ManifestError(f"{folder} is not a folder: give a folder that holds pictures")

    def refuse(problem: str) -> None:
        raise ManifestError(problem)

    # Made absolute so that a folder whose name begins with "@" is not taken for a list.
    return list(expand([folder.absolute()], refuse))


def rows_from_folders(
    folders: Folder | Iterable[Folder],
    label: Label,
    *,
    root: Path,
    shares: Mapping[str, float] = DEFAULT_SHARES,
    keep_stems_together: bool = False,
    visit: Callable[[Path], None] | None = None,
) -> list[Row]:
    """Label every picture under some folders.

    A picture is named after the first folder below the given one, or after the given one when it lies
    in it directly; the name becomes its ``source``, and its ``generator`` when it is generated.

    Args:
        folders: one folder or several.
        label: of all of them.
        root: folder that paths are made relative to; pictures outside of it keep absolute paths.
        shares: share of each split (:func:`spectrace.corpora.splits.split_of`). The key is the
            content's hash, so identical files never lie in two splits.
        keep_stems_together: make the file name without its suffix the key instead, so that a photograph
            and the pictures that were made from it share a split.
        visit: called with each picture once it was read, for progress.

    Returns:
        Rows with ``sha256`` filled in, sorted by folder and path.

    Raises:
        ManifestError: a folder is not there, or holds no pictures.
    """
    paths = as_folders(folders)
    if not paths:
        raise ManifestError(f"no folder of {label} pictures was given: give at least one")
    rows = []
    for folder, folder_name in zip(paths, _distinct_names(paths), strict=True):
        for picture in find_pictures(folder):
            inner = picture.relative_to(folder.absolute()).parts
            name = inner[0] if len(inner) > 1 else folder_name
            digest = file_sha256(picture)
            rows.append(
                Row(
                    path=_written_path(picture, root),
                    label=label,
                    split=split_of(picture.stem if keep_stems_together else digest, shares),
                    generator=name if label == "generated" else "",
                    source=name,
                    sha256=digest,
                )
            )
            if visit is not None:
                visit(picture)
    return rows


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex.

    Raises:
        ManifestError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror or error}") from error


def _distinct_names(folders: Sequence[Path]) -> list[str]:
    resolved = [folder.resolve() for folder in folders]
    count = Counter(folder.name for folder in resolved)
    return [
        folder.name if count[folder.name] == 1 else f"{folder.parent.name}/{folder.name}"
        for folder in resolved
    ]


def _written_path(picture: Path, root: Path) -> str:
    # The folder is resolved but the file is not: a link to a picture is listed under its own name.
    place = picture.parent.resolve() / picture.name
    try:
        return place.relative_to(root.resolve()).as_posix()
    except ValueError:
        return place.as_posix()
