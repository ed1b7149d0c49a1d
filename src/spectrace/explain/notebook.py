"""What a notebook shows of results: pieces of HTML without a script, which load nothing.

Colours follow the notebook's own text, so that they can be read on light and on dark ground. Pictures are
read again for this, and only shown if they are still those that were looked at. Every string that comes
from a file is cleaned, bounded and escaped.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from spectrace.detectors.detection import Detection
from spectrace.detectors.detections import ERROR, Detections
from spectrace.errors import ImageError
from spectrace.explain.entries import Thumbnail, entry, row_entry, thumbnail_of
from spectrace.explain.heatmap import LIMIT, ramp
from spectrace.explain.page import template
from spectrace.explain.scale import scale_of
from spectrace.explain.wording import REASON_MEANINGS, VERDICT_TITLES, likelihood, meaning, share, signed
from spectrace.images.decode import Limits, Picture, decode
from spectrace.images.reading import source_name
from spectrace.provenance.record import clean
from spectrace.threads import in_order

if TYPE_CHECKING:
    from jinja2 import Template

SHOWN = 20
"""Pictures of a table that are shown."""

_SIDE, _THUMBNAIL_SIDE = 400, 80
_LINE_LIMIT = 400
_TITLES = {**VERDICT_TITLES, ERROR: "Not readable"}


def html_of(results: object) -> str:
    """The HTML of one detection (verdict, score, picture, heatmap) or of a table of them.

    Args:
        results: a :class:`~spectrace.detectors.detection.Detection`, or
            :class:`~spectrace.detectors.detections.Detections`, of which the first 20 are shown.

    Raises:
        TypeError: it is neither.

    Example:
        >>> html = html_of(Detections([Detection(path="<b>.jpg", model="demo@1", error="empty")]))
        >>> "&lt;b&gt;.jpg" in html, "<b>" in html
        (True, False)
    """
    if isinstance(results, Detection):
        return _detection(results)
    if isinstance(results, Detections):
        return _table(results)
    raise TypeError(f"{type(results).__name__}: wanted a Detection or Detections")


def _detection(detection: Detection) -> str:
    found = _read_again(detection) if detection.error is None else ""
    if isinstance(found, str):
        shown = row_entry(detection)
    else:
        shown = entry(found, detection, side=_SIDE, spectrum=False)
        found = ""
    card = detection.card
    return _template("notebook_detection.html.j2").render(
        one=shown,
        not_shown=found,
        model=clean(detection.model, _LINE_LIMIT),
        thresholds=card and card.thresholds,
        scale=None if card is None or shown.score is None else scale_of(shown.score, card.thresholds),
        meaning=None if card is None else meaning(shown.verdict, card),
        titles=_TITLES,
        reason_meanings=REASON_MEANINGS,
        ramp=ramp(),
        limit=f"{LIMIT:g}",
    )


def _table(detections: Detections) -> str:
    first = detections[:SHOWN]
    return _template("notebook_table.html.j2").render(
        rows=list(zip(map(row_entry, first), in_order(_thumbnail, first), strict=True)),
        pictures=len(detections),
        counts=[(_TITLES[name], count) for name, count in detections.counts().items()],
        titles=_TITLES,
        ramp=ramp(),
    )


@cache
def _template(name: str) -> Template:
    return template(name, signed=signed, share=share, likelihood=likelihood)


def _thumbnail(detection: Detection) -> Thumbnail | str:
    if detection.error is not None:
        return ""
    found = _read_again(detection)
    return found if isinstance(found, str) else thumbnail_of(found.pixels, _THUMBNAIL_SIDE)


def _read_again(detection: Detection) -> Picture | str:
    """The picture as it was looked at, or why it cannot be shown."""
    if detection.source is None:
        return "the picture was not kept"
    # What was decoded once may be decoded again, whatever the limits were.
    seen = (detection.width or 0) * (detection.height or 0)
    try:
        picture = decode(detection.source, Limits(pixels=max(seen, Limits().pixels)))
    except ImageError as error:
        return clean(str(error), _LINE_LIMIT)
    facts = picture.facts
    if (facts.sha256, facts.width, facts.height) != (detection.sha256, detection.width, detection.height):
        return clean(f"{source_name(detection.source)} has changed since", _LINE_LIMIT)
    return picture
