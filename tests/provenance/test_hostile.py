"""Hostile files: nothing raises, nothing runs away, nothing unprintable comes out."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
import unicodedata
import zlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.provenance import Provenance, read
from spectrace.provenance.reading import read_items, walk
from spectrace.provenance.record import clean

SECONDS = 3.0
MAGIC = [
    b"\xff\xd8",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF0000WEBP",
    b"GIF89a",
    b"II*\0",
    b"MM\0+",
    b"\0\0\0\x1cftypavif",
    b"",
]


def samples(build) -> list[bytes]:
    """One rich file of every format."""
    packet = build.packet(f'Iptc4xmpExt:DigitalSourceType="{build.trained}" xmp:CreatorTool="Editor"')
    exif = build.exif(make="Canon", comment=b"UNICODE\0" + "a fox\nSteps: 20, Seed: 1".encode("utf-16-be"))
    store = build.store(b"\xa1" + build.cbor("claim_generator") + build.cbor("Camera 1.0"))
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    chunks = [
        build.chunk(b"caBX", store),
        build.chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"a fox\nSteps: 20, Seed: 1")),
        build.chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)),
    ]
    return [
        build.jpeg(build.app1_xmp(packet), *build.app11(store, 40), base=build.picture("JPEG", exif=exif)),
        build.png(*chunks),
        build.picture("WEBP", exif=exif, xmp=packet),
        build.gif(b"XMP DataXMP", packet + trailer),
        build.picture("TIFF", exif=exif, tiffinfo={700: packet}),
        build.picture("AVIF", exif=exif, xmp=packet),
        build.avif_with_c2pa(store),
    ]


def look(raw: bytes) -> Provenance:
    """The reader without its safety net: an exception here is a bug that the net would hide."""
    return read_items(walk(raw))


def assert_bounded(found: Provenance) -> None:
    limits = {"generator_text": 500, "digital_source_type": 64}
    for name, value in msgspec.to_builtins(found).items():
        texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        assert len(texts) <= 12
        for text in texts:
            assert len(text) <= limits.get(name, 300)
            assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") for c in text)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(MAGIC), st.binary(max_size=600))
def test_random_bytes_behind_any_magic(magic, data):
    assert_bounded(look(magic + data))


def test_flipped_bytes(build):
    rng = random.Random(1)
    for raw in samples(build):
        for _ in range(150):
            mutated = bytearray(raw)
            for _ in range(rng.choice((1, 2, 8, 30))):
                mutated[rng.randrange(min(len(raw), 3000))] = rng.randrange(256)
            assert_bounded(look(bytes(mutated)))


def test_truncation_at_every_length(build):
    for raw in samples(build):
        for length in [*range(0, min(len(raw), 400)), *range(400, len(raw), 37)]:
            assert_bounded(look(raw[:length]))


def test_spliced_files(build):
    rng = random.Random(2)
    files = samples(build)
    for _ in range(300):
        first, second = rng.choice(files), rng.choice(files)
        cut, start = rng.randrange(len(first)), rng.randrange(len(second))
        assert_bounded(look(first[:cut] + second[start:]))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=2000), st.integers(1, 500))
def test_cleaning_bounds_and_prints(text, limit):
    line = clean(text, limit)
    assert len(line) <= limit
    assert line == " ".join(line.split())
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn") for c in line)


def test_terminal_escapes_and_bidi_overrides_are_stripped(build):
    values = ["\x1b[2J\u202eCanon\u200b\x07".encode() + b"\0", "a\r\n\tb\x9b1m".encode() + b"\0"]
    places = (38, 38 + len(values[0]))
    entries = [
        struct.pack("<HHII", tag, 2, len(value), place)
        for tag, value, place in zip((0x010F, 0x0131), values, places, strict=True)
    ]
    raw = b"II*\0\x08\0\0\0\2\0" + b"".join(entries) + bytes(4) + b"".join(values)
    found = read(raw)
    assert (found.camera_make, found.software) == ("[2JCanon", "a b1m")


def test_long_text_is_cut(build):
    found = read(build.png_texts(parameters="fox " * 5000 + "\nSteps: 20, Seed: 1", Software="x" * 5000))
    assert len(found.generator_text) == 500
    assert found.generator_text.endswith("…")
    assert len(found.software) == 120


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt"])
def test_zip_bomb(build, name):
    bomb = zlib.compress(bytes(100 << 20), 9)
    header = b"parameters\0\0" if name == b"zTXt" else b"XML:com.adobe.xmp\0\1\0\0\0"
    raw = build.png(*(build.chunk(name, header + bomb) for _ in range(20)))
    tracemalloc.start()
    started = time.process_time()
    found = look(raw)
    seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.generator is None
    assert seconds < SECONDS
    assert peak < 24 << 20


def entity_bomb() -> bytes:
    lines = ['<!ENTITY l0 "lol">'] + [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12)]
    return ("<?xml version='1.0'?><!DOCTYPE x [" + "".join(lines) + "]><x>&l11;</x>").encode()


@pytest.mark.parametrize(
    ("packet", "problem"),
    [
        (entity_bomb(), "declares a document type or entities"),
        (
            b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
            "declares a document type or entities",
        ),
        (b"<a>" * 200_000, "holds too many or too deeply nested elements"),
        (b"<a>" + b"<b/>" * 200_000 + b"</a>", "holds too many or too deeply nested elements"),
        (
            b"<a " + b" ".join(b"b%d=''" % n for n in range(100_000)) + b"/>",
            "holds too many or too deeply nested elements",
        ),
        (b"<x>" + b"y" * (3 << 20) + b"</x>", "is longer than 2 MiB"),
        (b"no xml at all", "is not well-formed XML"),
        (b"<?xml version='1.0' encoding='no-such'?><x/>", "is not well-formed XML"),
        (b"\xff\xfe<\0x\0", "is not well-formed XML"),
        (b"", "is not well-formed XML"),
    ],
)
def test_hostile_xml(build, packet, problem):
    raw = build.png(build.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))
    started = time.process_time()
    found = look(raw)
    assert time.process_time() - started < SECONDS
    assert found.xmp
    assert found.notes == [f"XMP packet not read in full: it {problem}"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xd8" + b"\xff" * (8 << 20),
        b"\xff\xd8" + b"\xff\xd0" * (4 << 20),
        b"\xff\xd8" + b"\xff\xe1\0\2" * (2 << 20),
        b"\xff\xd8" + (b"\xff\xeb\0\x12JP\0\1\0\0\0\1\0\0\0\0jumb") * 100_000,
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt0000" * 500_000,
        b"RIFF0000WEBP" + b"ABCD\0\0\0\0" * 1_000_000,
        b"GIF89a" + bytes(7) + b"\x21\xfe" + b"\1x" * (4 << 20),
        b"GIF89a" + bytes(7) + b"\x21\xfe\0" * (2 << 20),
        b"II*\0\x08\0\0\0\xff\xff" + b"\x0f\x01\x02\0\xff\xff\xff\xff\0\0\0\0" * 65535,
        b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63) + bytes(1 << 20),
        b"\0\0\0\x08ftyp" + b"\0\0\0\x08free" * 500_000,
        b"\0\0\0\x08ftyp" + b"\0\0\0\0meta" * 100_000,
        b"\0\0\0\x08ftyp\0\0\0\1uuid" + b"\xff" * 64,
    ],
    ids=range(13),
)
def test_walks_end(raw):
    started = time.process_time()
    assert_bounded(look(raw))
    assert time.process_time() - started < SECONDS


def test_many_extents_do_not_multiply(build):
    """An AVIF whose items all point at the whole file, many times over."""
    infe = b"".join(
        build.box(b"infe", b"\2\0\0\0" + struct.pack(">HH", n, 0) + b"mime\0application/rdf+xml\0")
        for n in range(1, 200)
    )
    iinf = build.box(b"iinf", b"\0\0\0\0" + struct.pack(">H", 199) + infe)
    one = b"".join(struct.pack(">II", 0, 0) for _ in range(64))
    items = b"".join(struct.pack(">HHH", n, 0, 64) + one for n in range(1, 200))
    iloc = build.box(b"iloc", b"\0\0\0\0\x44\0" + struct.pack(">H", 199) + items)
    raw = build.box(b"ftyp", b"avif") + build.box(b"meta", b"\0\0\0\0" + iinf + iloc) + bytes(8 << 20)
    started = time.process_time()
    found = look(raw)
    assert time.process_time() - started < SECONDS
    assert found.xmp


def test_the_net_catches_what_a_bound_forgot(monkeypatch):
    from spectrace.provenance import reading

    def broken(raw):
        raise IndexError

    monkeypatch.setattr(reading, "walk", broken)
    assert read(b"").notes == ["metadata could not be read (IndexError)"]
