#!/usr/bin/env python3
"""Builds the documents' tables from results/: the text between a pair of markers is made anew.

<!-- table: results/frequency-val.json summary -->
<!-- end -->

scripts/docs.py            write
scripts/docs.py --check    say what differs; exit code 1 if anything does
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import detector_tables
import scan_tables
import study_tables
from spectrace.evaluation.figures import FIGURES
from spectrace.evaluation.results import Results
from spectrace.evaluation.tables import cell, markdown, summary

ROOT = Path(__file__).resolve().parents[1]
HEADLINE = (
    "auroc",
    "auroc_by_source",
    "false_alarm_rate",
    "detection_rate",
    "decided",
    "accuracy_of_decided",
)
MARKED = re.compile(r"(<!-- table: (\S+) (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    check = "--check" in sys.argv[1:]
    differing = 0
    for path, old, new in documents():
        if old == new:
            continue
        differing += 1
        if check:
            print(f"{path.relative_to(ROOT)} differs from results/: run scripts/docs.py")
        else:
            path.write_text(new, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} written")
    return 1 if check and differing else 0


def documents() -> Iterator[tuple[Path, str, str]]:
    """Each document, its text, and what it should be."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        old = path.read_text(encoding="utf-8")
        yield path, old, MARKED.sub(_fill, old)


def _fill(match: re.Match[str]) -> str:
    opening, file, kind, closing = match.groups()
    return f"{opening}\n{TABLES[kind](ROOT / file)}\n\n{closing}"


def _summary(path: Path) -> str:
    return summary(Results.read(path).evaluations).markdown().split("\n", 2)[2]


def _full(path: Path) -> str:
    return "\n\n".join(markdown(evaluation) for evaluation in Results.read(path).evaluations)


def _headline(path: Path) -> str:
    """The few figures a reader of the README needs, one row a condition."""
    titles = [FIGURES[name].title for name in HEADLINE]
    lines = ["| pictures | " + " | ".join(titles) + " |", "|---|" + "---:|" * len(titles)]
    for evaluation in Results.read(path).evaluations:
        figures = evaluation.overall.figures
        cells = [cell(figures[name], FIGURES[name].percent) for name in HEADLINE]
        condition = (evaluation.perturbation or "untouched").replace("|", r"\|")
        lines.append(f"| {condition} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _speed(path: Path) -> str:
    document: dict[str, Any] = json.loads(path.read_text())
    lines = ["| what | seconds | against | seconds | ratio (range) |", "|---|---:|---|---:|---:|"]
    for name, row in document["results"].items():
        low, high = row["ratio_range"]
        what = f"{row['pictures']} pictures, {name}" if "pictures" in row else name
        lines.append(
            f"| {what} | {row['seconds']:.2f} | {row['other']} | {row['other_seconds']:.2f} "
            f"| {row['ratio']:.2f} ({low:.2f} to {high:.2f}) |"
        )
    return "\n".join(lines)


TABLES: dict[str, Callable[[Path], str]] = {
    "summary": _summary,
    "full": _full,
    "headline": _headline,
    "speed": _speed,
    **study_tables.TABLES,
    **detector_tables.TABLES,
    **scan_tables.TABLES,
}

if __name__ == "__main__":
    sys.exit(main())
