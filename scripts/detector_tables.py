"""The tables of the shipped detector, for scripts/docs.py: a results file in, Markdown out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spectrace.evaluation.results import Estimate, Evaluation, Results
from spectrace.evaluation.tables import cell


def _result(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))["result"]
    return result


def _condition(name: str | None) -> str:
    return "untouched" if name in (None, "identity") else name.replace("|", r"\|")  # type: ignore[union-attr]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Markdown; the first ``words`` columns are text."""
    marks = "---|" * words + "---:|" * (len(header) - words)
    return "\n".join(
        ["| " + " | ".join(header) + " |", f"|{marks}", *("| " + " | ".join(row) + " |" for row in rows)]
    )


def _by_condition(result: dict[str, Any], key: str, seeds: bool) -> str:
    conditions = list(dict.fromkeys(row["condition"] for row in result["rows"]))
    found = {(row[key], row["condition"]): row for row in result["rows"]}
    rows = []
    for name in dict.fromkeys(row[key] for row in result["rows"]):
        cells = []
        for condition in conditions:
            row = found[name, condition]
            words = cell(Estimate(**row["auroc"]), percent=False)
            cells.append(
                f"{words}; seeds {', '.join(f'{one:.3f}' for one in row['seeds'])}" if seeds else words
            )
        rows.append([name, *cells])
    return _table([key, *map(_condition, conditions)], rows)


def _ingredients(path: Path) -> str:
    """AUROC of every ingredient under each condition, with each seed's."""
    result = _result(path)
    counts = result["pictures"]
    return (
        f"{counts['real']['pictures']} camera pictures of {counts['real']['sources']} sources, "
        f"{counts['generated']['pictures']} generated ones of {counts['generated']['sources']}, "
        f"{result['reconstructions']} reconstructions.\n\n" + _by_condition(result, "ingredient", seeds=True)
    )


def _fusion(path: Path) -> str:
    """AUROC of branches and fusions on held-out generators, then the weights."""
    result = _result(path)
    held = result["held_out"]
    weights = ", ".join(f"{one['name']} {one['weight']:.2f}" for one in result["branches"])
    return (
        f"Held out: {held['real']['pictures']} camera pictures of {held['real']['sources']} sources, "
        f"{held['generated']['pictures']} generated ones of {held['generated']['sources']}. Weights: {weights}.\n\n"
        + _by_condition(result, "candidate", seeds=False)
    )


def _fusion_pairs(path: Path) -> str:
    """AUROC within the held-out pair sets."""
    result = _result(path)
    conditions = list(dict.fromkeys(row["condition"] for row in result["pairs"]))
    found = {
        (row["pair"], row["condition"]): cell(Estimate(**row["auroc"]), percent=False)
        for row in result["pairs"]
    }
    names = dict.fromkeys(row["pair"] for row in result["pairs"])
    rows = [[name, *(found[name, condition] for condition in conditions)] for name in names]
    return _table(["pair set", *map(_condition, conditions)], rows)


def _families(path: Path) -> str:
    """Which family was named for held-out pictures of each, untouched."""
    found = _result(path)["families"]
    said = sorted({name for row in found["rows"] for name in row["said"]})
    rows = [
        [row["made by"], str(row["pictures"]), *(str(row["said"].get(name, 0)) for name in said)]
        for row in found["rows"]
    ]
    return _table(["made by", "pictures", *said], rows)


def _known_failures(path: Path) -> str:
    """What the detector says of hard pictures."""
    document = json.loads(path.read_text("utf-8"))
    rows = []
    for row in document["rows"]:
        verdicts = [str(row["verdicts"].get(name, 0)) for name in ("camera", "inconclusive", "generated")]
        score = "–" if row["median score"] is None else f"{row['median score']:+.2f}"
        rows.append([row["made by"], row["case"], str(row["pictures"]), *verdicts, score])
    return _table(
        ["made by", "pictures", "number", "camera", "inconclusive", "generated", "median score"],
        rows,
        words=2,
    )


def _peers(path: Path) -> str:
    """The shipped detector and its peers on the same pictures, one table a condition."""
    ours = Results.read(path.with_name("fusion-unseen.json")).evaluations
    evaluations = [*ours, *Results.read(path).evaluations]
    tables = []
    for condition in dict.fromkeys(one.perturbation for one in evaluations):
        rows = [_peer(one) for one in evaluations if one.perturbation == condition]
        header = [_condition(condition), "AUROC", "every source alike", "mean of pair sets", "scored"]
        tables.append(_table(header, rows))
    return "\n\n".join(tables)


def _peer(one: Evaluation) -> list[str]:
    figures = one.overall.figures
    within = [pair.figures["auroc"].value for pair in one.by_pair]
    known = [value for value in within if value is not None]
    return [
        one.model,
        *(cell(figures[name], percent=False) for name in ("auroc", "auroc_by_source")),
        f"{sum(known) / len(known):.3f}" if known else "–",
        f"{one.overall.real.scored + one.overall.generated.scored}",
    ]


def _targets(path: Path) -> str:
    """What was aimed at on ``unseen``, and what was met."""
    evaluations = Results.read(path).evaluations
    untouched, resized = evaluations[0], evaluations[-1]
    pairs = {pair.name: pair.figures["auroc"] for pair in untouched.by_pair}
    large = [alarm for alarm in untouched.by_real_source if alarm.real.read >= 50]
    worst = max(large, key=lambda alarm: alarm.rate.value or 0.0)
    figures = untouched.overall.figures

    def row(aim: str, found: Estimate, met: bool, percent: bool = False) -> list[str]:
        return [aim, cell(found, percent=percent), "yes" if met else "no"]

    def value(found: Estimate) -> float:
        return -1.0 if found.value is None else found.value

    rows = [
        row("AUROC of untouched files at least 0.90", figures["auroc"], value(figures["auroc"]) >= 0.9),
        row(
            "AUROC after resizing and JPEG of both classes at least 0.80",
            resized.overall.figures["auroc"],
            value(resized.overall.figures["auroc"]) >= 0.8,
        ),
        *(
            row(f"AUROC within pair set {name} at least 0.70", found, value(found) >= 0.7)
            for name, found in pairs.items()
        ),
        row(
            f"false alarms at most 5 % on every source of 50 pictures or more (the worst: {worst.source})",
            worst.rate,
            value(worst.rate) <= 0.05,
            percent=True,
        ),
        row("at least half decided", figures["decided"], value(figures["decided"]) >= 0.5, percent=True),
        row(
            "balanced accuracy of the decided at least 90 %",
            figures["accuracy_of_decided"],
            value(figures["accuracy_of_decided"]) >= 0.9,
            percent=True,
        ),
    ]
    return _table(["aim", "found", "met"], rows)


def _quantised(path: Path) -> str:
    """Milliseconds a tile in each arithmetic."""
    found = json.loads(path.read_text("utf-8"))["results"]
    rows = [[name, f"{row['milliseconds']:.2f}", f"{row['ratio']:.2f}"] for name, row in found.items()]
    return _table(["arithmetic", "milliseconds a tile", "ratio to float32"], rows)


TABLES: dict[str, Callable[[Path], str]] = {
    "ingredients": _ingredients,
    "fusion": _fusion,
    "fusion-pairs": _fusion_pairs,
    "families": _families,
    "quantised": _quantised,
    "known-failures": _known_failures,
    "peers": _peers,
    "targets": _targets,
}
"""By the kind that a document's marker names."""
