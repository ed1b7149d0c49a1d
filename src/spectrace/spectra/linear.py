"""Weight maps: which frequencies a linear model looks at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def weight_map(weights: NDArray[Any]) -> NDArray[np.float64]:
    """Absolute weights of a linear model, averaged over the colour channels (Frank et al. 2020, figure 6).

    Args:
        weights: ``[C, S, S]`` of a binary model or ``[K, C, S, S]`` of one with K classes.

    Returns:
        float64 ``[S, S]`` or ``[K, S, S]``, not negative, in the layout of the weights (mean at ``[0, 0]``).

    Raises:
        ValueError: another number of axes.

    Example:
        >>> weight_map(np.array([[[1.0, -2.0]], [[-3.0, 0.0]]])).tolist()
        [[2.0, 1.0]]
    """
    if weights.ndim not in (3, 4):
        raise ValueError(f"weights with {weights.ndim} axes: wanted [C, S, S] or [K, C, S, S]")
    return np.asarray(np.abs(weights).mean(axis=-3), dtype=np.float64)
