"""The report: one self-contained HTML page about one or many pictures.

The page asks for nothing from anywhere and runs no script; its pictures are data URIs, and a content
security policy keeps it so even if a string should slip through. Every string that comes from a file is
escaped by jinja2 after it was cleaned and bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from spectrace import __version__
from spectrace.detectors.card import Card
from spectrace.explain.entries import ReportEntry, entry, error_entry
from spectrace.explain.heatmap import LIMIT, ramp
from spectrace.explain.page import template
from spectrace.explain.scale import Scale, bars_of, scale_of
from spectrace.explain.wording import (
    PEAK_KINDS,
    REASON_MEANINGS,
    SOURCE_TYPE_MEANINGS,
    VERDICT_TITLES,
    likelihood,
    meaning,
    rate,
    result_rows,
    share,
    signed,
)
from spectrace.provenance.record import clean

__all__ = ["ReportEntry", "entry", "error_entry", "report"]

_UNREADABLE = "unreadable"
_TEXT_LIMIT = 2000


def report(entries: Sequence[ReportEntry], card: Card, *, made: datetime | None = None) -> str:
    """Write the page.

    Args:
        entries: one a picture, as :func:`entry` and :func:`error_entry` make them, in the order to show.
        card: of the model that gave the scores.
        made: the moment to print; None takes now.

    Returns:
        A whole HTML document, to be written as UTF-8.

    Example:
        >>> from spectrace.detectors.detection import Detection
        >>> card = Card(id="demo", version="1", title="A demonstration", tile_size=128)
        >>> broken = error_entry(Detection(path="<b>.jpg", model="demo@1", error="empty"))
        >>> page = report([broken], card)
        >>> "&lt;b&gt;.jpg" in page, "<b>" in page
        (True, False)
    """
    moment = made or datetime.now(UTC)
    page = template(
        "report.html.j2", signed=signed, share=share, rate=rate, likelihood=likelihood, line=_line
    )
    return page.render(
        entries=entries,
        counts=_counts(entries),
        card=card,
        results=result_rows(card.results),
        scale=lambda score: _scale(score, card),
        bars=lambda shares: bars_of(shares, card.branches),
        meaning=lambda verdict: meaning(verdict, card),
        titles=VERDICT_TITLES,
        peak_kinds=PEAK_KINDS,
        reason_meanings=REASON_MEANINGS,
        source_types=SOURCE_TYPE_MEANINGS,
        ramp=ramp(),
        limit=f"{LIMIT:g}",
        made=moment.strftime("%Y-%m-%d %H:%M %Z").strip(),
        version=__version__,
    )


def _line(text: str) -> str:
    # Model files are passed on between people: a card's text is no more to be trusted than a picture's.
    return clean(text, _TEXT_LIMIT)


def _counts(entries: Sequence[ReportEntry]) -> list[tuple[str, int]]:
    found = Counter(_UNREADABLE if one.error is not None else str(one.verdict) for one in entries)
    return [(name, found[name]) for name in (*VERDICT_TITLES, _UNREADABLE) if found[name]]


def _scale(score: float, card: Card) -> Scale:
    return scale_of(score, card.thresholds)
