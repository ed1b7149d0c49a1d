"""Pictures to measure on: a split of a corpus, or stand-ins for quick tries from photographs in wheels."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from spectrace.corpora.folders import file_sha256
from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.rows import LABELS
from spectrace.corpora.splits import refuse_forbidden
from spectrace.corpora.wheels import wheel_photographs
from spectrace.images.decode import decode
from spectrace.images.operations import KERNELS
from spectrace.studies.pieces import TRAIN, VAL, WHEELS
from spectrace.studies.registry import Context, Result
from spectrace.studies.source_pictures import PHOTOGRAPH, write_pieces


def pictures_of_split(manifest: str, split: str, context: Context, *, count: int, side: int) -> Manifest:
    """The pictures of a split that models were not trained on; for ``wheels`` stand-ins by Lanczos.

    Args:
        manifest: a manifest's path, or ``wheels``.
        split: of the manifest.
        context: whose folder stand-ins are written to.
        count: of stand-ins: pieces of either half of the photographs.
        side: of a piece in pixels.

    Raises:
        UsageError: the split that is kept for the last measurement.
        ManifestError: no such manifest, or a class has no picture in the split.
    """
    refuse_forbidden(split)
    if manifest == WHEELS:
        pictures = stand_ins(context, splits=(split, split), count=count, side=side, kernels=("lanczos",))
    else:
        pictures = Manifest.read(manifest).select(split=split)
    pictures.require_both_labels()
    return pictures


def counts_by_class(rows: Collection[Row]) -> Result:
    """How many pictures, of how many sources, there are of each class.

    Example:
        >>> counts_by_class([Row(path=f"{n}.png", label="real", source="a") for n in range(3)])["real"]
        {'pictures': 3, 'sources': 1}
    """
    sources = {label: [row.source for row in rows if row.label == label] for label in LABELS}
    return {label: {"pictures": len(of), "sources": len(set(of))} for label, of in sources.items()}


def stand_ins(
    context: Context,
    *,
    splits: tuple[str, str],
    count: int,
    side: int,
    kernels: tuple[str, ...] = ("bilinear",),
) -> Manifest:
    """Pieces of photographs, and the same pieces halved and upsampled again: a kernel stands for a generator.

    Args:
        context: whose folder they are written to.
        splits: names for training and test; no photograph is in both.
        count: pieces of each split.
        side: of a piece in pixels.
        kernels: names in :data:`spectrace.images.operations.KERNELS`.

    Returns:
        A manifest in which a piece and what was made of it share the source, its photograph, and the pair:
        ``a`` and ``b`` by turns.
    """
    folder = context.folder / "stand-ins"
    rows: list[Row] = []
    for number, split in enumerate(splits):
        photographs = wheel_photographs().select(split=(TRAIN, VAL)[number])
        name = f"camera-{split}-{side}"
        pieces = write_pieces(photographs, folder, name, split=split, count=count, side=side, seed=number)
        for index, piece in enumerate(pieces):
            source = Path(piece.extra[PHOTOGRAPH]).stem
            camera = msgspec.structs.replace(piece, source=source, pair="ab"[index % 2])
            rows += [camera, *(_upsampled(camera, folder, kernel) for kernel in kernels)]
    return Manifest(rows, folder)


def _upsampled(piece: Row, folder: Path, kernel: str) -> Row:
    path = folder / piece.path.replace("camera-", f"{kernel}-")
    path.parent.mkdir(exist_ok=True)
    image = Image.fromarray(np.array(decode(folder / piece.path).pixels))
    halved = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    halved.resize(image.size, KERNELS[kernel]).save(path)
    return msgspec.structs.replace(
        piece,
        path=path.relative_to(folder).as_posix(),
        label="generated",
        generator=kernel,
        sha256=file_sha256(path),
    )
