"""Traits of a picture that say nothing about what it shows: of its file, of its past files, of its spectrum.

A trait is a number or a word; one that a picture does not have (the JPEG quality of a PNG) is left out.
"""

from __future__ import annotations

import hashlib
import math
from typing import Literal, NamedTuple

from spectrace.evaluation.audit.grid import grid_traits
from spectrace.evaluation.audit.spectral import spectral_traits
from spectrace.images.decode import Picture, Pixels
from spectrace.images.jpeg import read_jpeg_header
from spectrace.provenance import read

Trait = float | str
Traits = dict[str, Trait]
Kind = Literal["file", "grid", "spectral"]

KINDS: tuple[Kind, ...] = ("file", "grid", "spectral")
_FORMATS_WITH_TABLES = frozenset({"JPEG", "MPO"})
_LARGEST_MULTIPLE = 64


class Described(NamedTuple):
    """How a trait is named for people.

    Attributes:
        kind: ``file`` (metadata and size), ``grid`` (what earlier JPEG files left in the pixels) or
            ``spectral`` (resampling, and how much detail there is).
        title: as the subject of a sentence.
        unit: of a number.
    """

    kind: Kind
    title: str
    unit: str = ""


TRAITS: dict[str, Described] = {
    "format": Described("file", "file format"),
    "size": Described("file", "size in pixels"),
    "width": Described("file", "width", "pixels"),
    "height": Described("file", "height", "pixels"),
    "aspect": Described("file", "width over height"),
    "multiple_of": Described("file", "largest power of two that divides both sides"),
    "mode": Described("file", "colour mode"),
    "bit_depth": Described("file", "bits a sample"),
    "bytes_a_pixel": Described("file", "bytes a pixel"),
    "frames": Described("file", "frames"),
    "orientation": Described("file", "EXIF orientation"),
    "jpeg_quality": Described("file", "JPEG quality"),
    "jpeg_tables": Described("file", "JPEG quantisation table"),
    "subsampling": Described("file", "chroma subsampling"),
    "progressive": Described("file", "progressive JPEG"),
    "icc": Described("file", "colour profile"),
    "exif": Described("file", "EXIF"),
    "camera": Described("file", "camera named in the file"),
    "software": Described("file", "program named in the file"),
    "generator": Described("file", "generator named in the file"),
    "c2pa": Described("file", "C2PA manifest"),
    "xmp": Described("file", "XMP packet"),
    "grid_gap": Described("grid", "JPEG's block grid in the pixels: zeros at its phase"),
    "grid_edges": Described("grid", "steps at the edges of 8 x 8 blocks"),
    "grid_phase": Described("grid", "place of the block grid"),
    "grid_second": Described("grid", "steps at another place of an 8 x 8 grid"),
    "grid_step_low": Described("grid", "quantisation step in the pixels, low frequencies"),
    "grid_step_mid": Described("grid", "quantisation step in the pixels, middle frequencies"),
    "grid_comb": Described("grid", "how clearly coefficients lie on multiples of a step"),
    "grid_holes": Described("grid", "holes in the histogram of quantised coefficients"),
    "resampling_strength": Described("spectral", "strongest period of the residual's size", "dB"),
    "resampling_frequency": Described("spectral", "frequency of that period", "cycles per pixel"),
    "period_2": Described("spectral", "residual's size at period 2", "dB"),
    "period_3": Described("spectral", "residual's size at period 3", "dB"),
    "period_4": Described("spectral", "residual's size at period 4", "dB"),
    "pattern": Described("spectral", "strongest fixed pattern of period 2, 3 or 4", "dB"),
    "fine_detail": Described("spectral", "power of the finest detail over that of middle detail", "dB"),
    "chroma_detail": Described("spectral", "power of fine detail in chroma over that in luma", "dB"),
}
"""Every trait there is, in the order in which traits are shown."""


def names_of(*kinds: Kind) -> tuple[str, ...]:
    """The traits of some kinds.

    Example:
        >>> "format" in names_of("file"), "format" in names_of("grid", "spectral")
        (True, False)
    """
    return tuple(name for name, described in TRAITS.items() if described.kind in kinds)


def file_traits(picture: Picture) -> Traits:
    """What the file says, and the size.

    Args:
        picture: as decoded; one that came as an array has a size and nothing else.

    Returns:
        Values of the traits of the kind ``file``.

    Example:
        >>> import numpy as np
        >>> from spectrace.images.codecs import encode_jpeg
        >>> from spectrace.images.decode import decode
        >>> found = file_traits(decode(encode_jpeg(np.zeros((16, 32, 3), np.uint8), 90)))
        >>> found["format"], found["size"], found["aspect"], found["jpeg_quality"], found["multiple_of"]
        ('JPEG', '32 x 16', 2.0, 90.0, '16')
    """
    facts = picture.facts
    common = math.gcd(facts.width, facts.height)
    found: Traits = {
        "size": f"{facts.width} x {facts.height}",
        "width": float(facts.width),
        "height": float(facts.height),
        "aspect": facts.width / facts.height,
        "multiple_of": str(min(common & -common, _LARGEST_MULTIPLE)),
    }
    if picture.raw is None:
        return found
    found |= {
        "format": facts.format,
        "mode": facts.mode,
        "bit_depth": str(facts.bit_depth),
        "bytes_a_pixel": len(picture.raw) / (facts.width * facts.height),
        "frames": "one" if facts.frames == 1 else "several",
        "orientation": str(facts.orientation),
        "icc": _yes(facts.icc),
        "exif": _yes(facts.exif),
    }
    if facts.jpeg_quality is not None:
        found["jpeg_quality"] = float(facts.jpeg_quality)
    if facts.subsampling is not None:
        found["subsampling"] = facts.subsampling
    if facts.progressive is not None:
        found["progressive"] = _yes(facts.progressive)
    if facts.format in _FORMATS_WITH_TABLES:
        tables = read_jpeg_header(picture.raw).tables
        whole = b"".join(table.tobytes() for _, table in sorted(tables.items()))
        found["jpeg_tables"] = hashlib.sha256(whole).hexdigest()[:8]
    return found | _claims(picture.raw)


def _claims(raw: bytes) -> Traits:
    claimed = read(raw)
    return {
        "camera": _yes(bool(claimed.camera_make or claimed.camera_model)),
        "software": _yes(bool(claimed.software)),
        "generator": _yes(bool(claimed.generator)),
        "c2pa": _yes(claimed.c2pa),
        "xmp": _yes(claimed.xmp),
    }


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def pixel_traits(pixels: Pixels) -> dict[str, Trait]:
    """What earlier files and resampling left in the pixels, whatever file they come in now.

    The middle of the picture is looked at, at most 256 x 256 pixels, so that the size does not show.

    Args:
        pixels: uint8 ``[H, W, 3]``.

    Returns:
        Values of the traits of the kinds ``grid`` and ``spectral``; only some for a picture that is too
        small (below 24, below 50 pixels) or flat.

    Example:
        >>> import numpy as np
        >>> sorted(pixel_traits(np.zeros((8, 8, 3), np.uint8)))
        []
    """
    return {**grid_traits(pixels), **spectral_traits(pixels)}


def traits_of(picture: Picture) -> Traits:
    """All traits of a picture.

    Example:
        >>> import numpy as np
        >>> from spectrace.images.decode import decode
        >>> noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        >>> set(traits_of(decode(noise))) <= set(TRAITS)
        True
    """
    return {**file_traits(picture), **pixel_traits(picture.pixels)}
