"""Figures of the study ``preprocessing-ablation``: AUROC in each test, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spectrace.corpora.rows import CAMERA
from spectrace.evaluation import kernels
from spectrace.evaluation.bootstrap import resampled_weights
from spectrace.evaluation.kernels import Floats
from spectrace.studies.preprocessing_parts import PHOTOGRAPHS, Case
from spectrace.studies.resampling import bounds

OTHERS = "others"
"""Stands for the mean over all generators that detectors were not trained on."""

_RESAMPLES = 500

Said = Mapping[str, Mapping[str, Floats]]
"""Scores of one detector, float64 ``[pieces]``, by pipeline and maker, the camera among them."""
Cell = dict[str, Any]
"""``value``, ``low``, ``high`` and ``seeds``."""


class Tests:
    """All tests of a detector. Photographs and seeds are resampled, the same for all detectors.

    Args:
        camera: the photograph of each of the camera's pieces.
        others: the photograph of each of the other class's pieces; none of them is the camera's.
        generator: that detectors were trained on.
        unknown: generators that they were not trained on.
    """

    __test__ = False  # nothing for pytest

    def __init__(
        self, camera: Sequence[str], others: Sequence[str], generator: str, unknown: Sequence[str]
    ) -> None:
        self.unknown = list(unknown)
        self._makers = [generator, PHOTOGRAPHS, *unknown]
        self._labels = np.repeat([False, True], [len(camera), len(others)])
        drawn = resampled_weights(self._labels, [*camera, *others], resamples=_RESAMPLES)
        self._drawn = np.concatenate([np.ones((1, len(self._labels))), drawn])

    def of(
        self, seeds: Sequence[Said], trained: Case, pipelines: tuple[str, str]
    ) -> dict[str, dict[str, Cell]]:
        """AUROC of detectors that differ in the seed alone.

        Args:
            seeds: what each of them says of the pictures of both pipelines.
            trained: what they were trained on.
            pipelines: of the camera's and of generated pictures, where they are treated differently.

        Returns:
            By maker of the pictures that stand against the camera's (a generator, :data:`OTHERS`, or
            :data:`.PHOTOGRAPHS`), then by what the classes went through:

            - ``reported``: what they did in training; a test set made like the training set says this;
            - ``one pipeline``: both the first, and both the second: the mean;
            - ``mismatched``: each its own;
            - ``exchanged``: each the other's.
        """
        first, second = pipelines
        ways = {
            "reported": [(trained.camera, trained.generated)],
            "one pipeline": [(first, first), (second, second)],
            "mismatched": [(first, second)],
            "exchanged": [(second, first)],
        }
        found = {
            maker: {
                way: np.array(
                    [np.mean([self._auroc(one, Case(maker, *pair)) for pair in pairs], 0) for one in seeds]
                )
                for way, pairs in ways.items()
            }
            for maker in self._makers
        }
        if self.unknown:
            found[OTHERS] = {
                way: np.mean([found[maker][way] for maker in self.unknown], axis=0) for way in ways
            }
        return {
            maker: {way: _cell(values) for way, values in by_way.items()} for maker, by_way in found.items()
        }

    def _auroc(self, said: Said, case: Case) -> Floats:
        """AUROC as it is and on each resample, float64 ``[1 + resamples]``."""
        scores = np.concatenate([said[case.camera][CAMERA], said[case.generated][case.maker]])
        return kernels.auroc(self._labels, scores, self._drawn)


def _cell(by_seed: Floats) -> Cell:
    """Mean over seeds, which are resampled with the photographs; ``[seeds, 1 + resamples]``."""
    seeds, resamples = by_seed.shape
    picked = np.random.default_rng(0).integers(seeds, size=(resamples, seeds))
    picked[0] = np.arange(seeds)
    means = by_seed[picked, np.arange(resamples)[:, None]].mean(1)
    return {**bounds(means), "seeds": [round(float(value), 4) for value in by_seed[:, 0]]}
