"""The flow is exactly invertible, its determinants are right, and the first batch starts it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from spectrace.generators.families import build_family, flow, glow
from spectrace.generators.families.flow import ActNorm, Coupling, Mixing, Whitening
from spectrace.generators.families.glow import TEMPERATURE, Glow, _haar
from spectrace.generators.recipe import GeneratorRecipe


def shaken(module):
    """Weights that are no special case, and the first batch seen."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weights in module.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    return module


def log_determinant(change, x):
    jacobian = torch.autograd.functional.jacobian(change, x).reshape(x.numel(), x.numel())
    return torch.linalg.slogdet(jacobian)[1].item()


@pytest.mark.parametrize(
    "build",
    [lambda: ActNorm(4), lambda: Mixing(torch.linalg.qr(torch.randn(4, 4))[0]), lambda: Coupling(4, 3)],
    ids=["actnorm", "mixing", "coupling"],
)
def test_layers_go_back_and_tell_their_determinant(build):
    layer = shaken(build()).double()
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64)
    layer(x)
    shaken(layer)
    y, change = layer(x)
    assert torch.allclose(layer.inverse(y), x, atol=1e-10)
    assert change[0].item() == pytest.approx(log_determinant(lambda one: layer(one)[0], x[:1]), abs=1e-8)


def test_the_first_batch_is_brought_to_mean_0_and_deviation_1():
    layer = ActNorm(3)
    x = torch.randn(8, 3, 5, 5) * torch.tensor([1.0, 4.0, 0.1])[:, None, None] + 2.0
    y = layer(x)[0]
    assert y.mean((0, 2, 3)).abs().max() < 1e-5
    assert (y.std((0, 2, 3)) - 1.0).abs().max() < 0.02
    assert torch.equal(layer(x + 1.0)[0] - y, layer(x + 1.0)[0] - layer(x)[0])  # later ones change nothing


def test_whitening_takes_the_covariance_away_and_knows_the_density(monkeypatch):
    monkeypatch.setattr(flow, "_SHRINKAGE", 0.0)
    torch.manual_seed(0)
    x = torch.randn(5000, 3, dtype=torch.float64) @ torch.randn(3, 3, dtype=torch.float64) + 1.0
    layer = Whitening(3).double()
    y, change = layer(x)
    assert np.abs(np.cov(y.numpy().T) - np.eye(3)).max() < 0.02
    assert torch.allclose(layer.inverse(y), x)
    oracle = multivariate_normal(layer.mean.numpy(), (layer.root @ layer.root.T).numpy()).logpdf(
        x[:5].numpy()
    )
    found = change[:5] - 0.5 * (y[:5].square() + np.log(2.0 * np.pi)).sum(1)
    assert np.allclose(found.numpy(), oracle)


def test_folded_pixels_become_means_and_differences():
    x = torch.arange(12.0).reshape(1, 3, 2, 2)
    folded = _haar() @ torch.nn.functional.pixel_unshuffle(x, 2)[0, :, 0, 0]
    assert torch.allclose(folded[:3], 2.0 * x.mean((0, 2, 3)))
    assert torch.allclose(_haar() @ _haar().T, torch.eye(12))


@pytest.mark.parametrize("size", [16, 32])
def test_photographs_come_back(size):
    network = shaken(Glow(size, 2))
    x = 2.0 * torch.rand(6, 3, size, size) - 1.0
    z, _ = network.flow(x)
    assert z.shape == (6, 3 * size * size)
    with torch.no_grad():
        assert (network.draw(z) - x).abs().max() < 1e-4
        assert torch.allclose(network(z / TEMPERATURE), network.draw(z), atol=1e-5)


def test_the_whole_flow_tells_its_determinant():
    network = shaken(Glow(16, 2)).double()
    x = 2.0 * torch.rand(8, 3, 16, 16, dtype=torch.float64) - 1.0
    network.flow(x)
    with torch.no_grad():
        z, change = network.flow(x)
        # Columns of the Jacobian by differences, all at once: cheaper than 768 gradients.
        numbers, step = z.shape[1], 1e-6
        moved = x[:1].flatten() + step * torch.eye(numbers, dtype=torch.float64)
        columns = (
            torch.cat([network.flow(part.reshape(-1, 3, 16, 16))[0] for part in moved.split(128)]) - z[:1]
        )
    assert torch.linalg.slogdet(columns / step)[1].item() == pytest.approx(change[0].item(), abs=1e-2)


def test_bits_are_those_of_the_noise_when_photographs_are_noise(monkeypatch):
    monkeypatch.setattr(glow, "_PHOTOGRAPHS", 4096)
    torch.manual_seed(0)
    family = build_family(GeneratorRecipe(family="glow", size=16, width=2))
    bits = family.step(lambda: 2.0 * torch.rand(64, 3, 16, 16) - 1.0, 0)["bits"]
    # Even noise over 256 levels takes 8 bits; a normal distribution in its place costs a quarter of one more.
    assert bits == pytest.approx(8.0 + np.log2(np.sqrt(2.0 * np.pi * np.e / 12.0)), abs=0.1)
