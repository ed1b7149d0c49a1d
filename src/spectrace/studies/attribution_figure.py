"""The figure of the study ``attribution``: accuracies, confusions, spectra and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from spectrace.evaluation.baselines.features import LOG_DCT, PIXELS
from spectrace.studies.encoding import decode_map
from spectrace.studies.registry import Result

_TITLES = {"knn": "kNN", "eigenfaces": "Eigenfaces", "prnu": "PRNU", "linear": "linear (ridge)", "cnn": "CNN"}
_SEEN = {PIXELS: "pixels", LOG_DCT: "log-DCT"}
_COLOURS = {PIXELS: "#D55E00", LOG_DCT: "#0072B2"}
_SHIFTS = {PIXELS: -0.2, LOG_DCT: 0.2}
_FREQUENCIES = (0.0, 0.5, 0.5, 0.0)

_Entry = Mapping[str, Any]


def figure(result: Result) -> Figure:
    """Accuracy and unknown sources on top, a confusion matrix each, then mean spectra and linear weights."""
    rows = 1 + sum(name.startswith("weights") for name in result["maps"])
    drawn = Figure(figsize=(15.0, 11.5 + 2.6 * rows), layout="constrained")
    parts: Any = drawn.subfigures(3, 1, height_ratios=[4.2, 6.8, 2.6 * rows], hspace=0.02)
    _draw_bars(parts[0], result)
    _draw_confusions(parts[1], result)
    _draw_maps(parts[2], result)
    drawn.suptitle("Source attribution: the camera and generators told apart", fontsize=16)
    return drawn


def _draw_bars(part: Any, result: Result) -> None:
    panels = part.subplots(1, 1 + len(result["unknown"]), squeeze=False)[0]
    methods, count = result["methods"], len(result["classes"])
    _bars(panels[0], methods, [one["accuracy"] for one in methods], 1 / count)
    panels[0].set_title(f"Accuracy on {count} known sources")
    panels[0].set_ylabel("share of test pictures")
    for panel, name in zip(panels[1:], result["unknown"], strict=True):
        _bars(panel, methods, [one["unknown_auroc"][name] for one in methods], 0.5)
        panel.set_title(f"Unknown source: {name} told from the known ones")
        panel.set_ylabel("AUROC")
    seen = dict.fromkeys(one["representation"] for one in methods)
    handles = [
        *(Patch(color=_COLOURS[name], label=_SEEN[name]) for name in seen),
        Line2D([], [], color="black", label="95 % interval, pictures resampled by photograph"),
        Line2D([], [], ls="", marker="o", color="white", mec="0.2", ms=4, label="single seeds"),
        Line2D([], [], color="0.4", ls="--", label="guessing"),
    ]
    part.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def _bars(panel: Any, methods: Sequence[_Entry], cells: Sequence[_Entry], guessing: float) -> None:
    names = list(dict.fromkeys(one["method"] for one in methods))
    for one, cell in zip(methods, cells, strict=True):
        representation = one["representation"]
        alone = sum(other["method"] == one["method"] for other in methods) == 1
        place = names.index(one["method"]) + (0.0 if alone else _SHIFTS[representation])
        panel.bar(place, cell["value"], 0.36, color=_COLOURS[representation])
        panel.vlines(place, cell["low"], cell["high"], color="black", lw=1.2, zorder=3)
        beside = np.linspace(-0.1, 0.1, len(cell["seeds"])) if len(cell["seeds"]) > 1 else [0.0]
        panel.plot(place + np.array(beside), cell["seeds"], "o", color="white", mec="0.2", ms=4, mew=0.6)
        top = max(cell["high"], *cell["seeds"])
        panel.text(place, top + 0.02, f"{cell['value']:.3f}", ha="center", va="bottom", fontsize=9)
    panel.axhline(guessing, color="0.4", ls="--", lw=1, zorder=0)
    panel.set_xticks(range(len(names)), [_TITLES[name] for name in names])
    panel.set_ylim(0.0, 1.1)
    panel.set_axisbelow(True)
    panel.grid(axis="y", alpha=0.25)


def _draw_confusions(part: Any, result: Result) -> None:
    methods = result["methods"]
    names = list(dict.fromkeys(one["method"] for one in methods))
    representations = list(dict.fromkeys(one["representation"] for one in methods))
    panels = part.subplots(len(representations), len(names), squeeze=False, sharex=True, sharey=True)
    by_place = {(one["representation"], one["method"]): one for one in methods}
    classes, outside = result["classes"], result["unknown"]
    labels = [*classes, *(f"{name} (unknown)" for name in outside)]
    shown = None
    for y, representation in enumerate(representations):
        for x, method in enumerate(names):
            panel = panels[y, x]
            if (representation, method) not in by_place:
                panel.set_visible(False)
                continue
            cells = np.array(by_place[representation, method]["confusion"])
            shown = panel.imshow(cells, vmin=0, vmax=1, cmap="viridis", aspect="auto")
            for (row, column), value in np.ndenumerate(cells):
                colour = "black" if value > 0.6 else "white"
                text = f"{100 * value:.0f}"
                panel.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
            panel.axhline(len(classes) - 0.5, color="white", lw=2)
            panel.set_title(f"{_TITLES[method]}, {_SEEN[representation]}")
            panel.set_xticks(range(len(classes)), classes, rotation=40, ha="right")
            panel.set_yticks(range(len(labels)), labels)
            panel.tick_params(labelbottom=y == len(representations) - 1 or method == "prnu")
            if x == 0:
                panel.set_ylabel("source")
    part.supxlabel("taken for")
    bar = part.colorbar(shown, ax=list(panels.flat), shrink=0.7, pad=0.01)
    bar.set_label("share of the source's test pictures (figures in %)")


def _draw_maps(part: Any, result: Result) -> None:
    maps, classes = result["maps"], result["classes"]
    names = [*classes, *result["unknown"]]
    weights = [name for name in maps if name.startswith("weights")]
    panels = part.subplots(1 + len(weights), len(names), squeeze=False)
    spectra = {name: decode_map(maps["mean_log_dct"][name]) for name in names}
    _draw_spectra(part, panels[0], spectra)
    for line, kind in zip(panels[1:], weights, strict=True):
        decoded = {name: decode_map(encoded) for name, encoded in maps[kind].items()}
        highest = max(float(np.percentile(values, 99.5)) for values in decoded.values())
        frequency = kind.endswith(LOG_DCT)
        seen = _SEEN[kind.removeprefix("weights_")]
        for panel, name in zip(line, names, strict=True):
            if name not in decoded:
                panel.set_visible(False)
                continue
            size = len(decoded[name])
            extent = _FREQUENCIES if frequency else (0, size, size, 0)
            shown = panel.imshow(decoded[name], vmin=0, vmax=highest, cmap="magma", extent=extent)
            panel.set_title(f"weights for {name}", fontsize=10)
        unit = "frequency (cycles/px)" if frequency else "row (px)"
        line[0].set_ylabel(f"ridge on {seen}\n{unit}")
        bar = part.colorbar(shown, ax=list(line), shrink=0.85, pad=0.01, extend="max")
        bar.set_label("|weight|, mean over channels")


def _draw_spectra(part: Any, line: Any, spectra: Mapping[str, Any]) -> None:
    """The camera's mean spectrum, and what the others have more or less than it."""
    camera, *others = spectra
    shown = line[0].imshow(spectra[camera], cmap="viridis", extent=_FREQUENCIES)
    line[0].set_title(camera, fontsize=10)
    line[0].set_ylabel("mean ln |DCT|\nfrequency (cycles/px)")
    part.colorbar(shown, ax=line[0], shrink=0.6, pad=0.02)
    differences = {name: spectra[name] - spectra[camera] for name in others}
    reach = max(float(np.percentile(np.abs(values), 99)) for values in differences.values())
    for panel, (name, values) in zip(line[1:], differences.items(), strict=True):
        shown = panel.imshow(values, vmin=-reach, vmax=reach, cmap="RdBu_r", extent=_FREQUENCIES)
        panel.set_title(f"{name} less {camera}", fontsize=10)
    bar = part.colorbar(shown, ax=list(line[1:]), shrink=0.85, pad=0.01, extend="both")
    bar.set_label("difference of mean ln |DCT|")
