"""The fingerprint report as one self-contained HTML page, in the look of the other reports.

The page loads nothing and runs no script; its pictures are data URIs, each for light and for dark ground, and
a content security policy keeps it so. Every string that comes from a file is cleaned, bounded and escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from spectrace import __version__
from spectrace.explain.fingerprint_wording import (
    advice,
    band_text,
    causes,
    findings,
    headline,
    limits,
    prints_text,
)
from spectrace.explain.page import template
from spectrace.explain.themed import themed
from spectrace.provenance.record import clean
from spectrace.spectra.fingerprint_report import FingerprintReport, Outcome
from spectrace.spectra.known import KnownFingerprint
from spectrace.spectra.report_figures import DARK, LIGHT, report_figures
from spectrace.spectra.survey import Survey

_TEXT_LIMIT = 2000
_KINDS_SHOWN = 4


class _Set(NamedTuple):
    role: str
    name: str
    pictures: int
    left_out: int
    formats: str
    sizes: str
    prints: str


def fingerprint_page(
    report: FingerprintReport,
    samples: Survey,
    photographs: Survey,
    nearest: KnownFingerprint,
    *,
    crop: str,
    made: datetime | None = None,
) -> str:
    """Write the page.

    Args:
        report: what was found.
        samples: that it was found in.
        photographs: that they were compared with.
        nearest: the known fingerprint that is nearest.
        crop: one line: which part of each picture was used.
        made: the moment to print; None takes now.

    Returns:
        A whole HTML document, to be written as UTF-8.
    """
    drawn = [
        report_figures(samples.fingerprint, photographs.fingerprint, report, nearest, theme)
        for theme in (LIGHT, DARK)
    ]
    figures = {name: themed(light, dark) for (name, light), (_, dark) in zip(*drawn, strict=True)}
    moment = made or datetime.now(UTC)
    page = template("fingerprint_page.html.j2", line=lambda text: clean(text, _TEXT_LIMIT))
    return page.render(
        report=report,
        found=report.outcome is Outcome.TRACES,
        headline=headline(report),
        findings=list(findings(report)),
        causes=causes(report),
        advice=advice(report),
        limits=limits(report),
        bands=[band_text(band) for band in report.bands],
        sets=[_set("samples", samples, report, 0), _set("photographs", photographs, report, 1)],
        figures=figures,
        crop=crop,
        made=moment.strftime("%Y-%m-%d %H:%M %Z").strip(),
        version=__version__,
    )


def _set(role: str, found: Survey, report: FingerprintReport, index: int) -> _Set:
    return _Set(
        role,
        (report.samples, report.photographs)[index],
        len(found.traits),
        len(found.skipped),
        _commonest(one.format for one in found.traits),
        _commonest(f"{one.width} × {one.height}" for one in found.traits),
        prints_text(report.prints[index], report.counts[index]),
    )


def _commonest(values: Iterable[str]) -> str:
    counts = Counter(values)
    shown = [
        f"{value} ({count:,})" if len(counts) > 1 else value
        for value, count in counts.most_common(_KINDS_SHOWN)
    ]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} others" if more else "")
