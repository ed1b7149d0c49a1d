"""Reliability: how often *generated* is true where so much probability is claimed for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectrace.errors import UsageError
from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import RESAMPLES, interval, resampled_weights, wilson
from spectrace.evaluation.figures import probabilities
from spectrace.evaluation.kernels import Bools, Floats
from spectrace.evaluation.metrics import checked, class_weights, source_weights
from spectrace.evaluation.results import Bin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 10


def reliability(
    labels: ArrayLike,
    scores: ArrayLike,
    sources: Sequence[str],
    *,
    bins: int = BINS,
    prior: float = 0.5,
    by_source: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Bin]:
    """Bin pictures by their claimed probability and see how many of each bin are generated.

    Bins hold equal weight, with both classes weighing alike; pictures of one score are never parted, so there
    may be fewer bins. Then the classes are weighted by the prior. Intervals are 95 %: sources are resampled,
    and where a bin's pictures are few or all of one class the interval is at least Wilson's.

    Args:
        labels: [n], true for generated; both classes must be there.
        scores: [n], natural-log likelihood ratios.
        sources: [n], the collection that each picture comes from.
        bins: at most, 1 or more.
        prior: probability of *generated* before the picture was seen, between 0 and 1.
        by_source: let every source count alike within its class, and not every picture.
        resamples: for the intervals.
        seed: of the resamples.

    Returns:
        The bins, by rising probability.

    Raises:
        UsageError: lengths differ, a class is absent, no bins, or a prior that is not between 0 and 1.

    Example:
        >>> first, last = reliability([0, 0, 0, 1], [-1.0, -1.0, 1.0, 1.0], ["a", "b", "c", "d"], bins=2)
        >>> round(first.probability, 2), first.observed, round(last.probability, 2), last.observed
        (0.27, 0.0, 0.73, 0.75)
    """
    generated, values, _ = checked(labels, scores, None)
    if bins < 1 or not 0.0 < prior < 1.0:
        raise UsageError(f"{bins} bins at a prior of {prior:g}: wanted 1 or more, and one between 0 and 1")
    if generated.all() or not generated.any():
        raise UsageError("reliability needs real and generated pictures: found one class only")
    alike = source_weights(generated, sources) if by_source else class_weights(generated)
    number = _equal_bins(values, alike, bins)
    weights = alike * np.where(generated, prior, 1.0 - prior)
    claimed = probabilities(values + np.log(prior / (1.0 - prior)))
    resampled = resampled_weights(generated, sources, resamples=resamples, seed=seed)
    found = []
    for one in np.unique(number):
        inside = number == one
        count = int(inside.sum())
        of_bin = weights[inside]
        seen = interval(_share, generated[inside], claimed[inside], resampled[:, inside], weights=of_bin)
        least = wilson(round(seen.value * count), count)
        found.append(
            Bin(
                probability=float(np.average(claimed[inside], weights=of_bin)),
                observed=seen.value,
                low=float(np.fmin(seen.low, min(least.low, seen.value))),
                high=float(np.fmax(seen.high, max(least.high, seen.value))),
                share=float(of_bin.sum() / weights.sum()),
                pictures=count,
            )
        )
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error of bins: mean distance of claim and observation, by the bins' shares.

    Example:
        >>> round(calibration_error([Bin(0.2, 0.1, 0, 1, 0.5, 10), Bin(0.7, 1.0, 0, 1, 0.5, 10)]), 6)
        0.2
    """
    return float(sum(one.share * abs(one.probability - one.observed) for one in bins))


def diagram(curves: Mapping[str, Sequence[Bin]], *, title: str = "Reliability", prior: float = 0.5) -> Figure:
    """Draw reliability diagrams side by side, one for each name.

    Args:
        curves: bins by name, as :func:`reliability` or an evaluation's results file gives them.
        title: above all.
        prior: the one that the bins were made at; for the labels.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  (heavy: only when one is drawn)

    figure = Figure(figsize=(3.6 * max(len(curves), 1) + 0.4, 4.2), layout="constrained")
    axes = figure.subplots(1, max(len(curves), 1), squeeze=False, sharey=True)[0]
    for index, (axis, (name, bins)) in enumerate(zip(axes, curves.items(), strict=False)):
        draw(axis, bins, label=f"ECE {calibration_error(bins):.3f}")
        axis.set_title(name)
        axis.set_xlabel("claimed probability of generated")
        if not index:
            axis.set_ylabel("observed share of generated")
        axis.legend(loc="upper left", fontsize=8)
    figure.suptitle(f"{title} (at a prior of {prior:g}; 95 % intervals, sources resampled)")
    return figure


def draw(axis: Axes, bins: Sequence[Bin], *, label: str, colour: str = "C0") -> None:
    """Draw one curve with its intervals into axes from 0 to 1, and the diagonal of perfect calibration."""
    claimed = [one.probability for one in bins]
    seen = np.array([one.observed for one in bins])
    spread = np.maximum([seen - [one.low for one in bins], [one.high for one in bins] - seen], 0.0)
    axis.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    axis.errorbar(
        claimed,
        seen,
        yerr=spread,
        color=colour,
        marker="o",
        markersize=4,
        linewidth=1,
        capsize=2,
        label=label,
    )
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")


def _equal_bins(values: Floats, weights: Floats, bins: int) -> NDArray[np.int64]:
    """Number of each value's bin; equal values share the bin that their middle falls into."""
    _, index = np.unique(values, return_inverse=True)
    each = np.bincount(index, weights)
    middle = (np.cumsum(each) - 0.5 * each) / each.sum()
    number: NDArray[np.int64] = np.minimum((middle * bins).astype(np.int64), bins - 1)[index]
    return number


def _share(generated: Bools, scores: Floats, weights: Floats) -> Floats:
    return kernels.mean(generated, weights)
