"""From scores to the matrix of who was trained on what and tested on what, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.kernels import Bools, Floats, auroc
from spectrace.studies.registry import Result
from spectrace.studies.resampling import bounds

_RESAMPLES = 500


@dataclass(frozen=True)
class Groups:
    """The pictures that were scored.

    Attributes:
        names: of the groups.
        group: of each picture; None where it belongs to all.
        generated: its class.
        test: whether it is of the test split; the others are generated ones of the training split.
        source: the collection it came from.
    """

    names: list[str]
    group: list[str | None]
    generated: Bools
    test: Bools
    source: list[str]

    def chosen(self, name: str, *, met: bool) -> Bools:
        """The pictures to test a group on.

        A detector that has met the group is tested on the test split alone; for one that has not, the
        group's generated pictures of the training split are just as new.

        Example:
            >>> generated, test = np.array([True, True, False]), np.array([True, False, True])
            >>> groups = Groups(["a"], ["a", "a", None], generated, test, ["x"] * 3)
            >>> groups.chosen("a", met=True).tolist(), groups.chosen("a", met=False).tolist()
            ([True, False, True], [True, True, True])
        """
        member = np.array([one is None or one == name for one in self.group])
        return member & (self.test if met else self.test | self.generated)


def tables(scores: Floats, groups: Groups) -> Result:
    """AUROC of every detector on every group.

    Args:
        scores: float64 ``[2, G, seeds, pictures]``: trained on group g alone; trained on all but g. NaN for
            pictures that were too small.
        groups: the pictures.

    Returns:
        ``each``: cells [trained on][tested on]; ``others``: the detectors of all but the group that they are
        tested on; ``means`` over groups: tested on the group that was trained on, on another one, and
        ``others``; ``tested``: counts by group.
    """
    names = groups.names
    rng = np.random.default_rng(0)
    seeds = scores.shape[2]
    picked = rng.integers(seeds, size=(_RESAMPLES + 1, seeds))
    picked[0] = np.arange(seeds)
    each: dict[tuple[str, str], Floats] = {}
    others: dict[str, Floats] = {}
    cells: dict[Any, Result] = {}
    for number, name in enumerate(names):
        for met in (True, False):
            chosen = groups.chosen(name, met=met)
            drawn = _drawn(groups, chosen, seed=number)
            generated = groups.generated[chosen]
            for other, trained in enumerate(names):
                if (other == number) == met:
                    found = _by_seed(scores[0, other][:, chosen], generated, drawn)
                    each[trained, name] = np.take_along_axis(found, picked.T, 0).mean(0)
                    cells[trained, name] = _cell(each[trained, name], found)
            if not met:
                found = _by_seed(scores[1, number][:, chosen], generated, drawn)
                others[name] = np.take_along_axis(found, picked.T, 0).mean(0)
                cells[name] = _cell(others[name], found)
    own = np.mean([each[name, name] for name in names], axis=0)
    foreign = np.mean([found for (row, column), found in each.items() if row != column], axis=0)
    left_out = np.mean(list(others.values()), axis=0)
    return {
        "each": [[cells[row, column] for column in names] for row in names],
        "others": [cells[name] for name in names],
        "means": {
            "own": bounds(own),
            "foreign": bounds(foreign),
            "others": bounds(left_out),
            "others_minus_foreign": bounds(left_out - foreign),
        },
        "tested": [
            {
                "real": int((groups.chosen(name, met=False) & ~groups.generated).sum()),
                "generated": int((groups.chosen(name, met=False) & groups.generated).sum()),
                "generated_of_test_split": int((groups.chosen(name, met=True) & groups.generated).sum()),
            }
            for name in names
        ],
    }


def figure(result: Result) -> Figure:
    """The matrix, with the detectors of all other groups as its last row."""
    names = result["groups"]
    cells = [*result["each"], result["others"]]
    values = np.array([[cell["value"] for cell in row] for row in cells])
    side = 0.85 * len(names)
    drawn = Figure(figsize=(3.6 + side, 2.4 + 0.75 * side), layout="constrained")
    axes = drawn.subplots()
    image = axes.imshow(values, cmap="PuOr_r", vmin=0.0, vmax=1.0, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        cell = cells[row][column]
        dark = abs(value - 0.5) > 0.33
        axes.text(
            column,
            row,
            f"{value:.2f}\n{cell['low']:.2f}–{cell['high']:.2f}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if dark else "black",
        )
    axes.axhline(len(names) - 0.5, color="black", linewidth=2)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names) + 1), [*names, "all others"])
    what = {"generator": "generator", "pair": "picture set", "scale": "scale"}[result["by"]]
    axes.set(xlabel=f"tested on {what}", ylabel=f"trained on {what}")
    axes.set_title("AUROC (95 % interval); guessing gives 0.5")
    drawn.colorbar(image, ax=axes, label="AUROC")
    return drawn


def _drawn(groups: Groups, chosen: Bools, seed: int) -> Floats:
    sources = [source for source, one in zip(groups.source, chosen, strict=True) if one]
    weights = resampled_weights(groups.generated[chosen], sources, resamples=_RESAMPLES, seed=seed)
    return np.concatenate([np.ones((1, weights.shape[1])), weights])


def _by_seed(scores: Floats, generated: Bools, drawn: Floats) -> Floats:
    """AUROC float64 ``[seeds, 1 + resamples]``; pictures without a score take no part."""
    scored = ~np.isnan(scores).any(axis=0)
    return np.array([auroc(generated[scored], one[scored], drawn[:, scored]) for one in scores])


def _cell(resampled: Floats, by_seed: Floats) -> Result:
    return {**bounds(resampled), "seeds": [round(float(value), 4) for value in by_seed[:, 0]]}
