"""A classifier of traits: logistic regression on one-hot columns, with a ridge.

Numbers are cut at quantiles, so that a bound, a band and a single value are all within its reach. Both
classes count alike whatever their sizes, so a score above 0 speaks for *generated*.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from spectrace.errors import UsageError
from spectrace.evaluation.kernels import Bools, Floats

Traits = Mapping[str, float | str]

RIDGE = 1.0
BINS = 12
_LEAST_COUNT = 3
_ROUNDS = 50
_CLOSE = 1e-8


class Column(NamedTuple):
    """How one trait becomes columns.

    Attributes:
        name: of the trait.
        words: the words that have a column of their own; others share one.
        cuts: float64, ascending: a number's bin is the count of cuts that are not above it.
    """

    name: str
    words: tuple[str, ...]
    cuts: Floats

    @property
    def width(self) -> int:
        """Number of columns: one for values that are missing, the words and one for others, or the bins."""
        return 2 + (len(self.words) if self.words else len(self.cuts))

    def codes(self, traits: Sequence[Traits]) -> NDArray[np.int64]:
        """The column of each picture; 0 where the trait is missing or of the wrong type."""
        values = [one.get(self.name) for one in traits]
        if self.words:
            place = {word: index + 2 for index, word in enumerate(self.words)}
            return np.array([place.get(v, 1) if isinstance(v, str) else 0 for v in values], dtype=np.int64)
        numbers = np.array([v if isinstance(v, float | int) else np.nan for v in values], dtype=np.float64)
        bins = np.searchsorted(self.cuts, numbers, side="right") + 1
        return np.where(np.isnan(numbers), 0, bins)


def column_of(name: str, traits: Sequence[Traits]) -> Column:
    """How a trait becomes columns, from the pictures that are there; labels play no part.

    Example:
        >>> column_of("quality", [{"quality": value} for value in (75.0, 75.0, 90.0, 95.0)]).cuts.tolist()
        [90.0, 95.0]
        >>> column_of("format", [{"format": "PNG"}] * 3 + [{"format": "BMP"}]).words
        ('PNG',)
    """
    values = [one[name] for one in traits if name in one]
    words = Counter(value for value in values if isinstance(value, str))
    if words:
        kept = sorted(word for word, count in words.items() if count >= _LEAST_COUNT)
        return Column(name, tuple(kept) or (min(words),), np.empty(0))
    numbers = np.array(values, dtype=np.float64)
    distinct = np.unique(numbers[~np.isnan(numbers)])
    if len(distinct) <= BINS:
        return Column(name, (), distinct[1:])
    shares = np.arange(1, BINS) / BINS
    return Column(name, (), np.unique(np.nanquantile(numbers, shares, method="inverted_cdf")))


def one_hot(columns: Sequence[Column], traits: Sequence[Traits]) -> Floats:
    """One row a picture with a 1 for each trait: float64 ``[N, D]``."""
    rows = np.arange(len(traits))
    result = np.zeros((len(traits), sum(column.width for column in columns)))
    start = 0
    for column in columns:
        result[rows, start + column.codes(traits)] = 1.0
        start += column.width
    return result


class TraitClassifier:
    """Logistic regression of the class on traits.

    Args:
        names: the traits to use; None takes all that occur.
        ridge: penalty on half the squared coefficients (not on the intercept), as ``1 / C`` of scikit-learn.

    Example:
        >>> traits = [{"format": "PNG"}] * 5 + [{"format": "JPEG", "jpeg_quality": 90.0}] * 5
        >>> classifier = TraitClassifier().fit(traits, [True] * 5 + [False] * 5)
        >>> classifier.scores([{"format": "PNG"}, {"format": "JPEG", "jpeg_quality": 90.0}]).round(1).tolist()
        [1.6, -1.6]
    """

    def __init__(self, names: Sequence[str] | None = None, *, ridge: float = RIDGE) -> None:
        self.names = None if names is None else tuple(names)
        self.ridge = ridge
        self.columns: list[Column] = []
        self.coefficients: Floats = np.empty(0)
        self.intercept = 0.0

    def fit(self, traits: Sequence[Traits], labels: ArrayLike, weights: ArrayLike | None = None) -> Self:
        """Fit to labelled pictures.

        Args:
            traits: of each picture.
            labels: [N], true for generated.
            weights: [N], of the pictures within their class, none negative; None takes 1.

        Raises:
            UsageError: a class without weight, or lengths that differ.
        """
        generated = np.asarray(labels, dtype=np.bool_)
        weighed = np.ones(len(generated)) if weights is None else np.asarray(weights, dtype=np.float64)
        if not len(traits) == len(generated) == len(weighed):
            raise UsageError(f"{len(traits)} traits, {len(generated)} labels, {len(weighed)} weights")
        found = dict.fromkeys(name for one in traits for name in one)
        names = tuple(found) if self.names is None else self.names
        self.columns = [column_of(name, traits) for name in names]
        solved = fit_logistic(
            one_hot(self.columns, traits), generated, balanced(generated, weighed), self.ridge
        )
        self.intercept, self.coefficients = float(solved[0]), solved[1:]
        return self

    def scores(self, traits: Sequence[Traits]) -> Floats:
        """Natural-log odds of *generated* where both classes are as likely: float64 [N]."""
        return one_hot(self.columns, traits) @ self.coefficients + self.intercept


def balanced(generated: Bools, weights: Floats) -> Floats:
    """Weights ``[N]`` that sum to N / 2 in either class.

    Raises:
        UsageError: a class without weight.

    Example:
        >>> balanced(np.array([True, False, False, False]), np.ones(4)).round(2).tolist()
        [2.0, 0.67, 0.67, 0.67]
    """
    result = np.zeros(len(generated))
    for of_class in (generated, ~generated):
        total = weights[of_class].sum()
        if total <= 0:
            raise UsageError("a class has no pictures: both are needed")
        result[of_class] = weights[of_class] / total * (len(generated) / 2)
    return result


def fit_logistic(rows: Floats, generated: Bools, weights: Floats, ridge: float) -> Floats:
    """Coefficients of penalised logistic regression by Newton's method, the intercept first.

    Args:
        rows: ``[N, D]``.
        generated: ``[N]``.
        weights: ``[N]``.
        ridge: above 0.

    Returns:
        float64 ``[1 + D]``.
    """
    design = np.concatenate([np.ones((len(rows), 1)), rows], axis=1)
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 0.0
    solution = np.zeros(design.shape[1])
    loss = _loss(design, generated, weights, penalty, solution)
    for _ in range(_ROUNDS):
        chance = expit(design @ solution)
        gradient = design.T @ (weights * (chance - generated)) + penalty * solution
        curved = design.T @ (design * (weights * chance * (1 - chance))[:, None]) + np.diag(penalty)
        # The intercept is not penalised: a hair keeps the matrix invertible where chances are 0 and 1.
        curved[0, 0] += _CLOSE
        step = np.linalg.solve(curved, gradient)
        length = 1.0
        while (new := _loss(design, generated, weights, penalty, solution - length * step)) > loss + 1e-12:
            length /= 2
            if length < _CLOSE:
                return solution
        solution = solution - length * step
        done, loss = loss - new <= _CLOSE * max(1.0, abs(loss)), new
        if done:
            break
    return solution


def _loss(design: Floats, generated: Bools, weights: Floats, penalty: Floats, solution: Floats) -> float:
    logits = design @ solution
    return float(weights @ (np.logaddexp(0, logits) - generated * logits) + penalty @ np.square(solution) / 2)
