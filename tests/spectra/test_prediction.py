"""The formula for what a kernel does to the diagonal, against upsampled noise."""

from __future__ import annotations

import numpy as np
import pytest

from spectrace.spectra.transforms import log_dct
from spectrace.spectra.upsampling import KERNELS, pink_noise, predicted_ratio, upsample

SIZE, PICTURES, SLOPE = 64, 150, 1.3


@pytest.mark.parametrize("kernel", KERNELS)
def test_predicted_diagonal(kernel: str) -> None:
    rng = np.random.default_rng(0)
    native = log_dct(np.stack([pink_noise(SIZE, rng, SLOPE) for _ in range(PICTURES)])).mean(axis=0)
    small = (upsample(pink_noise(SIZE // 2, rng, SLOPE), 2, kernel) for _ in range(PICTURES))
    made = log_dct(np.stack(list(small))).mean(axis=0)
    measured = np.diagonal(made - native)
    index = np.array([6, 10, 16, 22, 28, 40, 46, 52, 58])  # away from 1/4, where nearest has an exact null
    predicted = predicted_ratio(kernel, index / (2 * SIZE), SLOPE)
    # The level of the noise is free: the small one has its own.
    offset = (measured[index] - predicted).mean()
    np.testing.assert_allclose(measured[index] - offset, predicted, atol=0.5)
