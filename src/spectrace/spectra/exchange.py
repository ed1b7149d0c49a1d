"""Do two sets of pictures differ at all? A permutation test over pictures, all features at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.01
"""Chance of any false alarm at all, over all features together."""
_DRAWS = 999
_CHUNK = 64
_LEAST_ARRANGEMENTS = 400


@dataclass(frozen=True)
class Exchange:
    """Result of the test; K features.

    Attributes:
        difference: float64 ``[K]``, mean of the first set less mean of the second.
        score: float64 ``[K]``, that in standard errors.
        threshold: of ``abs(score)``: the largest of all K exceeds it in 1 of 100 random divisions.
        p: share of random divisions whose largest score is as large as the found one.
    """

    difference: NDArray[np.float64]
    score: NDArray[np.float64]
    threshold: float
    p: float

    @property
    def found(self) -> bool:
        """Whether the sets differ."""
        return self.p <= ALPHA

    @property
    def significant(self) -> NDArray[np.bool_]:
        """``[K]``: features that differ, their number taken into account."""
        return (np.abs(self.score) > self.threshold) & self.found


def exchange_test(first: NDArray[Any], second: NDArray[Any], seed: int = 0) -> Exchange:
    """Compare the means of two sets with those of random divisions of both together.

    The largest standardised difference over all features is the statistic (Westfall and Young 1993), so the
    false-alarm rate holds for all of them together, however they depend on each other. Pictures count as
    independent.

    Args:
        first: ``[N, K]``, a row a picture.
        second: ``[M, K]``.
        seed: of the random divisions.

    Returns:
        Differences, scores, threshold and p.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> same = exchange_test(rng.normal(size=(40, 9)), rng.normal(size=(50, 9)))
        >>> shifted = exchange_test(rng.normal(size=(40, 9)) + 2 * np.eye(9)[3], rng.normal(size=(50, 9)))
        >>> same.found, shifted.found, shifted.significant.nonzero()[0].tolist()
        (False, True, [3])
    """
    pooled = np.concatenate([first, second]).astype(np.float64)
    pooled -= pooled.mean(axis=0)
    count, total = len(first), len(pooled)
    error = pooled.std(axis=0) * np.sqrt(total / (count * (total - count)))
    error[error < 1e-9] = np.inf
    difference = pooled[:count].mean(axis=0) - pooled[count:].mean(axis=0)
    # The pooled mean is zero, so the first part's mean alone gives the difference of both.
    drawn = np.concatenate(list(_draws(pooled, count, seed))) * (total / (total - count))
    largest = (np.abs(drawn) / error).max(axis=1)
    score = difference / error
    as_large = int((largest >= np.abs(score).max() * (1 - 1e-9)).sum())
    threshold = float(np.quantile(largest, 1 - ALPHA, method="higher"))
    return Exchange(difference, score, threshold, (1 + as_large) / (1 + len(drawn)))


def _draws(pooled: NDArray[np.float64], count: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Means of the first part under random divisions, some at a time to bound the memory."""
    rng = np.random.default_rng(seed)
    for start in range(0, _DRAWS, _CHUNK):
        chosen = np.zeros((min(_CHUNK, _DRAWS - start), len(pooled)))
        for row in chosen:
            row[rng.permutation(len(pooled))[:count]] = 1 / count
        yield chosen @ pooled


def too_few(first: int, second: int) -> bool:
    """Whether sets of these sizes have too few divisions for the test ever to find anything.

    Example:
        >>> too_few(4, 6), too_few(6, 6)
        (True, False)
    """
    return math.comb(first + second, min(first, second)) < _LEAST_ARRANGEMENTS


def bootstrap(
    first: NDArray[Any], second: NDArray[Any], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % percentile interval of the difference of means, over pictures drawn with replacement.

    Args:
        first: ``[N, K]``, a row a picture.
        second: ``[M, K]``.
        seed: of the draws.

    Returns:
        Lower and upper bounds, float64 ``[K]`` each.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> low, high = bootstrap(rng.normal(size=(100, 1)) + 1, rng.normal(size=(100, 1)))
        >>> bool(low[0] < 1 < high[0]), bool(high[0] - low[0] < 0.8)
        (True, True)
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for start in range(0, _DRAWS, _CHUNK):
        rows = min(_CHUNK, _DRAWS - start)
        means = [
            rng.multinomial(len(part), np.full(len(part), 1 / len(part)), size=rows) @ part / len(part)
            for part in (np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64))
        ]
        drawn.append(means[0] - means[1])
    low, high = np.quantile(np.concatenate(drawn), (0.025, 0.975), axis=0)
    return low, high
