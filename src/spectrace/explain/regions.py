"""Regions of a picture: what each pixel belongs to, and how much of a patch lies in each region."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.errors import ImageError, ImageProblem, UsageError
from spectrace.images.decode import Pixels

MOST_NAMES = 1000

Labels = NDArray[np.uint16]


class Regions(Protocol):
    """Something that divides pictures into named regions."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the regions; a pixel's label is a place in this list."""

    @property
    def origin(self) -> str:
        """Where the regions come from, in one line for people."""

    def label(self, pixels: Pixels, path: str) -> Labels:
        """The region of every pixel.

        Args:
            pixels: uint8 [H, W, 3] RGB.
            path: of the picture.

        Returns:
            uint16 [H, W], each below ``len(names)``. Must be safe in several threads.

        Raises:
            ImageError: this picture's regions are not known.
        """


def read_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    r"""Names of regions from a text file: one a line, the first is label 0.

    Raises:
        UsageError: the file cannot be read, a name is empty or occurs twice, or there are none or over 1,000.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "names.txt")
        >>> _ = file.write_text("background\nskin\nhair\n")
        >>> read_names(file)
        ('background', 'skin', 'hair')
    """
    try:
        names = tuple(line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as names of regions ({error}): wanted one a line") from error
    if not 1 <= len(names) <= MOST_NAMES:
        raise UsageError(f"{path} holds {len(names)} names of regions: wanted 1 to {MOST_NAMES}, one a line")
    for number, name in enumerate(names, start=1):
        if not name or name in names[: number - 1]:
            what = f"the name {name!r} again" if name else "no name"
            raise UsageError(f"{path}, line {number} holds {what}: wanted a name of its own for every label")
    return names


class MaskFolder:
    """Regions from label pictures on disk: for ``photo.jpg`` the PNG ``photo.png`` of the folder.

    A label picture has one channel (grey of 8 or 16 bits, or a palette, whose indices count) and the size of
    the displayed picture; the value of a pixel is its label.

    Args:
        folder: where the label pictures lie.
        names: of the labels.

    Raises:
        UsageError: the folder holds no PNG file.
    """

    def __init__(self, folder: str | os.PathLike[str], names: tuple[str, ...]) -> None:
        self.names = names
        self.origin = f"label pictures in {Path(folder).name or folder}"
        files = Path(folder).iterdir() if Path(folder).is_dir() else ()
        self._files = {path.stem: path for path in sorted(files) if path.suffix.lower() == ".png"}
        if not self._files:
            raise UsageError(
                f"{folder} holds no PNG file: wanted a label picture for each picture, of its name"
            )

    def label(self, pixels: Pixels, path: str) -> Labels:
        """The region of every pixel, uint16 [H, W].

        Raises:
            ImageError: there is no label picture, or it does not fit.
        """
        stem = Path(path).stem
        if stem not in self._files:
            raise ImageError(ImageProblem.MISSING, f"{path} has no label picture {stem}.png: add it")
        file = self._files[stem]
        height, width = pixels.shape[:2]
        try:
            with Image.open(file, formats=["PNG"]) as image:
                # Judged from the header: a picture of another size is not even decoded.
                if image.size != (width, height):
                    raise ImageError(
                        ImageProblem.UNSUPPORTED,
                        f"label picture {file} is {image.width}x{image.height}: wanted {width}x{height}, "
                        "the size of its picture",
                    )
                labels = np.asarray(image)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ImageError(ImageProblem.CORRUPT, f"label picture {file} cannot be read: {error}") from error
        if labels.ndim != 2:
            raise ImageError(
                ImageProblem.UNSUPPORTED,
                f"label picture {file} has {labels.shape[2]} channels: wanted one, of labels",
            )
        return checked(labels, len(self.names), f"label picture {file}")


def checked(labels: NDArray[np.generic], count: int, what: str) -> Labels:
    """Labels as uint16, once every one is known to have a name.

    Raises:
        ImageError: a label below 0 or from ``count`` up.
    """
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= count:
        raise ImageError(
            ImageProblem.UNSUPPORTED,
            f"{what} holds the label {low if low < 0 else high}: wanted 0 to {count - 1}, since there are "
            f"{count} names",
        )
    return labels.astype(np.uint16)


def area_shares(labels: Labels, count: int) -> NDArray[np.float64]:
    """Share of a picture's pixels in each region, float64 [count], sum 1.

    Example:
        >>> area_shares(np.array([[0, 0, 2, 2]], np.uint16), 3).tolist()
        [0.5, 0.0, 0.5]
    """
    return np.bincount(labels.ravel(), minlength=count) / labels.size


def patch_shares(labels: Labels, rectangles: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Share of each patch's pixels in each region.

    Args:
        labels: uint16 [H, W].
        rectangles: int64 [P, 4], top, left, bottom and right (ends excluded), none empty.
        count: number of regions.

    Returns:
        float64 [P, count], every row of sum 1.

    Example:
        >>> labels = np.array([[0, 0, 2, 2]], np.uint16)
        >>> patch_shares(labels, np.array([[0, 1, 1, 3], [0, 0, 1, 1]]), 3).tolist()
        [[0.5, 0.0, 0.5], [1.0, 0.0, 0.0]]
    """
    parts = (labels[top:bottom, left:right] for top, left, bottom, right in rectangles.tolist())
    return np.array([area_shares(part, count) for part in parts]).reshape(-1, count)
