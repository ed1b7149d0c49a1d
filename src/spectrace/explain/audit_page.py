"""An audit as one self-contained HTML page, in the look of the other reports.

The page loads nothing and runs no script; a content security policy keeps it so. Every string that comes from
a file is cleaned, bounded and escaped.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from spectrace import __version__
from spectrace.evaluation.audit import wording
from spectrace.evaluation.audit.equalise import Equalised
from spectrace.evaluation.audit.findings import Audit, Part, Verdict
from spectrace.evaluation.results import Estimate
from spectrace.explain.page import template
from spectrace.provenance.record import clean

_TEXT_LIMIT = 1000
_TELLS_SHOWN = 24
_SOURCES_SHOWN = 60


class _Bar(NamedTuple):
    """An AUROC with its interval on a line from 0 to 1, in per cent of its length."""

    text: str
    left: float
    width: float
    value: float


def audit_page(
    audit: Audit,
    copy: Audit | None = None,
    equalised: Equalised | None = None,
    *,
    made: datetime | None = None,
) -> str:
    """Write the page.

    Args:
        audit: what was found.
        copy: the audit of an equalised copy.
        equalised: how that copy was made.
        made: the moment to print; None takes now.

    Returns:
        A whole HTML document, to be written as UTF-8.
    """
    page = template("audit_page.html.j2", line=lambda text: clean(str(text), _TEXT_LIMIT))
    return page.render(
        audit=audit,
        copy=copy,
        equalised=equalised,
        leaks=audit.verdict is Verdict.LEAK,
        headline=wording.headline(audit),
        findings=list(wording.findings(audit)),
        advice=list(wording.advice(audit)),
        limits=wording.limits(),
        comparison=[] if copy is None else [*wording.comparison(audit, copy), wording.headline(copy)],
        parts=[
            (wording.NAMES[part.kind], _bar(part.auroc), _bar(part.new_sources), _p(part), part.verdict.value)
            for part in audit.parts
        ],
        copies=[] if copy is None else [(wording.NAMES[part.kind], _bar(part.auroc)) for part in copy.parts],
        tells=[(tell, _bar(tell.auroc)) for tell in audit.tells[:_TELLS_SHOWN]],
        uniform=audit.uniform[:_SOURCES_SHOWN],
        more=max(0, len(audit.uniform) - _SOURCES_SHOWN),
        made=(made or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z").strip(),
        version=__version__,
    )


def _bar(estimate: Estimate | None) -> _Bar | None:
    if estimate is None or estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    low, high = 100 * estimate.low, 100 * estimate.high
    return _Bar(
        wording.estimate(estimate),
        round(low, 1),
        round(max(high - low, 0.4), 1),
        round(100 * estimate.value, 1),
    )


def _p(part: Part) -> str:
    return "" if part.p_value is None else f"{part.p_value:.3f}"
