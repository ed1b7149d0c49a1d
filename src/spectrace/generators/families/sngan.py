"""SNGAN: a critic whose layers stretch nothing by more than one (Miyato et al. 2018, arXiv 1802.05957).

Differences from the published one: smaller networks, a critic of strided convolutions without residual
blocks, and one faster step of the critic for each of the generator in place of five.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spectrace.generators.families.adversarial import Adversarial
from spectrace.generators.families.parts import LATENT, residual_generator, strided_critic
from spectrace.generators.families.registry import Photograph, register_family
from spectrace.generators.recipe import GeneratorRecipe


class SNGAN(Adversarial):
    """Spectral normalisation of the critic and the hinge loss."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Hinge: photographs above 1, samples below -1."""
        of_real, of_fake = self.critic(torch.cat([real, fake])).chunk(2)
        return hinge(of_real, of_fake)

    def generator_loss(self, fake: Tensor, photographs: Photograph) -> Tensor:
        """The critic's score, turned round."""
        score: Tensor = self.critic(fake).mean()
        return -score


def hinge(of_real: Tensor, of_fake: Tensor) -> Tensor:
    """How far scores fall short of 1 for photographs and of -1 for samples, on the average.

    Example:
        >>> hinge(torch.tensor([0.5, 3.0]), torch.tensor([-2.0, 1.0]))
        tensor(1.2500)
    """
    return (1 - of_real).relu().mean() + (1 + of_fake).relu().mean()


@register_family(
    "sngan", "spectral normalisation, hinge loss", upsampler="nearest", width=8, batch=16, steps=2500
)
def build(recipe: GeneratorRecipe) -> SNGAN:
    """Fresh networks."""
    return SNGAN(
        residual_generator(recipe.size, recipe.width, recipe.upsampler),
        strided_critic(recipe.size, 2 * recipe.width, norm="spectral"),
        LATENT,
        rates=(5e-4, 1e-3),
        betas=(0.0, 0.9),
    )
