"""A tiny training that tests share."""

from __future__ import annotations

import numpy as np
import pytest

from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe


@pytest.fixture(scope="session")
def tiny_photographs(photographs: dict[str, np.ndarray]) -> Photographs:
    """Pieces of 16 pixels of photographs."""
    return Photographs([pixels[100:148, 100:148] for pixels in photographs.values()], 16)


@pytest.fixture(scope="session")
def tiny_recipe() -> GeneratorRecipe:
    """A generator that trains in a second."""
    return GeneratorRecipe(family="dcgan", size=16, width=4, batch=4, steps=60)
