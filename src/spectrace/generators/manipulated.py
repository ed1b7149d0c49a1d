"""A corpus of partly manipulated photographs with their masks, all saved alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from spectrace.corpora.folders import find_pictures
from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.splits import split_of
from spectrace.errors import ImageError, ManifestError, UsageError
from spectrace.generators.manipulations import MANIPULATIONS, Pixels, Reconstruct, down_and_up, manipulate
from spectrace.generators.regions import LEAST_SIDE, random_region
from spectrace.images.decode import decode

FAMILY = "region"
MANIFEST = "manifest.csv"
ORIGINAL = "original"

_KEY_LENGTH = 12


def make_manipulations(
    photographs: Manifest | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    size: int = 128,
    seed: int = 0,
    windows: int = 1,
    manipulations: Sequence[str] = MANIPULATIONS,
    reconstruct: Reconstruct = down_and_up,
    on_problem: Callable[[str], None] = lambda _: None,
    visit: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Cut square windows from photographs, manipulate a region of each, and write all of them as PNG.

    Every window is written as it is and once for each manipulation, each with a region of its own. The donor
    of a swap is a window of another photograph of the same split. What else happens to a photograph depends
    on the seed and its path alone.

    Args:
        photographs: a manifest, of which the real pictures count and keep their splits and sources; or a
            folder, split by hash.
        out: folder for ``original/``, one folder a manipulation, ``masks/`` and ``manifest.csv``.
        size: side of the windows in pixels, 64 or more; smaller photographs are left out.
        seed: of windows and regions.
        windows: of each photograph.
        manipulations: which.
        reconstruct: for ``resynthesise``.
        on_problem: called with one line for what is left out.
        visit: called with 1 for each photograph, for progress.

    Returns:
        The manifest, which was written too: ``generator`` names the manipulation, ``content`` the window that
        originals and manipulations share, ``mask`` the mask.

    Raises:
        ManifestError: fewer than two photographs that are large enough in a split.
        UsageError: a size below 64, no window, or an unknown manipulation.
    """
    if size < LEAST_SIDE or windows < 1:
        raise UsageError(f"{windows} windows of {size} pixels: wanted 1 or more of {LEAST_SIDE} or more")
    unknown = [name for name in manipulations if name not in MANIPULATIONS]
    if unknown:
        raise UsageError(f"unknown manipulation {unknown[0]!r}: wanted some of {', '.join(MANIPULATIONS)}")
    manifest = photographs if isinstance(photographs, Manifest) else _folder(Path(photographs))
    cut = _cut(
        manifest.select(label="real"), size, windows=windows, seed=seed, on_problem=on_problem, visit=visit
    )
    rows: list[Row] = []
    for split in sorted({window.row.split for window in cut}):
        members = [window for window in cut if window.row.split == split]
        if len({window.row.path for window in members}) < 2:
            raise ManifestError(
                f"split {split!r} has one photograph of {size} pixels a side or more: wanted two, so "
                "that there is another one to swap from"
            )
        for window in members:
            rows.append(window.write(Path(out), "", window.pixels))
            for name in manipulations:
                rng = np.random.default_rng([seed, MANIPULATIONS.index(name), int(window.key, 16)])
                region = random_region(size, size, rng)
                # By a generator of its own: nothing else may depend on which others there are.
                donor = _other(members, window, rng.spawn(1)[0]).pixels
                changed = manipulate(name, window.pixels, region, rng, donor=donor, reconstruct=reconstruct)
                rows.append(window.write(Path(out), name, changed, region.mask))
    if not rows:
        raise ManifestError(
            f"no photograph of {size} pixels a side or more: give larger ones or a smaller size"
        )
    made = Manifest(rows, out)
    made.write(Path(out) / MANIFEST)
    return made


class _Window(NamedTuple):
    """A square piece of a photograph, with a key that depends on the photograph's path alone."""

    row: Row
    key: str
    pixels: Pixels

    def write(self, folder: Path, name: str, pixels: Pixels, mask: Pixels | None = None) -> Row:
        extra = {"content": self.key}
        path = f"{name or ORIGINAL}/{self.key}.png"
        _save(pixels, folder / path)
        if mask is not None:
            extra["mask"] = f"masks/{path}"
            _save(mask, folder / extra["mask"])
        return Row(
            path=path,
            label="generated" if name else "real",
            split=self.row.split,
            generator=name,
            source=self.row.source,
            family=FAMILY if name else "",
            extra=extra,
        )


def _cut(
    photographs: Manifest,
    size: int,
    *,
    windows: int,
    seed: int,
    on_problem: Callable[[str], None],
    visit: Callable[[int], None],
) -> list[_Window]:
    cut = []
    small = 0
    for row in photographs:
        try:
            pixels = decode(photographs.locate(row)).pixels
        except ImageError as error:
            on_problem(f"{error}; left out")
            continue
        finally:
            visit(1)
        if min(pixels.shape[:2]) < size:
            small += 1
            continue
        for number in range(windows):
            name = f"{row.path}#{number}".encode("utf-8", "surrogateescape")
            key = sha256(name).hexdigest()[:_KEY_LENGTH]
            rng = np.random.default_rng([seed, int(key, 16)])
            top, left = (int(rng.integers(side - size + 1)) for side in pixels.shape[:2])
            cut.append(_Window(row, key, pixels[top : top + size, left : left + size].copy()))
    if small:
        on_problem(f"{small} of {len(photographs)} photographs are smaller than {size} pixels: left out")
    return cut


def _other(members: Sequence[_Window], window: _Window, rng: np.random.Generator) -> _Window:
    while True:
        other = members[int(rng.integers(len(members)))]
        if other.row.path != window.row.path:
            return other


def _folder(folder: Path) -> Manifest:
    paths = find_pictures(folder)
    rows = [
        Row(path=path.as_posix(), label="real", split=split_of(path.stem), source=path.parent.name)
        for path in paths
    ]
    return Manifest(rows, folder)


def _save(pixels: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG", compress_level=3)
