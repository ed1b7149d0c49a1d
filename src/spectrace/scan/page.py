"""A scan as one self-contained HTML page, in the look of the other reports.

The page loads nothing and runs no script; a content security policy keeps it so. Every string that comes from
a file is cleaned, bounded and escaped.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from spectrace import __version__
from spectrace.detectors.card import Card, Thresholds
from spectrace.errors import ImageError, SpectraceError
from spectrace.explain.entries import Thumbnail, thumbnail_of
from spectrace.explain.page import template
from spectrace.explain.wording import REASON_MEANINGS, VERDICT_TITLES, signed
from spectrace.images.decode import Limits, decode
from spectrace.provenance.record import clean
from spectrace.scan.chunks import Listing
from spectrace.scan.folder import ScanFolder, Settings
from spectrace.scan.items import Item, read
from spectrace.scan.summary import BINS, REACH, Strong, Summary

_TEXT_LIMIT = 400
_SIDE = 200
_ERRORS_SHOWN = 30
_WIDTH, _HEIGHT = 640.0, 180.0


class _Bar(NamedTuple):
    """One bin of the distribution, in units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    verdict: str
    label: str


def scan_page(
    summary: Summary,
    settings: Settings,
    card: Card,
    thumbnails: Sequence[Thumbnail | None],
    *,
    made: datetime | None = None,
) -> str:
    """Write the page.

    Args:
        summary: what was found.
        settings: of the scan.
        card: of its model.
        thumbnails: of the strongest pictures, in their order; None where one cannot be read any more.
        made: the moment to print; None takes now.

    Returns:
        A whole HTML document, to be written as UTF-8.
    """
    shown = [(one, thumb) for one, thumb in zip(summary.strongest, thumbnails, strict=True) if thumb]
    reach = _reach(summary.bins, card.thresholds)
    page = template("scan_page.html.j2", line=lambda text: clean(str(text), _TEXT_LIMIT), signed=signed)
    return page.render(
        summary=summary,
        settings=settings,
        card=card,
        verdicts=[(title, summary.verdicts[name]) for name, title in VERDICT_TITLES.items()],
        unread=summary.errors.total(),
        reasons=[
            (code, REASON_MEANINGS.get(code, ""), count) for code, count in summary.reasons.most_common()
        ],
        errors=[
            (kind, count, summary.examples[kind]) for kind, count in summary.errors.most_common(_ERRORS_SHOWN)
        ],
        more_errors=max(0, len(summary.errors) - _ERRORS_SHOWN),
        bars=_bars(summary.bins, card.thresholds, reach),
        camera=_place(card.thresholds.camera, reach),
        generated=_place(card.thresholds.generated, reach),
        ticks=[(value, _place(value, reach)) for value in _ticks(reach)],
        width=_WIDTH,
        height=_HEIGHT,
        beyond=REACH if reach == REACH else None,
        strongest=shown,
        common=_common_folder([one.path for one, _ in shown]),
        left_out=len(summary.strongest) - len(shown),
        made=(made or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z").strip(),
        version=__version__,
    )


def thumbnails(folder: ScanFolder, strongest: Sequence[Strong]) -> list[Thumbnail | None]:
    """Pictures of the strongest, read again; None for those that cannot be read any more."""
    listing = Listing(folder.listing)
    try:
        items = [listing.chunk(one.chunk).items[one.position] for one in strongest]
    finally:
        listing.close()
    limits = Limits(pixels=folder.settings.max_pixels)
    found: dict[Item, Thumbnail] = {}
    try:
        # In this order the pictures inside of one Parquet file are read in one pass.
        for item, raw in read(sorted(items), limits.file_bytes, folder.settings.column):
            if isinstance(raw, bytes):
                try:
                    found[item] = thumbnail_of(decode(raw, limits).pixels, _SIDE)
                except ImageError:
                    continue
    except SpectraceError:
        pass  # the addresses' library is missing here: what was read before is shown
    return [found.get(item) for item in items]


def _common_folder(paths: Sequence[str]) -> str:
    """How all paths begin, up to a separator.

    Example:
        >>> _common_folder(["s3://bucket/a/1.jpg", "s3://bucket/a/2.jpg", "s3://bucket/b.jpg"])
        's3://bucket/'
    """
    prefix = os.path.commonprefix(paths)  # noqa: RUF071  (addresses too: it is cut at a separator below)
    return prefix[: prefix.rfind("/") + 1]


def _edges(number: int) -> tuple[float, float]:
    """Lowest and highest score of a bin."""
    return 2 * REACH * number / BINS - REACH, 2 * REACH * (number + 1) / BINS - REACH


def _reach(bins: Sequence[int], thresholds: Thresholds) -> float:
    """The highest score of the drawing, the lowest one's opposite: every bar and threshold is inside."""
    far = [max(map(abs, _edges(number))) for number, count in enumerate(bins) if count]
    return min(math.ceil(max(*far, abs(thresholds.camera) + 1, abs(thresholds.generated) + 1)), REACH)


def _ticks(reach: float) -> range:
    step = 1 if reach <= 6 else 5
    most = int(reach) // step * step
    return range(-most, most + 1, step)


def _bars(bins: Sequence[int], thresholds: Thresholds, reach: float) -> list[_Bar]:
    most, bars = max(bins), []
    for number, count in enumerate(bins):
        if not count:
            continue
        low, high = _edges(number)
        middle = 0.5 * (low + high)
        verdict = (
            "generated"
            if middle >= thresholds.generated
            else "camera"
            if middle < thresholds.camera
            else "inconclusive"
        )
        x, height = _place(low, reach), max(_HEIGHT * count / most, 1.0)
        label = f"{count:,} pictures from {signed(low)} to {signed(high)}"
        bars.append(_Bar(x, _HEIGHT - height, _place(high, reach) - x, height, verdict, label))
    return bars


def _place(score: float, reach: float) -> float:
    return round(_WIDTH * (min(max(score, -reach), reach) + reach) / (2 * reach), 1)
