"""Figures of the evaluation page, on light or dark ground."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrace.evaluation.results import Estimate, Evaluation, SweepCurve
from spectrace.spectra.report_figures import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
_NAME = 28


def matrix_figure(evaluations: Sequence[Evaluation], theme: Theme) -> Figure:
    """AUROC of each generator against all real pictures: one row a model and condition.

    Generators are ordered by the first row; where a figure is not defined the cell stays empty.
    """
    names = sorted(
        {one.name for evaluation in evaluations for one in evaluation.by_generator},
        key=lambda name: (-_auroc_of(evaluations[0], name), name),
    )
    values = np.array([[_auroc_of(one, name) for name in names] for one in evaluations])
    figure = _figure(max(5.0, 0.46 * len(names) + 3.4), 0.42 * len(evaluations) + 2.6)
    axes = figure.subplots()
    image = axes.imshow(values, cmap="PuOr_r", vmin=0.0, vmax=1.0, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if not math.isnan(value):
            colour = "white" if abs(value - 0.5) > 0.33 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(names)), [_short(name) for name in names], rotation=55, ha="right")
    axes.set_yticks(range(len(evaluations)), [_condition(one, evaluations) for one in evaluations])
    axes.set_xlabel("generator")
    bar = figure.colorbar(image, ax=axes, fraction=0.03)
    bar.set_label("AUROC")
    return _dressed(figure, [axes, bar.ax], theme)


def reliability_figure(evaluations: Sequence[Evaluation], theme: Theme) -> Figure:
    """Observed share of generated pictures over the claimed probability, one panel a model."""
    models = list(dict.fromkeys(one.model for one in evaluations))
    columns = min(len(models), _COLUMNS)
    rows = math.ceil(len(models) / columns)
    figure = _figure(3.7 * columns, 3.9 * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, model in zip(panels, models, strict=False):
        axes.plot([0, 1], [0, 1], color=theme.quiet, linestyle=":", linewidth=1)
        for number, one in enumerate(one for one in evaluations if one.model == model):
            points = [(bin_.probability, bin_.observed, bin_.low, bin_.high) for bin_ in one.reliability]
            _line(
                axes,
                *zip(*points, strict=True),
                label=one.perturbation or "untouched",
                number=number,
                theme=theme,
            )
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes.set_xlabel("claimed probability of generated")
        axes.set_title(_short(model, 40), fontsize=10)
        _legend(axes, theme)
    panels[0].set_ylabel("observed share of generated")
    for axes in panels[len(models) :]:
        axes.remove()
    return _dressed(figure, panels[: len(models)], theme)


def sweeps_figure(curves: Sequence[SweepCurve], theme: Theme) -> Figure:
    """AUROC over the strength of what was done to both classes: one panel a sweep, one line a model."""
    names = list(dict.fromkeys(one.sweep for one in curves))
    columns = min(len(names), _COLUMNS)
    rows = math.ceil(len(names) / columns)
    figure = _figure(3.9 * columns, 2.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        of_sweep = [one for one in curves if one.sweep == name]
        for number, one in enumerate(of_sweep):
            found = [point.comparison.figures["auroc"] for point in one.points]
            _line(
                axes,
                range(len(found)),
                [_number(estimate.value) for estimate in found],
                [_number(estimate.low) for estimate in found],
                [_number(estimate.high) for estimate in found],
                label=one.model,
                number=number,
                theme=theme,
            )
        first = of_sweep[0]
        axes.axhline(0.5, color=theme.quiet, linestyle=":", linewidth=1)
        strengths = [point.strength for point in first.points]
        axes.set_xticks(range(len(strengths)), strengths, fontsize=8)
        axes.set_title(first.title, fontsize=10)
        axes.set(ylim=(0.3, 1.02), xlabel=first.unit or "treatment", ylabel="AUROC")
    _legend(panels[0], theme)
    for axes in panels[len(names) :]:
        axes.remove()
    return _dressed(figure, panels[: len(names)], theme)


def _line(
    axes: Axes,
    x: Sequence[float],
    values: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    label: str,
    number: int,
    theme: Theme,
) -> None:
    colours = (theme.samples, theme.photographs, *theme.kernels)
    colour = colours[number % len(colours)]
    axes.plot(x, values, color=colour, marker="o", markersize=3.5, linewidth=1.4, label=_short(label, 46))
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)


def _auroc_of(evaluation: Evaluation, generator: str) -> float:
    for one in evaluation.by_generator:
        if one.name == generator:
            return _number(one.figures.get("auroc", Estimate(None)).value)
    return math.nan


def _condition(one: Evaluation, all_of_them: Sequence[Evaluation]) -> str:
    several = len({evaluation.model for evaluation in all_of_them}) > 1
    condition = one.perturbation or "untouched"
    return _short(f"{one.model}: {condition}" if several else condition, 44)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _short(name: str, most: int = _NAME) -> str:
    # A dollar sign would begin mathematics.
    text = name.replace("$", r"\$")
    return text if len(text) <= most else text[: most - 1] + "…"


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415  (heavy: only when one is drawn)

    return Figure(figsize=(width, height), layout="constrained")


def _legend(axes: Axes, theme: Theme) -> None:
    legend = axes.legend(fontsize=7, frameon=False, loc="best")
    for text in legend.get_texts():
        text.set_color(theme.ink)


def _dressed(figure: Figure, panels: Iterable[Any], theme: Theme) -> Figure:
    figure.set_facecolor(theme.ground)
    for axes in panels:
        axes.set_facecolor(theme.ground)
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            text.set_color(theme.ink)
        axes.tick_params(colors=theme.ink)
        for spine in axes.spines.values():
            spine.set_color(theme.quiet)
    return figure
