"""Figures of fingerprints, ready to publish: titles, units, legends, colour bars.

matplotlib is imported only when a figure is drawn, and only its file-writing half: no display is needed and
no global state of pyplot is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectrace.spectra.fingerprints import (
    CHANNELS,
    Fingerprint,
    absolute_difference,
    decibel,
    difference,
    ratio,
)
from spectrace.spectra.peaks import Peak
from spectrace.spectra.profiles import diagonal_profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_DASHES = ("-", "--", ":", "-.")
_DPI = 150
_DCT_EXTENT = (0.0, 0.5, 0.5, 0.0)
_FFT_EXTENT = (-0.5, 0.5, 0.5, -0.5)


def mean_spectrum_figure(fingerprint: Fingerprint, title: str, peaks: Sequence[Peak] = ()) -> Figure:
    """Mean and spread of the DCT and the mean FFT power of one set.

    Args:
        fingerprint: of the set.
        title: name of the set.
        peaks: marked in the FFT power.

    Returns:
        A figure: one row a channel; ln mean |DCT|, ln std |DCT|, FFT power in dB.
    """
    channels = CHANNELS[fingerprint.colour]
    figure = blank_figure(3 * 4.3, 3.5 * len(channels) + 0.7, "compressed")
    axes = figure.subplots(len(channels), 3, squeeze=False)
    for row, channel in enumerate(channels):
        panels = (
            (fingerprint.log_mean_dct[row], "ln mean |DCT|", "ln amplitude", _DCT_EXTENT),
            (fingerprint.log_std_dct[row], "ln std |DCT|", "ln amplitude", _DCT_EXTENT),
            (decibel(fingerprint.mean_power[row]), "mean FFT power", "power (dB)", _FFT_EXTENT),
        )
        for axis, (values, name, unit, extent) in zip(axes[row], panels, strict=True):
            low, high = _limits(values)
            draw_spectrum(figure, axis, values, extent, unit, cmap="viridis", vmin=low, vmax=high)
            axis.set_title(_panel_title(name, channel))
        draw_peaks(axes[row, 2], peaks)
        if peaks:
            periods = " and ".join(sorted({f"{peak.period:g}" for peak in peaks}))
            axes[row, 2].set_title(_panel_title(f"mean FFT power, rings: period {periods} px", channel))
    figure.suptitle(f"{_legend(title, fingerprint)}, {_crops(fingerprint)}")
    return figure


def comparison_figure(
    fingerprint: Fingerprint, reference: Fingerprint, title: str, reference_title: str
) -> Figure:
    """A set's mean |DCT| against a reference set's.

    Args:
        fingerprint: of the set.
        reference: of the reference set, same size and colour.
        title: name of the set.
        reference_title: name of the reference set.

    Returns:
        A figure: one row a channel; difference, absolute difference, ratio.
    """
    from matplotlib.colors import LogNorm, Normalize  # noqa: PLC0415  (start-up stays light)

    channels = CHANNELS[fingerprint.colour]
    figure = blank_figure(3 * 4.3, 3.5 * len(channels) + 0.7, "compressed")
    axes = figure.subplots(len(channels), 3, squeeze=False)
    views: tuple[tuple[Callable[..., NDArray[Any]], str, str, str], ...] = (
        (difference, "difference", "Δ ln mean |DCT|", "RdBu_r"),
        (absolute_difference, "absolute difference", "|Δ ln mean |DCT||", "magma"),
        (ratio, "ratio", "ratio of mean |DCT|", "RdBu_r"),
    )
    for column, (view, name, unit, cmap) in enumerate(views):
        maps = view(fingerprint, reference)
        for row, channel in enumerate(channels):
            axis, values = axes[row, column], maps[row]
            reach = max(float(np.percentile(np.abs(difference(fingerprint, reference)[row]), 98)), 1e-3)
            norm: Normalize = {
                "difference": Normalize(-reach, reach),
                "absolute difference": Normalize(0, reach),
                "ratio": LogNorm(np.exp(-reach), np.exp(reach)),
            }[name]
            draw_spectrum(figure, axis, values, _DCT_EXTENT, unit, cmap=cmap, norm=norm)
            axis.set_title(_panel_title(name, channel))
    names = f"{_legend(title, fingerprint)} against {_legend(reference_title, reference)}"
    figure.suptitle(f"{names}, {_crops(fingerprint)}")
    return figure


def radial_figure(fingerprints: Mapping[str, Fingerprint]) -> Figure:
    """Radial power profiles of several sets in one plot.

    Args:
        fingerprints: name of each set to its fingerprint.

    Returns:
        A figure: mean over the pictures (and channels) of the radial profile in dB, with a band of one
        standard deviation over the pictures.
    """
    figure = blank_figure(7.6, 4.8)
    axis = figure.subplots()
    for index, (name, fingerprint) in enumerate(fingerprints.items()):
        mean, std = radial_summary(fingerprint)
        frequency = np.arange(1, mean.size + 1) / (2 * mean.size)
        colour = _COLOURS[index % len(_COLOURS)]
        axis.plot(frequency, mean, color=colour, linestyle=_dash(index), label=_legend(name, fingerprint))
        axis.fill_between(frequency, mean - std, mean + std, color=colour, alpha=0.12, linewidth=0)
    axis.set_title("Radial power profile (mean, band: one standard deviation over pictures)")
    axis.set_xlabel("spatial frequency (cycles per pixel)")
    axis.set_ylabel("FFT power (dB)")
    _finish(axis)
    return figure


def diagonal_figure(fingerprints: Mapping[str, Fingerprint]) -> Figure:
    """Mean ln |DCT| along the diagonal, of several sets in one plot.

    Args:
        fingerprints: name of each set to its fingerprint.

    Returns:
        A figure: one line a set, channels averaged.
    """
    figure = blank_figure(7.6, 4.8)
    axis = figure.subplots()
    lines = []
    for index, (name, fingerprint) in enumerate(fingerprints.items()):
        frequency, values = diagonal_profile(fingerprint.log_dct.mean)
        line = values.mean(axis=0)[1:]
        lines.append(line)
        colour = _COLOURS[index % len(_COLOURS)]
        axis.plot(
            frequency[1:],
            line,
            color=colour,
            linestyle=_dash(index),
            label=_legend(name, fingerprint),
            lw=1.1,
        )
    axis.set_title("DCT spectrum along the diagonal")
    axis.set_xlabel("spatial frequency along each axis (cycles per pixel)")
    axis.set_ylabel("mean ln |DCT|")
    # Nearest leaves an exact zero at 1/4: shown to scale it would flatten everything else.
    lowest = np.percentile(np.concatenate(lines), 1)
    axis.set_ylim(bottom=max(axis.get_ylim()[0], lowest - 1.5))
    _finish(axis)
    return figure


def radial_summary(fingerprint: Fingerprint) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation over the pictures of the radial profile in dB, channels averaged.

    Args:
        fingerprint: of the set.

    Returns:
        Two float64 arrays ``[S // 2]``.
    """
    return fingerprint.radial.mean.mean(axis=0), np.sqrt(fingerprint.radial.variance.mean(axis=0))


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG (or what the suffix says), the same bytes for the same numbers.

    Args:
        figure: from one of the functions above.
        path: where to.
    """
    metadata = {"Software": None} if path.suffix == ".png" else None
    figure.savefig(path, dpi=_DPI, metadata=metadata)


def blank_figure(
    width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained"
) -> Figure:
    """An empty figure, its sides in inches."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (start-up stays light)

    return Figure(figsize=(width, height), layout=layout)


def draw_spectrum(
    figure: Figure,
    axis: Axes,
    values: NDArray[Any],
    extent: tuple[float, float, float, float],
    unit: str,
    *,
    shrink: float = 0.8,
    **style: Any,
) -> None:
    """Values ``[H, W]`` over both frequencies, ``extent`` in cycles per pixel, with a colour bar."""
    shown = axis.imshow(values, extent=extent, interpolation="nearest", **style)
    at_zero = shown.norm.vmin == 0  # absolute values end there
    bar = figure.colorbar(shown, ax=axis, shrink=shrink, pad=0.02, extend="max" if at_zero else "both")
    bar.set_label(unit)
    axis.set_xlabel("horizontal frequency (cycles/px)")
    axis.set_ylabel("vertical frequency (cycles/px)")


def draw_peaks(axis: Axes, peaks: Sequence[Peak], colour: str | None = None) -> None:
    """A ring around each peak and its mirror image; both borders where it lies on the border."""
    for peak in peaks:
        fy, fx = peak.frequency
        edge = colour or ("white" if peak.kind == "upsampling" else "0.75")
        for y, x in {(fy, fx), (-fy, -fx)}:
            axis.plot(x, y, "o", ms=11, mfc="none", mec=edge, mew=1.4, clip_on=False)


def _limits(values: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(values, (2, 99.8))
    return float(low), float(max(high, low + 1e-6))


def _panel_title(name: str, channel: str) -> str:
    return name if channel == "luma" else f"{name}, {channel}"


def _legend(name: str, fingerprint: Fingerprint) -> str:
    return f"{name} (n = {fingerprint.count:,})"


def _dash(index: int) -> str:
    return _DASHES[index // len(_COLOURS) % len(_DASHES)]


def _crops(fingerprint: Fingerprint) -> str:
    return f"{fingerprint.size} px crops, {fingerprint.colour}"


def _finish(axis: Axes) -> None:
    axis.set_xlim(0, 0.5)
    axis.grid(alpha=0.25)
    axis.legend(frameon=False)
