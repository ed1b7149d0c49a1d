"""What a small generator is trained as."""

from __future__ import annotations

import msgspec


class GeneratorRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A generator's family and sizes; what is left at ``""`` or 0 is the family's own default.

    Attributes:
        family: a registered name, see :func:`spectrace.generators.families.family_names`.
        upsampler: a name of :data:`spectrace.generators.upsamplers.UPSAMPLERS`.
        size: side of the pictures in pixels, a power of two from 16 up.
        width: channels of the widest maps at full size; the cost grows with its square.
        batch: photographs a step.
        steps: of training.
        seed: of weights, photographs and noise.

    Example:
        >>> GeneratorRecipe(family="dcgan", upsampler="nearest").size
        64
    """

    family: str
    upsampler: str = ""
    size: int = 64
    width: int = 0
    batch: int = 0
    steps: int = 0
    seed: int = 0
