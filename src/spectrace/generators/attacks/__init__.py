"""Attacks on detectors: how far a generator's traces can be hidden in its finished samples.

They are here to be measured against: whoever relies on a detector should know what takes it apart before
somebody else finds out. All keep the samples' shape, round to uint8, and cost picture quality.
"""

from __future__ import annotations

from spectrace.generators.attacks import gradient, laundering, spectral  # noqa: F401  they register
from spectrace.generators.attacks.registry import (
    Attack,
    Knowledge,
    Pixels,
    attack_named,
    attack_names,
    register_attack,
)

__all__ = ["Attack", "Knowledge", "Pixels", "attack_named", "attack_names", "register_attack"]
