"""Upsamplers against the one-dimensional kernels of the spectra room."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrace.errors import UsageError
from spectrace.generators.upsamplers import UPSAMPLERS, FixedKernel, build_upsampler
from spectrace.spectra.upsampling import KERNELS, upsample


@pytest.mark.parametrize("name", [name for name in UPSAMPLERS if name in KERNELS])
def test_fixed_kernels_are_those_of_the_mechanism(name):
    x = np.random.default_rng(0).normal(size=(9, 12)).astype(np.float32)
    found = build_upsampler(name, 1)(torch.from_numpy(x)[None, None])[0, 0].numpy()
    # The borders differ: repetition here, wrapping there.
    np.testing.assert_allclose(found[2:-2, 2:-2], upsample(x, 2, name)[2:-2, 2:-2], atol=1e-5)


@pytest.mark.parametrize("name", UPSAMPLERS)
def test_every_upsampler_doubles_any_size_and_keeps_channels_and_gradients(name):
    x = torch.randn(2, 4, 5, 7, requires_grad=True)
    y = build_upsampler(name, 4)(x)
    assert y.shape == (2, 4, 10, 14)
    y.square().sum().backward()
    assert bool((x.grad != 0).all())


@pytest.mark.parametrize("name", ["nearest", "bilinear", "binomial", "binomial5", "bicubic"])
def test_interpolation_keeps_a_constant_up_to_the_border(name):
    torch.testing.assert_close(build_upsampler(name, 3)(torch.ones(1, 3, 6, 6)), torch.ones(1, 3, 12, 12))


def test_binomial_is_pytorchs_bilinear():
    x = torch.randn(1, 2, 6, 9)
    wanted = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(FixedKernel(KERNELS["binomial"])(x), wanted)


def test_unknown_names_are_refused():
    with pytest.raises(UsageError, match="'sinc'.*pixel-shuffle"):
        build_upsampler("sinc", 3)
