"""What the server makes of uploads: rows, drawings, parts of the report. Plain functions, for threads."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from spectrace.detectors.detection import Detection
from spectrace.detectors.detector import Detector
from spectrace.errors import ImageError
from spectrace.explain.entries import SPECTRUM_SIDE
from spectrace.explain.heatmap import heatmap, save_png
from spectrace.explain.report import ReportEntry, entry, error_entry
from spectrace.images.decode import Picture, Pixels, decode
from spectrace.spectra.display import display_spectrum, peak_position
from spectrace.spectra.peaks import find_peaks
from spectrace.web.refusals import RefusedError
from spectrace.web.uploads import Upload

_JPEG_FORMATS = ("JPEG", "MPO")
_RING, _RING_COLOUR = 8, (255, 176, 0)


def look(detector: Detector, upload: Upload) -> tuple[Picture, Detection]:
    """Look at a picture, and keep its pixels.

    Raises:
        ImageError: it cannot be read.
    """
    picture = decode(upload.open(), detector.limits)
    return picture, detector.examine(picture, path=upload.name)


def row(detector: Detector, upload: Upload) -> Detection:
    """Look at a picture; one that cannot be read is a row with ``error``."""
    try:
        return look(detector, upload)[1]
    except ImageError as error:
        return not_looked_at(detector, upload, error)


def report_part(detector: Detector, upload: Upload) -> tuple[Detection, ReportEntry]:
    """A picture's row and its part of the report, also when it cannot be read."""
    try:
        picture, detection = look(detector, upload)
    except ImageError as error:
        unread = not_looked_at(detector, upload, error)
        return unread, error_entry(unread)
    return detection, entry(picture, detection)


def not_looked_at(detector: Detector, upload: Upload, error: Exception) -> Detection:
    """The row that says why."""
    return Detection(path=upload.name, model=detector.card.name, error=str(error))


def heatmap_png(picture: Picture, detection: Detection, *, opacity: float, colours: str) -> bytes:
    """A picture under the colours of its scores, with a legend, as a PNG file.

    Raises:
        RefusedError: 422 when nothing of the picture could be scored.
    """
    if detection.evidence is None:
        raise RefusedError(
            422, "not-scored", f"{detection.path} has no heatmap: {'; '.join(detection.reasons)}"
        )
    return _png(heatmap(picture.pixels, detection.evidence, opacity=opacity, colour_map=colours))


def spectrum_png(detector: Detector, upload: Upload) -> bytes:
    """The log spectrum of a picture with rings around its periodic peaks, as a PNG file.

    Raises:
        ImageError: it cannot be read.
    """
    picture = decode(upload.open(), detector.limits)
    shown = Image.fromarray(display_spectrum(picture.pixels, SPECTRUM_SIDE)).convert("RGB")
    draw = ImageDraw.Draw(shown)
    # A file that is no JPEG may have been one; only the pixels can tell.
    for peak in find_peaks(picture.pixels, jpeg_grid=picture.facts.format in _JPEG_FORMATS or None):
        y, x = peak_position(peak, SPECTRUM_SIDE)
        draw.ellipse((x - _RING, y - _RING, x + _RING, y + _RING), outline=_RING_COLOUR, width=2)
    return _png(np.asarray(shown))


def _png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    save_png(pixels, file)
    return file.getvalue()
