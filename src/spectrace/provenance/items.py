"""What containers carry: pieces of metadata, still raw, cut out of a file within fixed bounds."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import Enum, auto

XMP_LIMIT = 2 << 20
TEXT_LIMIT = 64 << 10
C2PA_LIMIT = 32 << 20
BLOCK_LIMIT = 100_000
XMP_KEYWORD = "XML:com.adobe.xmp"


class Kind(Enum):
    """What a piece of metadata is."""

    C2PA = auto()
    XMP = auto()
    EXIF = auto()
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of metadata.

    Attributes:
        kind: what it is.
        data: its bytes: a JUMBF box, an XMP packet, a TIFF stream; empty for text.
        keyword: name of a text field.
        text: its text, not cleaned.
    """

    kind: Kind
    data: bytes = b""
    keyword: str = ""
    text: str = ""


def inflate(data: bytes, limit: int) -> bytes:
    """The first ``limit`` bytes of a zlib stream, as many as there are; none of a broken stream.

    Example:
        >>> len(inflate(zlib.compress(bytes(10_000_000)), 1000))
        1000
        >>> inflate(b"no zlib stream", 1000)
        b''
    """
    try:
        # Incompressible data grows by a few bytes a block, so this much input holds `limit` bytes of output.
        return zlib.decompressobj().decompress(data[: limit + 1024], limit)
    except zlib.error:
        return b""
