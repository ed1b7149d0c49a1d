"""The fixed validation tiles, and what a network makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrace.evaluation.metrics import auroc
from spectrace.learning.cutting import Cutter
from spectrace.learning.data import Survey, batches, validation_dataset
from spectrace.learning.network import DetectorNetwork, patch_losses
from spectrace.learning.sampling import Entry, require_every_class

_BATCH = 64


@dataclass(frozen=True)
class Validation:
    """Figures on the validation tiles; every class counts alike, and every source alike within its class.

    Attributes:
        loss: in nats, without penalties.
        auroc: of camera against generated, by picture.
        accuracy: share of pictures given their class.
    """

    loss: float
    auroc: float
    accuracy: float


@dataclass(frozen=True)
class ValidationSet:
    """Tiles that stay the same through training, kept in memory.

    Args:
        tiles: ``uint8 [P * count, 3, S, S]``, picture by picture.
        count: tiles a picture.
        targets: int64 ``[P]``.
        weights: float64 ``[P]``, summing to 1.
    """

    tiles: Tensor
    count: int
    targets: NDArray[np.int64]
    weights: NDArray[np.float64]

    def measure(self, network: DetectorNetwork) -> Validation:
        """Run the network over all tiles; it is left in evaluation mode."""
        network.eval()
        with torch.inference_mode():
            logits = torch.cat([network(tiles) for tiles in torch.split(self.tiles, _BATCH)])
            targets = torch.from_numpy(np.repeat(self.targets, self.count))
            losses = patch_losses(logits, targets).numpy().reshape(-1, self.count).mean(1)
        pooled = logits.flatten(2 if logits.ndim == 4 else 1).mean(-1).numpy()
        pictures = pooled.reshape(len(self.targets), self.count, -1).mean(1).astype(np.float64)
        if logits.ndim == 3:
            scores = pictures[:, 0]
            predicted = (scores > 0).astype(np.int64)
        else:
            # Log-odds of any generator against the camera.
            scores = np.logaddexp.reduce(pictures[:, 1:], axis=1) - pictures[:, 0]
            predicted = pictures.argmax(1)
        return Validation(
            loss=float(np.sum(self.weights * losses)),
            auroc=auroc(self.targets > 0, scores, self.weights),
            accuracy=float(np.sum(self.weights * (predicted == self.targets))),
        )


def balanced_weights(targets: Sequence[int], groups: Sequence[str]) -> NDArray[np.float64]:
    """Weights under which classes count alike, and groups alike within their class; they sum to 1.

    Example:
        >>> balanced_weights([0, 0, 0, 1], ["phone", "phone", "film", "gan"]).tolist()
        [0.125, 0.125, 0.25, 0.5]
    """
    members = list(zip(targets, groups, strict=True))
    sizes = {member: members.count(member) for member in set(members)}
    groups_of = {target: sum(1 for other, _ in sizes if other == target) for target, _ in sizes}
    return np.array([1.0 / (len(groups_of) * groups_of[t] * sizes[t, g]) for t, g in members])


def load_validation(
    entries: Sequence[Entry],
    cutter: Cutter,
    count: int,
    classes: list[str],
    *,
    workers: int,
    visit: Callable[[int], None],
) -> tuple[ValidationSet, Survey]:
    """Read the validation pictures and cut their tiles.

    Args:
        entries: pictures of the validation split.
        cutter: how tiles are cut.
        count: tiles a picture.
        classes: names, for messages.
        workers: processes.
        visit: called with the number of pictures just read.

    Raises:
        RecipeError: a class has no picture that gives tiles.
    """
    found = Survey()
    dataset = validation_dataset(entries, cutter, count)
    parts = []
    chosen: list[Entry] = []
    for batch in batches(dataset, range(len(entries)), 32, workers):
        found.add(batch.problems)
        if len(batch.numbers):
            parts.append(batch.tiles)
            chosen += [entries[number] for number in batch.numbers[::count].tolist()]
        visit(len(batch.numbers) // count + len(batch.problems))
    require_every_class(chosen, classes, f"validation ({found.summary()})")
    targets = [entry.target for entry in chosen]
    weights = balanced_weights(targets, [entry.group for entry in chosen])
    return ValidationSet(torch.cat(parts), count, np.array(targets), weights), found
