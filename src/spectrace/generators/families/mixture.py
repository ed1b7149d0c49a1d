"""Mixture of factor analysers: a generator without a network (Richardson and Weiss 2018, arXiv 1805.12462).

Each component is a normal distribution around a mean picture with a few directions of its own and independent
noise of every pixel. Samples are drawn without that noise, as the paper shows them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from spectrace.generators.families.registry import Family, Photograph, register_family
from spectrace.generators.recipe import GeneratorRecipe

_COMPONENTS = 24
_PHOTOGRAPHS = 1024  # that the components are first fitted to
_ROUNDS = 10  # of k-means
_LEAST_VARIANCE = 1e-3
_RATE = 5e-4


class FactorAnalysers(nn.Module):
    """Weights, means, factors and variances of all components.

    Args:
        components: how many.
        factors: directions of each.
        shape: of a sample.
    """

    def __init__(self, components: int, factors: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        numbers = math.prod(shape)
        self.log_weights = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(0.1 * torch.randn(components, numbers))
        self.factors = nn.Parameter(0.1 * torch.randn(components, factors, numbers))
        self.log_variances = nn.Parameter(torch.full((components, numbers), -3.0))

    def forward(self, z: Tensor) -> Tensor:
        """Samples ``[N, *shape]`` from standard normal ``[N, 1 + factors]``.

        The first number chooses the component, by the share of the normal distribution that lies below it.
        """
        share = 0.5 + 0.5 * torch.erf(z[:, :1] / math.sqrt(2.0))
        edges = self.log_weights.softmax(0).cumsum(0)[:-1]
        chosen = (share > edges).long().sum(1)
        offsets = (z[:, None, 1:] @ self.factors[chosen]).squeeze(1)
        samples: Tensor = (self.means[chosen] + offsets).reshape(-1, *self.shape)
        return samples

    def log_likelihood(self, x: Tensor) -> Tensor:
        """Natural logarithm of the density at samples ``[N, numbers]``.

        The covariance's inverse and determinant go through matrices of factors by factors (Woodbury).
        """
        variances = self.log_variances.exp() + _LEAST_VARIANCE
        precisions = 1.0 / variances
        weighted = self.factors * precisions[:, None]
        inner = weighted @ self.factors.mT + torch.eye(self.factors.shape[1], dtype=x.dtype)
        triangle = torch.linalg.cholesky(inner)
        projected = weighted @ x.T - weighted @ self.means[:, :, None]
        explained = torch.linalg.solve_triangular(triangle, projected, upper=False).square().sum(1)
        scaled = self.means * precisions
        squares = x.square() @ precisions.T - 2.0 * x @ scaled.T + (scaled * self.means).sum(1)
        determinant = variances.log().sum(1) + 2.0 * triangle.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = x.shape[1] * math.log(2.0 * math.pi)
        by_component = -0.5 * (squares - explained.T + determinant + constant)
        return torch.logsumexp(by_component + self.log_weights.log_softmax(0), 1)

    @torch.no_grad()
    def fit_roughly(self, x: Tensor) -> None:
        """Centres by k-means, directions by the principal components of what lies around each."""
        components, factors, _ = self.factors.shape
        distances = torch.cdist(x, _centres(x, components))
        counts = distances.argmin(1).bincount(minlength=components)
        self.log_weights.copy_((counts + 1.0).log())
        for number in range(components):
            order = distances[:, number].argsort()
            near = x[order[: max(int(counts[number]), 2 * factors)]]
            self.means[number] = near.mean(0)
            rest = near - self.means[number]
            # Directions of the photographs come from their inner products: these are far fewer than pixels.
            turns = torch.linalg.eigh(rest @ rest.T)[1][:, -factors:]
            self.factors[number, : turns.shape[1]] = turns.T @ rest / math.sqrt(len(near))
            left = rest.square().mean(0) - self.factors[number].square().sum(0)
            self.log_variances[number] = left.clamp_min(_LEAST_VARIANCE).log()


class Mixture(Family):
    """The negative log-likelihood goes down by Adam, after a first fit by k-means."""

    sampler: FactorAnalysers

    def __init__(self, recipe: GeneratorRecipe) -> None:
        super().__init__()
        self.sampler = FactorAnalysers(_COMPONENTS, recipe.width, (3, recipe.size, recipe.size))
        self.latent = 1 + recipe.width
        self.optimisers = {"mixture": torch.optim.Adam(self.sampler.parameters(), _RATE)}

    def step(self, photographs: Photograph, number: int) -> dict[str, float]:
        """One step on the mean over photographs, per pixel and colour."""
        x = photographs().flatten(1)
        if number == 0:
            more = [photographs().flatten(1) for _ in range(_PHOTOGRAPHS // len(x))]
            self.sampler.fit_roughly(torch.cat([x, *more]))
        # Noise as wide as a grey level: flat areas have no density that grows without end.
        loss = -self.sampler.log_likelihood(x + (torch.rand_like(x) - 0.5) / 127.5).mean() / x.shape[1]
        optimiser = self.optimisers["mixture"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return {"nats_per_number": float(loss.detach())}


def _centres(x: Tensor, count: int) -> Tensor:
    """k-means, started from pictures drawn by their squared distance from those drawn before."""
    centres = x[torch.randint(len(x), (1,))]
    while len(centres) < count:
        far = torch.cdist(x, centres).amin(1).square() + 1e-12
        centres = torch.cat([centres, x[torch.multinomial(far, 1)]])
    for _ in range(_ROUNDS):
        nearest = torch.cdist(x, centres).argmin(1)
        for number in range(count):
            if (nearest == number).any():
                centres[number] = x[nearest == number].mean(0)
    return centres


@register_family("mixture", "mixture of factor analysers", upsampler="", width=12, batch=64, steps=3000)
def build(recipe: GeneratorRecipe) -> Mixture:
    """Fresh components; ``width`` is the number of factors of each."""
    return Mixture(recipe)
