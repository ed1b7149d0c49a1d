"""The second look at some pictures: their patches' pixels, their regions, their small squares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import ImageError
from spectrace.explain.mean_heatmap import squared
from spectrace.explain.predictive import Patch
from spectrace.explain.regions import Regions, area_shares, patch_shares
from spectrace.images.decode import Limits, Pixels, decode
from spectrace.threads import in_order

Place = tuple[str, int]
"""Name of a direction and rank of a patch in it."""

_Shares = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@dataclass(slots=True)
class Wanted:
    """What is wanted of one picture.

    Attributes:
        path: of the picture.
        means: names of the mean pictures that it goes into.
        patches: whose regions are wanted, by their place.
        shown: places of the patches whose pixels are wanted.
    """

    path: str
    means: set[str] = field(default_factory=set)
    patches: dict[Place, Patch] = field(default_factory=dict)
    shown: set[Place] = field(default_factory=set)


@dataclass(slots=True)
class Gathered:
    """What was found.

    Attributes:
        means: the mean pictures by name, uint8 [256, 256, 3].
        crops: uint8 pixels of patches by their place, exactly their rectangles.
        shares: by place, shares in the regions of the patch, of its random patches (mean) and of the picture.
        problems: number of a picture, and why it, or its regions, could not be had.
    """

    means: dict[str, Pixels] = field(default_factory=dict)
    crops: dict[Place, Pixels] = field(default_factory=dict)
    shares: dict[Place, _Shares] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)


def gathered(
    wanted: dict[int, Wanted],
    regions: Regions,
    limits: Limits,
    workers: int | None,
    step: Callable[[], None],
) -> Gathered:
    """Open pictures once each and take what is wanted of them.

    Args:
        wanted: by the pictures' numbers.
        regions: what to divide pictures with patches into.
        limits: of decoding.
        workers: pictures at a time; None takes one a processor.
        step: called after each picture.
    """
    found = Gathered()
    sums: dict[str, NDArray[np.float64]] = {}
    counts: Counter[str] = Counter()

    def open_one(number: int) -> _One:
        return _one(wanted[number], regions, limits)

    numbers = sorted(wanted)
    answers = in_order(open_one, numbers, workers)
    for number, one in zip(numbers, answers, strict=True):
        if one.square is not None:
            for name in wanted[number].means:
                sums[name] = sums.get(name, 0.0) + one.square
                counts[name] += 1
        found.crops |= one.crops
        found.shares |= one.shares
        if one.problem is not None:
            found.problems.append((number, one.problem))
        step()
    found.means = {name: (total / counts[name]).round().astype(np.uint8) for name, total in sums.items()}
    return found


@dataclass(slots=True)
class _One:
    square: NDArray[np.float64] | None = None
    crops: dict[Place, Pixels] = field(default_factory=dict)
    shares: dict[Place, _Shares] = field(default_factory=dict)
    problem: str | None = None


def _one(wanted: Wanted, regions: Regions, limits: Limits) -> _One:
    found = _One()
    try:
        pixels = decode(wanted.path, limits).pixels
        if wanted.means:
            found.square = squared(pixels)
        for place in wanted.shown:
            top, left, bottom, right = wanted.patches[place].rectangle
            found.crops[place] = pixels[top:bottom, left:right].copy()
        if wanted.patches:
            labels = regions.label(pixels, wanted.path)
            count = len(regions.names)
            area = area_shares(labels, count)
            for place, patch in wanted.patches.items():
                share = patch_shares(labels, np.array([patch.rectangle]), count)[0]
                found.shares[place] = share, patch_shares(labels, patch.random, count).mean(axis=0), area
    except ImageError as error:
        found.problem = str(error)
    return found
