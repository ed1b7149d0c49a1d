"""The list of attacks, and what an attacker knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spectrace.errors import UsageError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Knowledge:
    """What the attacker has in hand.

    Attributes:
        photographs: uint8 [P, S, S, 3], of the kind the samples are to pass for; never those of the test.
        samples: uint8 [N, S, S, 3] of the generator; never those of the test.
        detector: the detector to be misled, frozen: float32 ``[N, 3, S, S]`` in 0..255 to logits
            ``[N, h, w]``, positive for generated.
    """

    photographs: Pixels | None = None
    samples: Pixels | None = None
    detector: nn.Module | None = None


Transform = Callable[[Pixels, np.random.Generator, Knowledge], Pixels]


@dataclass(frozen=True)
class Attack:
    """An attack by its name.

    Attributes:
        name: of the registry.
        summary: what it does, in a few words.
        aimed: whether it needs the detector's weights.
        transform: does it.
    """

    name: str
    summary: str
    aimed: bool
    transform: Transform

    def __call__(self, pictures: Pixels, rng: np.random.Generator, knowledge: Knowledge) -> Pixels:
        """Attack finished samples.

        Args:
            pictures: uint8 [N, S, S, 3]; not written to.
            rng: all chance comes from here.
            knowledge: what the attacker has.

        Returns:
            uint8 [N, S, S, 3].

        Raises:
            UsageError: pictures of another kind, or knowledge that the attack needs and does not have.
        """
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[3] != 3:
            raise UsageError(
                f"pictures to attack are {pictures.dtype} {list(pictures.shape)}: wanted uint8 [N, S, S, 3]"
            )
        return self.transform(pictures, rng, knowledge)


_ATTACKS: dict[str, Attack] = {}


def register_attack(name: str, summary: str, *, aimed: bool = False) -> Callable[[Transform], Transform]:
    """Register ``(pictures, rng, knowledge) -> pictures`` under a name.

    Raises:
        ValueError: when the name is taken.
    """

    def register(transform: Transform) -> Transform:
        if name in _ATTACKS:
            raise ValueError(f"two attacks are registered as {name!r}: give one of them another name")
        _ATTACKS[name] = Attack(name, summary, aimed, transform)
        return transform

    return register


def attack_names() -> list[str]:
    """The names of all attacks, sorted.

    Example:
        >>> {"none", "spectral-matching", "gradient-2"} <= set(attack_names())
        True
    """
    return sorted(_ATTACKS)


def attack_named(name: str) -> Attack:
    """The attack of that name.

    Raises:
        UsageError: there is none.

    Example:
        >>> attack_named("magic")
        Traceback (most recent call last):
        spectrace.errors.UsageError: attack 'magic' is unknown: use one of ...
    """
    if name not in _ATTACKS:
        raise UsageError(f"attack {name!r} is unknown: use one of {', '.join(attack_names())}")
    return _ATTACKS[name]


def as_planes(pictures: Pixels) -> Tensor:
    """Uint8 [N, S, S, 3] to float32 [N, 3, S, S] in 0..255."""
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float()
