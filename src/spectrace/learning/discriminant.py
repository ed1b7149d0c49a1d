"""A linear discriminant that knows of sources: what tells one source from another is treated as noise.

Pictures of one source share cameras, contents and pipelines, so thousands of pictures of ninety sources are
in one sense ninety observations. Fisher's discriminant (1936) divides the difference of the classes' means by
the scatter within classes; here that scatter has two parts, within sources and between the sources of a
class, and the second may count more than its share. It is solved in closed form: no steps, no epochs, and
leaving sources out costs one more solution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import RecipeError

CLIP = 4.0
"""Standardised features are held to this many standard deviations, in fit and use."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Discriminant:
    """``logits = clip((x - mean) * scale, -CLIP, CLIP) @ weights + bias``.

    Attributes:
        mean: float64 [D].
        scale: float64 [D], reciprocal standard deviations.
        weights: float64 [D, K], of standardised features; two classes have one logit, K = 1, positive means
            the second.
        bias: float64 [K]; all classes are equally likely beforehand.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats

    def standardised(self, features: NDArray[np.floating]) -> Floats:
        """Features [N, D] as the weights see them, float64 [N, D]."""
        return np.clip((features - self.mean) * self.scale, -CLIP, CLIP)

    def logits(self, features: NDArray[np.floating]) -> Floats:
        """Logits of features [N, D], float64 [N, K]."""
        logits: Floats = self.standardised(features) @ self.weights + self.bias
        return logits


def fit_discriminant(
    features: NDArray[np.floating],
    targets: NDArray[np.int64] | NDArray[np.bool_],
    sources: NDArray[np.str_],
    *,
    classes: int = 2,
    between: float = 1.0,
    ridge: float = 0.1,
    temperature: float = 0.0,
) -> Discriminant:
    """Fit the discriminant; classes weigh alike, and a source of n rows weighs ``n ** temperature``.

    Args:
        features: [N, D], finite.
        targets: [N], the class of each row, from 0.
        sources: [N], the name of each row's source; several classes may have one of the same name.
        classes: number of classes.
        between: weight of the scatter between the sources of a class, 0 upward; 0 leaves it out.
        ridge: added to the diagonal of the scatter of standardised features, above 0.
        temperature: 0 weighs every source alike, 1 every row.

    Raises:
        RecipeError: a class without rows.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> generated = np.arange(200) % 2 == 1
        >>> features = rng.normal(size=(200, 3)) + generated[:, None] * [2.0, 0.0, 0.0]
        >>> found = fit_discriminant(features, generated, np.full(200, "one"))
        >>> bool(np.mean((found.logits(features)[:, 0] > 0) == generated) > 0.8)
        True
    """
    if len(np.unique(targets)) < classes:
        raise RecipeError(f"a discriminant needs rows of all {classes} classes: some have none")
    weights = _weights(targets, sources, classes, temperature)
    mean = np.average(features, axis=0, weights=weights)
    spread = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weights))
    # What never varies tells nothing: it is left at zero, not divided by it.
    scale = np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0)
    rows = np.clip((features - mean) * scale, -CLIP, CLIP)
    centres = np.empty((classes, rows.shape[1]))
    scatter = ridge * np.eye(rows.shape[1])
    for number in range(classes):
        members = targets == number
        centres[number] = np.average(rows[members], axis=0, weights=weights[members])
        for source in np.unique(sources[members]):
            chosen = members & (sources == source)
            share = weights[chosen]
            centre = np.average(rows[chosen], axis=0, weights=share)
            apart = (rows[chosen] - centre) * np.sqrt(share)[:, None]
            away = centre - centres[number]
            scatter += apart.T @ apart + between * share.sum() * np.outer(away, away)
    solved = np.asarray(np.linalg.solve(scatter, centres.T), np.float64)
    bias: Floats = -0.5 * np.einsum("kd,dk->k", centres, solved)
    if classes == 2:
        solved, bias = solved[:, 1:] - solved[:, :1], bias[1:] - bias[:1]
    return Discriminant(mean, scale, solved, bias)


def _weights(
    targets: NDArray[np.int64] | NDArray[np.bool_],
    sources: NDArray[np.str_],
    classes: int,
    temperature: float,
) -> Floats:
    """One weight a row, float64 [N], summing to 1."""
    weights = np.empty(len(targets))
    for number in range(classes):
        chosen = targets == number
        _, places, counts = np.unique(sources[chosen], return_inverse=True, return_counts=True)
        each = counts.astype(np.float64)[places] ** (temperature - 1.0)
        weights[chosen] = each / each.sum() / classes
    return weights
