"""DCGAN: the plain convolutional generative adversarial network (Radford et al. 2016, arXiv 1511.06434)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from spectrace.generators.families.adversarial import Adversarial
from spectrace.generators.families.parts import LATENT, convolutional_generator, strided_critic
from spectrace.generators.families.registry import Photograph, register_family
from spectrace.generators.recipe import GeneratorRecipe


class DCGAN(Adversarial):
    """Batch normalisation on both sides and the loss that does not saturate (Goodfellow et al. 2014)."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Cross-entropy."""
        return softplus(-self.critic(real)).mean() + softplus(self.critic(fake)).mean()

    def generator_loss(self, fake: Tensor, photographs: Photograph) -> Tensor:
        """Cross-entropy with the labels turned round."""
        return softplus(-self.critic(fake)).mean()


@register_family("dcgan", "plain convolutional GAN", upsampler="transposed", width=12, batch=16, steps=3000)
def build(recipe: GeneratorRecipe) -> DCGAN:
    """Fresh networks."""
    return DCGAN(
        convolutional_generator(recipe.size, recipe.width, recipe.upsampler),
        strided_critic(recipe.size, recipe.width, norm="batch"),
        LATENT,
    )
