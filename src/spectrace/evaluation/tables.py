"""Evaluations as tables: plain cells for a terminal, Markdown for documents and cards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from spectrace.evaluation.figures import BY_GENERATOR, BY_PAIR, FIGURES
from spectrace.evaluation.results import Comparison, Estimate, Evaluation, FalseAlarms

SUMMARY = ("auroc", "tpr_at_1_fpr", "cllr", "false_alarm_rate", "detection_rate", "decided")
_NOTHING = "–"


@dataclass(frozen=True)
class Table:
    r"""A table of finished cells; the first column is text, the others are numbers.

    Example:
        >>> print(Table("Sizes", ("name", "side"), [("a|b", "8")]).markdown())
        **Sizes**
        <BLANKLINE>
        | name | side |
        |---|---:|
        | a\|b | 8 |
    """

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        """The table in GitHub's Markdown, without a newline at the end."""
        lines = [
            f"**{self.title}**",
            "",
            _line(self.header),
            "|---|" + "---:|" * (len(self.header) - 1),
            *map(_line, self.rows),
        ]
        return "\n".join(lines)


def markdown(evaluation: Evaluation) -> str:
    """An evaluation as Markdown: conditions, then overall, by generator, by pair set and by real source.

    Args:
        evaluation: as :func:`spectrace.evaluation.evaluate.evaluate` gives it, or from a results file.

    Returns:
        Text that ends with a newline. The same evaluation always gives the same text.
    """
    return "\n\n".join([conditions(evaluation), *(table.markdown() for table in tables(evaluation))]) + "\n"


def conditions(evaluation: Evaluation) -> str:
    """One line that says what was measured on what."""
    overall = evaluation.overall
    split = "all rows" if evaluation.split is None else f"split {evaluation.split}"
    change = evaluation.perturbation or "none"
    unscored = sum(tally.read - tally.scored for tally in (overall.real, overall.generated))
    return (
        f"Model {evaluation.model} on {split}: {overall.real.read} real pictures from "
        f"{overall.real.sources} sources, {overall.generated.read} generated ones from "
        f"{overall.generated.sources}; {unscored} too small to be scored, {len(evaluation.unreadable)} "
        f"unreadable. Perturbation: {change}. Seed {evaluation.seed}, manifest "
        f"{evaluation.manifest_digest[:16]}. Intervals: {100 * evaluation.confidence:g} %, bootstrap "
        "clustered by source, for proportions at least Wilson's."
    )


def tables(evaluation: Evaluation) -> list[Table]:
    """The tables of one evaluation; those without rows are left out."""
    overall = Table(
        "Overall",
        ("figure", "value", f"{100 * evaluation.confidence:g} % interval"),
        [
            (FIGURES[name].title, *_value_and_interval(estimate, FIGURES[name].percent))
            for name, estimate in evaluation.overall.figures.items()
        ],
    )
    found = [
        overall,
        _comparisons(
            "By generator, against all real pictures", "generator", BY_GENERATOR, evaluation.by_generator
        ),
        _comparisons("Within pair sets", "pair set", BY_PAIR, evaluation.by_pair),
        _false_alarms(evaluation.by_real_source),
    ]
    return [table for table in found if table.rows]


def summary(evaluations: Iterable[Evaluation]) -> Table:
    """Several evaluations, one line each: models, splits and perturbations side by side."""
    rows = []
    for one in evaluations:
        figures = one.overall.figures
        cells = (cell(figures[name], FIGURES[name].percent) for name in SUMMARY)
        rows.append((one.model, one.split or "all", one.perturbation or "none", *cells))
    header = ("model", "split", "perturbation", *(FIGURES[name].title for name in SUMMARY))
    return Table("Summary", header, rows)


def cell(estimate: Estimate, percent: bool = False) -> str:
    """A figure with its interval in one cell.

    Example:
        >>> cell(Estimate(0.9123, 0.8801, 0.934)), cell(Estimate(0.5), percent=True), cell(Estimate(None))
        ('0.912 (0.880 to 0.934)', '50.0 %', '–')
    """
    value, interval = _value_and_interval(estimate, percent)
    return value if interval == _NOTHING else f"{value} ({interval})"


def _value_and_interval(estimate: Estimate, percent: bool) -> tuple[str, str]:
    value, low, high = (_number(number, percent) for number in (estimate.value, estimate.low, estimate.high))
    unit = " %" if percent and value != _NOTHING else ""
    return value + unit, _NOTHING if _NOTHING in (low, high) else f"{low} to {high}"


def _number(number: float | None, percent: bool) -> str:
    if number is None:
        return _NOTHING
    return f"{100 * number:.1f}" if percent else f"{number:.3f}"


def _comparisons(
    title: str, first: str, figures: Collection[str], comparisons: Sequence[Comparison]
) -> Table:
    header = (first, "real", "generated", "scored", *(FIGURES[name].title for name in figures))
    rows = [
        (
            one.name,
            str(one.real.read),
            str(one.generated.read),
            str(one.generated.scored),
            *(cell(one.figures[name], FIGURES[name].percent) for name in figures),
        )
        for one in comparisons
    ]
    return Table(title, header, rows)


def _false_alarms(sources: Sequence[FalseAlarms]) -> Table:
    header = ("source", "real", "called generated", "inconclusive", "called camera", "false alarms")
    rows = [
        (
            one.source,
            *map(str, (one.real.read, one.real.generated, one.real.inconclusive, one.real.camera)),
            cell(one.rate, percent=True),
        )
        for one in sources
    ]
    return Table("False alarms by real source", header, rows)


def _line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"
