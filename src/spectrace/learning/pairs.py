"""Aligned pairs on tap: photographs turned into reconstructions while a training goes on.

Both sides of a pair are one window of one photograph. One of them goes through an autoencoder, then both
through the same encoding: what an autoencoder that changes nothing gives is equal bit for bit.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.errors import ImageError, ModelError, RecipeError
from spectrace.images.decode import decode
from spectrace.images.encodings import MCU, Encoding
from spectrace.learning.pictures import Photograph, TooSmallError

CAMERA = "camera"
"""The maker that changes nothing."""

Reconstruct = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""uint8 [H, W, 3] to the same shape."""

# Convolutions see zeros beyond the window's border: so many pixels more are reconstructed and cut off again.
_MARGIN = 16
_LANCZOS_REACH = 3


@dataclass(frozen=True)
class Reconstructor:
    """An autoencoder as a training sees it.

    Attributes:
        name: becomes the generator of what it makes.
        digest: of its weights; the same digest makes the same pictures.
        reconstruct: can be sent to other processes.
    """

    name: str
    digest: str
    reconstruct: Reconstruct


class _Place(NamedTuple):
    """Rows and columns of the photograph, scaled down."""

    rows: range
    columns: range


@dataclass(frozen=True)
class Tap:
    """Windows of photographs, as they are or reconstructed, with one previous life.

    A photograph has a fixed number of windows, at places that depend on the bytes of its file alone, so what
    was reconstructed once can be used again. Windows begin at and measure multiples of 16 pixels, on the
    photograph's own JPEG blocks: no side of a pair is padded, and both are encoded on the old grid.

    Args:
        reconstructors: no two of one name.
        window: pixels a side at most, rounded up to multiples of 16.
        windows: of each photograph.
        scale: 1 encodes both sides as the photograph's file was; below 1 both are made of a photograph that
            was scaled down by Lanczos, which removes most of what its file did, and not encoded again.
        smallest: pixels that a window must have a side.
        cache: folder for finished reconstructions; has no influence on the result.

    Example:
        >>> tap = Tap([Reconstructor("negative", "1", lambda pixels: 255 - pixels)], window=32)
        >>> photograph = Photograph(np.full((50, 40, 3), 7, np.uint8), Encoding("PNG"), "0123456789abcdef")
        >>> tap.side(photograph, "negative", 0).shape, int(tap.side(photograph, "negative", 0)[0, 0, 0])
        ((32, 32, 3), 248)
    """

    reconstructors: Sequence[Reconstructor]
    window: int
    windows: int = 1
    scale: float = 1.0
    smallest: int = 1
    cache: Path | None = None

    def __post_init__(self) -> None:
        names = [CAMERA, *(one.name for one in self.reconstructors)]
        for name in names:
            if names.count(name) > 1:
                raise RecipeError(f"two makers of pictures are named {name}: rename an autoencoder")
        if self.cache is not None:
            try:
                self.cache.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RecipeError(
                    f"{self.cache} is no folder for reconstructions: {error.strerror}"
                ) from error

    def draw(self, photograph: Photograph, maker: str, rng: np.random.Generator) -> NDArray[np.uint8]:
        """One of a photograph's windows by chance, encoded and decoded; see :meth:`side`."""
        number = int(rng.integers(self.windows))
        return self.encoding(photograph).repeat(self.side(photograph, maker, number))

    def encoding(self, photograph: Photograph) -> Encoding:
        """What both sides go through last."""
        return photograph.encoding if self.scale == 1.0 else Encoding("PNG")

    def side(self, photograph: Photograph, maker: str, number: int) -> NDArray[np.uint8]:
        """A window before it is encoded, uint8 [h, w, 3].

        Args:
            photograph: the picture.
            maker: a reconstructor's name, or :data:`CAMERA`.
            number: of the window, from 0.

        Raises:
            TooSmallError: the photograph has no window of ``smallest`` pixels.
        """
        place = self._place(photograph, number)
        if maker == CAMERA:
            return self._pixels(photograph, place)
        reconstructor = next(one for one in self.reconstructors if one.name == maker)
        if self.cache is None:
            return self._reconstructed(photograph, place, reconstructor)
        words = (photograph.sha256, place, _MARGIN, self.scale, reconstructor.digest)
        key = hashlib.sha256(repr(words).encode()).hexdigest()
        path = self.cache / key[:2] / f"{key[2:]}.png"
        try:
            return decode(path).pixels
        except ImageError:
            made = self._reconstructed(photograph, place, reconstructor)
            _write_png(made, path)
            return made

    def _sides(self, photograph: Photograph) -> tuple[int, int]:
        height, width = photograph.pixels.shape[:2]
        return int(height * self.scale), int(width * self.scale)

    def _place(self, photograph: Photograph, number: int) -> _Place:
        sides = self._sides(photograph)
        rng = np.random.default_rng([int(photograph.sha256[:16], 16), number])
        spans = []
        for side, first in zip(sides, self.encoding(photograph).origin(*sides), strict=True):
            room = (side - first) // MCU
            length = min(room, -(-self.window // MCU))
            if length * MCU < max(1, self.smallest):
                raise TooSmallError(
                    f"{sides[1]}x{sides[0]} pixels at a scale of {self.scale:g}, no window of "
                    f"{self.smallest} a side that measures a multiple of {MCU}"
                )
            start = first + MCU * int(rng.integers(room - length + 1))
            spans.append(range(start, start + MCU * length))
        return _Place(*spans)

    def _reconstructed(
        self, photograph: Photograph, place: _Place, reconstructor: Reconstructor
    ) -> NDArray[np.uint8]:
        wider = _Place(*map(_with_margin, place, self._sides(photograph)))
        pixels = self._pixels(photograph, wider)
        with _one_thread():
            made = reconstructor.reconstruct(pixels)
        if made.shape != pixels.shape or made.dtype != np.uint8:
            raise ModelError(
                f"autoencoder {reconstructor.name} made {made.dtype} {list(made.shape)} of uint8 "
                f"{list(pixels.shape)}: wanted the same"
            )
        top, left = (inner.start - outer.start for inner, outer in zip(place, wider, strict=True))
        return np.ascontiguousarray(made[top:, left:][: len(place.rows), : len(place.columns)])

    def _pixels(self, photograph: Photograph, place: _Place) -> NDArray[np.uint8]:
        pixels = photograph.pixels
        if self.scale == 1.0:
            rows, columns = (slice(span.start, span.stop) for span in place)
            return np.ascontiguousarray(pixels[rows, columns])
        # Only the part that Lanczos looks at: a whole photograph would take most of the time.
        reach = int(_LANCZOS_REACH / self.scale) + 1
        parts, low, high = [], [], []
        for span, side in zip(place, pixels.shape[:2], strict=True):
            first, last = span.start / self.scale, min(float(side), span.stop / self.scale)
            parts.append(slice(max(0, int(first) - reach), int(last) + 1 + reach))
            low.append(first - parts[-1].start)
            high.append(last - parts[-1].start)
        part = Image.fromarray(np.ascontiguousarray(pixels[parts[0], parts[1]]))
        size = (len(place.columns), len(place.rows))
        return np.asarray(part.resize(size, Image.Resampling.LANCZOS, (low[1], low[0], high[1], high[0])))


def _with_margin(span: range, side: int) -> range:
    before = _MARGIN if span.start >= _MARGIN else 0
    after = _MARGIN if side - span.stop >= _MARGIN else 0
    return range(span.start - before, span.stop + after)


def _write_png(pixels: NDArray[np.uint8], path: Path) -> None:
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(Encoding("PNG").encode(pixels))
        unfinished.replace(path)
    except OSError:
        # A full disk makes the training slow, not wrong.
        unfinished.unlink(missing_ok=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums of floats depend on how threads share them: the trainer itself must give what its workers give."""
    import torch  # noqa: PLC0415  (recipes name reconstructors, and are read without it)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
