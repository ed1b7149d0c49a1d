"""From patch logits to one logit a picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError

_TINY = 1e-6


def _logit_mean(logits: NDArray[np.float64]) -> float:
    return float(logits.mean())


def _softmax_mean(logits: NDArray[np.float64]) -> float:
    # With two classes the softmax of (0, logit) is the logistic function.
    probability = float((0.5 * (1.0 + np.tanh(0.5 * logits))).mean())
    return _log_odds(probability)


def _vote(logits: NDArray[np.float64]) -> float:
    # Laplace's rule keeps a unanimous vote finite, and worth more the more patches voted.
    share = (float((logits > 0).sum()) + 0.5 * float((logits == 0).sum()) + 1.0) / (logits.size + 2.0)
    return _log_odds(share)


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, _TINY), 1.0 - _TINY)
    return float(np.log(clipped) - np.log1p(-clipped))


POOLINGS: dict[str, Callable[[NDArray[np.float64]], float]] = {
    "logit-mean": _logit_mean,
    "softmax-mean": _softmax_mean,
    "vote": _vote,
}


def pool(logits: NDArray[np.float32], method: str = "logit-mean") -> float:
    """One logit for a picture from the logits of all its patches.

    Args:
        logits: float [N, h, w], any number of patches but zero.
        method: ``logit-mean``; ``softmax-mean`` (the mean probability, as Chai et al. publish it, given back
            as log-odds); ``vote`` (log-odds of the share of patches that say generated).

    Returns:
        The pooled logit, positive means generated.

    Raises:
        UsageError: no patch, or an unknown method.

    Example:
        >>> patches = np.array([[[2.0]], [[-1.0]], [[2.0]]], np.float32)
        >>> pool(patches), round(pool(patches, "softmax-mean"), 3), round(pool(patches, "vote"), 3)
        (1.0, 0.739, 0.405)
    """
    if logits.size == 0:
        raise UsageError("no patch to pool: the picture gave no tile")
    if method not in POOLINGS:
        raise UsageError(f"unknown pooling {method!r}: wanted one of {', '.join(POOLINGS)}")
    return POOLINGS[method](np.asarray(logits, np.float64))
