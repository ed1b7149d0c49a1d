"""Facts of files, against what was asked of the encoder."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, JpegImagePlugin

from spectrace.images.codecs import SUBSAMPLINGS, encode_jpeg
from spectrace.images.decode import decode
from spectrace.images.facts import Facts, jpeg_quality
from spectrace.images.jpeg import read_jpeg_header


def save(image: Image.Image, format_name: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def tables(opened: Image.Image) -> dict[int, list[int]]:
    """The quantisation tables as Pillow reads them."""
    assert isinstance(opened, JpegImagePlugin.JpegImageFile)
    return opened.quantization


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8))


@pytest.mark.parametrize("progressive", [False, True])
def test_every_jpeg_quality_is_read_back(image: Image.Image, progressive: bool) -> None:
    for quality in range(1, 101):
        raw = save(image, "JPEG", quality=quality, progressive=progressive)
        facts = decode(raw).facts
        assert (facts.jpeg_quality, facts.progressive) == (quality, progressive)
        with Image.open(io.BytesIO(raw)) as opened:
            assert jpeg_quality(tables(opened)[0]) == quality
            assert decode(opened).facts.jpeg_quality == quality


def test_a_table_that_is_no_ijg_one_gives_the_nearest(image: Image.Image) -> None:
    with Image.open(io.BytesIO(save(image, "JPEG", quality=80))) as opened:
        table = np.array(tables(opened)[0])
    rng = np.random.default_rng(3)
    for _ in range(50):
        assert abs(jpeg_quality(np.clip(table + rng.integers(-1, 2, 64), 1, 255)) - 80) <= 2
    assert jpeg_quality(np.full(64, 255)) == 1
    assert jpeg_quality(np.full(64, 40_000)) == 1
    flat = jpeg_quality(np.full(64, 10))
    every = {
        q: np.array(tables(Image.open(io.BytesIO(save(image, "JPEG", quality=q))))[0]) for q in range(1, 101)
    }
    distances = {quality: int(abs(one - 10).sum()) for quality, one in every.items()}
    assert distances[flat] == min(distances.values())


def test_a_table_of_sixteen_bits_is_read(image: Image.Image) -> None:
    raw = save(image, "JPEG", qtables=[list(range(1, 65)), [17] * 64])
    eight = decode(raw).facts.jpeg_quality
    place = raw.index(b"\xff\xdb")
    assert raw[place + 4] == 0
    body = raw[place + 5 : place + 69]
    wide = b"\xff\xdb\x00\x83\x10" + b"".join(bytes([0, value]) for value in body)
    assert decode(raw[:place] + wide + raw[place + 69 :]).facts.jpeg_quality == eight


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_chroma_subsampling_is_read_back(image: Image.Image, subsampling: str) -> None:
    raw = encode_jpeg(np.asarray(image), 70, subsampling)
    assert decode(raw).facts.subsampling == subsampling
    with Image.open(io.BytesIO(raw)) as opened:
        assert decode(opened).facts.subsampling == subsampling


@pytest.mark.parametrize(
    ("factors", "subsampling"),
    [
        ((0x21, 0x11), "4:2:2"),
        ((0x12, 0x11), "4:4:0"),
        ((0x41, 0x11), "4:1:1"),
        ((0x22, 0x21), "4:4:0"),
        ((0x31, 0x11), "3x1,1x1,1x1"),
        ((0x22, 0x11), "4:2:0"),
    ],
)
def test_subsampling_from_the_sampling_factors(
    image: Image.Image, factors: tuple[int, int], subsampling: str
) -> None:
    raw = bytearray(encode_jpeg(np.asarray(image), 70, "4:4:4"))
    place = raw.index(b"\xff\xc0")
    for component, factor in enumerate((factors[0], factors[1], factors[1])):
        raw[place + 11 + 3 * component] = factor
    assert read_jpeg_header(bytes(raw)).subsampling == subsampling


def test_facts_of_other_formats(image: Image.Image, files: dict[str, bytes]) -> None:
    def facts(raw: bytes) -> Facts:
        return decode(raw).facts

    assert facts(save(image.convert("L"), "JPEG")).subsampling == "grey"
    assert facts(save(image, "AVIF", subsampling="4:4:4")).subsampling == "4:4:4"
    assert facts(save(image, "AVIF", subsampling="4:2:2")).subsampling == "4:2:2"
    assert facts(save(image, "AVIF", subsampling="4:0:0")).subsampling == "grey"
    assert facts(save(image, "WEBP", quality=50)).subsampling == "4:2:0"
    assert facts(save(image, "WEBP", lossless=True)).subsampling == "4:4:4"
    depths = {
        "png": 8,
        "png-1bit": 1,
        "png-grey-16": 16,
        "png-rgb-16": 16,
        "tiff": 8,
        "tiff-grey-16": 16,
        "tiff-float": 32,
        "bmp": 8,
        "bmp-1bit": 1,
        "gif": 5,
        "jpeg": 8,
        "webp": 8,
        "avif": 8,
    }
    assert {name: facts(files[name]).bit_depth for name in depths} == depths
    for name in ("png", "webp", "tiff", "bmp", "gif", "avif"):
        found = facts(files[name])
        assert (found.jpeg_quality, found.progressive) == (None, None)
    assert facts(save(image.quantize(4), "PNG", bits=2)).bit_depth == 2


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_profiles_and_exif_are_noticed(image: Image.Image, format_name: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    options = {"tiffinfo": {34665: {36867: "2024:01:01"}}} if format_name == "TIFF" else {"exif": exif}
    bare = decode(save(image, format_name)).facts
    assert (bare.icc, bare.exif, bare.orientation) == (False, False, 1)
    full = decode(save(image, format_name, icc_profile=profile, **options)).facts
    assert (full.icc, full.exif) == (True, True)


def test_facts_of_photographs(photograph_paths: dict[str, Path]) -> None:
    for path in photograph_paths.values():
        facts = decode(path).facts
        with Image.open(path) as opened:
            assert (facts.format, facts.mode) == (opened.format, opened.mode)
            assert (facts.width, facts.height) == opened.size
            if isinstance(opened, JpegImagePlugin.JpegImageFile):
                assert facts.jpeg_quality == jpeg_quality(opened.quantization[0])
                sampling = JpegImagePlugin.get_sampling(opened)
                assert facts.subsampling == ["4:4:4", "4:2:2", "4:2:0"][sampling]
                assert facts.progressive == ("progressive" in opened.info)


def test_facts_of_arrays() -> None:
    for array, mode, depth in [
        (np.zeros((3, 5), np.uint8), "L", 8),
        (np.zeros((3, 5, 1), np.bool_), "L", 1),
        (np.zeros((3, 5, 3), np.uint16), "RGB", 16),
        (np.zeros((3, 5, 4), np.float32), "RGBA", 32),
    ]:
        assert decode(array).facts == Facts("array", 5, 3, mode, depth)
