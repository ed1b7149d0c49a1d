"""The tables and the figure of the study ``cross-manipulation``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from spectrace.evaluation.kernels import Floats
from spectrace.evaluation.localisation import mean_over_pictures
from spectrace.studies.registry import Result
from spectrace.studies.resampling import drawn_pieces, precisions

POOLINGS = ("logit-mean", "strongest")
MEASURES = ("pixel_auroc", "iou_at_zero", "iou_at_chosen", "best_iou", "manipulated_share")

_RESAMPLES = 1000


class Seen(NamedTuple):
    """What one detector makes of the test pictures, piece by piece in the same order everywhere.

    Attributes:
        scores: [pooling, 1 + manipulation, piece]: the untouched piece first.
        figures: [measure, manipulation, piece].
        threshold: of the score, chosen on validation pictures of the detector's own manipulation.
    """

    scores: Floats
    figures: Floats
    threshold: float


def tables(seen: Mapping[str, Sequence[Seen]]) -> Result:
    """Every figure, trained on by tested on, as a mean over seeds with its interval by picture.

    Args:
        seen: one a seed, by the manipulation trained on; the manipulations tested on come in the same order.

    Returns:
        ``manipulations`` (the order of rows and columns), ``average_precision`` by pooling, each measure of
        :data:`MEASURES` as rows (trained on) of columns (tested on) of ``value``, ``low``, ``high`` and
        ``seeds``; ``thresholds``.
    """
    names = list(seen)
    count = next(iter(seen.values()))[0].scores.shape[2]
    drawn = drawn_pieces(count, _RESAMPLES, np.random.default_rng(0))
    return {
        "manipulations": names,
        "average_precision": {
            pooling: [
                [
                    _precision([one.scores[index] for one in seen[name]], tested, drawn)
                    for tested in _range(names)
                ]
                for name in names
            ]
            for index, pooling in enumerate(POOLINGS)
        },
        **{
            measure: [
                [_mean([one.figures[index, tested] for one in seen[name]]) for tested in _range(names)]
                for name in names
            ]
            for index, measure in enumerate(MEASURES)
        },
        "thresholds": {name: [round(one.threshold, 4) for one in seen[name]] for name in names},
    }


def figure(result: Result) -> Figure:
    """Two matrices, trained on by tested on: whole pictures told apart, and manipulated pixels found."""
    names = result["manipulations"]
    drawn = Figure(figsize=(11.0, 5.2), layout="constrained")
    panels: Any = drawn.subplots(1, 2)
    for panel, title, cells in (
        (
            panels[0],
            "Pictures: average precision\n(mean of the strongest 10 % of patches)",
            result["average_precision"]["strongest"],
        ),
        (panels[1], "Pixels: AUROC of the heatmap\n(mean over manipulated pictures)", result["pixel_auroc"]),
    ):
        values = np.array([[cell["value"] for cell in row] for row in cells])
        shown = panel.imshow(values, vmin=0.5, vmax=1.0, cmap="viridis")
        for y, row in enumerate(cells):
            for x, cell in enumerate(row):
                colour = "black" if cell["value"] > 0.8 else "white"
                panel.text(
                    x, y - 0.08, f"{cell['value']:.2f}", ha="center", va="center", color=colour, fontsize=12
                )
                text = f"{cell['low']:.2f} to {cell['high']:.2f}"
                panel.text(x, y + 0.22, text, ha="center", va="center", color=colour, fontsize=7)
        panel.set_xticks(range(len(names)), names)
        panel.set_yticks(range(len(names)), names)
        panel.set_xlabel("manipulation tested on")
        panel.set_ylabel("manipulation trained on")
        panel.set_title(title, fontsize=11)
    drawn.colorbar(shown, ax=list(panels), label="guessing: 0.5", shrink=0.85)
    drawn.suptitle("Trained on one manipulation, tested on each")
    return drawn


def _range(names: Sequence[str]) -> range:
    return range(len(names))


def _precision(scores: Sequence[Floats], tested: int, drawn: Floats) -> dict[str, Any]:
    by_seed = np.array([precisions(one[0], one[1 + tested], drawn) for one in scores])
    low, high = np.quantile(by_seed.mean(axis=0)[1:], [0.025, 0.975])
    return _cell(by_seed[:, 0], float(low), float(high))


def _mean(figures: Sequence[Floats]) -> dict[str, Any]:
    by_seed = np.array(figures)
    _, low, high = mean_over_pictures(by_seed.mean(axis=0).tolist(), resamples=_RESAMPLES)
    return _cell(by_seed.mean(axis=1), low, high)


def _cell(by_seed: Floats, low: float, high: float) -> dict[str, Any]:
    return {
        "value": round(float(by_seed.mean()), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "seeds": [round(float(value), 4) for value in by_seed],
    }
