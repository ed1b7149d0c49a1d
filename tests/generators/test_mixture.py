"""The mixture's likelihood against scipy, what it finds again, and which components it draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from spectrace.generators.families import build_family
from spectrace.generators.families.mixture import FactorAnalysers
from spectrace.generators.recipe import GeneratorRecipe


@pytest.fixture
def mixture():
    torch.manual_seed(0)
    mixture = FactorAnalysers(3, 2, (1, 2, 3)).double()
    with torch.no_grad():
        mixture.log_weights.copy_(torch.tensor([0.1, -1.0, 0.7]))
        for weights in (mixture.means, mixture.factors, mixture.log_variances):
            weights.add_(torch.randn_like(weights))
    return mixture


def test_the_likelihood_is_scipys(mixture):
    x = torch.randn(7, 6, dtype=torch.float64)
    found = mixture.log_likelihood(x).detach().numpy()
    by_component = []
    parts = (part.detach().numpy() for part in (mixture.means, mixture.factors, mixture.log_variances))
    for mean, factors, spread in zip(*parts, strict=True):
        covariance = factors.T @ factors + np.diag(np.exp(spread) + 1e-3)
        by_component.append(multivariate_normal(mean, covariance).logpdf(x.numpy()))
    weights = mixture.log_weights.detach().log_softmax(0).numpy()
    assert np.allclose(found, logsumexp(np.array(by_component) + weights[:, None], axis=0))


def test_components_come_as_often_as_they_weigh(mixture):
    with torch.no_grad():
        mixture.factors.zero_()
        drawn = mixture(torch.randn(20000, 3, dtype=torch.float64)).flatten(1)
        chosen = torch.cdist(drawn, mixture.means).argmin(1).bincount(minlength=3) / 20000
        assert torch.allclose(chosen.double(), mixture.log_weights.softmax(0), atol=0.015)


def test_the_first_number_chooses_and_the_others_move(mixture):
    with torch.no_grad():
        edge = norm.ppf(float(mixture.log_weights.softmax(0)[0]))
        z = torch.tensor([[edge - 1e-3, 1.0, 0.0], [edge + 1e-3, 0.0, -2.0]], dtype=torch.float64)
        drawn = mixture(z).flatten(1)
        assert torch.allclose(drawn[0], mixture.means[0] + mixture.factors[0, 0])
        assert torch.allclose(drawn[1], mixture.means[1] - 2.0 * mixture.factors[1, 1])


def test_planted_components_are_found():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(3, 8)) * 3.0
    directions = rng.normal(size=(3, 1, 8))
    chosen = rng.integers(3, size=900)
    noise = 0.1 * rng.normal(size=(900, 8))
    x = torch.tensor(means[chosen] + rng.normal(size=(900, 1)) * directions[chosen, 0] + noise)
    torch.manual_seed(0)
    mixture = FactorAnalysers(3, 1, (8,)).double()
    mixture.fit_roughly(x)
    with torch.no_grad():
        planted = torch.tensor(directions[:, 0])
        nearest = torch.cdist(torch.tensor(means), mixture.means).argmin(1)
        assert sorted(nearest.tolist()) == [0, 1, 2]
        assert (mixture.means[nearest] - torch.tensor(means)).abs().max() < 0.3
        found = mixture.factors[nearest, 0]
        found *= (found * planted).sum(1).sign()[:, None]  # a direction and its opposite are the same
        assert (found - planted).abs().max() < 0.3
        assert mixture.log_variances.exp().median() < 0.02


def test_steps_bring_the_likelihood_up(photographs):
    recipe = GeneratorRecipe(family="mixture", size=16, width=3, batch=16)
    family = build_family(recipe)
    crops = torch.stack(
        [
            torch.from_numpy(pixels[:96:6, :96:6].astype(np.float32)).permute(2, 0, 1) / 127.5 - 1.0
            for pixels in photographs.values()
        ]
    )

    def batch():
        return (crops[torch.randint(len(crops), (16,))] + 0.1 * torch.randn(16, 3, 16, 16)).clamp(-1, 1)

    torch.manual_seed(0)
    losses = [family.step(batch, number)["nats_per_number"] for number in range(40)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
