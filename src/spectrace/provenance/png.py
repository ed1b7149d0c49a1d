"""Metadata of PNG files: text chunks, XMP, EXIF and C2PA.

Sources: W3C PNG (third edition) for tEXt, zTXt, iTXt and eXIf; Adobe XMP part 3 for XMP in iTXt; C2PA 2.x
annex A for caBX; ImageMagick's "Raw profile type" text chunks, an older home of EXIF and XMP.
"""

from __future__ import annotations

from collections.abc import Iterator

from spectrace.provenance.items import (
    BLOCK_LIMIT,
    C2PA_LIMIT,
    TEXT_LIMIT,
    XMP_KEYWORD,
    XMP_LIMIT,
    Item,
    Kind,
    inflate,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INFLATED_LIMIT = 8 << 20
_KEYWORD_LIMIT = 79
_TEXT_CHUNKS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_RAW_PROFILE = "raw profile type "


def walk(raw: bytes) -> Iterator[Item]:
    """Metadata chunks in the file's order, those behind the pixels too."""
    position = len(SIGNATURE)
    budget = _INFLATED_LIMIT
    for _ in range(BLOCK_LIMIT):
        name = raw[position + 4 : position + 8]
        length = int.from_bytes(raw[position : position + 4])
        start, end = position + 8, position + 8 + length
        if len(name) < 4 or end > len(raw) or name == b"IEND":
            return
        if name == b"caBX":
            yield Item(Kind.C2PA, raw[start : min(end, start + C2PA_LIMIT)])
        elif name == b"eXIf":
            yield Item(Kind.EXIF, raw[start:end])
        elif name in _TEXT_CHUNKS and budget > 0:
            item, inflated = _text(name, raw[start : min(end, start + XMP_LIMIT + 1024)])
            budget -= inflated
            if item is not None:
                yield item
        position = end + 4


def _text(name: bytes, chunk: bytes) -> tuple[Item | None, int]:
    """The item of a text chunk, and how many bytes were inflated for it."""
    keyword, zero, rest = chunk.partition(b"\0")
    if not zero or len(keyword) > _KEYWORD_LIMIT:
        return None, 0
    key = keyword.decode("latin-1")
    compressed, encoding = False, "latin-1"
    if name == b"zTXt":
        compressed, rest = True, rest[1:]
    elif name == b"iTXt":
        compressed, encoding = rest[:1] == b"\1", "utf-8"
        # Flag and method, then the language tag and the translated keyword, each ended by a zero byte.
        rest = [*rest[2:].split(b"\0", 2), b"", b""][2]
    wide = key == XMP_KEYWORD or key.lower().startswith(_RAW_PROFILE)
    limit = XMP_LIMIT + 1 if wide else TEXT_LIMIT
    value = inflate(rest, limit) if compressed else rest[:limit]
    spent = len(value) if compressed else 0
    if key == XMP_KEYWORD:
        return Item(Kind.XMP, value), spent
    if key.lower().startswith(_RAW_PROFILE):
        return _raw_profile(key.lower().removeprefix(_RAW_PROFILE), value), spent
    return Item(Kind.TEXT, keyword=key, text=value.decode(encoding, "replace")), spent


def _raw_profile(name: str, value: bytes) -> Item | None:
    """ImageMagick's form: newline, name, newline, length, newline, hexadecimal digits."""
    fields = value.split(None, 2)
    if name not in ("exif", "app1", "xmp") or len(fields) < 3:
        return None
    digits = b"".join(fields[2].split())
    try:
        profile = bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
    except ValueError:
        return None
    if name == "xmp":
        return Item(Kind.XMP, profile)
    return Item(Kind.EXIF, profile.removeprefix(b"Exif\0\0"))
