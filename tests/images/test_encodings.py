"""Encodings: other pixels get the file's own treatment, on its own block grid."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from spectrace.errors import ImageError
from spectrace.images.decode import decode
from spectrace.images.encodings import MCU, Encoding

SIZE = (93, 117)  # neither a multiple of 8: blocks do not fall on the grid from the far sides


def jpeg_file(pixels, orientation=1, **settings) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=exif, **({"quality": 40} | settings))
    return file.getvalue()


@pytest.fixture
def scene(photographs):
    return np.ascontiguousarray(photographs["coffee"][100 : 100 + SIZE[0], 200 : 200 + SIZE[1]])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_encoding_twice_on_the_files_own_grid_changes_little(scene, orientation, subsampling):
    picture = decode(jpeg_file(scene, orientation, subsampling=subsampling))
    encoding = Encoding.of(picture)
    height, width = picture.pixels.shape[:2]
    top, left = encoding.origin(height, width)
    changes = {}
    for shift in (0, 4):
        piece = picture.pixels[top + shift : top + shift + 64, left + shift : left + shift + 64]
        changes[shift] = float(np.abs(encoding.repeat(piece).astype(float) - piece).mean())
    # Borders of the piece cost something: chroma is interpolated across them.
    assert changes[0] < 0.6
    assert changes[4] > 2 * changes[0]


def test_a_second_file_is_told_from_the_first_by_its_content_alone(scene):
    first = jpeg_file(scene, 6, subsampling="4:2:2", quality=63)
    picture = decode(first)
    again = Encoding.of(picture).encode(255 - picture.pixels)
    one, other = (JpegImagePlugin.JpegImageFile(io.BytesIO(raw)) for raw in (first, again))
    assert one.quantization == other.quantization
    assert JpegImagePlugin.get_sampling(one) == JpegImagePlugin.get_sampling(other)
    assert (one.size, one.mode, dict(one.getexif())) == (other.size, other.mode, dict(other.getexif()))
    assert Encoding.of(decode(again)) == Encoding.of(picture)
    assert decode(again).pixels.shape == picture.pixels.shape


def test_grey_files_stay_grey(scene):
    file = io.BytesIO()
    Image.fromarray(scene).convert("L").save(file, "JPEG")
    encoding = Encoding.of(decode(file.getvalue()))
    repeated = encoding.repeat(scene)
    assert encoding.grey
    assert repeated.shape == scene.shape
    assert (repeated == repeated[:, :, :1]).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_origin_is_where_the_first_block_is_displayed(orientation):
    stored = np.zeros((*SIZE, 3), np.uint8)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    stored[((rows // MCU + columns // MCU) % 2).astype(bool)] = 255
    picture = decode(jpeg_file(stored, orientation, quality=100, subsampling=0))
    top, left = Encoding.of(picture).origin(*picture.pixels.shape[:2])
    assert top < MCU
    assert left < MCU
    block = picture.pixels[top : top + MCU, left : left + MCU]
    assert int(block.max()) - int(block.min()) <= 2
    beyond = picture.pixels[top : top + MCU + 1, left : left + MCU + 1]
    assert int(beyond.max()) - int(beyond.min()) > 200


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
def test_lossless_files_leave_pixels_alone(scene, kind):
    file = io.BytesIO()
    Image.fromarray(scene).save(file, kind, lossless=True)
    encoding = Encoding.of(decode(file.getvalue()))
    assert encoding.repeat(scene) is scene
    assert (decode(encoding.encode(scene)).pixels == scene).all()


def test_lossy_files_that_do_not_tell_their_settings_are_refused(scene):
    file = io.BytesIO()
    Image.fromarray(scene).save(file, "WEBP", quality=50)
    encoding = Encoding.of(decode(file.getvalue()))
    with pytest.raises(ImageError, match="is WEBP, which cannot be encoded again alike"):
        encoding.repeat(scene)


def test_rare_subsamplings_are_given_the_coarsest(scene, monkeypatch):
    monkeypatch.setattr(JpegImagePlugin, "get_sampling", lambda image: -1)
    assert Encoding.of(decode(jpeg_file(scene))).subsampling == 2
