"""Perturbations: what happens to pictures on their way, under one name each.

One registry serves training augmentation, robustness tests and the verdict's stability check. A perturbation
is written as text, ``jpeg(quality=75, subsampling=4:2:0)``; ``+`` makes chains,
``resize(scale=0.5, kernel=lanczos) + jpeg(quality=80)``. A value may be a range ``quality=60..95`` (uniform)
or a choice ``kernel=lanczos|bicubic``, drawn anew at each call, and a step may be applied with a
probability only: ``jpeg(quality=60..95)@0.5``. All chance comes from the generator that the caller hands in,
so the same seed gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError
from spectrace.images import operations  # noqa: F401  imported for what it registers
from spectrace.images.registry import Choice, Range, Value, check, names, operation
from spectrace.images.specs import split_spec

__all__ = ["Chain", "Choice", "Perturbation", "Range", "apply", "names", "parse"]

Seed = int | np.random.Generator


@dataclass(frozen=True)
class Perturbation:
    """One step: an operation with its parameters.

    Args:
        name: a registered name, see :func:`names`.
        parameters: name and value of each parameter that was given; the others keep their defaults.
        probability: of being applied at all, 0 to 1.

    Raises:
        UsageError: the name, a parameter or a value is not known.

    Example:
        >>> str(Perturbation("jpeg", (("quality", 75),)))
        'jpeg(quality=75)'
    """

    name: str
    parameters: tuple[tuple[str, Value], ...] = ()
    probability: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", check(self.name, self.parameters))
        if not 0 <= self.probability <= 1:
            raise UsageError(f"{self.name}@{self.probability}: a probability lies between 0 and 1")

    def __call__(self, pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Perturbs a picture: uint8 ``[H, W, 3]`` in, uint8 ``[H', W', 3]`` out, the input is not changed."""
        if self.probability < 1 and rng.random() >= self.probability:
            return pixels
        step = operation(self.name)
        defaults = {one.name: one.default for one in step.parameters if one.default is not None}
        values = {**defaults, **dict(self.parameters)}
        drawn = {one.name: one.draw(values[one.name], rng) for one in step.parameters}
        return np.ascontiguousarray(step.function(pixels, rng, **drawn))

    def __str__(self) -> str:
        """The spec that :func:`parse` reads back."""
        values = ", ".join(f"{key}={value}" for key, value in self.parameters)
        text = f"{self.name}({values})" if values else self.name
        return text if self.probability == 1 else f"{text}@{self.probability}"


@dataclass(frozen=True)
class Chain:
    """Perturbations one after the other.

    Example:
        >>> str(Chain((Perturbation("flip"), Perturbation("identity"))))
        'flip + identity'
    """

    steps: tuple[Perturbation, ...]

    def __call__(self, pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Perturbs a picture step by step: uint8 ``[H, W, 3]`` in, uint8 ``[H', W', 3]`` out."""
        for step in self.steps:
            pixels = step(pixels, rng)
        return pixels

    def __str__(self) -> str:
        """The spec that :func:`parse` reads back."""
        return " + ".join(map(str, self.steps))


def parse(spec: str) -> Perturbation | Chain:
    """Reads a perturbation from its spec.

    Args:
        spec: see the top of this module.

    Returns:
        One perturbation or, where the spec has a ``+``, a chain; ``str()`` of it gives the spec back.

    Raises:
        UsageError: the spec cannot be read; the message lists what is known.

    Example:
        >>> str(parse("resize(scale=0.5,kernel=lanczos|bicubic)+jpeg(quality=60..95)@0.5"))
        'resize(scale=0.5, kernel=lanczos|bicubic) + jpeg(quality=60..95)@0.5'
    """
    steps = tuple(
        Perturbation(name, parameters, probability) for name, parameters, probability in split_spec(spec)
    )
    return steps[0] if len(steps) == 1 else Chain(steps)


def apply(
    perturbation: str | Perturbation | Chain, pixels: NDArray[np.uint8], seed: Seed = 0
) -> NDArray[np.uint8]:
    """Perturbs a picture.

    Args:
        perturbation: a spec or what :func:`parse` made of it.
        pixels: uint8 ``[H, W, 3]`` RGB, not empty.
        seed: a number, or a generator to go on drawing from.

    Returns:
        uint8 ``[H', W', 3]``, contiguous, at least 1x1; the argument itself where nothing was to be done.

    Raises:
        UsageError: the spec is bad or ``pixels`` is not such a picture.

    Example:
        >>> apply("resize(scale=0.5)", np.zeros((10, 20, 3), np.uint8)).shape
        (5, 10, 3)
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise UsageError(
            f"a perturbation takes uint8 pixels [H, W, 3], this is {pixels.dtype} {list(pixels.shape)}"
        )
    chosen = parse(perturbation) if isinstance(perturbation, str) else perturbation
    return chosen(pixels, np.random.default_rng(seed))
