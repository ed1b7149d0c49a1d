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


def _patch_depth(path: Path) -> str:
    """Average precision by network and generator, one table a condition."""
    result = json.loads(path.read_text())["result"]
    names = [
        f"{name} (trained on)" if name == result["trained_on"] else name for name in result["generators"]
    ]
    parts = []
    for condition in result["conditions"]:
        lines = [f"| {condition} | | " + " | ".join(names) + " |", "|---|---|" + "---:|" * len(names)]
        for row in result["networks"]:
            cells = [_bounds(row["average_precision"][condition][name]) for name in result["generators"]]
            lines.append(f"| {row['network']} | {row['kind']} | " + " | ".join(cells) + " |")
        gain = result["truncated_minus_full_on_others"][condition]
        lines += ["", f"Truncated minus full on the generators not trained on: {_bounds(gain, '+.3f')}."]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _left_half(path: Path) -> str:
    """Pixel AUROC of heatmaps of pictures whose left half only is generated."""
    result = json.loads(path.read_text())["result"]
    lines = ["| network | pixel AUROC, a seed each |", "|---|---|"]
    for row in result["networks"]:
        if row["left_half_pixel_auroc"]:
            lines.append(
                f"| {row['network']} | {', '.join(f'{x:.3f}' for x in row['left_half_pixel_auroc'])} |"
            )
    return "\n".join(lines)


def _cross_manipulation(path: Path) -> str:
    """One 4 x 4 table a measure: rows trained on, columns tested on."""
    result = json.loads(path.read_text())["result"]
    names = result["manipulations"]
    measures = {
        "average precision, mean logit": result["average_precision"]["logit-mean"],
        "average precision, strongest tenth of the patches": result["average_precision"]["strongest"],
        "pixel AUROC": result["pixel_auroc"],
        "IoU at the threshold chosen on validation": result["iou_at_chosen"],
    }
    parts = []
    for title, rows in measures.items():
        lines = [f"| {title} | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
        lines += [
            f"| trained on {name} | " + " | ".join(map(_bounds, cells)) + " |"
            for name, cells in zip(names, rows, strict=True)
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _patch_speed(path: Path) -> str:
    document = json.loads(path.read_text())
    lines = [
        f"| network | pictures a second | {document['default']} is faster by (range) |",
        "|---|---:|---:|",
    ]
    for name, row in document["results"].items():
        low, high = row["range"]
        lines.append(
            f"| {name} | {row['pictures_per_second']:.1f} "
            f"| {row['default_is_faster_by']:.1f} ({low:.1f} to {high:.1f}) |"
        )
    return "\n".join(lines)


def _generators(path: Path) -> str:
    """One row a generator: what it is, and how its spectrum follows its upsampler's kernel."""
    document = json.loads(path.read_text())["result"]["generators"]
    bands = next(list(row["bands"]) for row in document if "bands" in row)
    lines = [
        "| family | upsampler | steps of batch | minutes | "
        + " | ".join(f"{band}: kernel alone | found" for band in bands)
        + " | strongest peak of the mean spectrum |",
        "|---|---|---|---:|" + "---:|---:|" * len(bands) + "---|",
    ]
    for row in document:
        cells = [
            f"{row['bands'][band][name]:+.1f}" if "bands" in row else ""
            for band in bands
            for name in ("kernel", "found")
        ]
        peak = row["peaks"][0].removesuffix(" over its neighbourhood") if row["peaks"] else ""
        minutes = f"{row['train_seconds'] / 60:.0f}"
        lines.append(
            f"| {row['family']} | {row['upsampler']} | {row['steps']} of {row['batch']} | {minutes} | "
            + " | ".join(cells)
            + f" | {peak} |"
        )
    return "\n".join(lines)


def _upsampling(path: Path) -> str:
    """Accuracy and AUROC on pixels and on the DCT, and what the DCT gains."""
    columns = ("pixels", "log-dct", "gain")
    parts = []
    for measure, title in (("accuracy", "accuracy"), ("auroc", "AUROC")):
        lines = [f"| {title}, ridge | pixels | log-DCT | gain |", "|---|---:|---:|---:|"]
        for row in json.loads(path.read_text())["result"]["upsamplers"]:
            cells = [_bounds(row[measure][name], "+.3f" if name == "gain" else ".3f") for name in columns]
            lines.append(f"| {row['upsampler']} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _attribution(path: Path) -> str:
    """Accuracy and AUROC of the unknown source, by method and representation."""
    result = json.loads(path.read_text())["result"]
    unknown = result["unknown"]
    lines = [
        "| method | sees | accuracy | " + " | ".join(f"AUROC, {name} unknown" for name in unknown) + " |",
        "|---|---|---:|" + "---:|" * len(unknown),
    ]
    for row in result["methods"]:
        cells = [_bounds(row["accuracy"]), *(_bounds(row["unknown_auroc"][name]) for name in unknown)]
        lines.append(f"| {row['method']} | {row['representation']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _counter_forensics(path: Path) -> str:
    """Accuracy of every detector against every attack, and what each costs."""
    result = json.loads(path.read_text())["result"]
    names = list(result["table"])
    lines = ["| attack | PSNR | SSIM | " + " | ".join(names) + " |", "|---|---:|---:|" + "---:|" * len(names)]
    for number, attack in enumerate(result["attacks"]):
        name = f"{attack['name']}, at {attack['aimed_at']}" if attack["aimed_at"] else attack["name"]
        psnr = "" if attack["psnr"] is None else f"{attack['psnr']:.1f}"
        cells = [_bounds(result["table"][detector][number]["accuracy"], ".2f") for detector in names]
        lines.append(f"| {name} | {psnr} | {attack['ssim']:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _tuning_rounds(path: Path) -> str:
    """Accuracy before and after each round of tuning, and of the detector trained anew."""
    rounds = json.loads(path.read_text())["result"]["rounds"]
    lines = [
        "| tuned against | round | PSNR | SSIM | before | after | the other kind | trained anew |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, rows in rounds.items():
        for number, row in enumerate(rows, start=1):
            (other,) = (name for name in row if name.endswith("never attacked"))
            cells = [_bounds(row[name]["accuracy"]) for name in ("before", "frozen", other, "trained anew")]
            lines.append(
                f"| {kind} | {number} | {row['psnr']:.1f} | {row['ssim']:.2f} | " + " | ".join(cells) + " |"
            )
    return "\n".join(lines)


def _bounds(cell: dict[str, float], form: str = ".3f") -> str:
    value, low, high = (format(cell[name], form) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


TABLES: dict[str, Callable[[Path], str]] = {
    "summary": _summary,
    "full": _full,
    "headline": _headline,
    "speed": _speed,
    "patch-depth": _patch_depth,
    "left-half": _left_half,
    "cross-manipulation": _cross_manipulation,
    "patch-speed": _patch_speed,
    "generators": _generators,
    "upsampling": _upsampling,
    "attribution": _attribution,
    "counter-forensics": _counter_forensics,
    "tuning-rounds": _tuning_rounds,
}

if __name__ == "__main__":
    sys.exit(main())
