"""Figure of the operating limits: error rates and AUROC over the strength of each treatment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spectrace.evaluation.kernels import Floats
from spectrace.studies.operating_limits_rule import (
    CROP,
    DOWNSCALE,
    FALSE_ALARMS,
    JPEG,
    MISSES,
    SCALED,
    UPSCALE,
)
from spectrace.studies.registry import Result

_COLUMNS = (CROP, SCALED, JPEG, DOWNSCALE, UPSCALE)
_TREATED, _MISSES = "#0072b2", "#5a5a5a"
_BY_KERNEL = ("#d55e00", "#009e73", "#cc79a7", "#56b4e9")


def figure(result: Result) -> Figure:
    """Above the false alarms, below the AUROC; bands are 95 % intervals, grey is beyond the limit."""
    drawn = Figure(figsize=(3.3 * len(_COLUMNS) + 0.6, 7.2), layout="constrained")
    panels: Any = drawn.subplots(2, len(_COLUMNS), sharey="row", sharex="col")
    for above, below, name in zip(*panels, _COLUMNS, strict=True):
        _column(above, below, [one for one in result["ladders"] if one["name"].startswith(name)], result)
    panels[0, 0].set_ylabel("share of the class, every source alike (%)")
    panels[1, 0].set_ylabel("AUROC")
    panels[0, 0].set_ylim(bottom=0.0)
    named = {
        label: handle
        for panel in panels[0]
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    drawn.legend(named.values(), named.keys(), loc="outside lower center", ncols=4)
    counts = ", ".join(
        f"{one['pictures']} {label} pictures from {one['sources']} sources"
        for label, one in result["pictures"].items()
    )
    drawn.suptitle(
        f"{result['model']}, both classes treated alike: {counts}\n"
        "bands: 95 % intervals, sources resampled; grey: beyond the limit"
    )
    return drawn


def _column(above: Any, below: Any, ladders: Sequence[Result], result: Result) -> None:
    points = ladders[0]["points"]
    places = np.arange(len(points))
    several = len(ladders) > 1
    for colour, ladder in zip(_BY_KERNEL if several else (_TREATED,), ladders, strict=False):
        label = "camera called generated"
        if several:
            label += f", {ladder['name'].removeprefix(f'{DOWNSCALE}-')}"
        _curve(above, places, 100 * _ends(ladder["points"], "figures", FALSE_ALARMS), colour, label)
        _curve(below, places, _ends(ladder["points"], "figures", "auroc"), colour, label)
    if not several:
        misses = 100 * _ends(points, "figures", MISSES)[0]
        above.plot(places, misses, "o-", color=_MISSES, ms=3, lw=1.2, label="generated called camera")
    for panel, name, scale in ((above, FALSE_ALARMS, 100.0), (below, "auroc", 1.0)):
        before = scale * _ends(points, "untouched", name)[0]
        panel.plot(places, before, "--", color=_TREATED, lw=1.1, label="of the same pictures untouched")
        panel.grid(alpha=0.25)
    for allowed in {result["allowed"][name] for name in ("false_alarms", "misses")}:
        above.axhline(100 * allowed, color="black", lw=0.9, ls=":", label="allowed rate; AUROC of guessing")
    below.axhline(0.5, color="black", lw=0.9, ls=":")
    if ladders[0]["name"] != UPSCALE:
        within = min(_within(ladder) for ladder in ladders)
        for panel in (above, below):
            panel.axvspan(within - 0.5, len(points) - 0.5, color="black", alpha=0.07, lw=0)
    above.set_title(ladders[0]["title"] if not several else "Scaled down")
    below.set_xticks(places, [f"{point['strength']:g}" for point in points])
    below.set_xlim(-0.5, len(points) - 0.5)
    below.set_xlabel(ladders[0]["unit"])


def _curve(panel: Any, places: Any, ends: Floats, colour: str, label: str) -> None:
    value, low, high = ends
    panel.fill_between(places, low, high, color=colour, alpha=0.15, lw=0)
    panel.plot(places, value, "o-", color=colour, ms=3, lw=1.4, label=label)


def _ends(points: Sequence[Result], kind: str, name: str) -> Floats:
    """Value, low and high [3, N]; NaN where there is none."""
    cells = [point[kind][name] for point in points]
    return np.array([[cell[end] for cell in cells] for end in ("value", "low", "high")], np.float64)


def _within(ladder: Result) -> int:
    """How many strengths lie within the limit, from the mildest on."""
    strengths = [point["strength"] for point in ladder["points"]]
    return 0 if ladder["holds_to"] is None else strengths.index(ladder["holds_to"]) + 1
