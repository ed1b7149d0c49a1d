"""The fixed validation tiles, and what a network makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrace.evaluation.metrics import auroc
from spectrace.learning.cutting import Cutter
from spectrace.learning.data import Survey, picture_batches, validation_dataset
from spectrace.learning.network import DetectorNetwork, patch_losses
from spectrace.learning.pictures import Pictures
from spectrace.learning.sampling import Entry, require_every_class

_BATCH = 64
_MOST_PATCHES = 2**18

Selection = Literal["loss", "accuracy", "auroc"]


@dataclass(frozen=True)
class Validation:
    """Figures on the validation tiles; every class counts alike, and every source alike within its class.

    Attributes:
        loss: in nats, without penalties.
        auroc: of camera against generated, by picture.
        accuracy: share of pictures given their class.
        patch_auroc: of camera against generated, by patch; of all patches, or of a sample that is spread
            over all tiles.
        patch_accuracy: share of patches given their class.
    """

    loss: float
    auroc: float
    accuracy: float
    patch_auroc: float = math.nan
    patch_accuracy: float = math.nan

    def merit(self, select: Selection) -> float:
        """The figure that is to be high: minus the loss, the accuracy or the AUROC."""
        return -self.loss if select == "loss" else float(getattr(self, select))

    def is_better(self, other: Validation | None, select: Selection) -> bool:
        """Whether this epoch beats the best one so far; one without a number never does.

        Example:
            >>> Validation(0.3, 0.9, 0.8).is_better(Validation(0.4, 0.9, 0.8), "accuracy")
            False
        """
        return self.merit(select) > (-math.inf if other is None else other.merit(select))

    def is_perfect(self, select: Selection) -> bool:
        """Whether no epoch can be better: accuracy or AUROC have reached 1."""
        return self.merit(select) >= 1.0 - 1e-12


NOTHING = Validation(math.nan, math.nan, math.nan)
"""What a process that does not validate has to say."""


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
        """Run the network over all tiles, in its own precision; it is left in evaluation mode."""
        network.eval()
        device = next(network.parameters()).device
        with torch.inference_mode():
            outputs = torch.cat(
                [network(tiles.to(device)).cpu() for tiles in torch.split(self.tiles, _BATCH)]
            )
            targets = torch.from_numpy(np.repeat(self.targets, self.count))
            losses = patch_losses(outputs, targets).numpy().reshape(-1, self.count).mean(1)
        # [P, count, patches, outputs]
        logits = (outputs[:, None] if outputs.ndim == 3 else outputs).flatten(2).transpose(1, 2).numpy()
        logits = logits.reshape(len(self.targets), self.count, *logits.shape[1:])
        pictures = logits.mean((1, 2), dtype=np.float64)
        right = np.mean(_classes(logits) == self.targets[:, None, None], axis=(1, 2))
        patches = _scores(_spread(logits, _MOST_PATCHES)).reshape(len(self.targets), -1)
        each = patches.shape[1]
        return Validation(
            loss=float(np.sum(self.weights * losses)),
            auroc=auroc(self.targets > 0, _scores(pictures), self.weights),
            accuracy=float(np.sum(self.weights * (_classes(pictures) == self.targets))),
            patch_auroc=auroc(
                np.repeat(self.targets > 0, each), patches.ravel(), np.repeat(self.weights, each)
            ),
            patch_accuracy=float(np.sum(self.weights * right)),
        )


def _classes(logits: NDArray[Any]) -> NDArray[np.int64]:
    if logits.shape[-1] == 1:
        return (logits[..., 0] > 0).astype(np.int64)
    classes: NDArray[np.int64] = logits.argmax(-1)
    return classes


def _scores(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Log-odds of any generator against the camera."""
    values = logits.astype(np.float64)
    if values.shape[-1] == 1:
        return values[..., 0]
    scores: NDArray[np.float64] = np.logaddexp.reduce(values[..., 1:], axis=-1) - values[..., 0]
    return scores


def _spread(logits: NDArray[Any], most: int) -> NDArray[Any]:
    """At most about so many patches, the same number of every tile: logits ``[P, count, patches, K]``."""
    pictures, count, patches, _ = logits.shape
    each = max(1, most // (pictures * count))
    if each >= patches:
        return logits
    chosen = np.random.default_rng(0).choice(patches, each, replace=False)
    return logits[:, :, np.sort(chosen)]


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
    pictures: Pictures | None = None,
) -> tuple[ValidationSet, Survey]:
    """Read the validation pictures and cut their tiles.

    Args:
        entries: pictures of the validation split.
        cutter: how tiles are cut.
        count: tiles a picture.
        classes: names, for messages.
        workers: processes.
        visit: called with the number of pictures just read.
        pictures: decodes them.

    Raises:
        RecipeError: a class has no picture that gives tiles.
    """
    found = Survey()
    tiles = []
    chosen: list[Entry] = []
    for batch in picture_batches(validation_dataset(entries, cutter, count, pictures), workers):
        found.add(batch.problems)
        if len(batch.numbers):
            tiles.append(batch.tiles)
            chosen += [entries[number] for number in batch.numbers[::count].tolist()]
        visit(len(batch.numbers) // count + len(batch.problems))
    require_every_class(chosen, classes, f"validation ({found.summary()})")
    targets = [entry.target for entry in chosen]
    weights = balanced_weights(targets, [entry.group for entry in chosen])
    return ValidationSet(torch.cat(tiles), count, np.array(targets), weights), found
