"""Scores a batch of items: the one piece of work that every engine hands out."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Any

import msgspec

from spectrace.detectors.detection import Detection
from spectrace.detectors.detector import Detector
from spectrace.detectors.runtime import Model, find_model
from spectrace.errors import ImageError
from spectrace.images.decode import Limits, Picture, decode
from spectrace.scan.chunks import Chunk
from spectrace.scan.items import Item, read
from spectrace.threads import in_order

Row = dict[str, Any]
# The one column that a scan adds to a detection's row.
DUPLICATE_OF = "duplicate_of"
# What engines hand results to: the chunk, the number of its first item that the rows are of, and the rows.
Deliver = Callable[[Chunk, int, list[Row]], None]


class Scoring(msgspec.Struct, frozen=True, kw_only=True):
    """How pictures are scored: all that a process needs to make its detector.

    Attributes:
        model: path of the model file.
        tiles: as for :class:`~spectrace.detectors.detector.Detector`.
        dense: as for it.
        pixels: refuse pictures of more.
        column: of the pictures inside Parquet files.
        gpu: whether the network runs on a CUDA device.
    """

    model: str
    tiles: int | None = None
    dense: bool = False
    pixels: int = Limits().pixels
    column: str | None = None
    gpu: bool = False

    def detector(self) -> Detector:
        """A detector of one thread.

        Raises:
            ModelError: the file is no model of camera and generated pictures; or there is no GPU to use.
        """
        limits = Limits(pixels=self.pixels)
        model = Model(find_model(self.model), gpu=self.gpu)
        return Detector(model, tiles=self.tiles, dense=self.dense, limits=limits)


def score_batch(
    detector: Detector,
    items: Iterable[Item],
    *,
    column: str | None = None,
    known: Callable[[str], bool] | None = None,
) -> Generator[Row]:
    """Rows of items, in their order, as they are done.

    The next items are read and decoded while one is scored. Memory is bounded by a few pictures.

    Args:
        detector: scores them.
        items: any number.
        column: of the pictures inside Parquet files.
        known: asked of the SHA-256 of each file; a picture whose bytes are known already is neither decoded
            nor scored, and its row holds nothing but path, model and digest.

    Yields:
        :meth:`Detection.to_dict() <spectrace.detectors.detection.Detection.to_dict>`, one an item; with
        ``error`` where a picture cannot be read.

    Raises:
        UsageError: what an address needs is not installed.

    Example:
        >>> [row["error"] for row in score_batch(Detector.load(), [Item("not-there.jpg")])]
        ['not-there.jpg is not there: check the path']
    """
    model = detector.card.name

    def prepare(found: tuple[Item, bytes | ImageError]) -> tuple[Picture | None, Detection]:
        item, raw = found
        if isinstance(raw, ImageError):
            return None, Detection(path=item.name, model=model, error=str(raw))
        if known is not None:
            digest = hashlib.sha256(raw).hexdigest()
            if known(digest):
                return None, Detection(path=item.name, model=model, sha256=digest)
        try:
            return decode(_Named(raw, item.name), detector.limits), Detection(path=item.name, model=model)
        except ImageError as error:
            return None, Detection(path=item.name, model=model, error=str(error))

    with (
        closing(read(items, detector.limits.file_bytes, column)) as found,
        closing(in_order(prepare, found, workers=1)) as prepared,
    ):
        for picture, row in prepared:
            yield (row if picture is None else detector.examine(picture, path=row.path)).to_dict()


class _Named(io.BytesIO):
    """Bytes of a file, with the name by which messages call it."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name
