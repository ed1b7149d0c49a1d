"""Decoded pictures, kept while there is room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrace.images.decode import decode
from spectrace.images.encodings import Encoding


class TooSmallError(Exception):
    """A picture that is smaller than what is to be cut from it."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """A decoded picture with what its file did to it.

    Attributes:
        pixels: uint8 [H, W, 3], not to be written to.
        encoding: of its file.
        sha256: of its file's bytes.
    """

    pixels: NDArray[np.uint8]
    encoding: Encoding
    sha256: str

    @classmethod
    def read(cls, path: Path) -> Photograph:
        """Decode a file.

        Raises:
            ImageError: it cannot be read.
        """
        picture = decode(path)
        return cls(picture.pixels, Encoding.of(picture), picture.facts.sha256 or "")


class Pictures:
    """Decodes pictures, and keeps the first ones while they fit a budget; besides, always the last two.

    Decoding is nearly half of the work of cutting a tile. Each worker process keeps its own. The last two
    are an aligned couple, which is asked for twice in a row.

    Args:
        budget: bytes of pixels to keep.
    """

    def __init__(self, budget: int = 0) -> None:
        self._left = budget
        self._kept: dict[tuple[Path, int], Photograph] = {}
        self._last: dict[Path, Photograph] = {}

    def read(self, path: Path) -> Photograph:
        """A picture, decoded now or before.

        Raises:
            ImageError: the picture cannot be read.
        """
        if path in self._last:
            return self._last[path]
        # A file that was written anew since is another picture.
        written = path.stat().st_mtime_ns if path.is_file() else 0
        if (path, written) in self._kept:
            return self._kept[path, written]
        picture = Photograph.read(path)
        if picture.pixels.nbytes <= self._left:
            self._left -= picture.pixels.nbytes
            self._kept[path, written] = picture
        self._last = dict([*self._last.items(), (path, picture)][-2:])
        return picture
