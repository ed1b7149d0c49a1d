"""What a study asks for and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError
from spectrace.evaluation.bootstrap import RESAMPLES
from spectrace.explain.histogram import RegionBar
from spectrace.explain.mean_heatmap import GridMap
from spectrace.explain.predictive import Patch
from spectrace.images.decode import Pixels

Label = Literal["generated", "real", "unlabelled"]
LABELS: tuple[Label, ...] = ("generated", "real", "unlabelled")


@dataclass(frozen=True, slots=True)
class Subject:
    """A picture to look at, and what is known of it."""

    path: Path
    label: Label = "unlabelled"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What to collect.

    Attributes:
        pictures: how many of the easiest and hardest pictures go into a mean heatmap.
        patches: how many predictive patches to keep for each class.
        per_picture: how many of them one picture may give; they never share a pixel.
        shown: how many patches to show.
        resamples: for the intervals.
        seed: of the random patches and the resamples.
    """

    pictures: int = 100
    patches: int = 10_000
    per_picture: int = 1
    shown: int = 64
    resamples: int = RESAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("pictures", "patches", "per_picture", "shown", "resamples"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} = {getattr(self, name)}: wanted 1 or more")


@dataclass(frozen=True, slots=True)
class Direction:
    """Which pictures to search for patches that speak for which class (sign +1: generated)."""

    name: str
    label: Label
    sign: int


DIRECTIONS = (
    Direction("generated", "generated", +1),
    Direction("real", "real", -1),
    Direction("unlabelled-towards-generated", "unlabelled", +1),
    Direction("unlabelled-towards-camera", "unlabelled", -1),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A picture that took no part, or no part in the histogram, and why."""

    path: str
    message: str
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class MeanHeatmap:
    """The mean over the pictures of one end of the ranking by score.

    Attributes:
        label: of the pictures.
        end: ``easiest`` or ``hardest``; ``highest`` or ``lowest`` score of unlabelled ones.
        maps: of the pictures, the farthest out first.
        scores: float64 [64, 64], the mean log-likelihood ratio, NaN where nothing was scored.
        picture: uint8 [256, 256, 3], the mean picture.
    """

    label: Label
    end: str
    maps: tuple[GridMap, ...]
    scores: NDArray[np.float64]
    picture: Pixels


@dataclass(frozen=True, slots=True)
class PatchGroup:
    """The predictive patches of one direction.

    Attributes:
        direction: where they were searched for, and what they speak for.
        patches: strongest first.
        crops: pixels of the first of them, exactly their rectangles.
        bars: histogram over regions; empty where no picture's regions are known.
        counted: how many of the patches are in the histogram.
        counted_pictures: of how many pictures.
    """

    direction: Direction
    patches: tuple[Patch, ...]
    crops: tuple[Pixels, ...]
    bars: tuple[RegionBar, ...]
    counted: int
    counted_pictures: int


@dataclass(frozen=True, slots=True)
class Study:
    """What was found.

    Attributes:
        settings: what was asked for.
        counts: pictures that were scored, by label.
        means: mean heatmaps.
        groups: predictive patches.
        regions: what the regions come from.
        problems: pictures that took no part, in the order met.
    """

    settings: Settings
    counts: dict[Label, int]
    means: tuple[MeanHeatmap, ...]
    groups: tuple[PatchGroup, ...]
    regions: str
    problems: tuple[Problem, ...]
