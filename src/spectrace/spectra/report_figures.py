"""Figures of the fingerprint report, on light or dark ground.

matplotlib is imported only when a figure is drawn, and only its file-writing half.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spectrace.spectra.coarse import TAIL
from spectrace.spectra.figures import blank_figure, draw_peaks, draw_spectrum, radial_summary
from spectrace.spectra.fingerprint_report import FingerprintReport
from spectrace.spectra.fingerprints import Fingerprint
from spectrace.spectra.known import KnownFingerprint
from spectrace.spectra.profiles import diagonal_profile
from spectrace.spectra.upsampling import predicted_ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a figure: ground, text, quiet lines, samples, photographs, and lines of four kernels."""

    ground: str
    ink: str
    quiet: str
    samples: str
    photographs: str
    kernels: tuple[str, str, str, str]


LIGHT = Theme(
    "#ffffff", "#1b1c1f", "#9a9da5", "#b34700", "#0b4f9e", ("#009e73", "#cc79a7", "#0072b2", "#7a6000")
)
DARK = Theme(
    "#1d1f23", "#eceded", "#7d818a", "#ff9d57", "#92c2ff", ("#4fd6ab", "#f0a6d0", "#6fb8ee", "#e3c94d")
)
_KERNELS = ("zero-insertion", "nearest", "bilinear", "binomial")
_DASHES = ((0, (1, 1)), (0, (4, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (2, 1.5)))
_EXTENT = (-0.5, 0.5, 0.5, -0.5)
_QUADRANT = (-1 / 64, 33 / 64, 33 / 64, -1 / 64)
_image = partial(draw_spectrum, shrink=0.85)


def power_figure(fingerprint: Fingerprint, title: str, theme: Theme) -> Figure:
    """Mean of the log FFT power of one set, between its 2nd and 99.8th percentile.

    Args:
        fingerprint: of the set.
        title: above the figure.
        theme: its colours.
    """
    figure, axis = _square()
    mean = fingerprint.log_power.mean.mean(axis=0)
    low, high = np.percentile(mean, (2, 99.8))
    _image(figure, axis, mean, _EXTENT, "mean power (dB)", vmin=low, vmax=max(high, low + 1), cmap="viridis")
    return _dressed(figure, [axis], title, theme)


def power_difference_figure(
    samples: Fingerprint, photographs: Fingerprint, report: FingerprintReport, theme: Theme
) -> Figure:
    """Samples less photographs, without their difference in contrast; rings mark the samples' own peaks.

    Args:
        samples: of a generator.
        photographs: of the same size.
        report: of both.
        theme: colours.
    """
    figure, axis = _square()
    means = [one.log_power.mean.mean(axis=0) for one in (samples, photographs)]
    difference = means[0] - means[1] - report.level_db
    reach = _reach(difference)
    _image(figure, axis, difference, _EXTENT, "difference (dB)", vmin=-reach, vmax=reach, cmap="RdBu_r")
    draw_peaks(axis, report.peaks, "black")
    rings = ", rings: peaks" if report.peaks else ""
    return _dressed(figure, [axis], f"samples less photographs{rings}", theme)


def radial_report_figure(
    samples: Fingerprint, photographs: Fingerprint, report: FingerprintReport, theme: Theme
) -> Figure:
    """Radial profiles of both sets above, their difference with its interval below; the tail is shaded.

    Args:
        samples: of a generator.
        photographs: of the same size.
        report: of both.
        theme: colours.
    """
    figure = blank_figure(7.4, 6.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for one, name, colour, style in (
        (samples, report.samples, theme.samples, "-"),
        (photographs, report.photographs, theme.photographs, "--"),
    ):
        mean, _ = radial_summary(one)
        frequency = np.arange(1, mean.size + 1) / (2 * mean.size)
        label = f"{name} (n = {one.count:,})"
        upper.plot(frequency, mean, color=colour, linestyle=style, label=label)
    ring = {name: np.array(values) for name, values in report.rings_db.items()}
    lower.fill_between(
        ring["frequency"], ring["low"], ring["high"], color=theme.samples, alpha=0.25, linewidth=0,
        label="95 % interval over pictures",
    )  # fmt: skip
    lower.plot(ring["frequency"], ring["difference"], "o-", ms=3, color=theme.samples, label="difference")
    lower.axhline(0, color=theme.quiet, linewidth=1)
    upper.set_ylabel("FFT power (dB)")
    lower.set_ylabel("samples less\nphotographs (dB)")
    lower.set_xlabel("spatial frequency (cycles per pixel)")
    for axis in (upper, lower):
        axis.axvspan(*TAIL, color=theme.quiet, alpha=0.18, linewidth=0, label="tail")
        axis.set_xlim(0, 0.5)
    return _dressed(figure, [upper, lower], "Radial power profile and its difference", theme)


def diagonal_report_figure(
    samples: Fingerprint, photographs: Fingerprint, report: FingerprintReport, theme: Theme
) -> Figure:
    """DCT amplitude along the diagonal against the photographs', with what each kernel predicts.

    Args:
        samples: of a generator.
        photographs: of the same size.
        report: of both.
        theme: colours.
    """
    figure = blank_figure(7.4, 4.6)
    axis = figure.subplots()
    lines = [diagonal_profile(one.log_dct.mean)[1].mean(axis=0)[1:] for one in (samples, photographs)]
    size = samples.size
    frequency = np.arange(1, size) / (2 * size)
    measured = lines[0] - lines[1] - report.level_db * np.log(10) / 20
    for kernel, colour, dashes in zip(_KERNELS, theme.kernels, _DASHES, strict=True):
        predicted = predicted_ratio(kernel, frequency)
        axis.plot(frequency, predicted, color=colour, linestyle=dashes, lw=1.4, label=f"{kernel} x2 predicts")
    axis.plot(frequency, measured, color=theme.samples, lw=1.2, label="measured")
    axis.axhline(0, color=theme.quiet, linewidth=1)
    low, high = np.percentile(measured, (4, 96))  # nearest has an exact null
    axis.set_ylim(min(low - 0.5, -4), max(high + 0.5, 4))
    axis.set_xlim(0, 0.5)
    axis.set_xlabel("spatial frequency along each axis (cycles per pixel)")
    axis.set_ylabel("Δ mean ln |DCT|")
    return _dressed(figure, [axis], "DCT diagonal: samples less photographs", theme)


def known_figure(report: FingerprintReport, nearest: KnownFingerprint, theme: Theme) -> Figure:
    """The difference on the coarse grid beside the nearest known fingerprint, in the same colours.

    Args:
        report: of the samples.
        nearest: the known fingerprint.
        theme: colours.
    """
    figure = blank_figure(7.4, 3.9)
    axes = figure.subplots(1, 2)
    reach = max(_reach(np.array(report.difference_db)), _reach(nearest.grid))
    for axis, grid, title in (
        (axes[0], np.array(report.difference_db), report.samples),
        (axes[1], nearest.grid, nearest.name),
    ):
        _image(figure, axis, grid, _QUADRANT, "difference (dB)", vmin=-reach, vmax=reach, cmap="RdBu_r")
        axis.set_title(textwrap.fill(title, 28), fontsize=10)
    return _dressed(figure, list(axes), "Against photographs, one quadrant", theme)


def report_figures(
    samples: Fingerprint,
    photographs: Fingerprint,
    report: FingerprintReport,
    nearest: KnownFingerprint,
    theme: Theme,
) -> Iterator[tuple[str, Figure]]:
    """All figures by name, one at a time."""
    yield "samples", power_figure(samples, report.samples, theme)
    yield "photographs", power_figure(photographs, report.photographs, theme)
    yield "difference", power_difference_figure(samples, photographs, report, theme)
    yield "radial", radial_report_figure(samples, photographs, report, theme)
    yield "diagonal", diagonal_report_figure(samples, photographs, report, theme)
    yield "known", known_figure(report, nearest, theme)


def _square() -> tuple[Figure, Axes]:
    figure = blank_figure(4.4, 4.0)
    return figure, figure.subplots()


def _reach(difference: NDArray[Any]) -> float:
    return max(float(np.percentile(np.abs(difference), 98)), 1.0)


def _dressed(figure: Figure, axes: list[Axes], title: str, theme: Theme) -> Figure:
    """Title, legend, grid and the theme's colours on everything that has text or a frame."""
    figure.set_facecolor(theme.ground)
    figure.suptitle(title, color=theme.ink, fontsize=11)
    for axis in axes:
        if not axis.images:
            axis.grid(alpha=0.25)
            legend = axis.legend(frameon=False, fontsize=8, labelcolor=theme.ink)
            legend.set_in_layout(False)
    for axis in figure.axes:
        axis.set_facecolor(theme.ground)
        axis.tick_params(colors=theme.ink, labelsize=8)
        axis.title.set_color(theme.ink)
        for label in (axis.xaxis.label, axis.yaxis.label):
            label.set_color(theme.ink)
            label.set_fontsize(9)
        for spine in axis.spines.values():
            spine.set_color(theme.quiet)
    return figure
