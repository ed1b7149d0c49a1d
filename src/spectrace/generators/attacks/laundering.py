"""What happens to pictures on their way anyhow, or is done to them on purpose: needs no knowledge at all."""

from __future__ import annotations

import numpy as np

from spectrace.errors import UsageError
from spectrace.generators.attacks.registry import Knowledge, Pixels, Transform, register_attack
from spectrace.images.perturbations import parse

LAUNDERINGS = {
    "none": ("identity", "the samples as they are"),
    "blur": ("blur(sigma=0.7)", "Gaussian of 0.7 pixels"),
    "re-encoding": ("jpeg(quality=85)", "JPEG at quality 85, 4:2:0"),
    "resize": (
        "resize(scale=0.5, kernel=lanczos) + resize(scale=2, kernel=lanczos)",
        "down to half the size and up again, Lanczos",
    ),
}
"""Perturbation (as :func:`spectrace.images.perturbations.parse` takes it) and summary of each attack."""


def _laundering(spec: str) -> Transform:
    perturbation = parse(spec)

    def transform(pictures: Pixels, rng: np.random.Generator, knowledge: Knowledge) -> Pixels:
        height, width = pictures.shape[1:3]
        if height % 2 or width % 2:
            raise UsageError(f"pictures to attack have {width}x{height} pixels: wanted even sides")
        return np.stack([perturbation(picture, rng) for picture in pictures])

    return transform


for _name, (_spec, _summary) in LAUNDERINGS.items():
    register_attack(_name, _summary)(_laundering(_spec))
