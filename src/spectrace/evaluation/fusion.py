"""Weights of a fusion's branches, fitted on pictures that no branch was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.splits import refuse_forbidden
from spectrace.detectors.card import Calibration, Thresholds
from spectrace.detectors.detector import Detector
from spectrace.detectors.runtime import Model
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation.crossfit import FOLDS, Scored, folds_of
from spectrace.evaluation.evaluate import picture_seed
from spectrace.evaluation.kernels import Floats
from spectrace.evaluation.versions import look_at_each
from spectrace.images import perturbations

_RIDGE = 1e-3
_ROUNDING = 1e-6


class BranchWeights(NamedTuple):
    """How the logits of branches become the logit of their fusion.

    Attributes:
        weights: float64 [B], none below 0.
        means: float64 [B], logits of branches that know nothing.
        bias: the fusion's logit when no branch knows anything.
    """

    weights: Floats
    means: Floats
    bias: float

    def apply(self, logits: ArrayLike) -> Floats:
        """Logits [n] of the fusion from those of its branches [n, B].

        Example:
            >>> BranchWeights(np.array([2.0, 1.0]), np.array([1.0, 0.0]), 0.5).apply([[1.0, 0.0], [2.0, 3.0]])
            array([0.5, 5.5])
        """
        fused: Floats = self.bias + (np.asarray(logits, np.float64) - self.means) @ self.weights
        return fused


def fit_branches(scored: Scored) -> BranchWeights:
    """Fit weights by logistic regression in which no branch may count against itself.

    Classes, sources within a class and conditions weigh alike (:meth:`.Scored.weights`). A branch that is
    wrong on these pictures, or adds nothing to the others, gets a weight of 0. A slight ridge on the
    standardised logits shares the weight between branches that say the same.

    Args:
        scored: logits [n, B] of pictures that the branches were not trained on, best of all not on their
            generators either.

    Raises:
        UsageError: pictures of one class only.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(4000) % 2 == 1
        >>> clear = np.where(labels, 1.0, -1.0) + rng.normal(size=4000)
        >>> turned = -clear + rng.normal(size=4000)
        >>> names, zeros = np.full(4000, "a"), np.zeros(4000, np.int64)
        >>> sample = Scored(np.stack([clear, turned], 1), labels, names, zeros, np.arange(4000))
        >>> [float(weight) for weight in fit_branches(sample).weights.round(1)]  # two unit Gaussians, 2 apart
        [2.0, 0.0]
    """
    weights, truth = scored.weights(), scored.labels.astype(np.float64)
    means: Floats = weights @ scored.logits
    centred = scored.logits - means
    spreads = np.sqrt(weights @ centred**2)
    # What differs by rounding alone says nothing, and must not be stretched until it does.
    spreads[spreads <= _ROUNDING * (1.0 + np.abs(means))] = np.inf
    design = np.column_stack([centred / spreads, np.ones(len(truth))])

    def loss(theta: Floats) -> tuple[float, Floats]:
        fused = design @ theta
        slopes = np.append(theta[:-1], 0.0)
        likelihood = weights @ (np.logaddexp(0.0, fused) - truth * fused)
        error = 0.5 * (1.0 + np.tanh(0.5 * fused)) - truth
        return float(likelihood + 0.5 * _RIDGE * slopes @ slopes), design.T @ (
            weights * error
        ) + _RIDGE * slopes

    branches = design.shape[1] - 1
    bounds = [(0.0, None)] * branches + [(None, None)]
    # The problem is convex: there is one best answer, and where the search begins does not matter.
    found = minimize(
        loss, np.zeros(branches + 1), jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14}
    ).x
    return BranchWeights(found[:-1] / spreads, means, float(found[-1]))


def held_logits(scored: Scored, *, folds: int = FOLDS, seed: int = 0) -> Floats:
    """Logits [n] of the fusion, each by weights that the picture's source had no part in.

    Args:
        scored: logits [n, B] of the branches.
        folds: of sources, as :func:`.folds_of` deals them out.
        seed: of the folds.

    Raises:
        UsageError: more folds than sources.
    """
    fused = np.zeros(len(scored.labels))
    number = folds_of(scored.labels, scored.sources, folds, seed)
    for fold in range(folds):
        inside = number == fold
        fused[inside] = fit_branches(scored.take(~inside)).apply(scored.logits[inside])
    return fused


def branch_logits(
    fusion: Model,
    rows: Manifest,
    conditions: Sequence[str],
    *,
    seed: int = 0,
    workers: int | None = None,
    visit: Callable[[], object] | None = None,
) -> Scored:
    """Mean logits of a fusion's branches over pictures under some conditions, each picture decoded once.

    The branches see what the fusion sees of a picture; their own logits come back, whatever their weights.
    Pictures that cannot be read, or are too small, are left out.

    Args:
        fusion: a fusion, no weight of which is 0.
        rows: labelled pictures.
        conditions: perturbations, see :mod:`spectrace.images.perturbations`; ``identity`` for none.
        seed: of the conditions' chance.
        workers: pictures at a time; None takes one a processor.
        visit: called after each picture, for progress.

    Returns:
        Logits float64 [n, B], in the order of the card's branches.

    Raises:
        UsageError: no condition, no fusion, a weight of 0, or pictures of the split ``unseen``.
        ManifestError: no picture could be scored.
    """
    refuse_forbidden(*(row.split for row in rows))
    branches = fusion.card.branches
    if not branches or not all(branch.weight for branch in branches):
        raise UsageError(f"{fusion.card.name}: wanted a fusion in which every branch has a weight above 0")
    if not conditions:
        raise UsageError("no condition to see pictures under: give at least one, 'identity' for none")
    changes = [perturbations.parse(condition) for condition in conditions]
    plain = msgspec.structs.replace(
        fusion.card, calibration=Calibration(), thresholds=Thresholds(), stability=[], pooling="logit-mean"
    )
    detector = Detector(fusion, card=plain)

    def look(row: Row, pixels: NDArray[np.uint8]) -> list[dict[str, float]] | None:
        try:
            versions = [perturbations.apply(one, pixels, picture_seed(seed, row.path)) for one in changes]
        except UsageError:  # a picture that a perturbation cannot take, for example too wide for JPEG
            return None
        return [detector.detect(version).branches for version in versions]

    seen, answers = look_at_each(rows, look, workers=workers, visit=visit)
    found = [
        (list(shares.values()), row.is_generated, row.source, number, picture)
        for picture, (row, answer) in enumerate(zip(seen, answers, strict=True))
        for number, shares in enumerate(answer)
        if shares
    ]
    if not found:
        raise ManifestError("no picture could be scored: are all smaller than a tile?")
    shares, labels, sources, numbers, pictures = zip(*found, strict=True)
    weights, means = np.transpose([(branch.weight, branch.mean) for branch in branches])
    return Scored(
        np.array(shares, np.float64) / weights + means,
        np.array(labels, np.bool_),
        np.array(sources, np.str_),
        np.array(numbers, np.int64),
        np.array(pictures, np.int64),
    )


def joined(parts: Sequence[Scored]) -> Scored:
    """Logits of different pictures as one; the pictures are numbered on.

    Example:
        >>> one = Scored(*(np.array(values) for values in ([[1.0]], [True], ["a"], [0], [0])))
        >>> joined([one, one]).pictures.tolist()
        [0, 1]
    """
    firsts = np.cumsum([0, *(int(part.pictures.max()) + 1 for part in parts[:-1])])
    numbered = [
        part._replace(pictures=part.pictures + first) for part, first in zip(parts, firsts, strict=True)
    ]
    return Scored(*(np.concatenate(column) for column in zip(*numbered, strict=True)))
