"""The schedule, the way from noise to pictures, and the linear guess against the exact posterior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from spectrace.generators.families import build_family
from spectrace.generators.families.diffusion import DDIM, LinearDenoiser, cosine_schedule
from spectrace.generators.recipe import GeneratorRecipe


def test_the_schedule_goes_from_picture_to_noise():
    signal, noise = cosine_schedule(torch.linspace(0.0, 1.0, 101))
    assert torch.allclose(signal.square() + noise.square(), torch.ones(101))
    assert (signal.diff() < 0).all()
    assert signal[0] > 0.999
    assert 0.0 < signal[-1] < 0.05


class Perfect(nn.Module):
    """Knows the only picture there is."""

    def __init__(self, picture):
        super().__init__()
        self.picture = picture
        self.errors = []

    def forward(self, noisy, time):
        signal, noise = cosine_schedule(time[0])
        self.errors.append(float(((noisy - signal * self.picture) / noise).std()))
        return self.picture.expand_as(noisy)


def test_a_perfect_denoiser_gives_the_clean_picture():
    torch.manual_seed(0)
    denoiser = Perfect(1.8 * torch.rand(3, 16, 16) - 0.9)
    drawn = DDIM(denoiser, 16)(torch.randn(4, 3 * 256))
    assert torch.allclose(drawn, denoiser.picture.expand(4, 3, 16, 16), atol=1e-5)
    # On the way, pictures are as noisy as the schedule says.
    assert denoiser.errors[1:] == pytest.approx([denoiser.errors[1]] * (len(denoiser.errors) - 1), rel=1e-3)
    assert denoiser.errors[1] == pytest.approx(1.0, abs=0.1)


def test_the_linear_guess_is_the_mean_of_the_posterior():
    rng = np.random.default_rng(0)
    deviations = np.array([2.0, 1.0, 0.5])
    turn = np.linalg.qr(rng.normal(size=(12, 12)))[0][:3]
    x = (rng.normal(size=(40, 3)) * deviations) @ turn + rng.normal(size=12)
    linear = LinearDenoiser(12)
    linear.fit(torch.tensor(x, dtype=torch.float32))
    noisy = torch.randn(5, 3, 2, 2)
    signal, noise = torch.full((5, 1), 0.6), torch.full((5, 1), 0.8)
    mean, covariance = x.mean(0), np.cov(x.T, bias=True)
    gain = 0.6 * covariance @ np.linalg.inv(0.36 * covariance + 0.64 * np.eye(12))
    wanted = mean + (noisy.flatten(1).numpy() - 0.6 * mean) @ gain.T
    assert np.allclose(linear(noisy, signal, noise).flatten(1).numpy(), wanted, atol=1e-3)


def test_steps_bring_the_error_down(photographs):
    family = build_family(GeneratorRecipe(family="diffusion", size=16, width=4, batch=16))
    pixels = photographs["astronaut"][::16, ::16][:16, :16]
    picture = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1) / 127.5 - 1.0
    torch.manual_seed(0)

    def batch():
        return (picture + 0.05 * torch.randn(16, 3, 16, 16)).clamp(-1, 1)

    errors = [family.step(batch, number)["error"] for number in range(60)]
    assert np.mean(errors[-10:]) < np.mean(errors[:10]) / 2
