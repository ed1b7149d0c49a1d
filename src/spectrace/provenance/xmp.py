"""XMP packets: the few properties that speak of origin.

Sources: ISO 16684-1 (XMP; properties as attributes, elements or ``rdf:resource``), IPTC Photo Metadata
Standard 2025.1 (Digital Source Type, AI System Used, Credit Line), the IPTC digital source type NewsCodes,
GB 45438-2025 (the AIGC label).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from spectrace.provenance.items import XMP_LIMIT

_IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"

SOURCE_TYPE = _IPTC + "DigitalSourceType"
AI_SYSTEM = _IPTC + "AISystemUsed"
CREATOR_TOOL = "{http://ns.adobe.com/xap/1.0/}CreatorTool"
CREDIT = "{http://ns.adobe.com/photoshop/1.0/}Credit"
MAKE = "{http://ns.adobe.com/tiff/1.0/}Make"
MODEL = "{http://ns.adobe.com/tiff/1.0/}Model"
SOFTWARE = "{http://ns.adobe.com/tiff/1.0/}Software"
USER_COMMENT = _EXIF + "UserComment"
REMOTE_MANIFEST = "{http://purl.org/dc/terms/}provenance"
AIGC = "{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC"

# The property was first called Digital Source File Type.
_ALIASES = {_IPTC + "DigitalSourcefileType": SOURCE_TYPE, _IPTC + "DigitalSourceFileType": SOURCE_TYPE}
_PROPERTIES = frozenset(
    {
        SOURCE_TYPE,
        AI_SYSTEM,
        CREATOR_TOOL,
        CREDIT,
        MAKE,
        MODEL,
        SOFTWARE,
        USER_COMMENT,
        REMOTE_MANIFEST,
        AIGC,
    }
)
_VALUE_LIMIT = 16 << 10
_EVENT_LIMIT = 50_000
_DEPTH_LIMIT = 100

_TERMS = {
    term.lower(): term
    for term in (
        "digitalCapture computationalCapture negativeFilm positiveFilm print minorHumanEdits humanEdits "
        "algorithmicallyEnhanced softwareImage digitalArt digitalCreation dataDrivenMedia "
        "trainedAlgorithmicMedia algorithmicMedia screenCapture virtualRecording composite compositeCapture "
        "compositeSynthetic compositeWithTrainedAlgorithmicMedia"
    ).split()
}
_TERM = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")


@dataclass(frozen=True, slots=True)
class Packet:
    """What one XMP packet says.

    Attributes:
        properties: value by Clark name (``{namespace}name``), the first found of each, not cleaned.
        problem: why the packet could not be read to its end, else None.
    """

    properties: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


def read_packet(data: bytes) -> Packet:
    """Read an XMP packet without ever expanding an entity or fetching anything.

    Example:
        >>> packet = read_packet(
        ...     b"<x xmlns:i='http://iptc.org/std/Iptc4xmpExt/2008-02-29/' "
        ...     b"i:DigitalSourceType='digitalCapture'/>"
        ... )
        >>> packet.properties[SOURCE_TYPE]
        'digitalCapture'
        >>> read_packet(b"<x").problem
        'is not well-formed XML'
    """
    if len(data) > XMP_LIMIT:
        return Packet(problem=f"is longer than {XMP_LIMIT >> 20} MiB")
    # Here and not at the top: most pictures carry no XMP, and start-up is counted in milliseconds.
    from xml.etree.ElementTree import ParseError  # noqa: PLC0415

    from defusedxml import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import DefusedXMLParser  # noqa: PLC0415

    collector = _Collector()
    parser = DefusedXMLParser(target=collector, forbid_dtd=True)
    problem = None
    try:
        parser.feed(_trimmed(data))
        parser.close()
    except DefusedXmlException:
        problem = "declares a document type or entities"
    except _TooMuchError:
        problem = "holds too many or too deeply nested elements"
    except (ParseError, LookupError, ValueError):
        problem = "is not well-formed XML"
    return Packet(properties=collector.properties, problem=problem)


def source_type(value: str) -> str | None:
    """The IPTC term of a digital source type: the last segment of its URL, or the bare term.

    Example:
        >>> source_type("http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia")
        'trainedAlgorithmicMedia'
        >>> source_type("digsrctype:digitalCapture"), source_type("<b>hostile</b>")
        ('digitalCapture', None)
    """
    segment = re.split(r"[/:#]", value[:_VALUE_LIMIT].strip().rstrip("/"))[-1]
    if not _TERM.fullmatch(segment):
        return None
    return _TERMS.get(segment.lower(), segment)


def _trimmed(data: bytes) -> bytes:
    # Writers pad packets with white space and zeros; UTF-16 and UTF-32 packets are left as they are.
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        return data
    return data[max(data.find(b"<"), 0) : data.rfind(b">") + 1]


class _TooMuchError(Exception):
    """The packet goes past the bounds."""


class _Collector:
    """An expat target that keeps the wanted properties and builds no tree."""

    def __init__(self) -> None:
        self.properties: dict[str, str] = {}
        self._events = 0
        self._open: str | None = None
        self._depth = self._open_depth = 0
        self._text: list[str] = []
        self._length = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._events += 1 + len(attributes)
        self._depth += 1
        if self._events > _EVENT_LIMIT or self._depth > _DEPTH_LIMIT:
            raise _TooMuchError
        for name, value in attributes.items():
            self._keep(name, value)
        name = _ALIASES.get(tag, tag)
        if self._open is None and name in _PROPERTIES:
            self._open, self._open_depth = name, self._depth
            self._text, self._length = [], 0
        if self._open is not None and _RESOURCE in attributes:
            self._keep(self._open, attributes[_RESOURCE])

    def data(self, text: str) -> None:
        if self._open is not None and self._length < _VALUE_LIMIT:
            self._text.append(text)
            self._length += len(text)

    def end(self, tag: str) -> None:
        if self._open is not None and self._depth == self._open_depth:
            self._keep(self._open, "".join(self._text))
            self._open = None
        self._depth -= 1

    def close(self) -> None:
        """Asked for by the parser; there is nothing left to do."""

    def _keep(self, name: str, value: str) -> None:
        name, value = _ALIASES.get(name, name), value.strip()[:_VALUE_LIMIT]
        if name in _PROPERTIES and value:
            self.properties.setdefault(name, value)
