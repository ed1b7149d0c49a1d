"""C2PA manifest stores: whether bytes are one, and what its active manifest claims.

Sources: ISO/IEC 19566-5 (JUMBF boxes), C2PA 2.x (content type ``c2pa``; the last manifest is the active
one; claims and actions are CBOR, RFC 8949). Signatures, hashes and trust are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_CONTENT_TYPE = bytes.fromhex("63327061 0011 0010 8000 00aa00389b71")
_LABEL = b"c2pa"
_MANIFESTS = 4096
_SOURCE_TYPE = re.compile(rb"digitalsourcetype/([A-Za-z]{1,64})")
_TEXT_KEYS = (b"softwareAgent", b"claim_generator", b"claim_generator_info")
_NAMED_WITHIN = 64


@dataclass(frozen=True, slots=True)
class Store:
    """What the active manifest claims, unverified.

    Attributes:
        programs: names of the programs that made the claim or acted on the picture.
        source_types: IPTC digital source types of its actions, each once.
    """

    programs: list[str] = field(default_factory=list)
    source_types: list[str] = field(default_factory=list)


def read_store(data: bytes) -> Store | None:
    r"""Read a C2PA manifest store.

    Args:
        data: a JUMBF superbox.

    Returns:
        What its active manifest claims; None when the box is no C2PA manifest store.

    Example:
        >>> description = b"\0\0\0\x1ejumd" + _CONTENT_TYPE + b"\3c2pa\0"
        >>> read_store(b"\0\0\0\x26jumb" + description)
        Store(programs=[], source_types=[])
        >>> read_store(b"jumb and c2pa in any other order") is None
        True
    """
    if data[4:8] != b"jumb":
        return None
    children = list(_boxes(data, 8))
    if not children or children[0][0] != b"jumd":
        return None
    _, start, end = children[0]
    description = data[start:end]
    if description[:16] != _CONTENT_TYPE and description[17:].partition(b"\0")[0] != _LABEL:
        return None
    manifests = [(start, end) for kind, start, end in children if kind == b"jumb"]
    if not manifests:
        return Store()
    start, end = manifests[-1]
    active = data[start:end]
    types = dict.fromkeys(match.decode("ascii") for match in _SOURCE_TYPE.findall(active))
    return Store(programs=_programs(active), source_types=list(types)[:8])


def _boxes(data: bytes, position: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of the content of each box; the last may be cut off."""
    for _ in range(_MANIFESTS):
        size, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        start = position + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8]), start + 8
        elif size == 0:
            size = len(data) - position
        if len(kind) < 4 or position + size < start:
            return
        yield kind, start, min(position + size, len(data))
        position += size


def _programs(active: bytes) -> list[str]:
    names: dict[str, None] = {}
    for key in _TEXT_KEYS:
        # A CBOR text of under 24 bytes is its length in one byte, then the text itself.
        where = active.find(bytes([0x60 + len(key)]) + key)
        if where < 0:
            continue
        after = where + 1 + len(key)
        name = _cbor_text(active, after)
        if not name:
            # A map (or a list of maps) instead of a text: its "name".
            inner = active.find(b"\x64name", after, after + _NAMED_WITHIN)
            name = _cbor_text(active, inner + 5) if inner >= 0 else ""
        if name:
            names[name] = None
    return list(names)


def _cbor_text(data: bytes, position: int) -> str:
    """The CBOR text string at a position, at most 255 bytes long; empty when there is none."""
    first = data[position] if position < len(data) else 0
    if 0x60 <= first <= 0x77:
        start, length = position + 1, first - 0x60
    elif first == 0x78:
        start, length = position + 2, int.from_bytes(data[position + 1 : position + 2])
    else:
        return ""
    return data[start : start + length].decode("utf-8", "replace")
