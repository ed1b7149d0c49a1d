"""Small files of every format that is read, made in memory."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spectrace.errors import ImageError, ImageProblem
from spectrace.images.decode import Limits, Picture, decode


def encode(image: Image.Image, format_name: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.copy().save(file, format_name, **options)  # Pillow leaves the options of a save in the image
    return file.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(
    width: int,
    height: int,
    depth: int,
    colour: int,
    rows: bytes,
    *extra: tuple[bytes, bytes],
    interlace: int = 0,
) -> bytes:
    """A PNG made by hand: what Pillow cannot write, or what lies about itself."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, body) for kind, body in chunks)


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    """A smooth picture with an edge in it, uint8 [H, W, 3]."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x + y) % 256], axis=-1)
    picture[height // 4 : height // 2, width // 4 : width // 2] = (200, 40, 90)
    return picture.astype(np.uint8)


def make_files() -> dict[str, bytes]:
    rgb = Image.fromarray(scene())
    grey = rgb.convert("L")
    rgba = rgb.copy()
    rgba.putalpha(Image.fromarray(scene()[:, :, 0].copy()))
    palette = rgb.quantize(32)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Camera"
    sixteen = scene().astype(np.uint16) * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in sixteen)
    flipped = Image.fromarray(scene()[:, ::-1].copy())
    return {
        "jpeg": encode(rgb, "JPEG", quality=85),
        "jpeg-progressive": encode(rgb, "JPEG", quality=60, progressive=True, subsampling="4:4:4", exif=exif),
        "jpeg-grey": encode(grey, "JPEG"),
        "jpeg-cmyk": encode(rgb.convert("CMYK"), "JPEG", quality=90),
        "mpo": encode(rgb, "MPO", save_all=True, append_images=[flipped.copy()]),
        "png": encode(rgb, "PNG"),
        "png-alpha": encode(rgba, "PNG", exif=exif),
        "png-grey-alpha": encode(rgba.convert("LA"), "PNG"),
        "png-palette": encode(palette, "PNG"),
        "png-palette-alpha": encode(palette, "PNG", transparency=bytes(range(0, 256, 8))),
        "png-1bit": encode(grey.convert("1"), "PNG"),
        "png-grey-16": encode(Image.fromarray(sixteen[:, :, 0].copy()), "PNG"),
        "png-rgb-16": png_file(64, 48, 16, 2, rows),
        "png-animated": encode(rgb, "PNG", save_all=True, append_images=[flipped.copy()]),
        "webp": encode(rgb, "WEBP", quality=80, exif=exif),
        "webp-lossless": encode(rgba, "WEBP", lossless=True),
        "webp-animated": encode(rgb, "WEBP", save_all=True, append_images=[flipped.copy()]),
        "avif": encode(rgb, "AVIF", quality=80),
        "avif-alpha": encode(rgba, "AVIF", exif=exif),
        "tiff": encode(rgb, "TIFF"),
        "tiff-lzw": encode(rgb, "TIFF", compression="tiff_lzw"),
        "tiff-deflate-turned": encode(rgb, "TIFF", compression="tiff_adobe_deflate", tiffinfo={274: 6}),
        "tiff-jpeg": encode(rgb, "TIFF", compression="jpeg"),
        "tiff-cmyk": encode(rgb.convert("CMYK"), "TIFF"),
        "tiff-grey-16": encode(Image.fromarray(sixteen[:, :, 0].copy()), "TIFF"),
        "tiff-float": encode(Image.fromarray(scene()[:, :, 0].astype(np.float32) / 255), "TIFF"),
        "tiff-pages": encode(rgb, "TIFF", save_all=True, append_images=[flipped.copy()]),
        "bmp": encode(rgb, "BMP"),
        "bmp-palette": encode(palette, "BMP"),
        "bmp-1bit": encode(grey.convert("1"), "BMP"),
        "gif": encode(palette, "GIF"),
        "gif-animated": encode(rgb, "GIF", save_all=True, append_images=[flipped.copy()], transparency=0),
    }


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """One small file of every format and kind, by a telling name."""
    return make_files()


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    """``(width, height, depth, colour type, filtered rows, *extra chunks, interlace=0) -> file``."""
    return png_file


@pytest.fixture(scope="session")
def make_chunk() -> Callable[[bytes, bytes], bytes]:
    """``(kind, body) -> PNG chunk``."""
    return png_chunk


@pytest.fixture(scope="session")
def outcome() -> Callable[[bytes], Picture | ImageError]:
    """What the decoder makes of some bytes: a picture or its one kind of error."""

    def decoded(raw: bytes) -> Picture | ImageError:
        try:
            return decode(raw)
        except ImageError as error:
            return error

    return decoded


@pytest.fixture(scope="session")
def refusal() -> Callable[..., tuple[ImageProblem, str]]:
    """``(source, limits=Limits()) -> problem and message`` of a source that is refused, as it should be."""

    def refused(source: Any, limits: Limits | None = None) -> tuple[ImageProblem, str]:
        with pytest.raises(ImageError) as caught:
            decode(source, limits or Limits())
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < 500
        return caught.value.problem, message

    return refused
