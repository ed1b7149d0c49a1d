"""Style modulation: one constant, drawn on as a mapped latent vector says (Karras et al. 2019 and 2020).

arXiv 1812.04948 and 1912.04958. Differences from the published ones: smaller networks, a mapping of three
layers, noise that comes with the latent vector, once a size, a tangent at the generator's end, and neither
mixed styles nor path lengths.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, softplus

from spectrace.generators.families.adversarial import Adversarial
from spectrace.generators.families.parts import (
    LATENT,
    SEED_SIDE,
    PixelNorm,
    equalised,
    r1,
    strided_critic,
    widths,
)
from spectrace.generators.families.registry import Photograph, register_family
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.upsamplers import build_upsampler

_MAPPINGS = 3
_MAPPING_RATE = 0.1
_NOISE_RATE = 0.1
_PENALTY_WEIGHT = 0.2


class StyledConvolution(nn.Module):
    """A convolution whose inputs a style scales, and whose outputs have unit variance again.

    Scaling the maps on both sides is the same as scaling each picture's own weights, and quicker.

    Args:
        inputs: channels.
        outputs: channels.
        side: of the kernel.
        demodulate: whether outputs are brought back to unit variance.
    """

    def __init__(self, inputs: int, outputs: int, *, side: int = 3, demodulate: bool = True) -> None:
        super().__init__()
        self.style = equalised(nn.Linear(LATENT, inputs), gain=1.0)
        nn.init.ones_(self.style.bias)
        self.convolution = equalised(
            nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False), gain=1.0
        )
        self.bias = nn.Parameter(torch.zeros(outputs, 1, 1))
        self.demodulate = demodulate

    def forward(self, maps: Tensor, w: Tensor) -> Tensor:
        """``[N, inputs, H, W]`` and ``[N, latent]`` to ``[N, outputs, H, W]``."""
        style = self.style(w)
        drawn: Tensor = self.convolution(maps * style[:, :, None, None])
        if self.demodulate:
            variance = style.square() @ self.convolution.weight.square().sum((2, 3)).T
            drawn = drawn * (variance + 1e-8).rsqrt()[:, :, None, None]
        return drawn + self.bias


class StyleGenerator(nn.Module):
    """Its noise is part of its input, so that a sample depends on nothing else.

    Args:
        channels: of the maps, from 4 pixels up.
        upsampler: between them, and between the colours of each size.

    Attributes:
        parts: how many numbers of the input are mapped to styles, and how many are each size's noise.
    """

    def __init__(self, channels: list[int], upsampler: str) -> None:
        super().__init__()
        sides = [SEED_SIDE << level for level in range(1, len(channels))]
        self.parts = [LATENT, *(side**2 for side in sides)]
        mapping: list[nn.Module] = [PixelNorm()]
        for _ in range(_MAPPINGS):
            mapping += [equalised(nn.Linear(LATENT, LATENT), rate=_MAPPING_RATE), nn.LeakyReLU(0.2)]
        self.mapping = nn.Sequential(*mapping)
        self.constant = nn.Parameter(torch.randn(1, channels[0], SEED_SIDE, SEED_SIDE))
        pairs = list(itertools.pairwise(channels))
        self.upsamplers = nn.ModuleList(build_upsampler(upsampler, inputs) for inputs, _ in pairs)
        self.first = nn.ModuleList(StyledConvolution(inputs, outputs) for inputs, outputs in pairs)
        self.second = nn.ModuleList(StyledConvolution(outputs, outputs) for _, outputs in pairs)
        self.strengths = nn.Parameter(torch.zeros(len(pairs)))
        self.colours = nn.ModuleList(
            StyledConvolution(outputs, 3, side=1, demodulate=False) for _, outputs in pairs
        )
        self.enlargers = nn.ModuleList(build_upsampler(upsampler, 3) for _ in pairs)

    def forward(self, z: Tensor) -> Tensor:
        """Float32 ``[N, sum(parts)]`` to ``[N, 3, S, S]``."""
        mapped, *noises = torch.split(z, self.parts, 1)
        w = self.mapping(mapped)
        maps = self.constant.expand(z.shape[0], -1, -1, -1)
        picture = torch.zeros(z.shape[0], 3, SEED_SIDE, SEED_SIDE)
        for level, noise in enumerate(noises):
            maps = self.first[level](self.upsamplers[level](maps), w)
            maps = maps + _NOISE_RATE * self.strengths[level] * noise.view(-1, 1, *maps.shape[2:])
            maps = self.second[level](leaky_relu(maps, 0.2), w)
            maps = 2**0.5 * leaky_relu(maps, 0.2)
            picture = self.enlargers[level](picture) + self.colours[level](maps, w)
        return picture.tanh()


class Style(Adversarial):
    """The loss that does not saturate, with R1."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Cross-entropy."""
        of_real, of_fake = self.critic(torch.cat([real, fake])).chunk(2)
        return softplus(-of_real).mean() + softplus(of_fake).mean()

    def generator_loss(self, fake: Tensor, photographs: Photograph) -> Tensor:
        """Cross-entropy with the labels turned round."""
        return softplus(-self.critic(fake)).mean()

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """R1, on half of the photographs."""
        pictures = real[: (len(real) + 1) // 2].clone().requires_grad_()
        return _PENALTY_WEIGHT * r1(self.critic(pictures), pictures)


@register_family("style", "styles from a mapped latent", upsampler="binomial", width=8, batch=16, steps=2000)
def build(recipe: GeneratorRecipe) -> Style:
    """Fresh networks."""
    sampler = StyleGenerator(widths(recipe.size, recipe.width), recipe.upsampler)
    return Style(
        sampler,
        strided_critic(recipe.size, 2 * recipe.width, norm="equalised"),
        sum(sampler.parts),
        rates=(3e-3, 6e-3),
        betas=(0.0, 0.99),
        penalty_every=8,
    )
