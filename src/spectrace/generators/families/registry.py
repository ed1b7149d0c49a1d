"""The list of families of generators, and what a family is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor, nn

from spectrace.errors import RecipeError
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.upsamplers import UPSAMPLERS

SMALLEST = 16
Photograph = Callable[[], Tensor]
"""Gives a fresh batch of photographs, float32 ``[B, 3, S, S]`` in -1..1."""


class Family(nn.Module):
    """Networks, and how one step trains them.

    All weights are the module's, all chance comes from torch's global generator: so a training that was
    stopped goes on exactly where it was.

    Attributes:
        sampler: from noise to pictures, float32 ``[N, latent]`` (standard normal) to ``[N, 3, S, S]`` in
            -1..1; of an autoencoder (``latent`` 0) from photographs to reconstructions, both in -1..1, for
            any size that is a multiple of 16.
        latent: numbers that a sample is made of.
        optimisers: by name.
    """

    sampler: nn.Module
    latent: int
    optimisers: dict[str, torch.optim.Optimizer]

    def step(self, photographs: Photograph, number: int) -> dict[str, float]:
        """Train one step.

        Args:
            photographs: gives batches.
            number: of the step, from 0.

        Returns:
            Losses by name, the same names at every step.
        """
        raise NotImplementedError

    def noise(self, count: int) -> Tensor:
        """Standard normal ``[count, latent]``."""
        return torch.randn(count, self.latent)


_Build = Callable[[GeneratorRecipe], Family]


@dataclass(frozen=True)
class _Registered:
    build: _Build
    summary: str
    upsampler: str
    width: int
    batch: int
    steps: int
    pieces: bool


_FAMILIES: dict[str, _Registered] = {}


def register_family(
    name: str, summary: str, *, upsampler: str, width: int, batch: int, steps: int, pieces: bool = False
) -> Callable[[_Build], _Build]:
    """Register a builder of a family from a recipe without gaps.

    Args:
        name: lower-case, unique.
        summary: what it is, in a few words.
        upsampler: its own; empty where the family has none.
        width: its own, see :class:`.GeneratorRecipe`.
        batch: its own.
        steps: its own.
        pieces: whether it learns from random pieces of photographs at native resolution.

    Raises:
        ValueError: when the name is taken.
    """

    def register(build: _Build) -> _Build:
        if name in _FAMILIES:
            raise ValueError(f"two families are registered as {name!r}: give one of them another name")
        _FAMILIES[name] = _Registered(build, summary, upsampler, width, batch, steps, pieces)
        return build

    return register


def family_names() -> list[str]:
    """The names of all families, sorted.

    Example:
        >>> {"dcgan", "glow"} <= set(family_names())
        True
    """
    return sorted(_FAMILIES)


def family_summary(name: str) -> str:
    """What a family is, in a few words."""
    return _FAMILIES[name].summary


def wants_pieces(recipe: GeneratorRecipe) -> bool:
    """Whether the family learns from random pieces of photographs at native resolution, not whole ones.

    Raises:
        RecipeError: see :func:`resolve`.
    """
    return _FAMILIES[resolve(recipe).family].pieces


def resolve(recipe: GeneratorRecipe) -> GeneratorRecipe:
    """The recipe with the family's defaults in its gaps.

    Raises:
        RecipeError: an unknown family or upsampler, an upsampler for a family that has none, or sizes that
            make no sense.

    Example:
        >>> resolve(GeneratorRecipe(family="dcgan")).upsampler
        'transposed'
        >>> resolve(GeneratorRecipe(family="dcgan", size=50))
        Traceback (most recent call last):
        spectrace.errors.RecipeError: size is 50: wanted a power of two, 16 or more
    """
    if recipe.family not in _FAMILIES:
        raise RecipeError(f"family is {recipe.family!r}, known are: {', '.join(family_names())}")
    own = _FAMILIES[recipe.family]
    if recipe.size < SMALLEST or recipe.size & (recipe.size - 1):
        raise RecipeError(f"size is {recipe.size}: wanted a power of two, {SMALLEST} or more")
    if recipe.upsampler and not own.upsampler:
        raise RecipeError(f"family {recipe.family!r} has no upsampler: leave {recipe.upsampler!r} out")
    if recipe.upsampler and recipe.upsampler not in UPSAMPLERS:
        raise RecipeError(f"upsampler is {recipe.upsampler!r}, known are: {', '.join(UPSAMPLERS)}")
    if min(recipe.width, recipe.batch, recipe.steps, recipe.seed) < 0:
        raise RecipeError("width, batch, steps and seed: wanted none below 0")
    return msgspec.structs.replace(
        recipe,
        upsampler=recipe.upsampler or own.upsampler,
        width=recipe.width or own.width,
        batch=recipe.batch or own.batch,
        steps=recipe.steps or own.steps,
    )


def build_family(recipe: GeneratorRecipe) -> Family:
    """Fresh networks; weights depend on the recipe's seed alone.

    Raises:
        RecipeError: see :func:`resolve`.
    """
    full = resolve(recipe)
    with torch.random.fork_rng():
        torch.manual_seed(full.seed)
        return _FAMILIES[full.family].build(full)
