"""DCGAN: the plain convolutional generative adversarial network (Radford et al. 2016, arXiv 1511.06434).

Differences from the published one: an upsampler of choice behind each convolution, smaller networks, a faster
generator, and photographs that count as 90 % real (Salimans et al. 2016), which a few thousand steps need.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import softplus

from spectrace.generators.families.adversarial import Adversarial
from spectrace.generators.families.parts import LATENT, convolutional_generator, strided_critic
from spectrace.generators.families.registry import Photograph, register_family
from spectrace.generators.recipe import GeneratorRecipe

_REAL = 0.9
_SPREAD = 0.02


class DCGAN(Adversarial):
    """Batch normalisation on both sides and the loss that does not saturate (Goodfellow et al. 2014)."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Cross-entropy."""
        seen = self.critic(real)
        of_real: Tensor = _REAL * softplus(-seen).mean() + (1.0 - _REAL) * softplus(seen).mean()
        return of_real + softplus(self.critic(fake)).mean()

    def generator_loss(self, fake: Tensor, photographs: Photograph) -> Tensor:
        """Cross-entropy with the labels turned round."""
        return softplus(-self.critic(fake)).mean()


@register_family("dcgan", "plain convolutional GAN", upsampler="transposed", width=8, batch=16, steps=4000)
def build(recipe: GeneratorRecipe) -> DCGAN:
    """Fresh networks."""
    generator = convolutional_generator(recipe.size, recipe.width, recipe.upsampler)
    critic = strided_critic(recipe.size, recipe.width, norm="batch")
    for layer in [*generator.modules(), *critic.modules()]:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, _SPREAD)
    return DCGAN(generator, critic, LATENT, rates=(1e-3, 4e-4))
