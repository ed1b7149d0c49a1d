"""How a picture's file was encoded, so that other pixels can be encoded just so."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from spectrace.errors import ImageError, ImageProblem
from spectrace.images.decode import Picture, decode
from spectrace.images.directory import ORIENTATION

MCU = 16
"""Pixels: JPEG's blocks, of luma and of halved chroma, begin at multiples of it."""

_JPEG = frozenset({"JPEG", "MPO"})
_LOSSLESS = frozenset({"PNG", "TIFF", "BMP", "array"})
_COARSEST = 2
# EXIF's orientation: whether rows and columns change places, then whether they run backwards.
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


@dataclass(frozen=True)
class Encoding:
    """What a file did to the pixels in it.

    Args:
        format: as in :class:`~spectrace.images.facts.Facts`.
        tables: of a JPEG: its quantisation tables, each 64 steps row by row.
        subsampling: of a JPEG: 0, 1 or 2 for 4:4:4, 4:2:2 or 4:2:0.
        grey: of a JPEG: whether it has no chroma.
        orientation: of a JPEG: EXIF's, which turned the blocks with the pixels.

    Example:
        >>> Encoding("PNG").suffix, Encoding("JPEG", ((1,) * 64,)).suffix
        ('.png', '.jpg')
    """

    format: str
    tables: tuple[tuple[int, ...], ...] = ()
    subsampling: int = 0
    grey: bool = False
    orientation: int = 1

    @classmethod
    def of(cls, picture: Picture) -> Encoding:
        """The encoding of the file that a picture was decoded from.

        Example:
            >>> Encoding.of(decode(np.zeros((8, 8, 3), np.uint8)))
            Encoding(format='array', tables=(), subsampling=0, grey=False, orientation=1)
        """
        facts = picture.facts
        if facts.format == "WEBP" and facts.subsampling == "4:4:4":
            # Lossy WebP always halves its chroma.
            return cls("PNG")
        if facts.format not in _JPEG or picture.raw is None:
            return cls(facts.format)
        with JpegImagePlugin.JpegImageFile(io.BytesIO(picture.raw)) as image:
            tables = tuple(tuple(table) for _, table in sorted(image.quantization.items()))
            subsampling = JpegImagePlugin.get_sampling(image)
            grey = image.mode == "L"
        # Pillow writes three kinds of subsampling: the coarsest stands for the others.
        subsampling = subsampling if subsampling >= 0 else _COARSEST
        return cls("JPEG", tables, subsampling, grey, facts.orientation)

    @property
    def suffix(self) -> str:
        """Ending of the file that :meth:`encode` gives."""
        return ".jpg" if self.format == "JPEG" else ".png"

    def origin(self, height: int, width: int) -> tuple[int, int]:
        """First row and column of the displayed picture at which a full block of chroma begins.

        Example:
            >>> Encoding("JPEG", orientation=3).origin(40, 64)
            (8, 0)
        """
        _, up, left = _TURNS[self.orientation]
        return height % MCU if up else 0, width % MCU if left else 0

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """A file of other pixels, encoded like this one; lossless ones become PNG.

        Args:
            pixels: uint8 ``[H, W, 3]`` as displayed; for JPEG's blocks to lie as they did, they begin at
                :meth:`origin` plus multiples of 16, and so do they end.

        Raises:
            ImageError: a lossy format whose settings its files do not tell.
        """
        file = io.BytesIO()
        if self.format in _LOSSLESS:
            Image.fromarray(pixels).save(file, "PNG", compress_level=1)
            return file.getvalue()
        if self.format != "JPEG":
            raise ImageError(
                ImageProblem.UNSUPPORTED,
                f"is {self.format}, which cannot be encoded again alike: wanted JPEG or a lossless file, "
                "or photographs scaled down",
            )
        swapped, up, left = _TURNS[self.orientation]
        stored = pixels[:: -1 if up else 1, :: -1 if left else 1]
        image = Image.fromarray(np.ascontiguousarray(stored.transpose(1, 0, 2) if swapped else stored))
        exif = Image.Exif()
        if self.orientation != 1:
            exif[ORIENTATION] = self.orientation
        tables = [list(table) for table in self.tables]
        if self.grey:
            image.convert("L").save(file, "JPEG", qtables=tables, exif=exif)
        else:
            image.save(file, "JPEG", qtables=tables, subsampling=self.subsampling, exif=exif)
        return file.getvalue()

    def repeat(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels as they come out of :meth:`encode`: uint8 ``[H, W, 3]`` to the same shape.

        Raises:
            ImageError: as :meth:`encode`.

        Example:
            >>> noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
            >>> bool((Encoding("PNG").repeat(noise) == noise).all())
            True
            >>> bool((Encoding("JPEG", ((9,) * 64,)).repeat(noise) == noise).all())
            False
        """
        return pixels if self.format in _LOSSLESS else decode(self.encode(pixels)).pixels
