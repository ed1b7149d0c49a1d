"""Figure of the study of steadiness: what sets of checks cost and save, and which re-encoding flips what."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spectrace.studies.registry import Result
from spectrace.studies.steadiness_tables import ALL

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5a5a5a", "#000000", "#8b4513")


def figure(result: Result) -> Figure:
    """Left the share decided against the unsteady verdicts, right these by re-encoding."""
    drawn = Figure(figsize=(13.0, 5.6), layout="constrained")
    left, right = drawn.subplots(1, 2)
    _trade(left, result)
    _bars(right, result)
    handles, labels = left.get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=3, title="stability checks")
    counts = ", ".join(
        f"{one['pictures']} {label} pictures from {one['sources']} sources"
        for label, one in result["pictures"].items()
    )
    drawn.suptitle(
        f"{result['model']}: {counts}, under {len(result['conditions'])} conditions\n"
        "95 % intervals, sources resampled"
    )
    return drawn


def _trade(panel: Any, result: Result) -> None:
    for colour, one in zip(_palette(result), result["sets"], strict=True):
        (figures,) = (row["figures"] for row in one["by_condition"] if row["condition"] == ALL)
        ends = [_ends(figures[name]) for name in ("decided", "unsteady")]
        (x, across), (y, up) = ends
        panel.errorbar(
            [x], [y], xerr=across, yerr=up, fmt="o", color=colour, ms=6, lw=0.8, capsize=2, label=_name(one)
        )
    panel.set_xlabel("decided, of all pictures (%)")
    panel.set_ylabel("score gives another verdict after\na mild re-encoding, of the decided (%)")
    panel.set_title("What checks save, and what they cost")
    panel.grid(alpha=0.25)


def _bars(panel: Any, result: Result) -> None:
    width = 0.8 / len(result["sets"])
    places = np.arange(len(result["reencodings"]))
    for number, (colour, one) in enumerate(zip(_palette(result), result["sets"], strict=True)):
        ends = [_ends(row["figures"]["unsteady"]) for row in one["by_reencoding"]]
        panel.bar(
            places + (number + 0.5) * width - 0.4,
            [value for value, _ in ends],
            width,
            yerr=np.hstack([spread for _, spread in ends]),
            color=colour,
            error_kw={"lw": 0.6},
        )
    panel.set_xticks(places, result["reencodings"], rotation=20, ha="right", fontsize=8)
    panel.set_xlabel("re-encoding")
    panel.set_ylabel("score gives another verdict, of the decided (%)")
    panel.set_title("Which re-encoding flips what")
    panel.grid(alpha=0.25, axis="y")


def _palette(result: Result) -> list[str]:
    return [_COLOURS[number % len(_COLOURS)] for number in range(len(result["sets"]))]


def _name(one: Result) -> str:
    name = " and ".join(one["checks"]) or "none"
    return f"{name} (the card's)" if one["of_the_card"] else name


def _ends(cell: Result) -> tuple[float, Any]:
    """A share in per cent, NaN where there is none, and the interval's lengths [2, 1] to either side."""
    value, low, high = (
        np.nan if cell[end] is None else 100.0 * cell[end] for end in ("value", "low", "high")
    )
    return value, np.array([[max(value - low, 0.0)], [max(high - value, 0.0)]])
