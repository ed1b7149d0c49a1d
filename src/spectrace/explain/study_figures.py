"""A study's figures: mean heatmaps, sheets of patches, histograms over regions.

matplotlib is imported only when a figure is drawn, and only its file-writing half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from spectrace.explain.findings import MeanHeatmap, PatchGroup, Study
from spectrace.explain.heatmap import save_png, tint
from spectrace.explain.histogram import RegionBar
from spectrace.explain.mean_heatmap import PICTURE_SIDE
from spectrace.explain.study_wording import LABEL_TITLES, direction_title, end_title, score_text
from spectrace.images.decode import Pixels
from spectrace.provenance.record import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 120
_CELL, _GAP, _COLUMNS, _CAPTION = 144, 12, 8, 34
_GROUND, _INK, _SOFT = (250, 250, 250), (24, 24, 28), (92, 92, 100)
_LINE = (196, 198, 204)
_PREDICTIVE, _RANDOM = "#d55e00", "#5d6470"


def write_figures(study: Study, folder: Path) -> list[str]:
    """Write all figures as PNG into a folder.

    Returns:
        The names of the files, in the order of the study.

    Raises:
        OSError: a file cannot be written.
    """
    limit = score_limit(study.means)
    files = []
    for label in dict.fromkeys(one.label for one in study.means):
        means = [one for one in study.means if one.label == label]
        files.append(f"mean-heatmap-{label}.png")
        _save(mean_heatmap_figure(means, limit), folder / files[-1])
    for group in study.groups:
        files.append(f"patches-{group.direction.name}.png")
        save_png(patch_sheet(group), folder / files[-1])
        if group.bars:
            files.append(f"regions-{group.direction.name}.png")
            _save(region_figure(group, study.regions), folder / files[-1])
    return files


def score_limit(means: Sequence[MeanHeatmap]) -> float:
    """The score of the end colours that a study's mean heatmaps share.

    99 in 100 of their cells lie within it. Means of patches' scores can be far from the single scores' range,
    so it is no fixed number.

    Example:
        >>> score_limit([])
        1.0
    """
    cells = np.concatenate([np.empty(0), *(np.abs(one.scores).ravel() for one in means)])
    cells = cells[~np.isnan(cells)]
    largest = float(np.quantile(cells, 0.99)) if len(cells) else 0.0
    if largest <= 0.0:
        return 1.0
    unit = 10.0 ** (math.floor(math.log10(largest)) - 1)
    return float(f"{math.ceil(largest / unit) * unit:.2g}")


def tinted(one: MeanHeatmap, limit: float, side: int = PICTURE_SIDE) -> Pixels:
    """A mean heatmap over its mean picture, uint8 [side, side, 3]; ``side`` is a multiple of the grid's."""
    picture = np.asarray(Image.fromarray(one.picture).resize((side, side), Image.Resampling.BILINEAR))
    scores = one.scores.astype(np.float32)
    again = side // len(scores)
    return tint(picture, scores.repeat(again, axis=0).repeat(again, axis=1), limit=limit)


def ramp(limit: float, grey: int = 128) -> NDArray[np.uint8]:
    """The colours from camera over zero to generated as they look over a grey, uint8 [255, 3]."""
    scores = np.linspace(-limit, limit, 255, dtype=np.float32)[None]
    drawn: NDArray[np.uint8] = tint(np.full((1, 255, 3), grey, np.uint8), scores, limit=limit)[0]
    return drawn


def ratio_limit(bars: Sequence[RegionBar]) -> float:
    """Where an axis of ratios ends: all ratios lie inside; intervals of rare regions may reach beyond.

    Example:
        >>> ratio_limit([])
        2.0
    """
    values = [one.value for bar in bars for one in (bar.ratio, bar.random_ratio)]
    return max([2.0, *(1.25 * value for value in values if math.isfinite(value))])


def mean_heatmap_figure(means: Sequence[MeanHeatmap], limit: float) -> Figure:
    """Mean heatmaps of one label side by side, over the mean pictures, which stand below by themselves.

    Args:
        means: both ends of one label's ranking.
        limit: the score of the end colours.
    """
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415  (start-up stays light)
    from matplotlib.colors import ListedColormap, Normalize  # noqa: PLC0415

    figure = _figure(3.6 * len(means) + 1.2, 7.6)
    axes = figure.subplots(2, len(means), squeeze=False)
    for column, one in enumerate(means):
        axes[0, column].imshow(tinted(one, limit), interpolation="nearest")
        axes[0, column].set_title(end_title(one.label, one.end, len(one.maps)), fontsize=11)
        axes[1, column].imshow(one.picture, interpolation="nearest")
        axes[1, column].set_title("mean picture", fontsize=11)
        for axis in axes[:, column]:
            axis.set_xticks([])
            axis.set_yticks([])
    colours = ScalarMappable(Normalize(-limit, limit), ListedColormap(ramp(limit) / 255.0))
    bar = figure.colorbar(
        colours, ax=axes.ravel().tolist(), shrink=0.46, anchor=(0.0, 1.0), pad=0.02, extend="both"
    )
    bar.set_label("mean score of the patches\n(log-likelihood ratio; generated above 0)")
    figure.suptitle(f"{LABEL_TITLES[means[0].label]}: where the score comes from")
    return figure


def region_figure(group: PatchGroup, regions: str) -> Figure:
    """Share over area of each region, for predictive and for random patches, with intervals."""
    bars = group.bars
    figure = _figure(7.6, 0.5 * len(bars) + 2.2)
    axis = figure.subplots()
    axis.axvline(1.0, color="#9a9da4", linewidth=1)
    for shift, colour, marker, name in (
        (-0.13, _PREDICTIVE, "o", f"{group.counted:,} predictive patches"),
        (+0.13, _RANDOM, "s", "random patches of the same pictures"),
    ):
        found = [bar.ratio if marker == "o" else bar.random_ratio for bar in bars]
        values = np.array([bounds.value for bounds in found])
        reach = np.array([[one.value - one.low, one.high - one.value] for one in found]).T
        axis.errorbar(
            values,
            np.arange(len(bars)) + shift,
            xerr=np.nan_to_num(reach),
            fmt=marker,
            color=colour,
            capsize=3,
            markersize=5,
            label=name,
        )
    axis.set_yticks(range(len(bars)), [f"{bar.region} ({100 * bar.area:.1f} % of the area)" for bar in bars])
    axis.invert_yaxis()
    axis.set_xlim(0.0, ratio_limit(bars))
    axis.set_xlabel("share of the patches' pixels / share of the area (95 % intervals)")
    figure.suptitle(f"{direction_title(group.direction)}\nregions: {clean(regions, 80)}", fontsize=11)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def patch_sheet(group: PatchGroup) -> Pixels:
    """The strongest patches as a grid, each with its score and its picture's name; uint8 [H, W, 3].

    Small patches are enlarged by whole factors, pixel by pixel; large ones are shrunk.
    """
    crops, patches = group.crops, group.patches
    columns = max(1, min(_COLUMNS, len(crops)))
    rows = max(1, -(-len(crops) // columns))
    head = 2 * _GAP + 18
    width = max(columns * (_CELL + _GAP) + _GAP, 560)
    sheet = Image.new("RGB", (width, head + rows * (_CELL + _CAPTION + _GAP)), _GROUND)
    draw = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(14), ImageFont.load_default(11)
    draw.text((_GAP, _GAP), direction_title(group.direction), _INK, font)
    for number, (crop, patch) in enumerate(zip(crops, patches, strict=False)):
        left = _GAP + number % columns * (_CELL + _GAP)
        top = head + number // columns * (_CELL + _CAPTION + _GAP)
        shown = fitted(crop, _CELL)
        sheet.paste(Image.fromarray(shown), (left, top))
        # An outline outside of the patch's own pixels: white ones show on white ground too.
        draw.rectangle((left - 1, top - 1, left + shown.shape[1], top + shown.shape[0]), outline=_LINE)
        below = top + shown.shape[0]
        # The font inside Pillow has no true minus.
        draw.text((left, below + 4), score_text(patch.score).replace("\u2212", "-"), _INK, small)
        name = clean(PurePath(patch.path).name, 200)
        while draw.textlength(name, small) > _CELL:
            name = name[:-2].rstrip("…") + "…"
        draw.text((left, below + 18), name, _SOFT, small)
    return np.asarray(sheet)


def fitted(crop: Pixels, side: int) -> Pixels:
    """A crop brought near to a side: enlarged by a whole factor, or shrunk; its shape stays."""
    longest = max(crop.shape[:2])
    if longest <= side:
        factor = side // longest
        return crop.repeat(factor, axis=0).repeat(factor, axis=1)
    image = Image.fromarray(crop)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415  (start-up stays light)

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    # Without the version of matplotlib inside: the same bytes for the same numbers.
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
