"""What a generator's upsampler leaves is what its kernel predicts, without any training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrace.generators.families import build_family
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.spectra.profiles import diagonal_profile
from spectrace.spectra.transforms import log_dct
from spectrace.spectra.upsampling import KERNELS, predicted_ratio

_SIZE = 32


def _diagonal(upsampler: str, *, residual: bool) -> np.ndarray:
    """Mean ln|DCT| along the diagonal, of samples of fresh networks."""
    spectra = []
    for seed in range(4):
        recipe = GeneratorRecipe(
            family="sngan" if residual else "dcgan", upsampler=upsampler, size=_SIZE, width=8, seed=seed
        )
        family = build_family(recipe)
        torch.manual_seed(seed)
        with torch.no_grad():
            samples = family.sampler(family.noise(32)).numpy()
        spectra.append(log_dct(255 * samples).mean(axis=(0, 1)))
    return diagonal_profile(np.mean(spectra, axis=0))[1]


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "binomial"])
def test_the_highest_frequencies_fall_as_the_kernel_says(kernel: str) -> None:
    """Against transposed convolutions, which leave what their weights happen to leave."""
    fall = _diagonal(kernel, residual=False) - _diagonal("transposed", residual=False)
    frequency = np.arange(_SIZE) / (2 * _SIZE)
    predicted = predicted_ratio(kernel, frequency[1:])
    top, middle = slice(-4, None), slice(8, 16)
    assert predicted[top].mean() < predicted[middle].mean()
    assert fall[top].mean() < fall[middle].mean() - 0.5


def test_the_smoother_the_kernel_the_deeper_the_fall() -> None:
    found = {kernel: _diagonal(kernel, residual=False)[-4:].mean() for kernel in ("nearest", "binomial")}
    assert KERNELS["binomial"] != KERNELS["nearest"]
    assert found["binomial"] < found["nearest"]
