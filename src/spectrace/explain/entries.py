"""One picture's part of a report: its evidence boiled down to a few bounded strings.

An entry is made while a picture's pixels are in memory, and holds none of them: a report over a folder
needs the memory of its page, not of its pictures.
"""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spectrace.detectors.detection import Detection, Evidence
from spectrace.explain.heatmap import scores_at, tint
from spectrace.explain.wording import resemblance
from spectrace.images.decode import Picture
from spectrace.images.facts import Facts
from spectrace.provenance import Provenance
from spectrace.provenance.record import clean

SIDE = 768
SPECTRUM_SIDE = 320
PEAKS_LIMIT = 12

_NAME_LIMIT, _LINE_LIMIT, _REASONS_LIMIT = 300, 400, 12
_QUALITY = 82
_JPEG_FORMATS = ("JPEG", "MPO")


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture inside the page: a data URI, and its size in pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PeakMark:
    """A peak of the spectrum, for its mark and its row.

    Attributes:
        x: of the mark, as a share of the spectrum's width.
        y: of the mark, as a share of the spectrum's height.
        kind: ``upsampling`` or ``jpeg-grid``.
        direction: the way along which it repeats.
        period: in pixels.
        strength: over its neighbourhood, in dB.
        label: all of it in one line.
    """

    x: float
    y: float
    kind: str
    direction: str
    period: float
    strength: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportEntry:
    """What a report shows of one picture. Text comes from files: cleaned and bounded, never trusted.

    Attributes:
        name: of the file, or what stands for it.
        folder: of the file as given, or empty.
        error: why the picture could not be read; then nothing else is set.
        verdict: ``generated``, ``camera`` or ``inconclusive``.
        score: natural-log likelihood ratio.
        probability: of *generated* at even prior odds.
        reasons: (code, sentence) of an inconclusive verdict.
        tiles: how many regions were scored: tiles, or the picture itself.
        patches: how many patches were scored in them.
        covered: share of the picture's pixels that lie in a scored region, 0..1.
        branches: (name, what it adds to the score) of a fusion's branches.
        resemblance: which generators' traces the picture's resemble, in words.
        facts: (name, value) rows about the file.
        claims: (name, value) rows of what the file says about itself; None when there was no file.
        notes: remarks on these claims.
        picture: the picture itself.
        heatmap: the picture under its scores.
        spectrum: its log spectrum; None for a picture too small to look for peaks in.
        peaks: the spectrum's strongest peaks.
        upsampling: the likely upsampling factor behind them.
    """

    name: str
    folder: str = ""
    error: str | None = None
    verdict: str | None = None
    score: float | None = None
    probability: float | None = None
    reasons: tuple[tuple[str, str], ...] = ()
    tiles: int = 0
    patches: int = 0
    covered: float = 0.0
    branches: tuple[tuple[str, float], ...] = ()
    resemblance: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    claims: tuple[tuple[str, str], ...] | None = None
    notes: tuple[str, ...] = ()
    picture: Thumbnail | None = None
    heatmap: Thumbnail | None = None
    spectrum: Thumbnail | None = None
    peaks: tuple[PeakMark, ...] = ()
    upsampling: int | None = None


def error_entry(detection: Detection) -> ReportEntry:
    """The entry of a picture that could not be read.

    Example:
        >>> error_entry(Detection(path="a.jpg", model="demo@1", error="a.jpg is empty")).error
        'a.jpg is empty'
    """
    folder, name = _place(detection)
    return ReportEntry(name=name, folder=folder, error=clean(detection.error or "not read", _LINE_LIMIT))


def row_entry(detection: Detection) -> ReportEntry:
    """What a report shows of a row alone, without its picture.

    Example:
        >>> from spectrace.detectors.detection import Verdict
        >>> row = Detection(path="a/b.jpg", model="demo@1", score=1.5, verdict=Verdict.CAMERA)
        >>> row_entry(row).folder, row_entry(row).name, row_entry(row).verdict
        ('a', 'b.jpg', 'camera')
    """
    if detection.error is not None or detection.verdict is None:
        return error_entry(detection)
    provenance = detection.provenance
    folder, name = _place(detection)
    return ReportEntry(
        name=name,
        folder=folder,
        verdict=detection.verdict.value,
        score=detection.score,
        probability=detection.probability,
        reasons=tuple(_reason(reason) for reason in detection.reasons[:_REASONS_LIMIT]),
        tiles=detection.tiles,
        branches=tuple(detection.branches.items()),
        resemblance=_resemblance(detection),
        claims=None if provenance is None else tuple(claim_rows(provenance)),
        notes=() if provenance is None else tuple(clean(note, _LINE_LIMIT) for note in provenance.notes),
    )


def entry(picture: Picture, detection: Detection, *, side: int = SIDE, spectrum: bool = True) -> ReportEntry:
    """Boil a picture and its detection down to what a report shows.

    Safe to call from many threads.

    Args:
        picture: the decoded picture.
        detection: what the detector said of it, with its evidence.
        side: longest side of the pictures in the page, in pixels.
        spectrum: whether to show it; it takes the longest.

    Returns:
        A few hundred kilobytes of text at most, whatever the picture's size.
    """
    pixels, evidence = picture.pixels, detection.evidence
    height, width = pixels.shape[:2]
    thumbnail = _shrunk(pixels, side)
    heatmap, covered = None, 0.0
    if evidence is not None and len(evidence.corners):
        tinted, covered = _heatmap(thumbnail, evidence, height, width)
        heatmap = _encoded(tinted)
    drawn, peaks, upsampling = _spectrum(picture) if spectrum else (None, (), None)
    return replace(
        row_entry(detection),
        patches=0 if evidence is None else evidence.logits.size,
        covered=covered,
        facts=tuple(fact_rows(picture.facts)),
        picture=_encoded(thumbnail),
        heatmap=heatmap,
        spectrum=drawn,
        peaks=peaks,
        upsampling=upsampling,
    )


def thumbnail_of(pixels: NDArray[np.uint8], side: int) -> Thumbnail:
    """A picture shrunk to fit a square, as JPEG.

    Args:
        pixels: uint8 [H, W, 3] RGB.
        side: of the square, in pixels.

    Example:
        >>> small = thumbnail_of(np.zeros((400, 200, 3), np.uint8), 100)
        >>> small.width, small.height, small.uri[:22]
        (50, 100, 'data:image/jpeg;base64')
    """
    return _encoded(_shrunk(pixels, side))


def fact_rows(facts: Facts) -> list[tuple[str, str]]:
    """(name, value) rows of a file's facts, those that are known.

    Example:
        >>> fact_rows(Facts("PNG", width=640, height=480, mode="RGB", bit_depth=8, bytes=1234))[:2]
        [('Format', 'PNG'), ('Size', '640 × 480 pixels (0.3 megapixels)')]
    """
    megapixels = facts.width * facts.height / 1e6
    size = f"{facts.width} × {facts.height} pixels"
    rows = [
        ("Format", facts.format),
        ("Size", f"{size} ({megapixels:.1f} megapixels)" if megapixels >= 0.1 else size),
        ("Samples", f"{facts.mode}, {facts.bit_depth} bits"),
    ]
    if facts.bytes is not None:
        rows.append(("File size", f"{facts.bytes:,} bytes"))
    if facts.jpeg_quality is not None:
        how = "" if facts.progressive is None else ", progressive" if facts.progressive else ", baseline"
        rows.append(("JPEG quality", f"about {facts.jpeg_quality} (from its quantisation tables){how}"))
    if facts.subsampling is not None:
        rows.append(("Chroma subsampling", facts.subsampling))
    if facts.frames > 1:
        rows.append(("Frames", f"{facts.frames}, the first one was examined"))
    if facts.orientation != 1:
        rows.append(("Orientation", f"{facts.orientation} (already applied)"))
    rows.append(("Colour profile", "yes" if facts.icc else "no"))
    rows.append(("EXIF", "yes" if facts.exif else "no"))
    if facts.sha256 is not None:
        rows.append(("SHA-256", facts.sha256))
    return [(name, clean(value, _NAME_LIMIT)) for name, value in rows]


def claim_rows(provenance: Provenance) -> list[tuple[str, str]]:
    """(name, value) rows of what a file says about itself.

    Example:
        >>> claim_rows(Provenance(camera_make="Canon", camera_model="EOS R5"))
        [('C2PA manifest', 'none found'), ('XMP', 'none found'), ('Camera', 'Canon EOS R5')]
    """
    rows = [
        ("C2PA manifest", "present (signature not verified)" if provenance.c2pa else "none found"),
        ("XMP", "present" if provenance.xmp else "none found"),
    ]
    camera = " ".join(part for part in (provenance.camera_make, provenance.camera_model) if part)
    for name, value in (
        ("Digital source type (IPTC)", provenance.digital_source_type),
        ("Generator", provenance.generator),
        ("Text it left", provenance.generator_text),
        ("Camera", camera),
        ("Software", provenance.software),
    ):
        if value:
            rows.append((name, clean(value, 500)))
    return rows


def _place(detection: Detection) -> tuple[str, str]:
    """Folder and name of the file, to be shown."""
    # Bytes of a path that are no UTF-8 arrive as lone surrogates: shown, not dropped, or names would merge.
    path = (detection.path or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    folder, name = os.path.split(path)
    return clean(folder, _NAME_LIMIT), clean(name, _NAME_LIMIT) or "picture without a name"


def _resemblance(detection: Detection) -> str | None:
    if detection.family is None or detection.family_probability is None:
        return None
    return clean(resemblance(detection.family, detection.family_probability), _LINE_LIMIT)


def _reason(reason: str) -> tuple[str, str]:
    code, colon, sentence = clean(reason, _LINE_LIMIT).partition(": ")
    return (code, sentence) if colon else ("", code)


def _shrunk(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(image)


def _encoded(pixels: NDArray[np.uint8]) -> Thumbnail:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=_QUALITY, subsampling=0)
    text = base64.b64encode(out.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{text}", width=pixels.shape[1], height=pixels.shape[0])


def _heatmap(
    thumbnail: NDArray[np.uint8], evidence: Evidence, height: int, width: int
) -> tuple[NDArray[np.uint8], float]:
    rows, columns = (
        ((np.arange(shown) + 0.5) * whole / shown).astype(np.int64)
        for shown, whole in zip(thumbnail.shape[:2], (height, width), strict=True)
    )
    scores = scores_at(evidence, rows, columns)
    return tint(thumbnail, scores), float(1.0 - np.isnan(scores).mean())


def _spectrum(picture: Picture) -> tuple[Thumbnail | None, tuple[PeakMark, ...], int | None]:
    # scipy comes with them: only reports should pay for it.
    from spectrace.spectra.display import display_spectrum, peak_position  # noqa: PLC0415
    from spectrace.spectra.peaks import MIN_SIDE, find_peaks, upsampling_factor  # noqa: PLC0415

    if min(picture.pixels.shape[:2]) < MIN_SIDE:
        return None, (), None
    shown = display_spectrum(picture.pixels, SPECTRUM_SIDE)
    # A file that is no JPEG may have been one; only the pixels can tell.
    peaks = find_peaks(picture.pixels, jpeg_grid=picture.facts.format in _JPEG_FORMATS or None)
    marks = []
    for peak in peaks[:PEAKS_LIMIT]:
        row, column = peak_position(peak, SPECTRUM_SIDE)
        marks.append(
            PeakMark(
                x=(column + 0.5) / SPECTRUM_SIDE,
                y=(row + 0.5) / SPECTRUM_SIDE,
                kind=peak.kind,
                direction=peak.direction,
                period=peak.period,
                strength=peak.strength,
                label=peak.label,
            )
        )
    return _encoded(shown), tuple(marks), upsampling_factor(peaks)
