"""Predictive patches: the patches of a picture that speak most strongly for a class.

Source of the idea: Chai et al., *What makes fake images detectable?*, ECCV 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrace.detectors.detection import Evidence

RANDOM_PER_PATCH = 16
"""Random patches drawn beside each predictive one, from the same picture."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that speaks for a class, with random patches of the same picture to compare it with.

    Attributes:
        path: of the picture.
        picture: its number in the order in which pictures were looked at.
        rectangle: top, left, bottom and right (ends excluded) in the picture: the pixels behind the logit.
        logit: as the network gave it.
        score: the same through the card's calibration, a log-likelihood ratio.
        random: int64 [R, 4], rectangles of patches drawn at random.
    """

    path: str
    picture: int
    rectangle: tuple[int, int, int, int]
    logit: float
    score: float
    random: NDArray[np.int64]


def strongest_patches(evidence: Evidence, count: int, sign: int) -> NDArray[np.int64]:
    """The patches of one picture with the largest (or smallest) logits, no two of which share a pixel.

    Args:
        evidence: of the picture.
        count: how many at most.
        sign: +1 for *generated*, -1 for *camera*.

    Returns:
        int64 [K], K <= count, strongest first: positions in ``evidence.logits.ravel()``. Patches that lie
        wholly outside of the picture, in a network's padding, are left out.

    Example:
        >>> from types import SimpleNamespace
        >>> from spectrace.detectors.patches import PatchGrid
        >>> seen = SimpleNamespace(
        ...     corners=np.array([[0, 0]]),
        ...     extent=(2, 8),
        ...     patches=PatchGrid(size=2, stride=1),
        ...     logits=np.array([[[1.0, 5.0, 4.0, 3.0, 2.0, 0.0, 1.0]]]),
        ... )
        >>> strongest_patches(seen, 3, +1).tolist(), strongest_patches(seen, 1, -1).tolist()
        ([1, 3, 6], [5])
    """
    rows, columns = _spans(evidence)
    strength = evidence.logits * np.float32(sign)
    strength[:, rows[:, 1] <= rows[:, 0]] = -np.inf
    strength[:, :, columns[:, 1] <= columns[:, 0]] = -np.inf
    tops, lefts = evidence.corners[:, :1], evidence.corners[:, 1:]
    found: list[int] = []
    while True:
        best = int(strength.argmax())
        if strength.flat[best] == -np.inf:
            break
        found.append(best)
        if len(found) == count:
            break
        top, left, bottom, right = rectangles(evidence, np.array([best]))[0]
        over_rows = (tops + rows[:, 0] < bottom) & (tops + rows[:, 1] > top)
        over_columns = (lefts + columns[:, 0] < right) & (lefts + columns[:, 1] > left)
        strength[over_rows[:, :, None] & over_columns[:, None, :]] = -np.inf
    return np.array(found, np.int64)


def random_patches(evidence: Evidence, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Patches drawn with equal chances, with replacement.

    Args:
        evidence: of the picture.
        count: how many.
        rng: the source of chance.

    Returns:
        int64 [count], positions in ``evidence.logits.ravel()``. Patches that lie wholly in a network's
        padding are never drawn.
    """
    rows, columns = _spans(evidence)
    regions = rng.integers(len(evidence.corners), size=count)
    chosen_rows = rng.choice(np.flatnonzero(rows[:, 1] > rows[:, 0]), size=count)
    chosen_columns = rng.choice(np.flatnonzero(columns[:, 1] > columns[:, 0]), size=count)
    return np.ravel_multi_index((regions, chosen_rows, chosen_columns), evidence.logits.shape).astype(
        np.int64
    )


def rectangles(evidence: Evidence, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where patches lie in the picture: :meth:`PatchGrid.rectangle` moved to the corner of its region.

    Args:
        evidence: of the picture.
        positions: int64 [K], positions in ``evidence.logits.ravel()``.

    Returns:
        int64 [K, 4]: top, left, bottom and right, ends excluded.
    """
    rows, columns = _spans(evidence)
    region, row, column = np.unravel_index(positions, evidence.logits.shape)
    corner = evidence.corners[region]
    first = np.stack([rows[row, 0], columns[column, 0]], axis=1)
    end = np.stack([rows[row, 1], columns[column, 1]], axis=1)
    return np.concatenate([corner + first, corner + end], axis=1)


def _spans(evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    _, h, w = evidence.logits.shape
    height, width = evidence.extent
    return evidence.patches.spans(h, height), evidence.patches.spans(w, width)
