"""What generators that play against a critic have in common."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spectrace.generators.families.registry import Family, Photograph


class Adversarial(Family):
    """A sampler and a critic, trained in turns; the losses are the subclass's.

    Args:
        sampler: the generator.
        critic: ``[N, 3, S, S]`` to scores ``[N, K]``, high for photographs.
        latent: of the generator.
        rates: learning rates of generator and critic.
        betas: of Adam.
        critic_steps: steps of the critic for one of the generator.
        penalty_every: steps between two penalties on the critic, which then count for all of them
            (Karras et al. 2020); 0 where there is no penalty.
    """

    def __init__(
        self,
        sampler: nn.Module,
        critic: nn.Module,
        latent: int,
        *,
        rates: tuple[float, float] = (2e-4, 2e-4),
        betas: tuple[float, float] = (0.5, 0.999),
        critic_steps: int = 1,
        penalty_every: int = 0,
    ) -> None:
        super().__init__()
        self.sampler, self.critic, self.latent = sampler, critic, latent
        self.critic_steps, self.penalty_every = critic_steps, penalty_every
        self.optimisers = {
            "generator": torch.optim.Adam(sampler.parameters(), rates[0], betas),
            "critic": torch.optim.Adam(critic.parameters(), rates[1], betas),
        }

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic brings down, from photographs and samples (without gradients)."""
        raise NotImplementedError

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """What keeps the critic smooth; added to its loss every ``penalty_every`` steps."""
        raise NotImplementedError

    def generator_loss(self, fake: Tensor, photographs: Photograph) -> Tensor:
        """What the generator brings down, from samples (with gradients)."""
        raise NotImplementedError

    def step(self, photographs: Photograph, number: int) -> dict[str, float]:
        """Some steps of the critic, then one of the generator."""
        for _ in range(self.critic_steps):
            real = photographs()
            with torch.no_grad():
                fake = self.sampler(self.noise(len(real)))
            critic_loss = self.critic_loss(real, fake)
            if self.penalty_every and number % self.penalty_every == 0:
                critic_loss = critic_loss + self.penalty_every * self.penalty(real, fake)
            self._descend("critic", critic_loss)
        self.critic.requires_grad_(False)
        generator_loss = self.generator_loss(self.sampler(self.noise(len(real))), photographs)
        self._descend("generator", generator_loss)
        self.critic.requires_grad_(True)
        return {"critic": float(critic_loss.detach()), "generator": float(generator_loss.detach())}

    def _descend(self, name: str, loss: Tensor) -> None:
        optimiser = self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
