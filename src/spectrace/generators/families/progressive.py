"""Progressive growing: small pictures first, then larger ones (Karras et al. 2018, arXiv 1710.10196).

Differences from the published one: the loss that does not saturate with R1 (Mescheder et al. 2018), whose
penalty can be left out at most steps, in place of WGAN-GP; smaller networks, which start at 8 pixels; strided
convolutions in the critic; a tangent at the generator's end.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, softplus

from spectrace.generators.families.adversarial import Adversarial
from spectrace.generators.families.parts import (
    LATENT,
    SEED_SIDE,
    BatchDeviation,
    PixelNorm,
    Seed,
    equalised,
    r1,
    widths,
)
from spectrace.generators.families.registry import Photograph, register_family
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.upsamplers import build_upsampler

_UNIT = 1_000_000  # levels are kept as whole numbers: a moving average of them would lag behind
_PENALTY_WEIGHT = 0.2


def growth(done: float, levels: int) -> float:
    """How far pictures have grown: 0 is the smallest, ``levels - 1`` full size, between them one fades in.

    Level ``k`` takes ``k + 1`` parts of the training; the first half of them fades it in.

    Args:
        done: share of the training that is over, 0..1.
        levels: how many there are.

    Example:
        >>> [growth(part / 6, 3) for part in (0, 1, 1.5, 2, 3, 4.5, 6)]
        [0, 0.0, 0.5, 1.0, 1.0, 2.0, 2.0]
    """
    passed = done * levels * (levels + 1) / 2
    level = 0
    while passed >= level + 1 and level < levels - 1:
        passed -= level + 1
        level += 1
    return level and level - 1 + min(1.0, 2 * passed / (level + 1))


def _layer(inputs: int, outputs: int, *, side: int = 3, stride: int = 1) -> nn.Conv2d:
    return equalised(nn.Conv2d(inputs, outputs, side, stride, padding=(side - 1) // 2))


class GrowingGenerator(nn.Module):
    """Full-size pictures at all times: while it grows, pixels of smaller ones are repeated.

    Args:
        channels: of the maps, from 4 pixels up.
        upsampler: between them.
    """

    grown: Tensor

    def __init__(self, channels: list[int], upsampler: str) -> None:
        super().__init__()
        self.register_buffer("grown", torch.tensor(0))
        seed = Seed(LATENT, channels[0])
        equalised(seed.dense, gain=2**0.5 / SEED_SIDE)
        self.seed = nn.Sequential(PixelNorm(), seed, nn.LeakyReLU(0.2), PixelNorm())
        self.blocks, self.colours = nn.ModuleList(), nn.ModuleList()
        for inputs, outputs in itertools.pairwise(channels):
            self.blocks.append(
                nn.Sequential(
                    build_upsampler(upsampler, inputs),
                    _layer(inputs, outputs),
                    nn.LeakyReLU(0.2),
                    PixelNorm(),
                    _layer(outputs, outputs),
                    nn.LeakyReLU(0.2),
                    PixelNorm(),
                )
            )
            self.colours.append(equalised(nn.Conv2d(outputs, 3, 1), gain=1.0))

    def forward(self, z: Tensor) -> Tensor:
        """Float32 ``[N, latent]`` to ``[N, 3, S, S]``."""
        maps = self.seed(z)
        position = self.grown / _UNIT
        shown = torch.zeros(())
        for level, (block, colours) in enumerate(zip(self.blocks, self.colours, strict=True)):
            maps = block(maps)
            weight = (1 - (position - level).abs()).clamp(min=0)
            factor = 2 ** (len(self.blocks) - 1 - level)
            shown = shown + weight * interpolate(colours(maps), scale_factor=float(factor))
            # Only training saves the larger levels: an exported graph cannot depend on a buffer's value.
            if self.training and level >= position:
                break
        return shown.tanh()


class GrowingCritic(nn.Module):
    """Looks at pictures as small as the generator's have grown to.

    Args:
        channels: of the maps, from 4 pixels up.

    Attributes:
        position: see :func:`growth`.
    """

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.position = 0.0
        self.blocks, self.colours = nn.ModuleList(), nn.ModuleList()
        for outputs, inputs in itertools.pairwise(channels):
            self.colours.append(nn.Sequential(_layer(3, inputs, side=1), nn.LeakyReLU(0.2)))
            self.blocks.append(nn.Sequential(_layer(inputs, outputs, side=4, stride=2), nn.LeakyReLU(0.2)))
        last = channels[0]
        self.head = nn.Sequential(
            BatchDeviation(),
            _layer(last + 1, last),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            equalised(nn.Linear(last * SEED_SIDE**2, 1), gain=1.0),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Float32 ``[N, 3, S, S]`` to ``[N, 1]``."""
        level = math.ceil(self.position)
        small = avg_pool2d(pictures, 2 ** (len(self.blocks) - 1 - level))
        maps = self.blocks[level](self.colours[level](small))
        if level > self.position:
            coarse = self.colours[level - 1](avg_pool2d(small, 2))
            maps = maps.lerp(coarse, level - self.position)
        for block in reversed(self.blocks[:level]):
            maps = block(maps)
        scores: Tensor = self.head(maps)
        return scores


class Progressive(Adversarial):
    """The loss that does not saturate, with R1.

    Args:
        recipe: without gaps.
    """

    sampler: GrowingGenerator
    critic: GrowingCritic

    def __init__(self, recipe: GeneratorRecipe) -> None:
        channels = widths(recipe.size, recipe.width)
        super().__init__(
            GrowingGenerator(channels, recipe.upsampler),
            GrowingCritic(widths(recipe.size, 2 * recipe.width)),
            LATENT,
            rates=(2e-3, 4e-3),
            betas=(0.0, 0.99),
            penalty_every=4,
        )
        self.steps, self.levels = recipe.steps, len(channels) - 1

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Cross-entropy."""
        return softplus(-self.critic(self._faded(real))).mean() + softplus(self.critic(fake)).mean()

    def generator_loss(self, fake: Tensor, photographs: Photograph) -> Tensor:
        """Cross-entropy with the labels turned round."""
        return softplus(-self.critic(fake)).mean()

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """R1, on half of the photographs."""
        pictures = self._faded(real[: (len(real) + 1) // 2]).requires_grad_()
        return _PENALTY_WEIGHT * r1(self.critic(pictures), pictures)

    def step(self, photographs: Photograph, number: int) -> dict[str, float]:
        """Grow, then a step of each."""
        position = growth(number / self.steps, self.levels)
        self.sampler.grown.fill_(round(position * _UNIT))
        self.critic.position = position
        return super().step(photographs, number)

    def _faded(self, real: Tensor) -> Tensor:
        """Photographs as sharp as the generator can be now."""
        level = math.ceil(self.critic.position)
        if level == self.critic.position:
            return real
        factor = 2 ** (self.levels - level)
        coarse = interpolate(avg_pool2d(real, 2 * factor), scale_factor=2.0 * factor)
        return real.lerp(coarse, level - self.critic.position)


@register_family("progressive", "grows from 8 pixels", upsampler="nearest", width=8, batch=16, steps=2500)
def build(recipe: GeneratorRecipe) -> Progressive:
    """Fresh networks."""
    return Progressive(recipe)
