"""Tags of TIFF streams: TIFF files, and the EXIF that every other container carries.

Sources: TIFF 6.0, BigTIFF, CIPA DC-008 (EXIF 2.32: Make, Model, Software, UserComment), Adobe XMP part 3
(tag 700), C2PA 2.x annex A (tag 0xCD41).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from spectrace.images.directory import TYPE_SIZES
from spectrace.provenance.items import C2PA_LIMIT, TEXT_LIMIT, XMP_LIMIT, Item, Kind

DESCRIPTION, MAKE, MODEL, SOFTWARE, USER_COMMENT = 0x010E, 0x010F, 0x0110, 0x0131, 0x9286
_XMP, _EXIF_DIRECTORY, _C2PA = 0x02BC, 0x8769, 0xCD41
_LIMITS = {
    DESCRIPTION: TEXT_LIMIT,
    MAKE: TEXT_LIMIT,
    MODEL: TEXT_LIMIT,
    SOFTWARE: TEXT_LIMIT,
    USER_COMMENT: TEXT_LIMIT,
    _XMP: XMP_LIMIT + 1,
    _EXIF_DIRECTORY: 8,
    _C2PA: C2PA_LIMIT,
}
_ENTRIES = 4096
_UNICODE, _ASCII, _UNDEFINED = b"UNICODE\0", b"ASCII\0\0\0", b"\0" * 8

_Order = Literal["little", "big"]


def walk(raw: bytes) -> Iterator[Item]:
    """XMP, C2PA and EXIF of a TIFF file's first directory."""
    tags = read_tags(raw)
    if _XMP in tags:
        yield Item(Kind.XMP, tags[_XMP])
    if _C2PA in tags:
        yield Item(Kind.C2PA, tags[_C2PA])
    yield Item(Kind.EXIF, raw)


def read_tags(stream: bytes) -> dict[int, bytes]:
    r"""Values of the tags that speak of origin, from the first directory and its EXIF directory.

    Args:
        stream: from the byte-order mark on.

    Returns:
        Raw bytes by tag number, each within its limit; empty when the stream is none.

    Example:
        >>> from PIL import Image
        >>> exif = Image.Exif()
        >>> exif[0x010F] = "Canon"
        >>> read_tags(exif.tobytes()[6:])[MAKE]
        b'Canon\x00'
    """
    order: _Order
    if stream[:2] == b"II":
        order = "little"
    elif stream[:2] == b"MM":
        order = "big"
    else:
        return {}
    magic = int.from_bytes(stream[2:4], order)
    if magic not in (42, 43):
        return {}
    big = magic == 43
    first = int.from_bytes(stream[8:16] if big else stream[4:8], order)
    tags = _directory(stream, first, order, big)
    pointer = tags.pop(_EXIF_DIRECTORY, None)
    if pointer:
        inner = _directory(stream, int.from_bytes(pointer, order), order, big)
        if USER_COMMENT in inner:
            tags[USER_COMMENT] = inner[USER_COMMENT]
    return tags


def _directory(stream: bytes, offset: int, order: _Order, big: bool) -> dict[int, bytes]:
    count_size, entry_size, value_size = (8, 20, 8) if big else (2, 12, 4)
    count = min(int.from_bytes(stream[offset : offset + count_size], order), _ENTRIES)
    start = offset + count_size
    tags: dict[int, bytes] = {}
    for position in range(start, min(start + count * entry_size, len(stream)), entry_size):
        entry = stream[position : position + entry_size]
        tag = int.from_bytes(entry[:2], order)
        width = TYPE_SIZES.get(int.from_bytes(entry[2:4], order))
        if tag not in _LIMITS or width is None or len(entry) < entry_size:
            continue
        length = int.from_bytes(entry[4 : 4 + value_size], order) * width
        value = entry[4 + value_size :]
        if length > value_size:
            where = int.from_bytes(value, order)
            value = stream[where : where + min(length, _LIMITS[tag])]
        else:
            value = value[:length]
        tags.setdefault(tag, value)
    return tags


def text(value: bytes | None) -> str:
    r"""A tag's ASCII value, read as UTF-8 as most writers mean it.

    Example:
        >>> text(b"Canon\0"), text(None)
        ('Canon', '')
    """
    return (value or b"").partition(b"\0")[0].decode("utf-8", "replace").strip()


def comment(value: bytes | None) -> str:
    r"""EXIF UserComment: eight bytes name the character code, then comes the text.

    The code ``UNICODE`` means UTF-16, but in whose byte order is left open (the web UI of Stable Diffusion
    writes big-endian into little-endian files), so the zero bytes of Latin text decide.

    Example:
        >>> comment(b"UNICODE\0" + "a fox".encode("utf-16-be")), comment(b"ASCII\0\0\0a fox")
        ('a fox', 'a fox')
    """
    value = value or b""
    code, body = value[:8], value[8:]
    if code == _UNICODE:
        return _utf16(body)
    if code in (_ASCII, _UNDEFINED):
        return body.decode("utf-8", "replace").strip("\0 ")
    return value.decode("utf-8", "replace").strip("\0 ")


def _utf16(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace").strip("\0 ")
    high, low = body[::2].count(0), body[1::2].count(0)
    if not high and not low:
        return body.decode("utf-8", "replace").strip()
    return body.decode("utf-16-be" if high >= low else "utf-16-le", "replace").strip("\0 ")
