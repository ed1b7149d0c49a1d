"""Every kind of metadata out of every container that can carry it."""

from __future__ import annotations

import struct
import zlib

import pytest

from spectrace.provenance import Provenance, read
from spectrace.provenance.reading import read_items, walk

CANON = {"make": "Canon", "model": "Canon EOS R5", "software": "GIMP 2.10.34"}
NO_METADATA = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP")


def test_a_picture_without_metadata_claims_nothing(build):
    for kind in NO_METADATA:
        assert read(build.picture(kind)) == Provenance(), kind


# --- EXIF -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_camera_and_software_from_exif(build, kind):
    found = read(build.picture(kind, exif=build.exif(**CANON)))
    assert (found.camera_make, found.camera_model, found.software) == (
        "Canon",
        "Canon EOS R5",
        "GIMP 2.10.34",
    )
    assert found.generator is None
    assert not found.c2pa


def test_exif_in_imagemagick_raw_profile(build):
    profile = b"Exif\0\0" + build.exif(**CANON).tobytes()[6:]
    text = b"\nexif\n%8d\n" % len(profile) + profile.hex().encode()
    chunk = build.chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))
    assert read(build.png(chunk)).camera_model == "Canon EOS R5"


def test_big_endian_exif_and_values_inside_the_entry(build):
    entries = [(0x010F, 2, 3, b"HP\0\0"), (0x0131, 2, 4, b"abc\0")]
    body = struct.pack(">H", 2) + b"".join(struct.pack(">HHI", *entry[:3]) + entry[3] for entry in entries)
    stream = b"MM\0*" + struct.pack(">I", 8) + body + b"\0\0\0\0"
    found = read(build.jpeg(build.segment(0xE1, b"Exif\0\0" + stream)))
    assert (found.camera_make, found.software) == ("HP", "abc")


def test_big_tiff(build):
    value = b"Phase One\0"
    entry = struct.pack("<HHQQ", 0x010F, 2, len(value), 16 + 8 + 20 + 8)
    raw = (
        b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", 1) + entry + struct.pack("<Q", 0) + value
    )
    assert read(raw).camera_make == "Phase One"


# --- XMP --------------------------------------------------------------------------------------------


def packets(build, packet: bytes) -> dict[str, bytes]:
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    compressed = zlib.compress(packet)
    return {
        "jpeg": build.jpeg(build.app1_xmp(packet)),
        "png": build.png(build.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)),
        "png compressed": build.png(build.chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + compressed)),
        "png behind the pixels": build.png(
            build.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0en\0\0" + packet), behind=True
        ),
        "webp": build.webp(b"XMP ", packet),
        "webp by Pillow": build.picture("WEBP", xmp=packet),
        "tiff": build.picture("TIFF", tiffinfo={700: packet}),
        "gif": build.gif(b"XMP DataXMP", packet + trailer),
        "avif by Pillow": build.picture("AVIF", xmp=packet),
        "jpeg by Pillow": build.picture("JPEG", xmp=packet),
    }


def test_source_type_from_every_container(build):
    packet = build.packet(f'Iptc4xmpExt:DigitalSourceType="{build.trained}" xmp:CreatorTool="darktable 4.6"')
    for name, raw in packets(build, packet).items():
        found = read(raw)
        assert found.xmp, name
        assert found.digital_source_type == "trainedAlgorithmicMedia", name
        assert found.software == "darktable 4.6", name
        assert found.notes == [], name


@pytest.mark.parametrize(
    ("attributes", "elements", "term"),
    [
        ('Iptc4xmpExt:DigitalSourceType="digitalCapture"', "", "digitalCapture"),
        ('Iptc4xmpExt:DigitalSourceType="digsrctype:TrainedAlgorithmicMedia"', "", "trainedAlgorithmicMedia"),
        ('Iptc4xmpExt:DigitalSourcefileType="{url}"', "", "trainedAlgorithmicMedia"),
        (
            "",
            "<Iptc4xmpExt:DigitalSourceType>{url}/ </Iptc4xmpExt:DigitalSourceType>",
            "trainedAlgorithmicMedia",
        ),
        ("", '<Iptc4xmpExt:DigitalSourceType rdf:resource="{url}"/>', "trainedAlgorithmicMedia"),
        ("", "<Iptc4xmpExt:DigitalSourceType/>", None),
        (
            "",
            "<Iptc4xmpExt:DigitalSourceType><rdf:Bag><rdf:li>http://x/compositeWithTrainedAlgorithmicMedia"
            "</rdf:li></rdf:Bag></Iptc4xmpExt:DigitalSourceType>",
            "compositeWithTrainedAlgorithmicMedia",
        ),
    ],
)
def test_forms_of_the_source_type(build, attributes, elements, term):
    packet = build.packet(attributes.format(url=build.trained), elements.format(url=build.trained))
    assert read(build.jpeg(build.app1_xmp(packet))).digital_source_type == term


def test_a_source_type_that_is_no_term_becomes_a_note(build):
    packet = build.packet(
        'Iptc4xmpExt:DigitalSourceType="http://x/&lt;script&gt;alert(1)&lt;/script&gt; now"'
    )
    found = read(build.jpeg(build.app1_xmp(packet)))
    assert found.digital_source_type is None
    assert "no term of a vocabulary" in found.notes[0]


def test_extended_xmp(build):
    extended = build.packet(
        f'Iptc4xmpExt:DigitalSourceType="{build.trained}"', "<xmp:Pad>" + "x" * 90_000 + "</xmp:Pad>"
    )
    header = (
        b"http://ns.adobe.com/xmp/extension/\0" + b"0123456789ABCDEF" * 2 + struct.pack(">I", len(extended))
    )
    portions = [
        build.segment(0xE1, header + struct.pack(">I", at) + extended[at : at + 60_000])
        for at in range(0, len(extended), 60_000)
    ]
    standard = build.app1_xmp(build.packet('xmp:CreatorTool="Editor"'))
    found = read(build.jpeg(standard, *reversed(portions)))
    assert (found.digital_source_type, found.software) == ("trainedAlgorithmicMedia", "Editor")
    assert found.notes == []


def test_camera_from_xmp_when_there_is_no_exif(build):
    packet = build.packet('tiff:Make="NIKON CORPORATION" tiff:Model="NIKON Z 9"')
    found = read(
        build.picture("PNG", pnginfo=None)[:33]
        + build.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
    )
    assert (found.camera_make, found.camera_model) == ("NIKON CORPORATION", "NIKON Z 9")


def test_notes_on_remote_manifests_ai_systems_and_the_aigc_label(build):
    packet = build.packet(
        'dcterms:provenance="https://manifests.example/1.c2pa" Iptc4xmpExt:AISystemUsed="Some Model 3"',
        '<TC260:AIGC>{"Label":"1","ContentProducer":"x"}</TC260:AIGC>',
    )
    found = read(build.jpeg(build.app1_xmp(packet)))
    assert not found.c2pa
    assert [note.split(":")[0] for note in found.notes] == [
        "XMP names as AI system used",
        "XMP points to a C2PA manifest elsewhere, which was not fetched",
        "AIGC label of GB 45438-2025",
    ]
    assert read(build.png_texts(AIGC='{"AIGC": {"Label": 2}}')).notes == [
        "AIGC label of GB 45438-2025: possibly generated"
    ]
    assert read(build.png_texts(AIGC='{"Label": [[[')).notes == []


# --- C2PA -------------------------------------------------------------------------------------------


def with_c2pa(build, store: bytes) -> dict[str, bytes]:
    sub_blocks = b"".join(
        bytes([len(store[at : at + 255])]) + store[at : at + 255] for at in range(0, len(store), 255)
    )
    return {
        "jpeg": build.jpeg(*build.app11(store)),
        "jpeg split": build.jpeg(*build.app11(store, size=20)),
        "jpeg split, out of order": build.jpeg(*reversed(build.app11(store, size=100))),
        "png": build.png(build.chunk(b"caBX", store)),
        "webp": build.webp(b"C2PA", store),
        "avif": build.avif_with_c2pa(store),
        "tiff": build.picture("TIFF", tiffinfo=tiff_tag(store)),
        "gif": build.gif(b"C2PA_GIF\1\0\0", sub_blocks + b"\0"),
    }


def tiff_tag(store: bytes):
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2()
    tags[0xCD41] = store
    tags.tagtype[0xCD41] = 7
    return tags


def test_c2pa_is_found_in_every_container(build):
    claims = b"\xa1" + build.cbor("claim_generator") + build.cbor("Camera Firmware 1.0")
    for name, raw in with_c2pa(build, build.store(claims)).items():
        found = read(raw)
        assert found.c2pa, name
        assert "signature was not verified" in found.notes[0], name
        assert found.notes[1:] == ["C2PA manifest names, unverified: Camera Firmware 1.0"], name
        assert found.generator is None, name


def test_the_active_manifest_is_the_last(build):
    ingredient = b"\xa1" + build.cbor("digitalSourceType") + build.cbor(build.trained)
    active = (
        b"\xa1"
        + build.cbor("digitalSourceType")
        + build.cbor("http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture")
    )
    assert (
        read(build.png(build.chunk(b"caBX", build.store(ingredient, active)))).digital_source_type
        == "digitalCapture"
    )
    assert (
        read(build.png(build.chunk(b"caBX", build.store(active, ingredient)))).digital_source_type
        == "trainedAlgorithmicMedia"
    )


def test_a_generator_named_by_the_manifest(build):
    claims = (
        b"\xa2"
        + build.cbor("claim_generator_info")
        + b"\x81\xa1"
        + build.cbor("name")
        + build.cbor("ChatGPT")
        + build.cbor("softwareAgent")
        + build.cbor("GPT-4o")
        + build.cbor("digitalSourceType")
        + build.cbor(build.trained)
    )
    found = read(build.png(build.chunk(b"caBX", build.store(claims))))
    assert (found.generator, found.digital_source_type) == ("OpenAI", "trainedAlgorithmicMedia")
    assert found.notes[2] == "C2PA manifest gives as digital source type, unverified: trainedAlgorithmicMedia"


def test_jumbf_of_another_kind_is_not_c2pa(build):
    other = build.box(b"jumb", build.box(b"jumd", bytes(16) + b"\3other\0"))
    for name, raw in with_c2pa(build, other).items():
        assert not read(raw).c2pa, name


def test_hash_trees_alone_are_no_manifest(build):
    assert not read(build.avif_with_c2pa(build.store(), purpose=b"merkle")).c2pa


def test_pieces_are_bounded_in_number(build):
    raw = build.png(*(build.chunk(b"tEXt", b"key%d\0value" % number) for number in range(5000)))
    assert read(raw + b"") == Provenance()
    assert len(list(walk(raw))) == 5000
    assert read_items(walk(raw)) == Provenance()
