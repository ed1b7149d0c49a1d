"""The strip below a heatmap that says what its colours mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from spectrace.explain.colours import Colour

_GROUND, _INK, _SOFT = (250, 250, 250), (24, 24, 28), (92, 92, 100)
_NARROWEST, _COMFORTABLE, _LARGEST_SCALE = 320, 900, 6.0
_TITLE = "Score of each patch (log-likelihood ratio)"


def draw_legend(
    width: int, ramp: NDArray[np.uint8], limit: float, *, not_scored: Colour, hatching: Colour
) -> NDArray[np.uint8]:
    """Draw the legend: the scale with its ends named, and the field for what was not scored.

    Args:
        width: of the picture above, in pixels; text grows with it, and below 320 the strip is wider.
        ramp: uint8 [K, 3], the colours from the camera end to the generated end.
        limit: the score of the end colours.
        not_scored: ground of the field for pixels without a score.
        hatching: its diagonal lines.

    Returns:
        uint8 [legend height, max(width, 320), 3] RGB.

    Example:
        >>> ramp = np.zeros((255, 3), np.uint8)
        >>> draw_legend(64, ramp, 5.0, not_scored=(60, 60, 60), hatching=(120, 120, 120)).shape
        (94, 320, 3)
    """
    width = max(width, _NARROWEST)
    scale = min(max(width / _COMFORTABLE, 1.0), _LARGEST_SCALE)
    unit = round(4 * scale)
    font, small = _font(13 * scale), _font(12 * scale)
    line, small_line = round(16 * scale), round(15 * scale)
    left, bar_width, bar_height = 3 * unit, min(width - 6 * unit, 120 * unit), 4 * unit
    bar_top = 2 * unit + line + unit
    ticks_top = bar_top + bar_height + unit
    field_top = ticks_top + small_line + 2 * unit
    strip = Image.new("RGB", (width, field_top + small_line + 2 * unit), _GROUND)
    draw = ImageDraw.Draw(strip)

    draw.text((left, 2 * unit), _TITLE, _INK, font)
    bar = Image.fromarray(np.ascontiguousarray(ramp[None])).resize(
        (bar_width, bar_height), Image.Resampling.BILINEAR
    )
    strip.paste(bar, (left, bar_top))
    middle, right = left + bar_width // 2, left + bar_width - 1
    for x in (left, middle, right):
        draw.line((x, bar_top, x, bar_top + bar_height + unit // 2), _INK, max(1, unit // 4))
    draw.text((left, ticks_top), f"{-limit:g} or less: camera", _INK, small)
    draw.text((middle, ticks_top), "0", _INK, small, anchor="ma")
    draw.text((right, ticks_top), f"generated: {limit:+g} or more", _INK, small, anchor="ra")

    field = (left, field_top, left + 6 * unit, field_top + small_line - 1)
    strip.paste(_hatched(field, not_scored, hatching, 2 * unit), field[:2])
    draw.text((field[2] + 2 * unit, field_top), "not scored", _SOFT, small)
    return np.asarray(strip)


def _hatched(field: tuple[int, int, int, int], ground: Colour, lines: Colour, spacing: int) -> Image.Image:
    height, width = field[3] - field[1] + 1, field[2] - field[0] + 1
    diagonal = np.arange(height)[:, None] + np.arange(width)[None, :]
    on_line = (diagonal % spacing < max(1, spacing // 4))[..., None]
    return Image.fromarray(np.where(on_line, np.array(lines, np.uint8), np.array(ground, np.uint8)))


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # The font inside Pillow: the same picture on every machine.
    return ImageFont.load_default(size)
