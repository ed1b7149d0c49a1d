"""From a file's bytes to the record of what it says about itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from spectrace.provenance import blocks, boxes, jpeg, jumbf, png, tiff, xmp
from spectrace.provenance.generators import Mark, named, recognise
from spectrace.provenance.items import Item, Kind
from spectrace.provenance.record import (
    EXCERPT_LIMIT,
    NAME_LIMIT,
    NOTE_LIMIT,
    NOTES_LIMIT,
    Provenance,
    clean,
)

_ITEMS = 256
_PACKETS = 4
_EXIF_BLOCKS = 4
_AIGC_LABELS = {"1": "generated", "2": "possibly generated", "3": "suspected of being generated"}


def read(raw: bytes) -> Provenance:
    """What a file says about itself, from its bytes alone.

    JPEG, MPO, PNG, WebP, GIF, TIFF, AVIF, HEIF and MP4 are looked into; any other file gives an empty
    record. Time and memory are bounded: sizes, counts and inflated bytes all have limits, and XML is parsed
    without document types or entities.

    Args:
        raw: the whole file.

    Returns:
        The record. Never raises, whatever the bytes.

    Example:
        >>> read(b"not a picture")
        Provenance(c2pa=False, digital_source_type=None, xmp=False, software=None, generator=None, \
generator_text=None, camera_make=None, camera_model=None, notes=[])
    """
    try:
        return read_items(walk(raw))
    except Exception as error:  # the promise above holds even where a bound was forgotten
        return Provenance(notes=[f"metadata could not be read ({type(error).__name__})"])


def walk(raw: bytes) -> Iterator[Item]:
    """Pieces of metadata in a file of any known format."""
    for fits, walker in _FORMATS:
        if fits(raw):
            return walker(raw)
    return iter(())


_FORMATS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Iterator[Item]]], ...] = (
    (lambda raw: raw[:2] == b"\xff\xd8", jpeg.walk),
    (lambda raw: raw[:8] == png.SIGNATURE, png.walk),
    (lambda raw: raw[:4] == b"RIFF" and raw[8:12] == b"WEBP", blocks.walk_webp),
    (lambda raw: raw[:6] in (b"GIF87a", b"GIF89a"), blocks.walk_gif),
    (lambda raw: raw[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), tiff.walk),
    (lambda raw: raw[4:8] == b"ftyp", boxes.walk),
)


@dataclass
class _Found:
    """What the items hold, not cleaned yet."""

    texts: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    stores: list[jumbf.Store] = field(default_factory=list)
    packets: int = 0
    exif_blocks: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, item: Item) -> None:
        if item.kind is Kind.TEXT:
            self.texts.setdefault(item.keyword, item.text)
        elif item.kind is Kind.XMP:
            self._add_packet(item.data)
        elif item.kind is Kind.EXIF:
            self._add_exif(item.data)
        else:
            store = jumbf.read_store(item.data)
            if store is not None:
                self.stores.append(store)

    def _add_packet(self, data: bytes) -> None:
        self.packets += 1
        if self.packets > _PACKETS:
            return
        packet = xmp.read_packet(data)
        for name, value in packet.properties.items():
            self.properties.setdefault(name, value)
        if packet.problem is not None:
            self.notes.append(f"XMP packet not read in full: it {packet.problem}")

    def _add_exif(self, data: bytes) -> None:
        self.exif_blocks += 1
        if self.exif_blocks > _EXIF_BLOCKS:
            return
        tags = tiff.read_tags(data)
        fields = {
            "ImageDescription": tiff.text(tags.get(tiff.DESCRIPTION)),
            "Make": tiff.text(tags.get(tiff.MAKE)),
            "Model": tiff.text(tags.get(tiff.MODEL)),
            "Software": tiff.text(tags.get(tiff.SOFTWARE)),
            "UserComment": tiff.comment(tags.get(tiff.USER_COMMENT)),
        }
        for keyword, value in fields.items():
            if value:
                self.texts.setdefault(keyword, value)


def read_items(items: Iterable[Item]) -> Provenance:
    """The record of a file's pieces of metadata; those past the 256th are not looked at."""
    found = _Found()
    for item in islice(items, _ITEMS):
        found.add(item)
    texts, properties = found.texts, found.properties
    notes = [*_c2pa_notes(found.stores), *_xmp_notes(texts, properties), *found.notes]
    mark = _mark(found)
    make, model = (
        texts.get("Make") or properties.get(xmp.MAKE),
        texts.get("Model") or properties.get(xmp.MODEL),
    )
    if mark is not None and (mark.text in (make, model) or named([make or ""]) is not None):
        # Some generators write their workflow or their maker's name where a camera writes its own.
        notes.append("EXIF Make and Model were written by the generator: they name no camera")
        make = model = None
    software = texts.get("Software") or properties.get(xmp.CREATOR_TOOL) or properties.get(xmp.SOFTWARE)
    return Provenance(
        c2pa=bool(found.stores),
        digital_source_type=_source_type(found),
        xmp=found.packets > 0,
        software=_short(software),
        generator=None if mark is None else mark.generator,
        generator_text=None if mark is None else clean(mark.text, EXCERPT_LIMIT) or None,
        camera_make=_short(make),
        camera_model=_short(model),
        notes=[clean(note, NOTE_LIMIT) for note in notes[:NOTES_LIMIT]],
    )


def _mark(found: _Found) -> Mark | None:
    """The generator by its own fields, else by its name where programs are named."""
    texts, properties = found.texts, found.properties
    fields = dict(texts)
    if xmp.USER_COMMENT in properties:
        fields.setdefault("UserComment", properties[xmp.USER_COMMENT])
    mark = recognise(fields)
    if mark is not None:
        return mark
    places = [texts.get(key) for key in ("Software", "Source", "Make")]
    keys = (xmp.CREATOR_TOOL, xmp.SOFTWARE, xmp.AI_SYSTEM, xmp.CREDIT)
    places += [properties.get(key) for key in keys]
    places += [program for store in found.stores for program in store.programs]
    return named([place for place in places if place])


def _source_type(found: _Found) -> str | None:
    stated = xmp.source_type(found.properties.get(xmp.SOURCE_TYPE, ""))
    if stated is not None:
        return stated
    return next((xmp.source_type(term) for store in found.stores for term in store.source_types), None)


def _c2pa_notes(stores: list[jumbf.Store]) -> list[str]:
    if not stores:
        return []
    notes = ["C2PA manifest found; only its presence was checked: its signature was not verified"]
    programs = list(dict.fromkeys(program for store in stores for program in store.programs))
    types = list(dict.fromkeys(term for store in stores for term in store.source_types))
    if programs:
        notes.append(f"C2PA manifest names, unverified: {clean(', '.join(programs[:4]), NAME_LIMIT)}")
    if types:
        notes.append(f"C2PA manifest gives as digital source type, unverified: {', '.join(types[:4])}")
    return notes


def _xmp_notes(texts: dict[str, str], properties: dict[str, str]) -> list[str]:
    notes = []
    stated = properties.get(xmp.SOURCE_TYPE)
    if stated is not None and xmp.source_type(stated) is None:
        notes.append(f"XMP digital source type is no term of a vocabulary: {clean(stated, NAME_LIMIT)}")
    if xmp.AI_SYSTEM in properties:
        notes.append(f"XMP names as AI system used: {clean(properties[xmp.AI_SYSTEM], NAME_LIMIT)}")
    if xmp.REMOTE_MANIFEST in properties:
        address = clean(properties[xmp.REMOTE_MANIFEST], NAME_LIMIT)
        notes.append(f"XMP points to a C2PA manifest elsewhere, which was not fetched: {address}")
    label = _aigc_label(properties.get(xmp.AIGC) or texts.get("AIGC"))
    if label is not None:
        notes.append(f"AIGC label of GB 45438-2025: {label}")
    return notes


def _aigc_label(text: str | None) -> str | None:
    try:
        content = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if isinstance(content, dict) and isinstance(content.get("AIGC"), dict):
        content = content["AIGC"]
    label = content.get("Label") if isinstance(content, dict) else None
    return _AIGC_LABELS.get(str(label)[:2])


def _short(text: str | None) -> str | None:
    return clean(text or "", NAME_LIMIT) or None
