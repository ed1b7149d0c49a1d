"""What is refused, and how: one error, one line, the fitting problem."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spectrace.errors import ImageError, ImageProblem
from spectrace.images.decode import Limits, Picture, decode

Chunk = Callable[[bytes, bytes], bytes]
Outcome = Callable[[bytes], Picture | ImageError]
Refusal = Callable[..., tuple[ImageProblem, str]]


def test_limits_hold_to_the_pixel_the_byte_and_the_frame(
    files: dict[str, bytes], tmp_path: Path, refusal: Refusal
) -> None:
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


def test_a_file_object_without_end_is_read_up_to_the_limit_only(refusal: Refusal) -> None:
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


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path, refusal: Refusal) -> None:
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
def test_a_file_that_is_no_picture_says_what_it_is(
    raw: bytes, problem: ImageProblem, tmp_path: Path, refusal: Refusal
) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(raw)
    found, message = refusal(path)
    assert found is problem
    assert message.startswith(f"{path} ")


def test_paths_that_lead_nowhere(tmp_path: Path, files: dict[str, bytes], refusal: Refusal) -> None:
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


def test_a_file_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError(13, "Permission denied")  # chmod would not stop a test that runs as root

    monkeypatch.setattr(os, "open", forbidden)
    problem, message = refusal(tmp_path / "secret.jpg")
    assert problem is ImageProblem.UNREADABLE
    assert "Permission denied" in message


def test_sources_that_are_none(refusal: Refusal) -> None:
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


def test_a_jpeg_cut_anywhere_is_truncated(files: dict[str, bytes], refusal: Refusal) -> None:
    for name in ("jpeg", "jpeg-progressive", "jpeg-grey", "jpeg-cmyk"):
        for end in range(3, len(files[name])):
            assert refusal(files[name][:end])[0] is ImageProblem.TRUNCATED


def test_a_lazy_pil_image_of_a_broken_file(files: dict[str, bytes], refusal: Refusal) -> None:
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
    tag: int, value: int, says: str, files: dict[str, bytes], refusal: Refusal
) -> None:
    problem, message = refusal(tagged_tiff(files, tag, value))
    assert problem is ImageProblem.UNSUPPORTED
    assert says in message


def test_a_path_object_that_raises(refusal: Refusal) -> None:
    class Bad(os.PathLike[str]):
        def __fspath__(self) -> str:
            raise ValueError("no path today")

    problem, message = refusal(Bad())
    assert problem is ImageProblem.UNREADABLE
    assert message.startswith("the Bad given ")


def test_codings_that_are_rare_are_called_unsupported(files: dict[str, bytes], refusal: Refusal) -> None:
    lossless = bytearray(files["jpeg"])
    lossless[lossless.index(b"\xff\xc0") + 1] = 0xC3
    assert refusal(bytes(lossless))[0] is ImageProblem.UNSUPPORTED
    twelve_bits = bytearray(files["jpeg"])
    twelve_bits[twelve_bits.index(b"\xff\xc0") + 4] = 12
    assert refusal(bytes(twelve_bits))[0] is ImageProblem.UNSUPPORTED
