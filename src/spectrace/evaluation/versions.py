"""Pictures that are decoded once and looked at in many versions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ImageError
from spectrace.images.decode import Pixels, decode
from spectrace.threads import in_order

R = TypeVar("R")


def look_at_each(
    manifest: Manifest,
    look: Callable[[Row, Pixels], R | None],
    *,
    workers: int | None = None,
    visit: Callable[[], object] | None = None,
) -> tuple[list[Row], list[R]]:
    """Decode every picture of a manifest and call a function on it; those that cannot be read are left out.

    Args:
        manifest: pictures.
        look: takes a row and its pixels uint8 ``[H, W, 3]``; must be safe in several threads. None leaves the
            picture out.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.

    Returns:
        The rows that were not left out, in the manifest's order, and what the function gave for each.

    Example:
        >>> from spectrace.corpora.wheels import wheel_photographs
        >>> rows, sides = look_at_each(wheel_photographs(), lambda row, pixels: min(pixels.shape[:2]))
        >>> len(rows) == len(sides), min(sides) > 200
        (True, True)
    """

    def answer(row: Row) -> R | None:
        try:
            pixels = decode(manifest.locate(row)).pixels
        except ImageError:
            return None
        return look(row, pixels)

    rows, answers = [], []
    with closing(in_order(answer, manifest, workers)) as found:
        for row, one in zip(manifest, found, strict=True):
            if one is not None:
                rows.append(row)
                answers.append(one)
            if visit is not None:
                visit()
    return rows, answers
