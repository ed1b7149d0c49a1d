"""A study as one self-contained HTML page, in the look of the report.

The page loads nothing and runs no script; its pictures are data URIs, and a content security policy keeps it
so. Every string that comes from a file is cleaned, bounded and escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
from PIL import Image

from spectrace import __version__
from spectrace.detectors.card import Card
from spectrace.evaluation.bootstrap import Bounds
from spectrace.explain.findings import PatchGroup, Study
from spectrace.explain.histogram import RegionBar
from spectrace.explain.page import template
from spectrace.explain.predictive import RANDOM_PER_PATCH, Patch
from spectrace.explain.study_figures import fitted, ramp, ratio_limit, score_limit, tinted
from spectrace.explain.study_numbers import card_digest
from spectrace.explain.study_wording import (
    LABEL_TITLES,
    direction_title,
    end_title,
    ratio_text,
    score_text,
)
from spectrace.images.decode import Pixels
from spectrace.provenance.record import clean

_SIDE = 128
_HEATMAP_SIDE = 384
_PROBLEMS_SHOWN = 50
_NAME_LIMIT, _TEXT_LIMIT = 300, 2000
_LOSSLESS = 64


class _Mean(NamedTuple):
    title: str
    heatmap: str
    picture: str


class _Crop(NamedTuple):
    uri: str
    width: int
    height: int
    score: str
    name: str
    place: str


class _Mark(NamedTuple):
    """A ratio on its axis, in per cent of the axis' length."""

    value: float
    low: float
    high: float


class _Bar(NamedTuple):
    region: str
    area: float
    share: float
    random_share: float
    ratio: str
    random_ratio: str
    against_random: str
    mark: _Mark | None
    random_mark: _Mark | None


def study_page(study: Study, card: Card, *, made: datetime | None = None) -> str:
    """Write the page.

    Args:
        study: what was found.
        card: of the model.
        made: the moment to print; None takes now.

    Returns:
        A whole HTML document, to be written as UTF-8.
    """
    limit = score_limit(study.means)
    moment = made or datetime.now(UTC)
    page = template("study_page.html.j2", line=lambda text: clean(text, _TEXT_LIMIT))
    return page.render(
        study=study,
        card=card,
        digest=card_digest(card),
        labels=[
            (LABEL_TITLES[label], count, _means(study, label, limit)) for label, count in study.counts.items()
        ],
        groups=[
            (direction_title(group.direction), group, _crops(group), _bars(group.bars), _axis(group.bars))
            for group in study.groups
        ],
        problems=study.problems[:_PROBLEMS_SHOWN],
        ramp=[f"rgb({red} {green} {blue})" for red, green, blue in ramp(limit)[[0, 127, 254]].tolist()],
        limit=f"{limit:g}",
        random_per_patch=RANDOM_PER_PATCH,
        made=moment.strftime("%Y-%m-%d %H:%M %Z").strip(),
        version=__version__,
    )


def _means(study: Study, label: str, limit: float) -> list[_Mean]:
    return [
        _Mean(
            end_title(one.label, one.end, len(one.maps)),
            _uri(tinted(one, limit, _HEATMAP_SIDE)),
            _uri(one.picture),
        )
        for one in study.means
        if one.label == label
    ]


def _crops(group: PatchGroup) -> list[_Crop]:
    return [_crop(pixels, patch) for pixels, patch in zip(group.crops, group.patches, strict=False)]


def _crop(pixels: Pixels, patch: Patch) -> _Crop:
    height, width = pixels.shape[:2]
    top, left, bottom, right = patch.rectangle
    path = clean(_shown_path(patch.path), _NAME_LIMIT)
    # Small patches stay as they are and are enlarged by the browser, pixel by pixel.
    shown = pixels if max(height, width) <= _SIDE else fitted(pixels, _SIDE)
    factor = max(1, _SIDE // max(height, width))
    return _Crop(
        uri=_uri(shown),
        width=shown.shape[1] * factor,
        height=shown.shape[0] * factor,
        score=score_text(patch.score),
        name=clean(_shown_path(PurePath(patch.path).name), _NAME_LIMIT),
        place=f"{path}, rows {top} to {bottom - 1}, columns {left} to {right - 1}",
    )


def _shown_path(path: str) -> str:
    # Bytes of a path that are no UTF-8 arrive as lone surrogates, which no page can hold.
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _bars(bars: Sequence[RegionBar]) -> list[_Bar]:
    limit = ratio_limit(bars)
    return [
        _Bar(
            region=clean(bar.region, _NAME_LIMIT),
            area=bar.area,
            share=bar.share,
            random_share=bar.random_share,
            ratio=ratio_text(*bar.ratio),
            random_ratio=ratio_text(*bar.random_ratio),
            against_random=ratio_text(*bar.against_random),
            mark=_mark(bar.ratio, limit),
            random_mark=_mark(bar.random_ratio, limit),
        )
        for bar in bars
    ]


def _axis(bars: Sequence[RegionBar]) -> list[tuple[float, str]]:
    """Whole numbers on the axis of ratios: where, in per cent of its length, and what to print."""
    limit = ratio_limit(bars)
    step = max(1, round(limit / 5))
    return [(100.0 * value / limit, f"{value}") for value in sorted({1, *range(0, int(limit) + 1, step)})]


def _mark(bounds: Bounds, limit: float) -> _Mark | None:
    if np.isnan(bounds.value):
        return None
    value, low, high = (100.0 * min(one, limit) / limit for one in np.nan_to_num(bounds, nan=bounds.value))
    return _Mark(value, low, high)


def _uri(pixels: Pixels) -> str:
    out = io.BytesIO()
    lossless = max(pixels.shape[:2]) <= _LOSSLESS
    options = {"format": "PNG"} if lossless else {"format": "JPEG", "quality": 88, "subsampling": 0}
    Image.fromarray(pixels).save(out, **options)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
