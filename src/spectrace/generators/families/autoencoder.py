"""Small autoencoders behind the door of all families: their noise is a photograph."""

from __future__ import annotations

import math

import torch

from spectrace.generators.autoencoder import LEVELS, Autoencoder
from spectrace.generators.families.registry import Family, Photograph, register_family
from spectrace.generators.recipe import GeneratorRecipe

_RATE = 2e-3


class Reconstruction(Family):
    """The mean absolute error goes down by Adam, whose rate falls along a half cosine."""

    sampler: Autoencoder

    def __init__(self, recipe: GeneratorRecipe) -> None:
        super().__init__()
        self.sampler = Autoencoder.of(recipe)
        self.latent = 0
        self.steps = recipe.steps
        self.optimisers = {"autoencoder": torch.optim.Adam(self.sampler.parameters())}

    def step(self, photographs: Photograph, number: int) -> dict[str, float]:
        """One step."""
        x = photographs()
        error = (self.sampler(x) - x).abs().mean()
        optimiser = self.optimisers["autoencoder"]
        for group in optimiser.param_groups:
            group["lr"] = _RATE * 0.5 * (1.0 + math.cos(math.pi * number / self.steps))
        optimiser.zero_grad(set_to_none=True)
        error.backward()
        optimiser.step()
        return {"mean_absolute_error": float(error.detach())}


for _name, _levels in LEVELS.items():
    _summary = f"autoencoder, 1/{2**_levels} of the size inside"
    register_family(_name, _summary, upsampler="transposed", width=32, batch=8, steps=1500, pieces=True)(
        Reconstruction
    )
