"""Cramér GAN: the energy distance of a critic's outputs (Bellemare et al. 2017, arXiv 1705.10743).

Differences from the published one: smaller networks, a residual generator, one step of an equalised critic
(Karras et al. 2018) for each of the generator in place of five, and all pairs of a batch in every mean, so
that the witness function needs no stand-in.
"""

from __future__ import annotations

from torch import Tensor

from spectrace.generators.families.discrepancy import Discrepancy
from spectrace.generators.families.parts import LATENT, residual_generator, strided_critic
from spectrace.generators.families.registry import register_family
from spectrace.generators.recipe import GeneratorRecipe

_OUTPUTS = 128


class CramerGAN(Discrepancy):
    """The energy distance is the discrepancy under the negated Euclidean distance."""

    penalty_weight = 10.0

    @staticmethod
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        """Negated distances."""
        squares = a.square().sum(1)[:, None] + b.square().sum(1)[None, :] - 2 * a @ b.T
        return -(squares.clamp(min=0) + 1e-6).sqrt()


@register_family(
    "cramergan",
    "energy distance of a critic's outputs",
    upsampler="transposed",
    width=8,
    batch=16,
    steps=1000,
)
def build(recipe: GeneratorRecipe) -> CramerGAN:
    """Fresh networks."""
    return CramerGAN(
        residual_generator(recipe.size, recipe.width, recipe.upsampler),
        strided_critic(recipe.size, 2 * recipe.width, _OUTPUTS, norm="equalised"),
        LATENT,
        rates=(5e-4, 2e-3),
        betas=(0.5, 0.9),
        penalty_every=2,
    )
