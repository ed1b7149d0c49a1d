"""Average precision of aligned pieces, as it is and on resamples: a piece is drawn with all made of it."""

from __future__ import annotations

import numpy as np

from spectrace.evaluation import kernels
from spectrace.evaluation.kernels import Floats


def drawn_pieces(count: int, resamples: int, rng: np.random.Generator) -> Floats:
    """How often each piece is drawn, float64 ``[1 + resamples, count]``; row 0 has every piece once."""
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), resamples)
    return np.concatenate([np.ones((1, count)), drawn])


def precisions(camera: Floats, generated: Floats, drawn: Floats) -> Floats:
    """Average precision of each row of :func:`drawn_pieces`; scores ``[count]`` of the same pieces in order.

    Example:
        >>> drawn = drawn_pieces(3, 4, np.random.default_rng(0))
        >>> precisions(np.array([0.0, 1.0, 2.0]), np.array([3.0, 4.0, 5.0]), drawn).tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    labels = np.repeat([False, True], drawn.shape[1])
    return kernels.average_precision(
        labels, np.concatenate([camera, generated]), np.concatenate([drawn, drawn], axis=1)
    )


def bounds(resampled: Floats) -> dict[str, float]:
    """The value as it is (the first) and the ends of its 95 % interval, rounded to four digits.

    Example:
        >>> bounds(np.array([0.5, 0.25, 0.5, 0.75]))
        {'value': 0.5, 'low': 0.2625, 'high': 0.7375}
    """
    low, high = np.quantile(resampled[1:], [0.025, 0.975])
    named = (("value", resampled[0]), ("low", low), ("high", high))
    return {name: round(float(value), 4) for name, value in named}
