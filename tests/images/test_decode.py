"""The decoder against Pillow, source by source and mode by mode."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps

from spectrace.errors import ImageError, ImageProblem
from spectrace.images.decode import Limits, Source, decode

# 16-bit and float samples: Pillow clips these where Spectrace scales, so they have their own tests below.
MakePng = Callable[..., bytes]
SCALED = {"png-grey-16", "tiff-grey-16", "tiff-float"}


def on_white(image: Image.Image) -> np.ndarray:
    """What Pillow shows of a picture: turned upright, composited over white."""
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB"))


def test_every_format_decodes_to_the_pixels_that_pillow_shows(files: dict[str, bytes]) -> None:
    formats = set()
    for name, raw in files.items():
        picture = decode(raw)
        formats.add(picture.facts.format)
        assert picture.pixels.dtype == np.uint8, name
        assert picture.pixels.shape == (picture.facts.height, picture.facts.width, 3), name
        assert picture.raw == raw
        if name not in SCALED:
            with Image.open(io.BytesIO(raw)) as image:
                np.testing.assert_array_equal(picture.pixels, on_white(image), err_msg=name)
    assert formats == {"JPEG", "MPO", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"}


def test_photographs_decode_to_the_pixels_of_pillow(
    photograph_paths: dict[str, Path], photographs: dict[str, np.ndarray]
) -> None:
    for name, path in photograph_paths.items():
        picture = decode(path)
        np.testing.assert_array_equal(picture.pixels, photographs[name], err_msg=name)
        assert picture.facts.bytes == path.stat().st_size
        assert picture.facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_large_picture_is_copied_out_in_bands_without_a_seam() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1201, 1013, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "BMP")
    np.testing.assert_array_equal(decode(file.getvalue()).pixels, pixels)


def test_every_kind_of_source_gives_the_same_pixels(files: dict[str, bytes], tmp_path: Path) -> None:
    raw = files["png"]
    path = tmp_path / "Überraschung 図.png"
    path.write_bytes(raw)
    wanted = decode(raw)
    with Image.open(path) as image, path.open("rb") as buffered, path.open("rb", buffering=0) as unbuffered:
        sources = [str(path), path, raw, bytearray(raw), memoryview(raw), buffered, unbuffered, image]
        for source in [*sources, io.BytesIO(raw), wanted.pixels]:
            picture = decode(source)  # type: ignore[arg-type]
            np.testing.assert_array_equal(picture.pixels, wanted.pixels)
    assert decode(path).facts == wanted.facts


def test_a_file_object_is_read_from_its_beginning_and_need_not_seek(files: dict[str, bytes]) -> None:
    file = io.BytesIO()
    file.write(files["jpeg"])
    assert decode(file).raw == files["jpeg"]

    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self.left = data

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            count = min(len(buffer), 100, len(self.left))
            buffer[:count], self.left = self.left[:count], self.left[count:]
            return count

    assert decode(Pipe(files["jpeg"])).raw == files["jpeg"]  # type: ignore[arg-type]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_is_applied(orientation: int, format_name: str) -> None:
    image = Image.fromarray(np.arange(24 * 16 * 3, dtype=np.uint8).reshape(16, 24, 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    if format_name == "TIFF":
        image.save(file, format_name, tiffinfo={274: orientation})
    else:
        image.save(file, format_name, exif=exif)
    picture = decode(file.getvalue())
    with Image.open(file) as stored:
        np.testing.assert_array_equal(picture.pixels, on_white(stored))
        np.testing.assert_array_equal(decode(stored).pixels, picture.pixels)
    assert picture.facts.orientation == orientation
    assert (picture.facts.width, picture.facts.height) == ((24, 16) if orientation < 5 else (16, 24))


def test_sixteen_bits_are_reduced_to_the_high_byte_however_they_come(make_png: MakePng) -> None:
    samples = np.array([[0, 255, 256, 32768, 65535, 0x1234]], dtype=np.uint16)
    wanted = np.repeat((samples >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    rows = b"\0" + samples.astype(">u2").tobytes()
    rgb_rows = b"\0" + np.repeat(samples[:, :, None], 3, axis=2).astype(">u2").tobytes()
    big_endian = io.BytesIO()
    Image.frombytes("I;16B", (6, 1), samples.astype(">u2").tobytes()).save(big_endian, "TIFF")
    for source in (
        samples,
        make_png(6, 1, 16, 0, rows),
        make_png(6, 1, 16, 2, rgb_rows),
        big_endian.getvalue(),
    ):
        np.testing.assert_array_equal(decode(source).pixels, wanted)
    np.testing.assert_array_equal(decode(Image.fromarray(samples)).pixels, wanted)


def test_samples_without_a_stated_range_take_the_narrowest_that_holds_them() -> None:
    def grey(values: list[float], dtype: type) -> list[int]:
        return [int(v) for v in decode(Image.fromarray(np.array([values], dtype=dtype))).pixels[0, :, 0]]

    assert grey([0.0, 0.5, 1.0], np.float32) == [0, 128, 255]
    assert grey([0.0, 100.4, 255.0], np.float32) == [0, 100, 255]
    assert grey([0.0, 256.0, 65535.0], np.float32) == [0, 1, 255]
    assert grey([-1.0, 0.0, 1.0], np.float32) == [0, 128, 255]
    assert grey([7.0, 7.0], np.float32) == [7, 7]
    assert grey([-7.0, -7.0], np.float32) == [0, 0]
    assert grey([0, 1, 255], np.int32) == [0, 1, 255]
    assert grey([0, 256, 65535], np.int32) == [0, 1, 255]
    assert grey([0, 1_000_000, 2_000_000], np.int32) == [0, 128, 255]
    with pytest.raises(ImageError) as caught:
        grey([0.0, float("nan")], np.float32)
    assert caught.value.problem is ImageProblem.UNSUPPORTED


def test_a_transparent_key_colour_becomes_white(make_png: MakePng) -> None:
    rgb = make_png(2, 1, 8, 2, b"\0" + bytes([1, 2, 3, 9, 9, 9]), (b"tRNS", bytes([0, 1, 0, 2, 0, 3])))
    assert decode(rgb).pixels.tolist() == [[[255, 255, 255], [9, 9, 9]]]
    grey_16 = make_png(2, 1, 16, 0, b"\0" + bytes([5, 6, 7, 8]), (b"tRNS", bytes([5, 6])))
    assert decode(grey_16).pixels[0, :, 0].tolist() == [255, 7]
    key = bytes([1, 1, 2, 2, 3, 3])
    rgb_16 = make_png(2, 1, 16, 2, b"\0" + key + bytes([9] * 6), (b"tRNS", key))
    assert decode(rgb_16).pixels.tolist() == [[[255, 255, 255], [9, 9, 9]]]


def test_cmyk_is_turned_around_exactly_when_adobe_says_so(files: dict[str, bytes]) -> None:
    raw = files["jpeg-cmyk"]
    place = raw.index(b"\xff\xee")
    length = int.from_bytes(raw[place + 2 : place + 4], "big")
    plain = raw[:place] + raw[place + 2 + length :]
    with Image.open(io.BytesIO(raw)) as image:
        inks = np.asarray(image)
    turned = Image.frombytes("CMYK", (inks.shape[1], inks.shape[0]), (255 - inks).tobytes()).convert("RGB")
    np.testing.assert_array_equal(decode(plain).pixels, np.asarray(turned))
    assert abs(decode(raw).pixels.astype(int) - decode(files["jpeg"]).pixels).mean() < 8


MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "LA", "La", "RGBa", "RGBX", "PA"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pil_image_is_read(mode: str) -> None:
    rgba = Image.fromarray(np.random.default_rng(1).integers(0, 256, (9, 7, 4), dtype=np.uint8))
    if mode in ("RGBA", "RGBa", "LA", "PA"):
        image = rgba.convert(mode)
    else:
        image = rgba.convert("LA").convert(mode) if mode == "La" else rgba.convert("RGB").convert(mode)
    before = image.tobytes()
    picture = decode(image)
    assert picture.facts.mode == mode
    assert image.tobytes() == before
    straight = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
    shown = (
        image.convert(straight) if straight in ("1", "L", "P", "LA", "PA", "RGBA") else image.convert("RGB")
    )
    np.testing.assert_array_equal(picture.pixels, on_white(shown))


def test_only_the_first_frame_of_several_is_read(files: dict[str, bytes]) -> None:
    several = {"gif-animated": "GIF", "tiff-pages": "TIFF", "webp-animated": "WEBP", "png-animated": "PNG"}
    for name, format_name in {**several, "mpo": "MPO"}.items():
        picture = decode(files[name])
        assert (picture.facts.format, picture.facts.frames) == (format_name, 2)
        with Image.open(io.BytesIO(files[name])) as image:
            np.testing.assert_array_equal(picture.pixels, on_white(image))


def test_the_pixels_belong_to_the_picture_alone(files: dict[str, bytes]) -> None:
    array = np.zeros((4, 4, 3), dtype=np.uint8)
    picture = decode(array)
    array[...] = 9
    assert not picture.pixels.any()
    sources: list[Source] = [array, array / 255.0, *files.values()]
    for source in sources:
        assert not decode(source).pixels.flags.writeable


@settings(deadline=None)
@given(
    hnp.arrays(
        dtype=st.sampled_from([np.uint8, np.uint16, np.bool_, np.float16, np.float32, np.float64]),
        shape=st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
            lambda side: st.sampled_from([side, (*side, 1), (*side, 3), (*side, 4)])
        ),
    )
)
def test_arrays_of_the_stated_kinds_are_read_and_others_refused(array: np.ndarray) -> None:
    if array.dtype.kind == "f" and not (array.min() >= 0 and array.max() <= 1):
        with pytest.raises(ImageError) as caught:
            decode(array)
        assert caught.value.problem is ImageProblem.UNSUPPORTED
        return
    picture = decode(array)
    scale = {"b": 255.0, "f": 255.0}.get(array.dtype.kind, 1.0)
    values = array.astype(np.float64) * scale
    if array.dtype == np.uint16:
        values = np.floor(values / 256)
    values = values.reshape(*array.shape[:2], -1)
    if values.shape[2] == 4:
        opacity = np.rint(values[:, :, 3:]) / 255
        values = values[:, :, :3] * opacity + 255 * (1 - opacity)
    assert picture.pixels.shape == (*array.shape[:2], 3)
    assert abs(picture.pixels - values).max() <= 1
    if array.ndim == 2 or array.shape[2] != 4:
        assert (picture.pixels == np.rint(values)).all()


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.zeros((2, 2), np.int16), ImageProblem.UNSUPPORTED),
        (np.zeros((2, 2), np.uint32), ImageProblem.UNSUPPORTED),
        (np.zeros((2, 2), np.complex64), ImageProblem.UNSUPPORTED),
        (np.zeros((2, 2), object), ImageProblem.UNSUPPORTED),
        (np.full((2, 2), 1.01), ImageProblem.UNSUPPORTED),
        (np.full((2, 2), np.nan), ImageProblem.UNSUPPORTED),
        (np.zeros(4, np.uint8), ImageProblem.UNSUPPORTED),
        (np.zeros((), np.uint8), ImageProblem.UNSUPPORTED),
        (np.zeros((3, 8, 8), np.uint8), ImageProblem.UNSUPPORTED),
        (np.zeros((2, 2, 2), np.uint8), ImageProblem.UNSUPPORTED),
        (np.zeros((1, 2, 2, 3), np.uint8), ImageProblem.UNSUPPORTED),
        (np.zeros((0, 2, 3), np.uint8), ImageProblem.EMPTY),
        (np.zeros((11, 11), np.uint8), ImageProblem.TOO_MANY_PIXELS),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, problem: ImageProblem) -> None:
    with pytest.raises(ImageError) as caught:
        decode(array, Limits(pixels=120))
    assert caught.value.problem is problem
    assert str(caught.value).startswith("the array ")


def test_a_decoded_file_needs_the_file_no_more(files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "picture.tif"
    path.write_bytes(files["tiff"])
    picture = decode(path)
    os.truncate(path, 0)
    assert picture.raw == files["tiff"]
    assert picture.pixels.any()


def test_old_and_upside_down_bitmaps(files: dict[str, bytes]) -> None:
    raw = files["bmp"]
    offset = int.from_bytes(raw[10:14], "little")
    wanted = decode(raw)
    old = raw[:10] + (26).to_bytes(4, "little") + struct.pack("<IHHHH", 12, 64, 48, 1, 24) + raw[offset:]
    np.testing.assert_array_equal(decode(old).pixels, wanted.pixels)
    upside_down = raw[:22] + struct.pack("<i", -48) + raw[26:]
    np.testing.assert_array_equal(decode(upside_down).pixels, wanted.pixels[::-1])


def test_a_photograph_with_a_gain_map_is_a_jpeg(files: dict[str, bytes]) -> None:
    raw = files["mpo"]
    text = b'http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>'
    segment = b"\xff\xe1" + struct.pack(">H", len(text) + 2) + text
    facts = decode(raw[:2] + segment + raw[2:]).facts
    assert (facts.format, facts.frames) == ("JPEG", 1)
