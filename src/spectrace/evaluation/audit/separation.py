"""How well traits tell two classes apart: cross-validated AUROC with an interval and a null.

The AUROC is taken within each fold and then averaged. Pooled over folds it comes out below 0.5 where labels
mean nothing, because each fold's classifier leans against what the fold holds; within a fold the labels are
as good as drawn after the classifier was fitted, so the mean is 0.5 exactly. Folds share training pictures,
so their AUROCs go together and resampling pictures alone gives intervals that are too narrow: permuted labels
show by how much.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, ndtri
from scipy.stats import rankdata

from spectrace.evaluation import kernels
from spectrace.evaluation.audit.classifier import RIDGE, balanced, fit_logistic
from spectrace.evaluation.bootstrap import CONFIDENCE, Bounds, resampled_weights
from spectrace.evaluation.kernels import Bools, Floats

FOLDS = 5
PERMUTATIONS = 199
RESAMPLES = 400
LEAST = 4 * FOLDS
"""Pictures of a class below which nothing is fitted."""
LEAST_GROUPS = 3
"""Collections of a class below which none is left out."""

_ROUNDS = 100
_CLOSE = 1e-3
_BLOCK = 50


class Separation(NamedTuple):
    """How well something tells the classes apart.

    Attributes:
        auroc: cross-validated, with its 95 % interval.
        p_value: share of label permutations that come out as high; 1 where none was made.
    """

    auroc: Bounds
    p_value: float


def separation(
    rows: Floats,
    generated: Bools,
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
) -> Separation:
    """Cross-validated AUROC of logistic regression, over pictures of the same sources.

    Args:
        rows: ``[N, D]``, one-hot traits.
        generated: ``[N]``; at least :data:`LEAST` of either class.
        seed: of folds, permutations and resamples.
        permutations: of the labels; 0 leaves the interval as resampling gives it, and no p-value.
        resamples: of the pictures, for the interval.

    Example:
        >>> labels = np.arange(60) % 2 == 0
        >>> found = separation(np.stack([labels, ~labels], axis=1).astype(float), labels)
        >>> found.auroc.value, found.p_value
        (1.0, 0.005)
    """
    rng = np.random.default_rng(seed)
    fold = _dealt(generated, rng)
    scores = _held_out_scores(rows, generated, fold)
    weights = resampled_weights(generated, ["all"] * len(generated), resamples=resamples, seed=seed)
    weights = np.concatenate([np.ones((1, len(generated))), weights])
    values = _within(generated, scores, fold, weights)
    if not permutations:
        return Separation(bounds(values), 1.0)
    null = _permuted(rows, generated, fold, permutations, rng)
    p_value = (1 + int((null >= values[0] - 1e-12).sum())) / (1 + permutations)
    return Separation(bounds(values, float(np.std(null))), p_value)


def separation_of_new_sources(
    rows: Floats, generated: Bools, sources: Sequence[str], groups: Sequence[str], *, seed: int = 0
) -> Bounds | None:
    """AUROC on sources that the classifier has not seen: does what gives the class away carry to new ones?

    Args:
        rows: ``[N, D]``.
        generated: ``[N]``.
        sources: ``[N]``, resampled for the interval.
        groups: ``[N]``, sources that must lie on one side of every fold, such as those of a pair: half a pair
            would teach the opposite of the other half.
        seed: of the resamples.

    Returns:
        The mean over folds with its interval, or None where a class has fewer than three groups.
    """
    fold = _dealt_groups(generated, groups)
    if fold is None:
        return None
    scores = _held_out_scores(rows, generated, fold)
    weights = resampled_weights(generated, sources, resamples=RESAMPLES, seed=seed)
    weights = np.concatenate([np.ones((1, len(generated))), weights])
    return bounds(_within(generated, scores, fold, weights))


def bounds(values: Floats, spread: float = 0.0) -> Bounds:
    """The first value and its interval.

    Args:
        values: the value, then those of the resamples.
        spread: standard deviation of the value where labels mean nothing. The interval is not narrower than
            it allows at 0.5; towards 0 and 1 it shrinks as the standard deviation of a share does.

    Example:
        >>> round(bounds(np.array([0.5, 0.4, 0.6]), 0.1).low, 3)
        0.304
    """
    tail = (1 - CONFIDENCE) / 2
    value = float(values[0])
    low, high = (float(end) for end in np.nanquantile(values[1:], [tail, 1 - tail]))
    least = -float(ndtri(tail)) * spread * 2 * math.sqrt(value * (1 - value))
    return Bounds(value, max(min(low, value - least), 0.0), min(max(high, value + least), 1.0))


def _dealt(generated: Bools, rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold of each picture; every fold has its share of both classes."""
    fold = np.empty(len(generated), dtype=np.int64)
    for of_class in (generated, ~generated):
        fold[rng.permutation(np.flatnonzero(of_class))] = np.arange(of_class.sum()) % FOLDS
    return fold


def _dealt_groups(generated: Bools, groups: Sequence[str]) -> NDArray[np.int64] | None:
    """Fold of each picture so that no group is in two; None where a class has too few groups."""
    members = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    counts = {
        name: np.array([(~generated[where]).sum(), generated[where].sum()]) for name, where in members.items()
    }
    present = np.sum([count > 0 for count in counts.values()], axis=0)
    if present.min() < LEAST_GROUPS:
        return None
    filled = np.zeros((min(FOLDS, int(present.min())), 2))
    totals = np.array([(~generated).sum(), generated.sum()])
    fold = np.empty(len(generated), dtype=np.int64)
    # Groups with both classes are the hardest to place, then large ones.
    for name in sorted(counts, key=lambda n: (-(counts[n] > 0).sum(), -counts[n].sum(), n)):
        load = ((filled + counts[name]) / totals * (counts[name] > 0)).sum(axis=1)
        chosen = int(load.argmin())
        filled[chosen] += counts[name]
        fold[members[name]] = chosen
    return fold


def _held_out_scores(rows: Floats, generated: Bools, fold: NDArray[np.int64]) -> Floats:
    """Log-odds of each picture from the classifier of the other folds."""
    scores = np.empty(len(generated))
    for number in range(fold.max() + 1):
        held = fold == number
        labels = generated[~held]
        solved = fit_logistic(rows[~held], labels, balanced(labels, np.ones(len(labels))), RIDGE)
        scores[held] = rows[held] @ solved[1:] + solved[0]
    return scores


def _within(generated: Bools, scores: Floats, fold: NDArray[np.int64], weights: Floats) -> Floats:
    """Mean over folds of the AUROC within each, for every row of weights ``[B, N]``."""
    of_folds = []
    for number in range(fold.max() + 1):
        held = fold == number
        blocks = [weights[i : i + _BLOCK, held] for i in range(0, len(weights), _BLOCK)]
        # Coefficients that should be equal differ by rounding: scores that close are ties.
        near = scores[held].round(9)
        of_folds.append(np.concatenate([kernels.auroc(generated[held], near, block) for block in blocks]))
    # A resample may leave a fold without a class.
    return np.asarray(np.ma.masked_invalid(of_folds).mean(axis=0).filled(np.nan), dtype=np.float64)


def _permuted(
    rows: Floats, generated: Bools, fold: NDArray[np.int64], count: int, rng: np.random.Generator
) -> Floats:
    """The same mean for labels that were permuted within each fold: float64 ``[count]``."""
    labels = np.empty((len(generated), count), dtype=np.bool_)
    for number in range(FOLDS):
        held = fold == number
        labels[held] = rng.permuted(np.repeat(generated[held, None], count, axis=1), axis=0)
    of_folds = []
    for number in range(FOLDS):
        held = fold == number
        scores = rows[held] @ fit_many(rows[~held], labels[~held], RIDGE)[1:]
        ranks = rankdata(scores.round(6), axis=0)
        positive = int(labels[held, 0].sum())
        above = (ranks * labels[held]).sum(axis=0) - positive * (positive + 1) / 2
        of_folds.append(above / (positive * (held.sum() - positive)))
    return np.asarray(np.mean(of_folds, axis=0), dtype=np.float64)


def fit_many(rows: Floats, labels: NDArray[np.bool_], ridge: float) -> Floats:
    """As :func:`.classifier.fit_logistic`, for many labellings at once: float64 ``[1 + D, P]``.

    Each step uses one bound of the curvature for all (Böhning 1992), which is nearly tight where labels mean
    little: what permutations are for.

    Args:
        rows: ``[N, D]``.
        labels: ``[N, P]``, as many true in every column; the classes are balanced.
        ridge: above 0.
    """
    design = np.concatenate([np.ones((len(rows), 1)), rows], axis=1)
    penalty = np.full((design.shape[1], 1), ridge)
    penalty[0] = 0.0
    weights = balanced(labels[:, 0], np.ones(len(rows)))
    of_class = {value: weights[labels[:, 0] == value][0] for value in (True, False)}
    weighed = np.where(labels, of_class[True], of_class[False])
    bound = cho_factor(max(of_class.values()) / 4 * design.T @ design + np.diag(penalty[:, 0] + 1e-8))
    solution = np.zeros((design.shape[1], labels.shape[1]))
    for _ in range(_ROUNDS):
        gradient = design.T @ (weighed * (expit(design @ solution) - labels)) + penalty * solution
        step = cho_solve(bound, gradient)
        solution -= step
        if np.abs(step).max() < _CLOSE:
            break
    return solution
