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
    """``logit = clip((x - mean) * scale, -CLIP, CLIP) @ weights + bias``, positive means generated.

    Attributes:
        mean: float64 [D].
        scale: float64 [D], reciprocal standard deviations.
        weights: float64 [D], of standardised features.
        bias: the classes' means lie as far above 0 as below.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: float

    def standardised(self, features: NDArray[np.floating]) -> Floats:
        """Features [N, D] as the weights see them, float64 [N, D]."""
        return np.clip((features - self.mean) * self.scale, -CLIP, CLIP)

    def logits(self, features: NDArray[np.floating]) -> Floats:
        """Logits of features [N, D], float64 [N]."""
        logits: Floats = self.standardised(features) @ self.weights + self.bias
        return logits


def fit_discriminant(
    features: NDArray[np.floating],
    generated: NDArray[np.bool_],
    sources: NDArray[np.str_],
    *,
    between: float = 1.0,
    ridge: float = 0.1,
    temperature: float = 0.0,
) -> Discriminant:
    """Fit the discriminant; classes weigh alike, and a source of n rows weighs ``n ** temperature``.

    Args:
        features: [N, D], finite.
        generated: [N].
        sources: [N], the name of each row's source; both classes may have one of the same name.
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
        >>> bool(np.mean((found.logits(features) > 0) == generated) > 0.8)
        True
    """
    if generated.all() or not generated.any():
        raise RecipeError("a discriminant needs rows of both classes: one has none")
    weights = _weights(generated, sources, temperature)
    mean = np.average(features, axis=0, weights=weights)
    spread = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weights))
    # What never varies tells nothing: it is left at zero, not divided by it.
    scale = np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0)
    rows = np.clip((features - mean) * scale, -CLIP, CLIP)
    means = [
        np.average(rows[generated == side], axis=0, weights=weights[generated == side]) for side in (0, 1)
    ]
    scatter = ridge * np.eye(rows.shape[1])
    for side in (False, True):
        for source in np.unique(sources[generated == side]):
            chosen = (generated == side) & (sources == source)
            share = weights[chosen]
            centre = np.average(rows[chosen], axis=0, weights=share)
            apart = (rows[chosen] - centre) * np.sqrt(share)[:, None]
            away = centre - means[int(side)]
            scatter += apart.T @ apart + between * share.sum() * np.outer(away, away)
    solved = np.linalg.solve(scatter, means[1] - means[0])
    return Discriminant(mean, scale, solved, float(-solved @ (means[0] + means[1]) / 2))


def _weights(generated: NDArray[np.bool_], sources: NDArray[np.str_], temperature: float) -> Floats:
    """One weight a row, float64 [N], summing to 1."""
    weights = np.empty(len(generated))
    for side in (False, True):
        chosen = generated == side
        _, places, counts = np.unique(sources[chosen], return_inverse=True, return_counts=True)
        each = counts.astype(np.float64)[places] ** (temperature - 1.0)
        weights[chosen] = 0.5 * each / each.sum()
    return weights
