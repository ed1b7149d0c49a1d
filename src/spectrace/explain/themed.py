"""Figures inside pages: drawn for light and for dark ground, embedded as data URIs."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 110


class Themed(NamedTuple):
    """A figure in a page: two data URIs, and its size in pixels of the page."""

    light: str
    dark: str
    width: int
    height: int


def themed(light: Figure, dark: Figure) -> Themed:
    """Embed a figure that was drawn twice."""
    width, height = (round(float(inches) * _DPI) for inches in light.get_size_inches())
    return Themed(_uri(light), _uri(dark), width, height)


def _uri(figure: Figure) -> str:
    out = io.BytesIO()
    # Drawn with more pixels than are shown: sharp on dense screens and on paper.
    figure.savefig(out, format="png", dpi=1.5 * _DPI, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
