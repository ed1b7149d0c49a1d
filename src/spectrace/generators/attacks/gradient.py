"""Adversarial noise of a few grey levels: projected gradient against a detector whose weights are known.

Source: Madry et al. 2018 (arXiv 1706.06083). The detector sees rounded pixels at every step, for a file holds
nothing else; gradients pass through the rounding as if it were not there.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from spectrace.errors import UsageError
from spectrace.generators.attacks.aim import rounded, towards_camera
from spectrace.generators.attacks.registry import Knowledge, Pixels, Transform, as_planes, register_attack

BOUNDS = (2, 4)
"""Registered largest changes of a pixel, in grey levels."""

STEPS = 20
_BATCH = 64


def perturb(
    pictures: Pixels, detector: nn.Module, *, bound: int, steps: int, rng: np.random.Generator
) -> Pixels:
    """Change pixels by at most ``bound`` so that the detector takes the pictures for photographs.

    Of all steps, each picture keeps the one that misled the detector most; none is left worse than it was.

    Args:
        pictures: uint8 [N, S, S, 3].
        detector: see :class:`Knowledge`; only its inputs' gradients are taken.
        bound: grey levels, at least 1.
        steps: of the search, each 2.5 / steps of the bound.
        rng: of the places the search starts from.

    Returns:
        uint8 [N, S, S, 3].
    """
    # torch's own generator is left alone: a training that attacks on its way must not depend on it.
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    batches = (as_planes(pictures[first : first + _BATCH]) for first in range(0, len(pictures), _BATCH))
    found = [_perturb(batch, detector, bound, steps, generator) for batch in batches]
    return np.ascontiguousarray(torch.cat(found).byte().numpy().transpose(0, 2, 3, 1))


def _perturb(
    start: Tensor, detector: nn.Module, bound: int, steps: int, generator: torch.Generator
) -> Tensor:
    low, high = (start - bound).clamp(min=0.0), (start + bound).clamp(max=255.0)
    noise = (torch.rand(start.shape, generator=generator) * 2.0 - 1.0) * bound
    current = (start + noise).clamp(low, high)
    with torch.no_grad():
        best, least = start, towards_camera(detector(start))
    for step in range(steps + 1):
        current.requires_grad_(True)
        seen = rounded(current)
        losses = towards_camera(detector(seen))
        better = losses.detach() < least
        least = torch.where(better, losses.detach(), least)
        best = torch.where(better[:, None, None, None], seen.detach(), best)
        if step < steps:
            (gradient,) = torch.autograd.grad(losses.sum(), current)
            current = (current.detach() - 2.5 * bound / steps * gradient.sign()).clamp(low, high)
    return best


def _gradient(bound: int) -> Transform:
    def transform(pictures: Pixels, rng: np.random.Generator, knowledge: Knowledge) -> Pixels:
        if knowledge.detector is None:
            raise UsageError("the gradient attack needs a detector to aim at")
        return perturb(pictures, knowledge.detector, bound=bound, steps=STEPS, rng=rng)

    return transform


for _bound in BOUNDS:
    register_attack(
        f"gradient-{_bound}", f"projected gradient, at most {_bound} grey levels a pixel", aimed=True
    )(_gradient(_bound))
