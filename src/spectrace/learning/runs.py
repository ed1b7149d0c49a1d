"""Runs: one folder a recipe and seed, from start to exported model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec
import torch

from spectrace.corpora.manifest import Manifest
from spectrace.detectors.card import Card
from spectrace.detectors.runtime import Model
from spectrace.errors import ModelError, RecipeError
from spectrace.learning.checkpoints import CHECKPOINT, LOG
from spectrace.learning.distributed import Processes
from spectrace.learning.export import card_of, export_onnx
from spectrace.learning.fitting import fit
from spectrace.learning.loop import Trained, train
from spectrace.learning.network import build_detector
from spectrace.learning.pairs import Reconstructor
from spectrace.learning.pictures import Pictures
from spectrace.learning.progress import Progress
from spectrace.learning.recipes import Recipe

MODEL = "model.onnx"
RECIPE = "recipe.json"


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, which holds ``model.onnx``, and what was trained."""

    folder: Path
    seed: int
    trained: Trained


def run_folder(
    recipe: Recipe,
    manifest: Manifest,
    seed: int,
    out: Path | None,
    several: bool,
    *,
    reconstructors: Sequence[Reconstructor] = (),
) -> Path:
    """Where a run lives: ``runs/<recipe>-<digest>-seed<k>``, or ``out`` (``out/seed<k>`` when several)."""
    if out is None:
        return Path("runs") / f"{recipe.name}-{recipe.digest(manifest, reconstructors)[:8]}-seed{seed}"
    return out / f"seed{seed}" if several else out


def run(
    recipe: Recipe,
    manifest: Manifest,
    folder: Path,
    *,
    seed: int,
    workers: int,
    fresh: bool = False,
    progress: Progress | None = None,
    group: Processes | None = None,
    reconstructors: Sequence[Reconstructor] = (),
    pictures: Pictures | None = None,
) -> Run:
    """Train (or go on training) in a folder and export the best epoch as ``model.onnx``.

    A model that this very run exported before is left alone, for it may have been calibrated since.

    Args:
        recipe: what to do.
        manifest: the labelled pictures.
        folder: of the run.
        seed: of the run.
        workers: processes that cut tiles.
        fresh: forget what the folder holds.
        progress: is told what happens.
        group: the processes that train together; the first one exports, the others wait for it.
        reconstructors: the autoencoders that the recipe names in ``data.pairs``, in its order.
        pictures: decoded pictures that several trainings share, where ``workers`` is 0.

    Raises:
        RecipeError: as :func:`spectrace.learning.loop.train`.
    """
    group = group or Processes(torch.device("cpu"))
    if fresh and group.first:
        _forget(folder)
    learn: Callable[..., Trained] = partial(train, group=group) if recipe.discriminant is None else fit
    trained = learn(
        recipe,
        manifest,
        folder,
        seed=seed,
        workers=workers,
        progress=progress,
        reconstructors=reconstructors,
        pictures=pictures,
    )
    if group.first:
        (folder / RECIPE).write_bytes(msgspec.json.format(msgspec.json.encode(recipe), indent=1) + b"\n")
        exported = _for_tiles(recipe, trained)
        card = card_of(recipe, exported, manifest, seed)
        if not _holds(folder / MODEL, card):
            export_onnx(exported.network, card, folder / MODEL)
    group.word(None)
    return Run(folder, seed, trained)


def _for_tiles(recipe: Recipe, trained: Trained) -> Trained:
    """The same weights in a network for the tiles that the card is to name."""
    if recipe.card.tile in (0, recipe.tile):
        return trained
    outputs = 1 if len(trained.classes) == 2 else len(trained.classes)
    network = build_detector(msgspec.structs.replace(recipe, tile=recipe.card.tile), outputs, 0)
    try:
        network.load_state_dict(trained.network.state_dict())
    except RuntimeError as error:
        raise RecipeError(
            f"card.tile is {recipe.card.tile}, but the weights of {recipe.network.id} fit tiles of "
            f"{recipe.tile} pixels only: leave card.tile out"
        ) from error
    return replace(trained, network=network.eval())


def _holds(path: Path, card: Card) -> bool:
    """Whether a model file's card says all that a freshly made one would say of its training."""
    if not path.is_file():
        return False
    try:
        found = Model(path).card
    except ModelError:
        return False
    words = ("id", "version", "title", "kind", "description", "licence", "stability")
    # The digest stands for the recipe, whose fields at their defaults an older card may not know.
    facts = {name: value for name, value in card.training.items() if name != "recipe"}
    return all(getattr(found, word) == getattr(card, word) for word in words) and all(
        found.training.get(name) == value for name, value in facts.items()
    )


def _forget(folder: Path) -> None:
    # Only what a run writes itself: --out may name a folder that holds other things.
    for name in (CHECKPOINT, LOG, MODEL, RECIPE):
        (folder / name).unlink(missing_ok=True)
