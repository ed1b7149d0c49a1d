"""Glow: an invertible network (Kingma and Dhariwal 2018, arXiv 1807.03039).

Photographs become noise, step by step without loss, and their exact likelihood goes up; samples take the way
back. Pictures are folded and unfolded two by two pixels (a pixel shuffle), so there is no upsampler
to choose.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from spectrace.generators.families.flow import ActNorm, Coupling, Flow, Mixing, Whitening, bounded, quiet_net
from spectrace.generators.families.parts import SEED_SIDE
from spectrace.generators.families.registry import Family, Photograph, register_family
from spectrace.generators.recipe import GeneratorRecipe

TEMPERATURE = 0.7
_STEPS = 4  # of flow at each size
_BITS_OF_UNIT = math.log2(127.5)  # numbers in -1..1 stand for 256 levels
_RATE = 1e-3
_COLOURS = 3
_FOLDED = 4 * _COLOURS
_WHITENED = 16  # pixels: what a picture of this size shows has its covariance taken away at the end
_PHOTOGRAPHS = 512  # that decide where scales and covariance start


class Level(nn.Module):
    """Folding and steps of flow; then the means go on, the rest leaves as noise.

    Args:
        side: of the maps after folding.
        width: of the nets.
    """

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        flip = torch.eye(_FOLDED).flip(0)
        self.steps = nn.ModuleList()
        for number in range(_STEPS):
            # An odd number of flips follows: at the end the means are the first again.
            mixing = Mixing(flip if number else _haar().flip(0).mT)
            self.steps += [ActNorm(_FOLDED), mixing, Coupling(_FOLDED, width)]
        self.leaving = (_FOLDED - _COLOURS, side, side)
        self.prior = quiet_net(_COLOURS, width, 2 * self.leaving[0])
        self.places = nn.Parameter(torch.zeros(2 * self.leaving[0], side, side))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What goes on ``[N, 3, S / 2, S / 2]``, the noise, and the determinant's logarithm."""
        x = nn.functional.pixel_unshuffle(x, 2)
        total = x.new_zeros(x.shape[0])
        for step in self.steps:
            x, change = step(x)
            total = total + change
        going, leaving = x.tensor_split([_COLOURS], 1)
        mean, log_scale = self._expected(going)
        return going, (leaving - mean) * (-log_scale).exp(), total - log_scale.sum((1, 2, 3))

    def inverse(self, going: Tensor, noise: Tensor) -> Tensor:
        """The way back."""
        mean, log_scale = self._expected(going)
        x = torch.cat([going, noise * log_scale.exp() + mean], 1)
        for number in range(len(self.steps) - 1, -1, -1):
            x = self.steps[number].inverse(x)  # type: ignore[operator]
        return nn.functional.pixel_shuffle(x, 2)

    def _expected(self, going: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the scale of what leaves, by place and by what goes on."""
        mean, log_scale = (self.prior(going) + self.places).chunk(2, 1)
        return mean, bounded(log_scale)


class Glow(nn.Module):
    """All levels, from full size down to ``SEED_SIDE`` pixels.

    Args:
        size: of the pictures.
        width: of the nets at half size; doubled with each halving.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        count = (size // SEED_SIDE).bit_length() - 1
        self.levels = nn.ModuleList(Level(size >> n + 1, width * 2**n) for n in range(count))
        self.shapes = [(_FOLDED - _COLOURS, size >> n + 1, size >> n + 1) for n in range(count)]
        self.shapes.append((_COLOURS, SEED_SIDE, SEED_SIDE))
        self.counts = [math.prod(shape) for shape in self.shapes]
        self.whitening = Whitening(_COLOURS * _WHITENED**2)
        self.free = _COLOURS * (size**2 - _WHITENED**2)

    def forward(self, z: Tensor) -> Tensor:
        """Samples ``[N, 3, S, S]`` from standard normal ``[N, 3 * S * S]``, made a little smaller."""
        return self.draw(TEMPERATURE * z)

    def draw(self, z: Tensor) -> Tensor:
        """The exact inverse of :meth:`flow`."""
        z = torch.cat([z[:, : self.free], self.whitening.inverse(z[:, self.free :])], 1)
        parts = [
            part.reshape(-1, *shape)
            for part, shape in zip(torch.split(z, self.counts, 1), self.shapes, strict=True)
        ]
        x = parts[-1]
        for number in range(len(self.levels) - 1, -1, -1):
            x = self.levels[number].inverse(x, parts[number])  # type: ignore[operator]
        return x

    def flow(self, x: Tensor) -> Flow:
        """Noise ``[N, 3 * S * S]`` from pictures, and the determinant's logarithm."""
        total = x.new_zeros(x.shape[0])
        parts = []
        for level in self.levels:
            x, noise, change = level(x)
            parts.append(noise.flatten(1))
            total = total + change
        z = torch.cat([*parts, x.flatten(1)], 1)
        coarse, change = self.whitening(z[:, self.free :])
        return torch.cat([z[:, : self.free], coarse], 1), total + change


class GlowFamily(Family):
    """The bits that a number of a photograph takes go down by Adam."""

    sampler: Glow

    def __init__(self, recipe: GeneratorRecipe) -> None:
        super().__init__()
        self.sampler = Glow(recipe.size, recipe.width)
        self.latent = 3 * recipe.size**2
        self.optimisers = {"flow": torch.optim.Adam(self.sampler.parameters(), _RATE)}

    def step(self, photographs: Photograph, number: int) -> dict[str, float]:
        """One step, with noise as wide as a grey level on the photographs."""
        x = photographs()
        if number == 0:
            with torch.no_grad():
                more = [photographs() for _ in range(_PHOTOGRAPHS // len(x))]
                self.sampler.flow(torch.cat([x, *more]))
        z, change = self.sampler.flow(x + (torch.rand_like(x) - 0.5) / 127.5)
        log_likelihood = change - 0.5 * (z.square() + math.log(2.0 * math.pi)).sum(1)
        bits = _BITS_OF_UNIT - log_likelihood.mean() / (self.latent * math.log(2.0))
        optimiser = self.optimisers["flow"]
        optimiser.zero_grad(set_to_none=True)
        bits.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.sampler.parameters(), 1.0)
        optimiser.step()
        return {"bits": float(bits.detach())}


def _haar() -> Tensor:
    """Orthogonal, from folded channels to the colours' means of two by two pixels, then differences."""
    signs = [[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0]]
    whole = torch.einsum("ij,cd->icdj", 0.5 * torch.tensor(signs), torch.eye(_COLOURS))
    return whole.reshape(_FOLDED, _FOLDED)


@register_family("glow", "invertible network (flow)", upsampler="", width=24, batch=16, steps=2500)
def build(recipe: GeneratorRecipe) -> GlowFamily:
    """Fresh networks."""
    return GlowFamily(recipe)
