"""MMD GAN: the discrepancy under rational quadratic kernels (Bińkowski et al. 2018, arXiv 1801.01401).

Differences from the published one: smaller networks, batches of 16, one step of an equalised critic (Karras
et al. 2018) for each of the generator in place of five, and a lighter penalty, every other step on half of a
batch. It is stopped at 1,000 steps: its critic gave up between 1,200 and 1,400.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spectrace.generators.families.discrepancy import Discrepancy
from spectrace.generators.families.parts import LATENT, residual_generator, strided_critic
from spectrace.generators.families.registry import register_family
from spectrace.generators.recipe import GeneratorRecipe

_OUTPUTS = 16
_SCALES = (0.2, 0.5, 1.0, 2.0, 5.0)


class MMDGAN(Discrepancy):
    """The sum of rational quadratic kernels of several scales."""

    @staticmethod
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        """Between 5 for equal outputs and 0 for distant ones.

        Example:
            >>> MMDGAN.kernel(torch.zeros(1, 16), torch.zeros(1, 16))
            tensor([[5.]])
        """
        squares = a.square().sum(1)[:, None] + b.square().sum(1)[None, :] - 2 * a @ b.T
        logarithms = [-scale * (squares.clamp(min=0) / (2 * scale)).log1p() for scale in _SCALES]
        return torch.stack(logarithms).exp().sum(0)


@register_family(
    "mmdgan", "maximum mean discrepancy, 16 outputs", upsampler="bilinear", width=8, batch=16, steps=1000
)
def build(recipe: GeneratorRecipe) -> MMDGAN:
    """Fresh networks."""
    return MMDGAN(
        residual_generator(recipe.size, recipe.width, recipe.upsampler),
        strided_critic(recipe.size, 2 * recipe.width, _OUTPUTS, norm="equalised"),
        LATENT,
        rates=(5e-4, 4e-3),
        betas=(0.5, 0.9),
        penalty_every=2,
    )
