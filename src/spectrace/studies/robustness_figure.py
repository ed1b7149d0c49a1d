"""Small multiples of the study of robustness: AUROC over strength, one panel a sweep."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from spectrace.studies.registry import Result

_COLUMNS = 6
_COLOURS = ("#0072b2", "#d55e00", "#5a5a5a", "#009e73", "#cc79a7")


def figure(result: Result) -> Figure:
    """AUROC of every group over the strengths of every sweep, bands for 95 % intervals."""
    sweeps = result["sweeps"]
    columns = min(_COLUMNS, len(sweeps))
    rows = -(-len(sweeps) // columns)
    drawn = Figure(figsize=(2.9 * columns + 0.6, 2.6 * rows + 1.1), layout="constrained")
    panels: Any = drawn.subplots(rows, columns, sharey=True, squeeze=False)
    names = [curve["name"] for curve in sweeps[0]["curves"]]
    for panel, sweep in zip(panels.ravel(), sweeps, strict=False):
        _draw(panel, sweep)
    for panel in panels.ravel()[len(sweeps) :]:
        panel.set_axis_off()
    for panel in panels[:, 0]:
        panel.set_ylabel("AUROC")
    handles, _ = panels[0, 0].get_legend_handles_labels()
    drawn.legend(handles, [_label(name) for name in names], loc="outside lower center", ncols=len(names))
    test = result["test"]
    counts = ", ".join(
        f"{test[label]['pictures']} {label} pictures from {test[label]['sources']} sources" for label in test
    )
    drawn.suptitle(
        f"AUROC over the strength of what is done to both classes: {counts}\n"
        "bands: 95 % intervals, sources and seeds resampled"
    )
    return drawn


def _draw(panel: Any, sweep: Result) -> None:
    places = range(len(sweep["strengths"]))
    for number, curve in enumerate(sweep["curves"]):
        colour = _COLOURS[number % len(_COLOURS)]
        cells = curve["auroc"]
        panel.fill_between(
            places,
            [cell["low"] for cell in cells],
            [cell["high"] for cell in cells],
            color=colour,
            alpha=0.15,
            lw=0,
        )
        panel.plot(
            places, [cell["value"] for cell in cells], "o-", color=colour, ms=3, lw=1.4, label=curve["name"]
        )
    panel.axhline(0.5, color="black", lw=0.7, ls=":")
    crowded = max(map(len, sweep["strengths"])) > 8
    panel.set_xticks(
        places,
        sweep["strengths"],
        fontsize=7,
        rotation=25 if crowded else 0,
        ha="right" if crowded else "center",
    )
    panel.set_xlabel(sweep["unit"], fontsize=8)
    panel.set_title(sweep["title"], fontsize=9, wrap=True)
    panel.grid(alpha=0.25)


def _label(name: str) -> str:
    return f"trained {name}" if name in ("clean", "augmented") else name
