"""Maximum mean discrepancies: how far two batches of a critic's outputs are apart under a kernel."""

from __future__ import annotations

import abc

import torch
from torch import Tensor

from spectrace.generators.families.adversarial import Adversarial
from spectrace.generators.families.parts import between, gradient_penalty
from spectrace.generators.families.registry import Photograph


class Discrepancy(Adversarial, abc.ABC):
    """The critic drives the discrepancy of photographs and samples up, the generator brings it down.

    A penalty holds the slope of the witness function near one between photographs and samples.
    """

    penalty_weight = 1.0

    @staticmethod
    @abc.abstractmethod
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        """Similarity of all pairs, ``[N, K]`` and ``[M, K]`` to ``[N, M]``."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discrepancy, turned round."""
        a, b = self.critic(torch.cat([real, fake])).chunk(2)
        return -discrepancy(self.kernel(a, a), self.kernel(b, b), self.kernel(a, b))

    def generator_loss(self, fake: Tensor, photographs: Photograph) -> Tensor:
        """The discrepancy from fresh photographs."""
        a, b = self.critic(torch.cat([photographs(), fake])).chunk(2)
        return discrepancy(self.kernel(a, a), self.kernel(b, b), self.kernel(a, b))

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Of the witness at half as many pictures as the batch has."""
        half = (len(real) + 1) // 2
        pictures = between(real[:half], fake[:half])
        with torch.no_grad():
            a, b = self.critic(torch.cat([real[half:], fake[half:]])).chunk(2)
        h = self.critic(pictures)
        witness = self.kernel(h, a).mean(1) - self.kernel(h, b).mean(1)
        return self.penalty_weight * gradient_penalty(witness, pictures, centre=1.0)


def discrepancy(within_a: Tensor, within_b: Tensor, across: Tensor) -> Tensor:
    """Unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012, lemma 6).

    Args:
        within_a: kernel of all pairs of one batch, ``[N, N]``, N above 1; the diagonal does not count.
        within_b: of the other, ``[M, M]``.
        across: of pairs of both, ``[N, M]``.

    Example:
        >>> one = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
        >>> discrepancy(one, one, torch.zeros(2, 2))
        tensor(1.)
    """
    return _off_diagonal_mean(within_a) + _off_diagonal_mean(within_b) - 2 * across.mean()


def _off_diagonal_mean(kernel: Tensor) -> Tensor:
    count = len(kernel)
    return (kernel.sum() - kernel.trace()) / (count * (count - 1))
