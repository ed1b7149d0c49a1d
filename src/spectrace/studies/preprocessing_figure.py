"""The figure of the study ``preprocessing-ablation``."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spectrace.studies.preprocessing_parts import PHOTOGRAPHS
from spectrace.studies.preprocessing_tables import OTHERS
from spectrace.studies.registry import Result

_TITLES = {
    "mismatched": "trained: each class through its own pipeline",
    "matched": "trained: both classes through the first pipeline",
}
# Maker ("" is the generator of the training), way, label, colour, marker.
_TESTS = (
    ("", "reported", "pipelines as in training (the reported figure)", "tab:red", "s"),
    ("", "one pipeline", "both classes through one pipeline", "tab:blue", "o"),
    ("", "exchanged", "pipelines exchanged", "tab:purple", "D"),
    (OTHERS, "one pipeline", "other generators, one pipeline", "tab:cyan", "o"),
    (PHOTOGRAPHS, "mismatched", "null test: photographs against photographs, two pipelines", "black", "x"),
    (PHOTOGRAPHS, "one pipeline", "photographs against photographs, one pipeline", "0.6", "x"),
)
_DETECTORS = {"ridge": "ridge on log-DCT", "patches": "patch network"}


def figure(result: Result) -> Figure:
    """AUROC of each test, factor by factor: one row of panels a detector, one column a way of training."""
    detectors = list(dict.fromkeys(row["detector"] for row in result["rows"]))
    factors = [factor["name"] for factor in result["factors"]]
    height = (0.5 * len(factors) + 0.9) * len(detectors) + 1.9
    drawn = Figure(figsize=(12.0, height), layout="constrained")
    panels: Any = drawn.subplots(len(detectors), len(_TITLES), sharex=True, sharey=True, squeeze=False)
    by_place = {(row["detector"], row["trained"], row["factor"]): row for row in result["rows"]}
    for line, detector in zip(panels, detectors, strict=True):
        for panel, (trained, title) in zip(line, _TITLES.items(), strict=True):
            _draw(panel, [by_place[detector, trained, factor] for factor in factors], result["trained_on"])
            panel.set_title(f"{_DETECTORS[detector]}, {title}", fontsize=9)
        line[0].set_yticks(range(len(factors)), factors)
        line[0].set_ylim(len(factors) - 0.5, -0.5)
    for panel in panels[-1]:
        panel.set_xlabel("AUROC (dotted: guessing)")
    handles, labels = panels[0][0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=2)
    drawn.suptitle("What detectors learn where the classes were preprocessed differently")
    return drawn


def _draw(panel: Any, rows: list[Result], trained_on: str) -> None:
    shifts = np.linspace(-0.3, 0.3, len(_TESTS))
    for shift, (maker, way, label, colour, marker) in zip(shifts, _TESTS, strict=True):
        found = [(y + shift, row["auroc"].get(maker or trained_on)) for y, row in enumerate(rows)]
        cells = [(y, by_way[way]) for y, by_way in found if by_way]
        places = [y for y, _ in cells]
        panel.hlines(places, [c["low"] for _, c in cells], [c["high"] for _, c in cells], color=colour, lw=1)
        panel.plot([c["value"] for _, c in cells], places, marker, color=colour, ms=4, ls="", label=label)
    for y in range(1, len(rows)):
        panel.axhline(y - 0.5, color="0.9", lw=0.8, zorder=0)
    panel.axvline(0.5, color="0.4", ls=":", lw=1, zorder=0)
    panel.set_xlim(-0.02, 1.02)
    panel.tick_params(axis="y", length=0)
