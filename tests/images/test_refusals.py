"""What is refused, and how: one error, one line, the fitting problem, no warning, nothing allocated."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from spectrace.errors import ImageError, ImageProblem
from spectrace.images import decode as decode_module
from spectrace.images.decode import Limits, Picture, decode

Chunk = Callable[[bytes, bytes], bytes]


DEFAULT = Limits()


def outcome(raw: bytes) -> Picture | ImageError:
    """What the decoder makes of some bytes: a picture or its one kind of error."""
    try:
        return decode(raw)
    except ImageError as error:
        return error


def refusal(source: Any, limits: Limits = DEFAULT) -> tuple[ImageProblem, str]:
    """The problem and the message with which a source is refused."""
    with pytest.raises(ImageError) as caught:
        decode(source, limits)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500
    return caught.value.problem, message


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
    name: str, files: dict[str, bytes], make_chunk: Chunk, monkeypatch: pytest.MonkeyPatch
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


def test_webp_and_avif_claims_are_refused_before_decoding(files: dict[str, bytes]) -> None:
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
    name: str, height: int, files: dict[str, bytes], make_chunk: Chunk
) -> None:
    problem, _ = refusal(claiming(files, name, 64, height, make_chunk))
    assert problem in (ImageProblem.TRUNCATED, ImageProblem.CORRUPT)


def test_an_interlaced_png_without_its_last_pass_is_found_out(make_png: Callable[..., bytes]) -> None:
    def rows(passes: list[tuple[int, int]]) -> bytes:
        return b"".join((b"\0" + bytes([200] * width)) * height for width, height in passes)

    whole = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]
    assert (decode(make_png(8, 8, 8, 0, rows(whole), interlace=1)).pixels == 200).all()
    assert refusal(make_png(8, 8, 8, 0, rows(whole[:-1]), interlace=1))[0] is ImageProblem.TRUNCATED


def test_black_pictures_are_no_truncated_ones(make_png: Callable[..., bytes]) -> None:
    for depth, colour, row in [(8, 2, 1 + 15), (1, 0, 2), (16, 4, 1 + 20), (8, 6, 1 + 20)]:
        assert decode(make_png(5, 4, depth, colour, bytes(4 * row))).pixels.shape == (4, 5, 3)


def test_limits_hold_to_the_pixel_the_byte_and_the_frame(files: dict[str, bytes], tmp_path: Path) -> None:
    for name, raw in files.items():
        decode(raw, Limits(pixels=64 * 48, file_bytes=len(raw), frames=2))
        assert refusal(raw, Limits(pixels=64 * 48 - 1))[0] is ImageProblem.TOO_MANY_PIXELS, name
        path = tmp_path / name
        path.write_bytes(raw)
        for source in (raw, path, io.BytesIO(raw)):
            assert refusal(source, Limits(file_bytes=len(raw) - 1))[0] is ImageProblem.TOO_MANY_BYTES
    for name in ("gif-animated", "tiff-pages", "webp-animated", "png-animated", "mpo"):
        assert refusal(files[name], Limits(frames=1))[0] is ImageProblem.TOO_MANY_FRAMES, name
    with Image.open(io.BytesIO(files["png"])) as image:
        assert refusal(image, Limits(pixels=64 * 48 - 1))[0] is ImageProblem.TOO_MANY_PIXELS


def test_a_file_object_without_end_is_read_up_to_the_limit_only() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert size > 0
            Endless.given += size
            return bytes(size)

    problem, message = refusal(Endless(), Limits(file_bytes=3_000_000))
    assert problem is ImageProblem.TOO_MANY_BYTES
    assert "3,000,000" in message
    assert Endless.given < 6_000_000


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "sparse.jpg"
    path.touch()
    os.truncate(path, 2**34)  # takes no room on the disk
    tracemalloc.start()
    assert refusal(path)[0] is ImageProblem.TOO_MANY_BYTES
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", ImageProblem.EMPTY),
        (b"Dear diary, ...", ImageProblem.NOT_AN_IMAGE),
        (bytes(1000), ImageProblem.NOT_AN_IMAGE),
        (b"%PDF-1.7", ImageProblem.UNSUPPORTED),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ImageProblem.UNSUPPORTED),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ImageProblem.UNSUPPORTED),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", ImageProblem.UNSUPPORTED),
        (b"\0\0\0\x18ftypcrx \0\0\0\0crx isom", ImageProblem.UNSUPPORTED),
        (b"\0\0\0\x18ftypavif", ImageProblem.TRUNCATED),
        (b"II*\0\x10\0\0\0CR\x02\0", ImageProblem.UNSUPPORTED),
        (b"II*\0\x10\0\0\0", ImageProblem.TRUNCATED),
        (b"\xff\xd8\xff", ImageProblem.TRUNCATED),
        (b"\x89PNG\r\n\x1a\n", ImageProblem.TRUNCATED),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), ImageProblem.CORRUPT),
        (b"GIF89a", ImageProblem.TRUNCATED),
        (b"BM", ImageProblem.TRUNCATED),
        (b"RIFF\x04\0\0\0WEBP", ImageProblem.CORRUPT),
    ],
)
def test_a_file_that_is_no_picture_says_what_it_is(raw: bytes, problem: ImageProblem, tmp_path: Path) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(raw)
    found, message = refusal(path)
    assert found is problem
    assert message.startswith(f"{path} ")


def test_paths_that_lead_nowhere(tmp_path: Path, files: dict[str, bytes]) -> None:
    (tmp_path / "picture.png").write_bytes(files["png"])
    assert refusal(tmp_path / "none.jpg")[0] is ImageProblem.MISSING
    assert refusal(tmp_path / "picture.png" / "below.jpg")[0] is ImageProblem.MISSING
    assert refusal(tmp_path)[0] is ImageProblem.UNREADABLE
    assert refusal("nul\0byte.jpg")[0] is ImageProblem.UNREADABLE
    assert refusal("x" * 5000)[0] is ImageProblem.UNREADABLE
    assert refusal("")[0] is ImageProblem.MISSING
    assert "line\\nbreak" in refusal(tmp_path / "line\nbreak.jpg")[1]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert refusal(tmp_path / "pipe.jpg")[0] is ImageProblem.UNREADABLE
        assert refusal("/dev/zero")[0] is ImageProblem.UNREADABLE


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError(13, "Permission denied")  # chmod would not stop a test that runs as root

    monkeypatch.setattr(os, "open", forbidden)
    problem, message = refusal(tmp_path / "secret.jpg")
    assert problem is ImageProblem.UNREADABLE
    assert "Permission denied" in message


def test_sources_that_are_none() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise RuntimeError("the disk\nis on fire")

    closed = io.BytesIO(b"abc")
    closed.close()
    for source in (None, 3, [1, 2], object()):
        assert refusal(source)[0] is ImageProblem.UNSUPPORTED
    for source in (Broken(), closed, io.StringIO("text")):
        assert refusal(source)[0] is ImageProblem.UNREADABLE
    assert refusal(Image.new("RGB", (0, 5)))[0] is ImageProblem.EMPTY


def test_a_jpeg_cut_anywhere_is_truncated(files: dict[str, bytes]) -> None:
    for name in ("jpeg", "jpeg-progressive", "jpeg-grey", "jpeg-cmyk"):
        for end in range(3, len(files[name])):
            assert refusal(files[name][:end])[0] is ImageProblem.TRUNCATED


def test_a_lazy_pil_image_of_a_broken_file(files: dict[str, bytes]) -> None:
    with Image.open(io.BytesIO(files["jpeg"][:-100])) as image:
        assert refusal(image)[0] is ImageProblem.TRUNCATED
    image = Image.open(io.BytesIO(files["png"]))
    image.close()
    assert isinstance(refusal(image)[0], ImageProblem)


def test_text_chunks_never_cost_a_png_its_pixels(files: dict[str, bytes], make_chunk: Chunk) -> None:
    raw = files["png"]
    bomb = b"workflow\0\0" + zlib.compress(bytes(50_000_000))
    for extra in (
        make_chunk(b"zTXt", bomb),
        make_chunk(b"iCCP", bomb),
        make_chunk(b"tEXt", b"a\0b")[:-1] + b"?",
    ):
        picture = decode(raw[:33] + extra + raw[33:])
        np.testing.assert_array_equal(picture.pixels, decode(raw).pixels)


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


def test_files_built_to_exhaust_the_reader_do_not(files: dict[str, bytes], make_chunk: Chunk) -> None:
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
def test_any_bytes_give_a_picture_or_the_one_error(magic: bytes, rest: bytes) -> None:
    result = outcome(magic + rest)
    if isinstance(result, ImageError):
        assert str(result).isprintable()
    else:
        assert result.pixels.shape == (result.facts.height, result.facts.width, 3)


def oddly_tagged_tiff(files: dict[str, bytes]) -> bytes:
    """A good TIFF with one more tag whose value lies outside the file; Pillow warns about it."""
    raw = bytearray(files["tiff"])
    first = int.from_bytes(raw[4:8], "little")
    for entry in range(first + 2, first + 2 + 12 * raw[first], 12):
        if int.from_bytes(raw[entry : entry + 2], "little") == 282:
            break
    else:
        entry = first + 2 + 12 * (raw[first] - 1)
    raw[entry : entry + 12] = struct.pack("<HHII", 60_000, 2, 5000, len(raw) - 1)
    return bytes(raw)


def test_pillow_is_silenced_in_this_call_only_and_left_as_it_was(files: dict[str, bytes]) -> None:
    raw = oddly_tagged_tiff(files)
    settings = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(Image.ID), len(Image.OPEN))
    filters, shown = list(warnings.filters), warnings.showwarning
    np.testing.assert_array_equal(decode(raw).pixels, decode(files["tiff"]).pixels)
    assert (warnings.filters, warnings.showwarning) == (filters, shown)
    assert (
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
        list(Image.ID),
        len(Image.OPEN),
    ) == settings
    with pytest.warns(UserWarning, match="Truncated"), Image.open(io.BytesIO(raw)) as image:
        image.load()


def test_a_picture_beyond_pillows_own_limit_neither_warns_nor_fails(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 48 - 1)
    for raw in files.values():
        decode(raw)


def test_threads_do_not_disturb_each_other(files: dict[str, bytes]) -> None:
    sources = [*files.values(), oddly_tagged_tiff(files), files["jpeg"][:300], b"no picture"] * 6
    stop, heard = threading.Event(), []

    def other_work() -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            said = 0
            while not stop.is_set():
                warnings.warn("from another thread", stacklevel=1)
                said += 1
                time.sleep(0.0005)
            heard.append((said, [str(one.message) for one in caught]))

    def digest(raw: bytes) -> bytes | ImageProblem:
        result = outcome(raw)
        return result.problem if isinstance(result, ImageError) else result.pixels.tobytes()

    wanted = [digest(raw) for raw in sources]
    other = threading.Thread(target=other_work)
    other.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(digest, sources))
    finally:
        stop.set()
        other.join()
    assert found == wanted
    said, messages = heard[0]
    assert messages == ["from another thread"] * said


def test_a_limit_of_pillow_that_the_caller_set_lower_is_named(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    problem, message = refusal(files["tiff"])
    assert problem is ImageProblem.TOO_MANY_PIXELS
    assert "MAX_IMAGE_PIXELS" in message


def test_a_lack_of_memory_is_an_error_like_the_others(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_module, "open_image", no_memory)
    for name in ("jpeg", "png"):
        problem, message = refusal(files[name])
        assert problem is ImageProblem.UNREADABLE
        assert "memory" in message


def tagged_tiff(files: dict[str, bytes], tag: int, value: int) -> bytes:
    """A TIFF with one entry of its directory made into another tag."""
    raw = bytearray(files["tiff"])
    first = int.from_bytes(raw[4:8], "little")
    raw[first + 2 : first + 14] = struct.pack("<HHII", tag, 4, 1, value)
    return bytes(raw)


@pytest.mark.parametrize(
    ("tag", "value", "says"), [(50706, 1, "camera raw"), (254, 1, "camera raw"), (277, 9, "9 samples")]
)
def test_camera_raw_files_are_not_mistaken_for_their_thumbnails(
    tag: int, value: int, says: str, files: dict[str, bytes]
) -> None:
    problem, message = refusal(tagged_tiff(files, tag, value))
    assert problem is ImageProblem.UNSUPPORTED
    assert says in message


def test_a_path_object_that_raises() -> None:
    class Bad(os.PathLike[str]):
        def __fspath__(self) -> str:
            raise ValueError("no path today")

    problem, message = refusal(Bad())
    assert problem is ImageProblem.UNREADABLE
    assert message.startswith("the Bad given ")


def test_codings_that_are_rare_are_called_unsupported(files: dict[str, bytes]) -> None:
    lossless = bytearray(files["jpeg"])
    lossless[lossless.index(b"\xff\xc0") + 1] = 0xC3
    assert refusal(bytes(lossless))[0] is ImageProblem.UNSUPPORTED
    twelve_bits = bytearray(files["jpeg"])
    twelve_bits[twelve_bits.index(b"\xff\xc0") + 4] = 12
    assert refusal(bytes(twelve_bits))[0] is ImageProblem.UNSUPPORTED
