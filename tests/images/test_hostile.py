"""Headers that lie and files that are built to exhaust the reader."""

from __future__ import annotations

import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.errors import ImageError, ImageProblem
from spectrace.images import decode as decode_module
from spectrace.images.decode import Limits, Picture, decode

Chunk = Callable[[bytes, bytes], bytes]
Outcome = Callable[[bytes], Picture | ImageError]
Refusal = Callable[..., tuple[ImageProblem, str]]


def claiming(files: dict[str, bytes], name: str, width: int, height: int, make_chunk: Chunk) -> bytes:
    """A file whose header states another size than its data have."""
    raw = bytearray(files[name])
    if name.startswith("png"):
        return (
            bytes(raw[:8])
            + make_chunk(b"IHDR", struct.pack(">II", width, height) + raw[24:29])
            + bytes(raw[33:])
        )
    if name.startswith("bmp"):
        raw[18:26] = struct.pack("<ii", width, height)
    elif name.startswith("gif"):
        raw[6:10] = struct.pack("<HH", width, height)
    elif name.startswith("jpeg"):
        place = raw.index(b"\xff\xc0" if b"\xff\xc0" in raw else b"\xff\xc2")
        raw[place + 5 : place + 9] = struct.pack(">HH", height, width)
    elif name.startswith("tiff"):
        first = int.from_bytes(raw[4:8], "little")
        for entry in range(first + 2, first + 2 + 12 * raw[first], 12):
            side = {256: width, 257: height}.get(int.from_bytes(raw[entry : entry + 2], "little"))
            if side is not None:
                raw[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, side)
    return bytes(raw)


@pytest.mark.parametrize(
    "name", ["png", "png-1bit", "bmp", "bmp-1bit", "gif", "jpeg", "jpeg-progressive", "tiff", "tiff-lzw"]
)
def test_a_header_that_claims_60000_x_60000_is_refused_before_anything_is_allocated(
    name: str, files: dict[str, bytes], make_chunk: Chunk, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    def unreached(*_: object) -> None:
        raise AssertionError("the file was handed to Pillow")

    monkeypatch.setattr(decode_module, "open_image", unreached)
    raw = claiming(files, name, 60_000, 60_000, make_chunk)
    tracemalloc.start()
    problem, message = refusal(raw, Limits())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem is ImageProblem.TOO_MANY_PIXELS
    assert "3,600,000,000" in message
    assert "120,000,000" in message
    assert peak < 2**20


def test_webp_and_avif_claims_are_refused_before_decoding(files: dict[str, bytes], refusal: Refusal) -> None:
    for name in ("webp-lossless", "avif"):
        problem, _ = refusal(files[name], Limits(pixels=64 * 48 - 1))
        assert problem is ImageProblem.TOO_MANY_PIXELS
    webp = bytearray(files["webp"])
    assert webp[12:16] == b"VP8X"
    webp[24:30] = (16_383).to_bytes(3, "little") * 2
    assert refusal(bytes(webp))[0] is ImageProblem.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    "name",
    ["png", "png-palette", "png-1bit", "png-rgb-16", "png-animated", "bmp", "tiff", "tiff-lzw", "tiff-jpeg"],
)
@pytest.mark.parametrize("height", [50, 480])
def test_a_header_that_claims_more_rows_than_there_are_is_found_out(
    name: str, height: int, files: dict[str, bytes], make_chunk: Chunk, refusal: Refusal
) -> None:
    problem, _ = refusal(claiming(files, name, 64, height, make_chunk))
    assert problem in (ImageProblem.TRUNCATED, ImageProblem.CORRUPT)


def test_an_interlaced_png_without_its_last_pass_is_found_out(
    make_png: Callable[..., bytes], refusal: Refusal
) -> None:
    def rows(passes: list[tuple[int, int]]) -> bytes:
        return b"".join((b"\0" + bytes([200] * width)) * height for width, height in passes)

    whole = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]
    assert (decode(make_png(8, 8, 8, 0, rows(whole), interlace=1)).pixels == 200).all()
    assert refusal(make_png(8, 8, 8, 0, rows(whole[:-1]), interlace=1))[0] is ImageProblem.TRUNCATED


def test_black_pictures_are_no_truncated_ones(make_png: Callable[..., bytes]) -> None:
    for depth, colour, row in [(8, 2, 1 + 15), (1, 0, 2), (16, 4, 1 + 20), (8, 6, 1 + 20)]:
        assert decode(make_png(5, 4, depth, colour, bytes(4 * row))).pixels.shape == (4, 5, 3)


def bmp_run_length(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + header + bytes(1024) + data


def hostile_files(files: dict[str, bytes], make_chunk: Chunk) -> dict[str, bytes]:
    jpeg, png, gif = files["jpeg"], files["png"], files["gif"]
    colours = 13 + 3 * (2 << (gif[10] & 7))
    many_tags = b"".join(struct.pack("<HHII", 1000 + i, 7, 500_000, 8) for i in range(40_000))
    exif = struct.pack("<H", 5000) + b"".join(
        struct.pack("<HHII", 1000 + i, 7, 60_000, 8) for i in range(5000)
    )
    exif = b"Exif\0\0II*\0\x08\0\0\0" + exif
    return {
        "jpeg of fill bytes": jpeg[:2] + b"\xff" * 20_000_000,
        "jpeg behind junk": jpeg[:2] + b"\xff\xe0\0\2" + bytes(20_000_000) + jpeg[2:],
        "jpeg of empty segments": jpeg[:2] + b"\xff\xe0\0\2" * 2_000_000 + jpeg[2:],
        "jpeg with exif that reads itself": jpeg[:2]
        + b"\xff\xe1"
        + struct.pack(">H", len(exif) + 2)
        + exif
        + jpeg[2:],
        "png of empty chunks": png[:33] + make_chunk(b"teXt", b"") * 1_000_000 + png[33:],
        "gif of tiny blocks": gif[:colours] + b"!\xfe" + b"\x01a" * 3_000_000 + b"\0" + gif[colours:],
        "gif of many frames": gif[:-1] + gif[colours:-1] * 15_000 + b";",
        "bmp with one endless row": bmp_run_length(100_000_000, 1, b"\0\2\xff\xff" * 200),
        "bmp of short rows": bmp_run_length(16_000, 240, b"\x01\x05\0\0" * 240),
        "tiff with tags that read each other": b"II*\0\x08\0\0\0"
        + struct.pack("<H", 40_000)
        + many_tags
        + bytes(9999),
        "tiff chained to itself": files["tiff"][:-4] + struct.pack("<I", 8),
        "webp of tiny chunks": files["webp"][:12] + struct.pack("<4sI", b"JUNK", 0) * 1_000_000,
        "avif of tiny boxes": files["avif"] + struct.pack(">I4s", 8, b"free") * 1_000_000,
    }


REFUSED_AT_ONCE = {
    "jpeg of fill bytes": ImageProblem.CORRUPT,
    "jpeg behind junk": ImageProblem.CORRUPT,
    "jpeg of empty segments": ImageProblem.CORRUPT,
    "png of empty chunks": ImageProblem.CORRUPT,
    "gif of tiny blocks": ImageProblem.CORRUPT,
    "gif of many frames": ImageProblem.TOO_MANY_FRAMES,
    "bmp with one endless row": ImageProblem.UNSUPPORTED,
    "tiff with tags that read each other": ImageProblem.CORRUPT,
}


def test_files_built_to_exhaust_the_reader_do_not(
    files: dict[str, bytes], make_chunk: Chunk, outcome: Outcome
) -> None:
    for name, raw in hostile_files(files, make_chunk).items():
        started = time.perf_counter()
        result = outcome(raw)
        assert time.perf_counter() - started < 8, name
        assert isinstance(result, Picture) or str(result).isprintable(), name
        assert getattr(result, "problem", None) is REFUSED_AT_ONCE.get(
            name, getattr(result, "problem", None)
        ), name


@settings(deadline=None)
@given(
    st.sampled_from(
        [
            b"",
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"GIF89a",
            b"BM",
            b"II*\0",
            b"MM\0+",
            b"RIFF\x99\0\0\0WEBPVP8X",
            b"\0\0\0\x14ftypavif\0\0\0\0avif",
        ]
    ),
    st.binary(max_size=300),
)
def test_any_bytes_give_a_picture_or_the_one_error(outcome: Outcome, magic: bytes, rest: bytes) -> None:
    result = outcome(magic + rest)
    if isinstance(result, ImageError):
        assert str(result).isprintable()
    else:
        assert result.pixels.shape == (result.facts.height, result.facts.width, 3)
