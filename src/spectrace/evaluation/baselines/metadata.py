"""Baselines that look at no content: what the file says, and what earlier JPEG left in the pixels.

How well they do says how much of a detector's success the formats alone can explain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spectrace.evaluation.audit.classifier import TraitClassifier
from spectrace.evaluation.audit.grid import grid_traits
from spectrace.evaluation.audit.traits import file_traits
from spectrace.evaluation.baselines.baseline import Floats, Labels
from spectrace.evaluation.baselines.methods import Method
from spectrace.images.decode import Picture

Traits = Mapping[str, Any]


class TraitBaseline(Method):
    """The audit's classifier on traits of pictures; nothing is chosen, so held-out pictures teach as well.

    Args:
        look: a picture's traits.
    """

    def __init__(self, look: Callable[[Picture], Traits]) -> None:
        self._look = look
        self._classifier = TraitClassifier()

    def look(self, picture: Picture) -> Traits:
        """The picture's traits."""
        return self._look(picture)

    def fit(self, seen: Sequence[Any], labels: Labels, held: Sequence[Any], held_labels: Labels) -> None:
        """See :meth:`.Method.fit`."""
        self._classifier = TraitClassifier()
        self._classifier.fit([*seen, *held], np.concatenate([labels, held_labels]))

    def margins(self, seen: Sequence[Any]) -> Floats:
        """The classifier's log-odds."""
        return self._classifier.scores(list(seen))


def metadata_baseline() -> TraitBaseline:
    """By format, size, JPEG tables and the like. An array has left of them its size, no more."""
    return TraitBaseline(file_traits)


def block_grid_baseline() -> TraitBaseline:
    """By the grid and the quantisation that earlier JPEG compression left in the pixels."""
    return TraitBaseline(lambda picture: grid_traits(picture.pixels))
