"""Files made by hand, part by part: the oracle is the formats' specifications, not the reader."""

from __future__ import annotations

import io
import struct
import zlib
from uuid import UUID

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
C2PA_BOX = UUID("d8fec3d6-1b0e-483c-9297-5828877ec481").bytes
C2PA_TYPE = UUID("63327061-0011-0010-8000-00aa00389b71").bytes


class Builder:
    """Makes small files of every format with chosen metadata."""

    trained = TRAINED

    @staticmethod
    def picture(kind: str, **options) -> bytes:
        pixels = (
            (np.arange(48 * 40 * 3, dtype=np.uint32) * 2654435761 >> 24).astype(np.uint8).reshape(40, 48, 3)
        )
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, kind, **options)
        return out.getvalue()

    @staticmethod
    def packet(attributes: str = "", elements: str = "") -> bytes:
        return (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
            'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
            'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
            'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dcterms="http://purl.org/dc/terms/" '
            f'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" {attributes}>{elements}</rdf:Description>'
            "</rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
        ).encode()

    @staticmethod
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + kind + content

    @classmethod
    def store(cls, *manifests: bytes) -> bytes:
        """A C2PA manifest store whose manifests hold the given claims."""
        described = cls.box(b"jumd", C2PA_TYPE + b"\3c2pa\0")
        manifest = UUID("63326d61-0011-0010-8000-00aa00389b71").bytes
        children = [
            cls.box(b"jumb", cls.box(b"jumd", manifest + b"\3urn:c2pa:1\0") + cls.box(b"cbor", claims))
            for claims in manifests
        ]
        return cls.box(b"jumb", described + b"".join(children))

    @staticmethod
    def cbor(text: str) -> bytes:
        data = text.encode()
        return (bytes([0x60 + len(data)]) if len(data) < 24 else b"\x78" + bytes([len(data)])) + data

    # JPEG
    @staticmethod
    def segment(marker: int, payload: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload

    @classmethod
    def jpeg(cls, *segments: bytes, base: bytes | None = None) -> bytes:
        base = base or cls.picture("JPEG")
        return base[:2] + b"".join(segments) + base[2:]

    @classmethod
    def app1_xmp(cls, packet: bytes) -> bytes:
        return cls.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)

    @classmethod
    def app11(cls, box: bytes, size: int = 60_000) -> list[bytes]:
        """A JUMBF box over APP11 segments (ISO/IEC 18477-3): each repeats the box's header."""
        parts = [box[8:][at : at + size] for at in range(0, max(len(box) - 8, 1), size)]
        return [
            cls.segment(0xEB, b"JP" + struct.pack(">HI", 1, number) + box[:8] + part)
            for number, part in enumerate(parts, 1)
        ]

    # PNG
    @staticmethod
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    @classmethod
    def png(cls, *chunks: bytes, behind: bool = False) -> bytes:
        base = cls.picture("PNG")
        at = len(base) - 12 if behind else 33
        return base[:at] + b"".join(chunks) + base[at:]

    @classmethod
    def png_texts(cls, **texts: str) -> bytes:
        info = PngImagePlugin.PngInfo()
        for keyword, text in texts.items():
            info.add_text(keyword.replace("__", " ").replace("_m_", "-"), text)
        return cls.picture("PNG", pnginfo=info)

    # GIF
    @staticmethod
    def gif(application: bytes, data: bytes) -> bytes:
        base = Builder.picture("GIF")
        table = 3 << ((base[10] & 7) + 1) if base[10] & 0x80 else 0
        at = 13 + table
        return base[:at] + b"\x21\xff\x0b" + application + data + base[at:]

    # WebP
    @staticmethod
    def webp(name: bytes, data: bytes) -> bytes:
        base = Builder.picture("WEBP")
        body = base[8:] + name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        return b"RIFF" + struct.pack("<I", len(body)) + body

    # AVIF
    @classmethod
    def avif_with_c2pa(cls, store: bytes, purpose: bytes = b"manifest") -> bytes:
        content = C2PA_BOX + b"\0\0\0\0" + purpose + b"\0" + b"\0" * 8 + store
        base = cls.picture("AVIF")
        length = struct.unpack(">I", base[:4])[0]
        return base[:length] + cls.box(b"uuid", content) + base[length:]

    @staticmethod
    def exif(**tags: str) -> Image.Exif:
        exif = Image.Exif()
        numbers = {"make": 0x010F, "model": 0x0110, "software": 0x0131, "description": 0x010E}
        for name, value in tags.items():
            if name == "comment":
                exif.get_ifd(0x8769)[0x9286] = value
            else:
                exif[numbers[name]] = value
        return exif


@pytest.fixture(scope="session")
def build() -> Builder:
    """Makes files with chosen metadata."""
    return Builder()
