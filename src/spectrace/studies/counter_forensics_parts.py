"""What the study ``counter-forensics`` works with: photographs, samples, detectors, tuned generators."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest
from spectrace.generators.attacks import Pixels
from spectrace.generators.attacks.aim import frozen_detector
from spectrace.generators.attacks.registry import as_planes
from spectrace.generators.sampler import GENERATOR, Sampler, write_samples
from spectrace.generators.tuning import TuningRecipe, tune_generator
from spectrace.learning.recipes import Recipe
from spectrace.studies.pieces import TEST
from spectrace.studies.registry import Context
from spectrace.studies.source_pictures import (
    Counts,
    Source,
    read_pictures,
    split_names,
    write_pictures,
)
from spectrace.studies.trainings import Training, train_all

SAMPLES = "samples"
"""Name of the generated class."""

_BATCH = 64


class Round(NamedTuple):
    """Runs of a generator, and of the detector that was trained on its samples."""

    generator: Path
    detector: Path


class Bench:
    """Makes and keeps what the study needs; what is found in the context's folder is used again.

    Args:
        context: of the study.
        photographs: to train detectors on, and others for the test.
        size: of the generator's pictures.
        counts: of pictures of either class.

    Attributes:
        context: of the study.
        size: of all pictures.
    """

    def __init__(
        self, context: Context, photographs: tuple[Manifest, Manifest], size: int, counts: Counts
    ) -> None:
        self.context, self.size = context, size
        self._write = partial(
            write_pictures, *photographs, unknown=[], context=context, side=size, counts=counts
        )
        self._tests: dict[Path, Pixels] = {}

    def pictures(self, generator: Path, seed: int) -> Manifest:
        """Photographs and a generator's samples, in the splits of a seed and for the test."""
        source = Source(SAMPLES, generator.name, partial(write_samples, Sampler(generator)))
        return self._write(generators=[source], seeds=[seed])

    def samples(self, generator: Path) -> Pixels:
        """A generator's samples for the test, uint8 [N, S, S, 3]: of the same noise for every generator."""
        if generator not in self._tests:
            testing = self.pictures(generator, 0).select(split=TEST, generator=SAMPLES)
            self._tests[generator] = read_pictures(testing)
        return self._tests[generator]

    def chain(self, recipe: Recipe, tuning: TuningRecipe, rounds: int, generator: Path) -> list[Round]:
        """The generator as it is, then tuned again and again, each time against the detector before.

        Args:
            recipe: of the detectors; their seed is that of the tuning.
            tuning: of the generator.
            rounds: how often.
            generator: run of the generator.
        """
        chain = [Round(generator, self._detector(recipe, tuning.seed, generator))]
        for number in range(1, rounds + 1):
            last = chain[-1]
            words = msgspec.json.encode([last.generator.name, last.detector.name, tuning])
            digest = hashlib.sha256(words).hexdigest()[:8]
            tuned = self.context.folder / f"tuned{number}-{recipe.name}-seed{tuning.seed}-{digest}"
            if not (tuned / GENERATOR).is_file():
                tune_generator(last.generator, last.detector, tuned, tuning, progress=self.context.progress)
            chain.append(Round(tuned, self._detector(recipe, tuning.seed, tuned)))
        return chain

    def _detector(self, recipe: Recipe, seed: int, generator: Path) -> Path:
        train, val = split_names(seed)
        recipe = msgspec.structs.replace(
            recipe, data=msgspec.structs.replace(recipe.data, train_split=train, val_split=val)
        )
        (model,) = train_all([Training(recipe, self.pictures(generator, seed), seed)], self.context)
        return model.parent


def scores(detector: Path, pictures: Pixels) -> NDArray[np.float64]:
    """Mean logit of each picture, float64 [N]; uint8 [N, S, S, 3]."""
    network = frozen_detector(detector, pictures.shape[1])
    batches = (as_planes(pictures[first : first + _BATCH]) for first in range(0, len(pictures), _BATCH))
    with torch.inference_mode():
        means = [network(batch).flatten(1).mean(1) for batch in batches]
    found: NDArray[np.float64] = torch.cat(means).double().numpy()
    return found
