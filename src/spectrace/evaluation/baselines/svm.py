"""A linear support vector machine, one class against the rest, for a few thousand dense vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import fmin_l_bfgs_b

from spectrace.evaluation.baselines.baseline import Floats, Labels

_ITERATIONS = 2000
_PRECISION = 1e-4


class LinearMachine(NamedTuple):
    """Weights float64 ``[D, K]`` and biases ``[K]``."""

    weights: Floats
    biases: Floats

    def __call__(self, features: NDArray[np.floating]) -> Floats:
        """``[N, D]`` to decision values float64 ``[N, K]``: above 0 speaks for the class."""
        return np.asarray(features @ self.weights + self.biases, dtype=np.float64)


def train_machine(
    features: NDArray[np.floating], labels: Labels, classes: int, c: float, start: LinearMachine | None = None
) -> LinearMachine:
    """Minimise ``|w|^2 / 2 + c * sum(max(0, 1 - y (x w + b))^2)`` for every class against the rest.

    This is liblinear's default problem (Fan et al. 2008), with the bias as one more weight as there. It is
    solved by L-BFGS in coordinates that are scaled by the problem's own mean curvature: principal components
    differ in variance by many powers of ten, and are uncorrelated, so that a scale each is all they need.

    Args:
        features: ``[N, D]``.
        labels: ``[N]``, 0 to K-1.
        classes: K.
        c: weight of the errors, above 0.
        start: where to begin; the solution for another ``c`` is near.

    Example:
        >>> features = np.array([[-2.0], [-1.0], [1.0], [2.0]])
        >>> machine = train_machine(features, np.array([0, 0, 1, 1]), 2, 1.0)
        >>> machine(features).argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    size = features.shape[1] + 1
    signs = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0).astype(features.dtype)
    squares = np.append(np.einsum("nd,nd->d", features, features, dtype=np.float64), len(features))
    scale = 1.0 / np.sqrt(1.0 + 2.0 * c * squares)[:, None]

    def loss(flat: Floats) -> tuple[float, Floats]:
        scaled = flat.reshape(size, classes)
        weights = scaled * scale
        values = features @ weights[:-1].astype(features.dtype) + weights[-1].astype(features.dtype)
        missing = np.maximum(1.0 - signs * values, 0.0)
        slopes = -2.0 * c * signs * missing
        gradient = np.concatenate([features.T @ slopes, slopes.sum(axis=0, keepdims=True)]) + weights
        total = 0.5 * np.square(weights).sum() + c * np.square(missing, dtype=np.float64).sum()
        return float(total), np.asarray(gradient * scale, dtype=np.float64).ravel()

    begin = np.zeros((size, classes)) if start is None else np.vstack([start.weights, start.biases]) / scale
    # The scaled gradient at zero is about this large, whatever the number of vectors.
    height = float(np.abs(loss(np.zeros(size * classes))[1]).max())
    found, _, _ = fmin_l_bfgs_b(
        loss, begin.ravel(), factr=0.0, pgtol=_PRECISION * height, maxiter=_ITERATIONS, maxfun=2 * _ITERATIONS
    )
    weights = found.reshape(size, classes) * scale
    return LinearMachine(weights[:-1], weights[-1])
