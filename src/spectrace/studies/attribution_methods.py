"""The methods of the study ``attribution``: each trained on a seed's pictures, then shown the test's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spectrace.corpora.manifest import Manifest
from spectrace.detectors.runtime import Model
from spectrace.errors import UsageError
from spectrace.evaluation.baselines.baseline import Floats, Judged, Labels, Pixels
from spectrace.evaluation.baselines.features import REPRESENTATIONS
from spectrace.evaluation.baselines.registry import BASELINES, build_baseline
from spectrace.learning.networks.linear import Linear
from spectrace.learning.recipes import (
    DataRecipe,
    NetworkRecipe,
    PenaltyRecipe,
    Recipe,
    RepresentationRecipe,
)
from spectrace.learning.runs import MODEL, run
from spectrace.studies.registry import Context
from spectrace.studies.source_pictures import read_pictures, split_names
from spectrace.studies.trainings import of_recipe

NETWORKS = {"linear": "linear", "cnn": "frank-cnn"}
"""Network by method."""


class Outcome(NamedTuple):
    """What a method learned from a seed's pictures makes of the test pictures.

    Attributes:
        judged: of the test pictures.
        chosen: on validation pictures.
        weights: ``[K, 3, S, S]`` of the linear model.
    """

    judged: Judged
    chosen: dict[str, float]
    weights: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Networks:
    """How networks are trained.

    Attributes:
        ridge: penalty of the linear one.
        batch, epochs, patience: of the recipe.
    """

    ridge: float
    batch: int
    epochs: int
    patience: int


def representations_of(method: str) -> tuple[str, ...]:
    """What a method can see.

    Raises:
        UsageError: an unknown method.

    Example:
        >>> representations_of("prnu"), representations_of("cnn")
        (('pixels',), ('pixels', 'log-dct'))
    """
    if method in NETWORKS:
        return REPRESENTATIONS
    if method in BASELINES:
        return BASELINES[method].representations
    raise UsageError(f"method {method!r} is unknown: use some of {', '.join([*BASELINES, *NETWORKS])}")


@dataclass(frozen=True)
class Trial:
    """What all methods are trained and tested on.

    Attributes:
        manifest: with the splits of every seed (:func:`.source_pictures.split_names`).
        classes: camera first, then the generators in order.
        tests: uint8 ``[N, S, S, 3]``.
        networks: how they are trained.
        context: of the study.
    """

    manifest: Manifest
    classes: list[str]
    tests: Pixels
    networks: Networks
    context: Context

    def outcome(self, method: str, representation: str, seed: int) -> Outcome:
        """Train a method on a seed's pictures, or take what an earlier run of the study left."""
        known = self.manifest.select(split=split_names(seed))
        judge = self._by_network if method in NETWORKS else self._by_baseline
        return judge(method, representation, seed, known)

    def _by_network(self, method: str, representation: str, seed: int, known: Manifest) -> Outcome:
        train, val = split_names(seed)
        recipe = Recipe(
            name=f"{method}-{representation}",
            task="attribution",
            data=DataRecipe(
                manifest="pictures", train_split=train, val_split=val, val_tiles=1, source_temperature=1.0
            ),
            representation=RepresentationRecipe(id=representation),
            network=NetworkRecipe(id=NETWORKS[method]),
            penalties=PenaltyRecipe(l2=self.networks.ridge if method == "linear" else 0.0),
            tile=self.tests.shape[1],
            **of_recipe(self.networks),
        )
        context = self.context
        folder = context.folder / f"{recipe.name}-seed{seed}-{recipe.digest(known)[:8]}"
        trained = run(
            recipe, known, folder, seed=seed, workers=context.workers, progress=context.progress
        ).trained
        tiles = np.ascontiguousarray(self.tests.transpose(0, 3, 1, 2))
        logits = Model(folder / MODEL).logits(tiles)[:, :, 0, 0].astype(np.float64)
        weights = None
        network = trained.network.network
        if isinstance(network, Linear):
            weights = network.dense.weight.detach().numpy().reshape(len(self.classes), *tiles.shape[1:])
        # The largest logit (Hendrycks et al. 2022): softmax is exactly 1 where a network is sure of itself.
        return Outcome(Judged(logits, -logits.max(axis=1)), {"epoch": trained.epoch}, weights)

    def _by_baseline(self, method: str, representation: str, seed: int, known: Manifest) -> Outcome:
        tests = hashlib.sha256(self.tests.tobytes()).hexdigest()
        digest = hashlib.sha256(f"{known.digest()} {tests}".encode()).hexdigest()[:8]
        path = self.context.folder / f"{method}-{representation}-seed{seed}-{digest}.npz"
        if not path.is_file():
            baseline = build_baseline(method, representation)
            train, val = (_labelled(known.select(split=split), self.classes) for split in split_names(seed))
            baseline.fit(*train, *val)
            judged = baseline.judge(self.tests)
            unfinished = path.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.savez(
                    file, scores=judged.scores, unknown=judged.unknown, chosen=json.dumps(baseline.chosen)
                )
            unfinished.replace(path)
        with np.load(path) as saved:
            return Outcome(Judged(saved["scores"], saved["unknown"]), json.loads(str(saved["chosen"])))


def _labelled(manifest: Manifest, classes: list[str]) -> tuple[Pixels, Labels]:
    labels = np.array([classes.index(row.generator) for row in manifest], np.int64)
    return read_pictures(manifest), labels


def accuracy_of(scores: Floats, truth: Labels) -> float:
    """Share of the pictures of known sources that are given theirs; scores ``[seed, N, K]``."""
    known = truth < scores.shape[2]
    return float(np.mean(scores[:, known].argmax(axis=2) == truth[known]))
