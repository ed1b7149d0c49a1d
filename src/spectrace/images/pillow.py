"""Pillow without its side effects: opens one known format, warns nobody, changes no setting.

Pillow reports oddities of a file through the warnings module, and ``warnings.catch_warnings`` changes the
whole process, other threads included. So the few Pillow modules that warn get a stand-in for their
``warnings`` that is silent inside :func:`quiet`, in the thread that entered it, and passes everything on
anywhere else. A program that uses Pillow beside Spectrace notices nothing.

``PIL.Image.open`` is not used: it tries one format after the other and judges the size by a global setting.
"""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import PIL.Image
from PIL import ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

_quiet: ContextVar[bool] = ContextVar("spectrace_quiet_pillow", default=False)

_PLUGINS = {
    "PNG": ("PngImagePlugin", "PngImageFile"),
    "WEBP": ("WebPImagePlugin", "WebPImageFile"),
    "AVIF": ("AvifImagePlugin", "AvifImageFile"),
    "TIFF": ("TiffImagePlugin", "TiffImageFile"),
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "GIF": ("GifImagePlugin", "GifImageFile"),
}


class _Warnings:
    """Stands in for the warnings module inside Pillow's modules."""

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    def warn(
        self,
        message: Warning | str,
        category: type[Warning] | None = None,
        stacklevel: int = 1,
        source: object = None,
    ) -> None:
        if not _quiet.get():
            warnings.warn(message, category, stacklevel + 1, source)


class _JpegFile(JpegImagePlugin.JpegImageFile):
    """A JPEG file whose EXIF is left alone: its resolution is of no use here and its parsing is not free."""

    def _read_dpi_from_exif(self) -> None:
        return


@contextmanager
def quiet() -> Iterator[None]:
    """Silences Pillow's warnings in this thread, and in no other.

    Example:
        >>> with quiet():
        ...     PIL.Image.warnings.warn("nobody hears this")
    """
    for module in (PIL.Image, PngImagePlugin, TiffImagePlugin):
        if getattr(module, "warnings", None) is warnings:
            module.warnings = _STAND_IN  # type: ignore[attr-defined]
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def open_image(raw: bytes, format_name: str) -> ImageFile.ImageFile:
    """Opens the bytes of a file of a known format; nothing is decoded until ``load``.

    Args:
        raw: the file's bytes.
        format_name: as in :class:`spectrace.images.formats.FileHeader`.

    Raises:
        Exception: whatever Pillow raises for broken files, of many kinds.
    """
    file = io.BytesIO(raw)
    if format_name in ("JPEG", "MPO"):
        return _JpegFile(file)
    module, class_name = _PLUGINS[format_name]
    opener: type[ImageFile.ImageFile] = getattr(importlib.import_module(f"PIL.{module}"), class_name)
    return opener(file)


_STAND_IN = _Warnings()
