"""The record of what a file says about itself, and the cleaning of hostile text for it."""

from __future__ import annotations

import unicodedata

import msgspec

NAME_LIMIT = 120
EXCERPT_LIMIT = 500
NOTE_LIMIT = 300
NOTES_LIMIT = 12

# Control, format (bidirectional overrides, zero-width), surrogate, private and unassigned characters.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What a file claims about its origin. Every field is a claim: nothing here is verified.

    Attributes:
        c2pa: whether a C2PA manifest store is embedded (ISO/IEC 19566-5 JUMBF, C2PA 2.x annex A). Its
            signature is not verified.
        digital_source_type: the IPTC term, as ``trainedAlgorithmicMedia``; from XMP, else from the active
            C2PA manifest.
        xmp: whether an XMP packet is embedded.
        software: the program the file names as its writer (EXIF Software, PNG Software, XMP CreatorTool).
        generator: a known image generator that left its name or its own metadata fields.
        generator_text: what it left, at most 500 characters (often the prompt).
        camera_make: EXIF Make (or tiff:Make of XMP).
        camera_model: EXIF Model (or tiff:Model of XMP).
        notes: one-line remarks for people.

    Example:
        >>> Provenance(c2pa=True).generator is None
        True
    """

    c2pa: bool = False
    digital_source_type: str | None = None
    xmp: bool = False
    software: str | None = None
    generator: str | None = None
    generator_text: str | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    notes: list[str] = msgspec.field(default_factory=list)


def clean(text: str, limit: int) -> str:
    r"""Hostile text as one bounded, printable line.

    Control characters, terminal escapes' introducers, bidirectional overrides, zero-width and unassigned
    characters go; white space of any kind becomes single spaces; longer text is cut with an ellipsis.

    Args:
        text: anything, of any length.
        limit: the most characters to give back, at least 1.

    Example:
        >>> clean("a\x1b[31m red\u202e \n\tfox", 40)
        'a[31m red fox'
        >>> clean("abcdef", 4)
        'abc…'
    """
    # Nothing past this can reach the result, unless nearly all of the text is unprintable.
    head = text[: 8 * limit]
    shown = "".join(" " if c.isspace() else c for c in head if c.isspace() or _printable(c))
    line = " ".join(shown.split())
    if len(line) > limit:
        return line[: limit - 1].rstrip() + "…"
    return line


def _printable(character: str) -> bool:
    return unicodedata.category(character) not in _UNPRINTABLE
