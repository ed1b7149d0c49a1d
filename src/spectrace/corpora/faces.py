"""Aligned crops of faces: five landmarks brought to the same places in every picture."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.corpora.alignment import resample, similarity
from spectrace.corpora.manifest import Manifest
from spectrace.corpora.masks import COLUMN, mask_of
from spectrace.corpora.rows import Row
from spectrace.errors import ManifestError, SpectraceError, UsageError
from spectrace.images.decode import decode

LANDMARKS = ("left eye", "right eye", "nose tip", "left mouth corner", "right mouth corner")
MARGIN = 0.3
SIZE = 256

# Places in a face box of side 1, x and y; left and right as seen in the picture.
_PLACES = np.array([[0.30, 0.38], [0.70, 0.38], [0.50, 0.60], [0.34, 0.80], [0.66, 0.80]])

Points = NDArray[np.float64]
Problem = Callable[[str], None]


def canonical(size: int, margin: float = MARGIN) -> Points:
    """Where the five landmarks come to lie in a crop.

    Args:
        size: side of the crop in pixels.
        margin: room around the face box on every side, as a share of the box's side.

    Returns:
        float64 [5, 2], x and y; integer coordinates are the centres of pixels.

    Raises:
        UsageError: a size below 8 or a negative margin.

    Example:
        >>> canonical(101, 0.0)[:2].tolist()
        [[30.0, 38.0], [70.0, 38.0]]
    """
    if size < 8 or not 0.0 <= margin < 10.0:
        raise UsageError(
            f"crops of {size} pixels with a margin of {margin:g}: wanted 8 pixels or more and 0 to 10"
        )
    return (_PLACES + margin) / (1.0 + 2.0 * margin) * (size - 1)


def read_landmarks(path: str | os.PathLike[str]) -> dict[str, Points]:
    """Read landmarks: a JSON object from the name of an original frame to its five points.

    ``{"071/0001": [[x, y], [x, y], [x, y], [x, y], [x, y]], ...}``: left eye, right eye, nose tip, left and
    right mouth corner, left and right as seen in the picture, in pixels of the frame.

    Raises:
        ManifestError: the file is missing or holds something else.
    """
    try:
        found = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, list[tuple[float, float]]])
    except (OSError, msgspec.DecodeError) as error:
        raise ManifestError(
            f'{path} holds no landmarks ({error}): wanted JSON such as {{"071/0001": [[x, y], ...]}}'
        ) from error
    bad = [name for name, points in found.items() if len(points) != len(LANDMARKS)]
    if bad:
        raise ManifestError(
            f"{path}: {bad[0]} has {len(found[bad[0]])} points: wanted {', '.join(LANDMARKS)}"
        )
    return {name: np.array(points, np.float64) for name, points in found.items()}


def crop_faces(
    manifest: Manifest,
    landmarks: Mapping[str, Points],
    out: str | os.PathLike[str],
    size: int = SIZE,
    *,
    margin: float = MARGIN,
    on_problem: Problem = lambda _: None,
    visit: Callable[[Row], None] = lambda _: None,
) -> Manifest:
    """Write aligned crops of every picture that has landmarks, with its mask, and their manifest.

    Landmarks are those of the row's ``content``, the original frame, for the original and for every
    manipulation of it alike: the crop tells nothing about the class. Rows without that column go by their
    path without suffix.

    Args:
        manifest: pictures, as from :func:`spectrace.corpora.faceforensics.read_faceforensics`.
        landmarks: as from :func:`read_landmarks`.
        out: folder for the crops (PNG), the masks and ``manifest.csv``.
        size: side of the crops in pixels.
        margin: see :func:`canonical`.
        on_problem: called with one line for what is missing or unreadable; the rest goes on.
        visit: called with each row once it was dealt with, for progress.

    Returns:
        The manifest of the crops, which was written too.

    Raises:
        ManifestError: no picture has landmarks, or two crops would get one name.
        UsageError: a bad size or margin.
    """
    folder = Path(out)
    target = canonical(size, margin)
    named: dict[str, Row] = {}
    without: list[str] = []
    rows = []
    for row in manifest:
        key = row.extra.get("content") or str(PurePosixPath(row.path).with_suffix(""))
        name = _name(row)
        if named.setdefault(name, row) is not row:
            raise ManifestError(
                f"{named[name].path} and {row.path} would both be {name}.png: crop them apart"
            )
        if key not in landmarks:
            without.append(key)
        else:
            try:
                matrix = similarity(landmarks[key], target)
                rows.append(_crop(manifest, row, matrix, folder, size))
            except SpectraceError as error:
                on_problem(f"{error}; left out")
        visit(row)
    if without:
        on_problem(f"{len(without)} of {len(manifest)} pictures have no landmarks, the first is {without[0]}")
    if not rows:
        raise ManifestError(
            "no face was cropped: wanted landmarks for names of the column content (071/0001)"
        )
    cropped = Manifest(rows, folder)
    cropped.write(folder / "manifest.csv")
    return cropped


def _name(row: Row) -> str:
    """Path of a crop without suffix; a manifest is input, so no name in it may lead out of the folder."""
    place = PurePosixPath(row.path)
    return "/".join(_plain(part) for part in (row.source, row.generator, place.parent.name, place.stem))


def _crop(manifest: Manifest, row: Row, matrix: Points, folder: Path, size: int) -> Row:
    pixels = decode(manifest.locate(row)).pixels
    name, extra = _name(row), dict(row.extra)
    if extra.get(COLUMN):
        mask = mask_of(manifest, row, *pixels.shape[:2]).astype(np.uint8) * 255
        extra[COLUMN] = f"masks/{name}.png"
        _save(resample(mask, matrix, size, nearest=True), folder / extra[COLUMN])
    path = f"pictures/{name}.png"
    _save(resample(pixels, matrix, size), folder / path)
    return msgspec.structs.replace(row, path=path, sha256="", extra=extra)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip(".") or "_"


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG", compress_level=3)
