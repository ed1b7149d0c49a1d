"""The figures of merit and the figure of the study ``counter-forensics``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.kernels import Kernel
from spectrace.generators.attacks import Pixels
from spectrace.generators.quality import psnr, ssim
from spectrace.studies.counter_forensics_parts import scores
from spectrace.studies.encoding import decode_picture
from spectrace.studies.registry import Result
from spectrace.studies.resampling import bounds

MEASURES: dict[str, Kernel] = {
    "accuracy": kernels.balanced_accuracy(0.0),
    "auroc": kernels.auroc,
    "average_precision": kernels.average_precision,
}
"""Of mean logits; a logit of 0 is the natural threshold."""

MAGNIFIED = 10
"""How much larger the differences between samples are drawn."""

_RESAMPLES = 1000


class Column(NamedTuple):
    """Samples after an attack.

    Attributes:
        name: of the attack.
        aimed_at: the kind of detector whose weights it knew, or nothing.
        pictures: uint8 [N, S, S, 3] for each seed.
    """

    name: str
    aimed_at: str
    pictures: list[Pixels]


class Measures:
    """Figures of detectors over seeds, with intervals that resample photographs and samples.

    Args:
        test: uint8 [N, S, S, 3], pieces of photographs.
        photograph: of each piece.
        samples: how many of them each figure is of.
    """

    def __init__(self, test: Pixels, photograph: Sequence[str], samples: int) -> None:
        self._test = test
        self._generated = np.repeat([False, True], [len(test), samples])
        sources = [*photograph, *(f"sample {number}" for number in range(samples))]
        drawn = resampled_weights(self._generated, sources, resamples=_RESAMPLES)
        self._weights = np.concatenate([np.ones((1, len(sources))), drawn])

    def of(self, detectors: Sequence[Path], samples: Sequence[Pixels]) -> dict[str, Any]:
        """Tell samples from the photographs.

        Args:
            detectors: runs, one a seed.
            samples: uint8 [N, S, S, 3] for each.

        Returns:
            ``value``, ``low``, ``high`` and ``seeds`` of every one of :data:`MEASURES`, and ``missed``, the
            share of samples below the threshold, by seed.
        """
        seeds = [
            scores(detector, np.concatenate([self._test, some]))
            for detector, some in zip(detectors, samples, strict=True)
        ]
        found: dict[str, Any] = {}
        for name, kernel in MEASURES.items():
            values = np.array([kernel(self._generated, one, self._weights) for one in seeds])
            found[name] = {
                **bounds(values.mean(0)),
                "seeds": [_rounded(value) for value in values[:, 0]],
            }
        return found | {"missed": [_rounded((one[self._generated] < 0).mean()) for one in seeds]}


def cost(before: Pixels, after: Sequence[Pixels]) -> dict[str, float | None]:
    """What was lost of the pictures' quality, as means over pictures and seeds.

    PSNR is infinite for a picture that was not changed: those are left out, and it is None where all are.
    """
    decibels = np.concatenate([psnr(before, some) for some in after])
    changed = decibels[np.isfinite(decibels)]
    return {
        "psnr": round(float(changed.mean()), 2) if len(changed) else None,
        "ssim": _rounded(np.mean([ssim(before, some) for some in after])),
    }


def figure(result: Result) -> Figure:
    """Detectors by attacks, what rounds of tuning did, and samples before and after."""
    drawn = Figure(figsize=(15.0, 9.5), layout="constrained")
    places: Any = [["table"] * 5 + ["rounds"] * 3, ["patch"] * 4 + ["frequency"] * 4]
    panels: Any = drawn.subplot_mosaic(places, height_ratios=[1.8, 1])
    _draw_table(drawn, panels["table"], result)
    _draw_rounds(panels["rounds"], result["rounds"])
    for kind, strip in result["strips"].items():
        _draw_strip(panels[kind], kind, strip)
    drawn.suptitle("How far a generator's traces can be hidden, and what a detector trained anew finds")
    return drawn


def _draw_table(drawn: Figure, panel: Any, result: Result) -> None:
    names, columns = list(result["table"]), result["attacks"]
    cells = [[cell["accuracy"] for cell in result["table"][name]] for name in names]
    shown = panel.imshow(
        [[cell["value"] for cell in row] for row in cells], vmin=0.5, vmax=1.0, cmap="viridis", aspect="auto"
    )
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            colour = "black" if cell["value"] > 0.8 else "white"
            panel.text(x, y, f"{cell['value']:.2f}", ha="center", va="center", color=colour, fontsize=9)
    panel.set_xticks(range(len(columns)), [_label(column) for column in columns], rotation=60, ha="right")
    panel.set_yticks(range(len(names)), names)
    panel.set_xlabel("attack (cost to the samples: PSNR in dB)")
    panel.set_ylabel("detector")
    panel.set_title("Balanced accuracy at a logit of 0", fontsize=11)
    drawn.colorbar(shown, ax=panel, label="balanced accuracy (guessing: 0.5)", shrink=0.8)


def _label(column: dict[str, Any]) -> str:
    aim = f" at {column['aimed_at']}" if column["aimed_at"] else ""
    price = "" if column["psnr"] is None else f" ({column['psnr']:.0f} dB)"
    return f"{column['name']}{aim}{price}"


def _draw_rounds(panel: Any, rounds: dict[str, list[dict[str, Any]]]) -> None:
    for (kind, found), colour, shift in zip(
        rounds.items(), ("tab:blue", "tab:orange"), (-0.06, 0.06), strict=True
    ):
        numbers = np.arange(1, len(found) + 1)
        for what, style in (("frozen", "o--"), ("trained anew", "s-")):
            cells = [one[what]["accuracy"] for one in found]
            values = np.array([[cell["value"], cell["low"], cell["high"]] for cell in cells])
            panel.errorbar(
                numbers + shift,  # side by side, so that equal values do not hide each other
                values[:, 0],
                yerr=np.clip([values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]], 0.0, None),
                fmt=style,
                color=colour,
                capsize=3,
                label=f"{kind}, {what}",
            )
    panel.axhline(0.5, color="grey", linewidth=0.8, linestyle=":", label="guessing")
    panel.set_xticks(numbers)
    panel.set_xlim(0.5, len(numbers) + 0.5)
    panel.set_ylim(0.35, 1.03)
    panel.set_xlabel("round of tuning")
    panel.set_ylabel("balanced accuracy (95 % interval)")
    panel.set_title(
        "The detector that the generator was tuned against,\nand the one trained anew", fontsize=11
    )
    panel.legend(fontsize=8, loc="center right")


def _draw_strip(panel: Any, kind: str, strip: str) -> None:
    panel.imshow(decode_picture(strip))
    panel.set_title(
        f"Tuned against the {kind} detector: before, after, difference x {MAGNIFIED}", fontsize=11
    )
    panel.set_axis_off()


def _rounded(value: Any) -> float:
    return round(float(value), 4)
