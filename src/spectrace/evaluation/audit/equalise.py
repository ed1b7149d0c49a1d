"""A copy of a collection in which files and their histories are alike in both classes.

Every picture goes through one random chain: a square cut off the 8 x 8 grid, made smaller by a factor of one
distribution, if wanted JPEG at a quality of one distribution, and stored as PNG without compression, so that
even the files' sizes are equal. Chance comes from the seed and the picture's path, never from its class.

JPEG is left out by default: what it does to a picture depends on what the picture shows, so that its traces
tell classes of different content apart even where both had the same qualities (``results/audit.json``).
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.rows import COLUMNS, Row
from spectrace.errors import ImageError, UsageError
from spectrace.images.codecs import SUBSAMPLINGS, decode_jpeg, encode_jpeg
from spectrace.images.decode import Pixels, decode
from spectrace.images.operations import KERNELS
from spectrace.threads import in_order

MANIFEST = "manifest.csv"
REPORT = "equalised.json"
_JOURNAL = "pictures.jsonl"
_BLOCK = 8
_KERNELS = ("bilinear", "bicubic", "lanczos")
_MASK = "mask"  # of a picture's pixels: it does not fit a part of it


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to every picture.

    Attributes:
        side: of the copies in pixels.
        scale: lowest and highest factor by which parts are made smaller.
        quality: lowest and highest JPEG quality; None leaves JPEG out.
        seed: of all chance.

    Raises:
        UsageError: a value that makes no sense.

    Example:
        >>> Chain(side=128).least_side
        221
    """

    side: int = 128
    scale: tuple[float, float] = (0.6, 0.95)
    quality: tuple[int, int] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.side < 2 * _BLOCK:
            raise UsageError(f"copies of {self.side} pixels: wanted at least {2 * _BLOCK}")
        if not 0 < self.scale[0] <= self.scale[1] < 1:
            raise UsageError(f"scales {self.scale}: wanted two numbers above 0 and below 1, the lower first")
        if self.quality is not None and not 1 <= self.quality[0] <= self.quality[1] <= 100:
            raise UsageError(f"JPEG qualities {self.quality}: wanted two of 1 to 100, the lower first")

    @property
    def least_side(self) -> int:
        """Pixels that a picture's shorter side must have, whatever factor is drawn."""
        return math.ceil(self.side / self.scale[0]) + _BLOCK - 1

    def apply(self, pixels: Pixels, key: str) -> tuple[Pixels, str]:
        """The copy of a picture.

        Args:
            pixels: uint8 ``[H, W, 3]``, no side shorter than :attr:`least_side`.
            key: of the picture; decides with the seed what is drawn.

        Returns:
            uint8 ``[side, side, 3]``, and one line that says what was done.

        Example:
            >>> copy, done = Chain(side=64).apply(np.zeros((200, 300, 3), np.uint8), "a.jpg")
            >>> copy.shape, done
            ((64, 64, 3), 'cut 103 x 103 at 158, 50; lanczos to 64 x 64')
        """
        rng = np.random.default_rng(
            list(hashlib.sha256(f"{self.seed}\0{key}".encode(errors="surrogateescape")).digest())
        )
        cut = min(round(self.side / rng.uniform(*self.scale)), self.least_side - _BLOCK + 1)
        top, left = _off_grid(pixels.shape[0] - cut, pixels.shape[1] - cut, rng)
        kernel = str(rng.choice(_KERNELS))
        part = Image.fromarray(np.ascontiguousarray(pixels[top : top + cut, left : left + cut]))
        copy: Pixels = np.asarray(part.resize((self.side, self.side), KERNELS[kernel]))
        done = f"cut {cut} x {cut} at {left}, {top}; {kernel} to {self.side} x {self.side}"
        if self.quality is None:
            return copy, done
        quality = int(rng.integers(*self.quality, endpoint=True))
        subsampling = str(rng.choice(SUBSAMPLINGS))
        copy = decode_jpeg(encode_jpeg(copy, quality, subsampling))
        return copy, f"{done}; JPEG quality {quality}, {subsampling}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one picture.

    Attributes:
        path: of the original in its manifest.
        label: its class.
        source: its collection.
        copy: path of the copy, relative to the folder written to; empty where there is none.
        sha256: of the copy's file.
        operation: what was done.
        too_small: pixels of the shorter side, where that was too small.
        error: why it could not be read.
    """

    path: str
    label: str
    source: str
    copy: str = ""
    sha256: str = ""
    operation: str = ""
    too_small: int | None = None
    error: str | None = None


class Equalised(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to a collection: the report beside the copy's manifest.

    Attributes:
        original: digest of the original's manifest.
        chain: what was done to every picture.
        outcomes: one for each picture, in the manifest's order.
    """

    original: str
    chain: Chain
    outcomes: list[Outcome]

    @property
    def written(self) -> list[Outcome]:
        """Pictures that have a copy."""
        return [one for one in self.outcomes if one.copy]

    @property
    def too_small(self) -> list[Outcome]:
        """Pictures that were left out for their size."""
        return [one for one in self.outcomes if one.too_small is not None]

    @property
    def unreadable(self) -> list[Outcome]:
        """Pictures that could not be read."""
        return [one for one in self.outcomes if one.error is not None]


def equalise(
    manifest: Manifest,
    out: Path,
    chain: Chain,
    *,
    workers: int | None = None,
    visit: Callable[[], None] = lambda: None,
) -> tuple[Manifest, Equalised]:
    """Write an equalised copy: pictures, ``manifest.csv`` and ``equalised.json``.

    Interrupted, it goes on where it stopped when it is called with the same manifest and chain again.

    Args:
        manifest: of the originals. Pictures with the same ``content`` are cut alike and stay aligned; masks
            are left out.
        out: folder to write to; new, or of an earlier call.
        chain: what is done to every picture.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.

    Returns:
        The copy's manifest and what was done. The manifest has the columns of the original's and
        ``original`` (path), ``original_sha256`` and ``operation``.

    Raises:
        UsageError: the folder holds something else, or no picture of a class is large enough.
    """
    journal = out / _JOURNAL
    known = _journal(out, manifest, chain)

    def work(row: Row) -> Outcome:
        return known.get(row.path) or _copied(manifest, row, out, chain)

    outcomes = []
    with journal.open("ab") as file, closing(in_order(work, manifest, workers)) as answers:
        for outcome in answers:
            if outcome.path not in known:
                file.write(msgspec.json.encode(outcome) + b"\n")
            outcomes.append(outcome)
            visit()
    report = Equalised(original=manifest.digest(), chain=chain, outcomes=outcomes)
    rows = [
        msgspec.structs.replace(
            row,
            path=done.copy,
            sha256=done.sha256,
            extra={key: value for key, value in row.extra.items() if key != _MASK}
            | {"original": row.path, "original_sha256": row.sha256, "operation": done.operation},
        )
        for row, done in zip(manifest, outcomes, strict=True)
        if done.copy
    ]
    kept = tuple(name for name in manifest.columns if name != _MASK)
    copy = Manifest(rows, out, dict.fromkeys((*kept, *COLUMNS, "original", "original_sha256", "operation")))
    for label in ("real", "generated"):
        if not len(copy.select(label=label)):
            raise UsageError(
                f"no {label} picture could be copied: wanted at least {chain.least_side} pixels a side "
                f"for copies of {chain.side}; take a smaller side"
            )
    copy.write(out / MANIFEST)
    (out / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return copy, report


def _journal(out: Path, manifest: Manifest, chain: Chain) -> dict[str, Outcome]:
    """What an earlier call has done; begins a journal where there is none."""
    journal = out / _JOURNAL
    head = msgspec.json.encode({"original": manifest.digest(), "chain": chain})
    if not journal.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise UsageError(f"{out} is not empty and no equalised copy: give another folder")
        out.mkdir(parents=True, exist_ok=True)
        journal.write_bytes(head + b"\n")
        return {}
    first, *lines = journal.read_bytes().split(b"\n")
    if first != head:
        raise UsageError(f"{out} holds the copy of other pictures or settings: give another folder")
    # The line that an interruption cut short is done again.
    journal.write_bytes(b"\n".join([first, *lines[:-1], b""]))
    outcomes = [msgspec.json.decode(line, type=Outcome) for line in lines[:-1]]
    return {one.path: one for one in outcomes if not one.copy or (out / one.copy).is_file()}


def _copied(manifest: Manifest, row: Row, out: Path, chain: Chain) -> Outcome:
    start = Outcome(path=row.path, label=row.label, source=row.source)
    try:
        pixels = decode(manifest.locate(row)).pixels
    except ImageError as error:
        return msgspec.structs.replace(start, error=str(error))
    shorter = min(pixels.shape[:2])
    if shorter < chain.least_side:
        return msgspec.structs.replace(start, too_small=shorter)
    copy, operation = chain.apply(pixels, row.extra.get("content") or row.path)
    file = io.BytesIO()
    # Stored: how well a picture compresses tells what it shows.
    Image.fromarray(copy).save(file, "PNG", compress_level=0)
    name = hashlib.sha256(row.path.encode(errors="surrogateescape")).hexdigest()[:16]
    place = Path(row.label, _folder_name(row.source), f"{name}.png")
    (out / place).parent.mkdir(parents=True, exist_ok=True)
    unfinished = (out / place).with_suffix(".part")
    unfinished.write_bytes(file.getvalue())
    unfinished.replace(out / place)
    sha256 = hashlib.sha256(file.getvalue()).hexdigest()
    return msgspec.structs.replace(start, copy=place.as_posix(), sha256=sha256, operation=operation)


def _off_grid(room_down: int, room_across: int, rng: np.random.Generator) -> tuple[int, int]:
    """A random corner that is on no block's corner."""
    for top, left in _corners(room_down, room_across, rng):
        if top % _BLOCK or left % _BLOCK:
            return top, left
    raise AssertionError("the corners do not end")


def _corners(room_down: int, room_across: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    while True:
        yield int(rng.integers(room_down, endpoint=True)), int(rng.integers(room_across, endpoint=True))


def _folder_name(source: str) -> str:
    """A source as the name of a folder, whatever characters are in it."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", source).lstrip(".")[:80] or "_"
    return plain if plain == source else f"{plain}-{hashlib.sha256(source.encode()).hexdigest()[:6]}"
