"""Regions of faces, from OpenCV's face detector and the proportions of a face."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.errors import ImageError, ImageProblem, MissingDependencyError
from spectrace.explain.regions import Labels
from spectrace.images.decode import Pixels

NAMES = ("background", "hair", "skin", "brows and eyes", "nose", "mouth", "neck and clothes")

_CASCADE = "haarcascade_frontalface_default.xml"
_LARGEST = 640  # faces are looked for in a picture shrunk to this: smaller ones are not worth a map
_SMALLEST_SHARE = 0.1
_NEIGHBOURS = 6

# Left, top, right and bottom of parts of a face, as shares of the detector's square.
_PARTS = {
    "brows and eyes": (0.12, 0.24, 0.88, 0.50),
    "nose": (0.34, 0.50, 0.66, 0.72),
    "mouth": (0.25, 0.73, 0.75, 0.92),
}
_FACE = (0.5, 0.5, 0.42, 0.60)  # centre and half axes of the ellipse that the skin fills
_HEAD = (0.5, 0.38, 0.62, 0.72)  # the same with the hair around it
_BELOW = (-0.75, 1.0, 1.75, 2.4)


class FaceMap:
    """Coarse regions of upright frontal faces; pictures without one are left out.

    The detector (Viola and Jones, *Rapid object detection using a boosted cascade of simple features*, 2001)
    comes inside OpenCV's wheel and gives a square from the forehead to the chin. Regions are drawn into it by
    the proportions of a face, so they are right on average and not hair by hair; for exact ones give masks or
    a segmentation model.

    Raises:
        MissingDependencyError: OpenCV is not installed, or has no cascade classifiers.
    """

    names = NAMES
    origin = "faces found by OpenCV's cascade, divided by the proportions of a face"

    def __init__(self) -> None:
        try:
            self._cv2 = importlib.import_module("cv2")
            self._cascade = str(Path(self._cv2.data.haarcascades) / _CASCADE)
            self._local = threading.local()
            self._detector()
        except (ImportError, AttributeError, OSError) as error:
            raise MissingDependencyError("Face regions", "opencv-python-headless below 5", "faces") from error

    def label(self, pixels: Pixels, path: str) -> Labels:
        """The region of every pixel, uint16 [H, W].

        Raises:
            ImageError: no face was found.
        """
        faces = self.find(pixels)
        if not len(faces):
            raise ImageError(
                ImageProblem.UNSUPPORTED, f"{path} shows no upright face that was found: it is left out"
            )
        labels = np.zeros(pixels.shape[:2], np.uint16)
        # Smallest first: what lies in front is larger.
        for face in sorted(faces.tolist(), key=lambda box: box[2]):
            draw_face(labels, *face)
        return labels

    def find(self, pixels: Pixels) -> NDArray[np.float64]:
        """Left, top and side of the square of each face, float64 [n, 3], in pixels of the picture."""
        height, width = pixels.shape[:2]
        scale = min(1.0, _LARGEST / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        grey = np.asarray(Image.fromarray(pixels).convert("L").resize(size, Image.Resampling.BILINEAR))
        least = max(24, round(_SMALLEST_SHARE * min(size)))
        boxes = self._detector().detectMultiScale(grey, 1.1, _NEIGHBOURS, minSize=(least, least))
        squares: NDArray[np.float64] = np.asarray(boxes, np.float64).reshape(-1, 4)[:, :3] / scale
        return squares

    def _detector(self) -> Any:
        # A cascade keeps state while it looks: one for each thread.
        if not hasattr(self._local, "detector"):
            detector = self._cv2.CascadeClassifier(self._cascade)
            if detector.empty():
                raise OSError(f"{self._cascade} cannot be read")
            self._local.detector = detector
        return self._local.detector


def draw_face(labels: Labels, left: float, top: float, side: float) -> None:
    """Draw a face's regions into a label map, over what is there.

    Args:
        labels: uint16 [H, W], changed in place.
        left: of the face's square, in pixels.
        top: of the square.
        side: of the square.

    Example:
        >>> labels = np.zeros((100, 100), np.uint16)
        >>> draw_face(labels, 25.0, 20.0, 50.0)
        >>> [NAMES[labels[y, 50]] for y in (0, 8, 24, 38, 50, 61, 90)]
        ['background', 'hair', 'skin', 'brows and eyes', 'nose', 'mouth', 'neck and clothes']
    """
    height, width = labels.shape
    y = ((np.arange(height) + 0.5 - top) / side)[:, None]
    x = ((np.arange(width) + 0.5 - left) / side)[None, :]

    def box(bounds: tuple[float, float, float, float]) -> NDArray[np.bool_]:
        return (x >= bounds[0]) & (y >= bounds[1]) & (x < bounds[2]) & (y < bounds[3])

    def ellipse(shape: tuple[float, float, float, float]) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = ((x - shape[0]) / shape[2]) ** 2 + ((y - shape[1]) / shape[3]) ** 2 <= 1.0
        return inside

    labels[box(_BELOW)] = NAMES.index("neck and clothes")
    labels[ellipse(_HEAD)] = NAMES.index("hair")
    face = ellipse(_FACE)
    labels[face] = NAMES.index("skin")
    for name, bounds in _PARTS.items():
        labels[face & box(bounds)] = NAMES.index(name)
