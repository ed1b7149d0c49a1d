"""Every method's AUROC, a row each, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spectrace.evaluation.calibrate import CONDITIONS

Result = dict[str, Any]

_LABELS = dict(zip(CONDITIONS, ("untouched", "JPEG 75 to 95", "scaled down, then JPEG"), strict=True))
_KINDS = {"network": "trained here", "baseline": "fitted here", "shipped": "shipped"}
_COLOURS = ("#1b6ca8", "#e07b00", "#5b8c3e")


def figure(result: Result) -> Figure:
    """AUROC by method, and with every source counted alike; one mark a condition."""
    methods = result["methods"]
    drawn = Figure(figsize=(11.5, 0.46 * len(methods) + 2.0), layout="constrained")
    panels: Any = drawn.subplots(1, 2, sharey=True)
    titles = {"auroc": "AUROC", "auroc_by_source": "AUROC, every source alike"}
    shifts = np.linspace(-0.24, 0.24, len(result["conditions"]))
    for panel, (name, title) in zip(panels, titles.items(), strict=True):
        for number, condition in enumerate(result["conditions"]):
            cells = [method["figures"][condition][name] for method in methods]
            values = np.array([cell["value"] for cell in cells])
            spread = np.array([[cell["value"] - cell["low"], cell["high"] - cell["value"]] for cell in cells])
            panel.errorbar(
                values,
                np.arange(len(methods)) + shifts[number],
                xerr=np.maximum(spread.T, 0.0),
                fmt="o",
                markersize=4,
                linewidth=1,
                capsize=2,
                color=_COLOURS[number % len(_COLOURS)],
                label=_LABELS.get(condition, condition),
            )
        panel.axvline(0.5, color="grey", linestyle=":", linewidth=1)
        panel.set_title(title)
        panel.set_xlabel("95 % interval over sources (0.5: guessing)")
        panel.grid(axis="y", linewidth=0.3)
    names = [f"{method['title']} ({_KINDS[method['kind']]})" for method in methods]
    panels[0].set_yticks(range(len(methods)), names)
    panels[0].invert_yaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=len(labels), title="test pictures")
    drawn.suptitle("Our own versions, trained or fitted here in minutes; the shipped model took longer")
    return drawn
