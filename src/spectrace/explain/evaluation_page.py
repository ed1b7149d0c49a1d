"""An evaluation as one self-contained HTML page, in the look of the other reports.

The page loads nothing and runs no script; a content security policy keeps it so. Every string that comes from
a file is cleaned, bounded and escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from spectrace import __version__
from spectrace.evaluation.results import Evaluation, Results
from spectrace.evaluation.tables import Table, conditions, summary, tables
from spectrace.explain.evaluation_figures import matrix_figure, reliability_figure, sweeps_figure
from spectrace.explain.mistakes import Mistakes
from spectrace.explain.page import template
from spectrace.explain.themed import Themed, themed
from spectrace.explain.wording import signed
from spectrace.provenance.record import clean
from spectrace.spectra.report_figures import DARK, LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEXT_LIMIT = 1000
_UNREADABLE_SHOWN = 50


class _Measured(NamedTuple):
    name: str
    conditions: str
    tables: list[Table]


def evaluation_page(
    results: Results, mistakes: Sequence[Mistakes] = (), *, made: datetime | None = None
) -> str:
    """Write the page.

    Args:
        results: what was measured; at least one evaluation.
        mistakes: the worst of each model.
        made: the moment to print; None takes now.

    Returns:
        A whole HTML document, to be written as UTF-8.
    """
    evaluations = results.evaluations
    reliable = [one for one in evaluations if one.reliability]
    unreadable = {one.path: one for evaluation in evaluations for one in evaluation.unreadable}
    page = template("evaluation_page.html.j2", line=_line, signed=signed)
    return page.render(
        first=evaluations[0],
        models=list(dict.fromkeys(one.model for one in evaluations)),
        summary=summary(evaluations),
        matrix=_drawn(bool(evaluations[0].by_generator), lambda theme: matrix_figure(evaluations, theme)),
        sweeps=_drawn(bool(results.sweeps), lambda theme: sweeps_figure(results.sweeps, theme)),
        reliability=_drawn(bool(reliable), lambda theme: reliability_figure(reliable, theme)),
        mistakes=mistakes,
        evaluations=[_measured(one) for one in evaluations],
        unreadable=list(unreadable.values())[:_UNREADABLE_SHOWN],
        more_unreadable=max(0, len(unreadable) - _UNREADABLE_SHOWN),
        environment=results.environment,
        made=(made or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M %Z").strip(),
        version=__version__,
    )


def _drawn(wanted: bool, draw: Callable[[Theme], Figure]) -> Themed | None:
    return themed(draw(LIGHT), draw(DARK)) if wanted else None


def _measured(one: Evaluation) -> _Measured:
    name = f"{one.model}, {one.perturbation or 'untouched'}"
    return _Measured(name, conditions(one), tables(one))


def _line(text: object) -> str:
    return clean(str(text), _TEXT_LIMIT)
