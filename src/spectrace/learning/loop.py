"""The training loop: survey, steps, validation, early stopping, checkpoints."""

from __future__ import annotations

import copy
import itertools
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spectrace.corpora.manifest import Manifest
from spectrace.errors import RecipeError
from spectrace.learning.checkpoints import LOG, Log, load_checkpoint, save_checkpoint
from spectrace.learning.cutting import Cutter
from spectrace.learning.data import Batch, Survey, TrainingTiles, batches, survey
from spectrace.learning.network import DetectorNetwork, build_detector, patch_losses, penalty
from spectrace.learning.progress import Progress, Silent
from spectrace.learning.recipes import Recipe
from spectrace.learning.representations import Standardiser
from spectrace.learning.sampling import (
    Entry,
    Sampler,
    class_names,
    entries_of,
    require_every_class,
    without,
)
from spectrace.learning.validation import Validation, ValidationSet, load_validation

LEFT_OUT = "left-out.json"


@dataclass(frozen=True)
class Trained:
    """What a training gave.

    Attributes:
        network: with the weights of the best epoch, in evaluation mode.
        classes: names, in the order of the logits.
        best: figures of that epoch.
        epoch: its number, from 1.
        digest: of recipe and data.
    """

    network: DetectorNetwork
    classes: list[str]
    best: Validation
    epoch: int
    digest: str


@dataclass
class _State:
    """All that a resumed training needs."""

    network: DetectorNetwork
    optimiser: torch.optim.Optimizer
    left_out: list[str]
    epoch: int = 0
    seconds: float = 0.0
    best: Validation | None = None
    best_epoch: int = 0
    best_weights: dict[str, Tensor] | None = None

    def to_dict(self, digest: str, seed: int) -> dict[str, Any]:
        return {
            "digest": digest,
            "seed": seed,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "left_out": self.left_out,
            "epoch": self.epoch,
            "seconds": self.seconds,
            "best": asdict(self.best) if self.best else None,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        torch.set_rng_state(saved["random"])
        self.left_out = saved["left_out"]
        self.epoch, self.seconds = saved["epoch"], saved["seconds"]
        self.best = Validation(**saved["best"]) if saved["best"] else None
        self.best_epoch, self.best_weights = saved["best_epoch"], saved["best_weights"]


def train(
    recipe: Recipe,
    manifest: Manifest,
    folder: Path,
    *,
    seed: int,
    workers: int,
    progress: Progress | None = None,
) -> Trained:
    """Train a detector, or go on where a killed training stopped.

    The result depends on recipe, pictures and seed (and on torch and the machine in the last digits), not
    on the number of workers or on interruptions.

    Args:
        recipe: what to do.
        manifest: the labelled pictures.
        folder: of the run; holds checkpoint, log and the list of pictures left out.
        seed: of initial weights, sampling, augmentation.
        workers: processes that cut tiles; 0 does it in this one.
        progress: is told what happens.

    Raises:
        RecipeError: a class without usable pictures in either split, or a checkpoint of another recipe.
    """
    shown = progress or Silent()
    # The workers keep their cores busy; threads that fight them for those would slow both down.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) - workers))
    classes = class_names(manifest, recipe)
    entries = entries_of(manifest, recipe, recipe.data.train_split, classes)
    held_out = entries_of(manifest, recipe, recipe.data.val_split, classes)
    cutter = Cutter.of(recipe)
    digest = recipe.digest(manifest)

    network = build_detector(recipe, 1 if recipe.task == "binary" else len(classes), seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    state = _State(network, optimiser, [])
    folder.mkdir(parents=True, exist_ok=True)
    saved = load_checkpoint(folder, digest, seed)

    with shown.task("validation pictures", len(held_out)) as advance:
        validation, found = load_validation(
            held_out, cutter, recipe.data.val_tiles, classes, workers, advance
        )
    _report(shown, found, folder / f"val-{LEFT_OUT}", "validation")
    if saved is None:
        _survey(state, entries, cutter, recipe, seed, workers, shown, folder)
        save_checkpoint(folder, state.to_dict(digest, seed))
    else:
        state.restore(saved)
        shown.say(f"resuming after epoch {state.epoch}")
    usable = without(entries, set(state.left_out))
    require_every_class(usable, classes, f"training with tiles of {recipe.tile} ({len(state.left_out)} left out)")

    steps = recipe.steps_per_epoch or max(1, len(usable) // recipe.batch)
    sampler = Sampler(tuple(usable), len(classes), recipe.data.source_temperature)
    stream = batches(
        TrainingTiles(sampler, cutter, seed),
        range(state.epoch * steps * recipe.batch, recipe.epochs * steps * recipe.batch),
        recipe.batch,
        workers,
    )
    log = Log(folder / LOG, state.epoch)
    while not _finished(state, recipe):
        _epoch(state, recipe, stream, steps, validation, log, shown)
        save_checkpoint(folder, state.to_dict(digest, seed))
    if state.best is None or state.best_weights is None:
        raise RecipeError("the validation loss was never a number: lower the learning rate")
    network.load_state_dict(state.best_weights)
    network.eval()
    return Trained(network, classes, state.best, state.best_epoch, digest)


def _survey(
    state: _State,
    entries: list[Entry],
    cutter: Cutter,
    recipe: Recipe,
    seed: int,
    workers: int,
    shown: Progress,
    folder: Path,
) -> None:
    """Find pictures that cannot be used, and fit the normaliser on those that can."""
    representation = state.network.representation
    fit = Standardiser(representation) if representation.needs_fit else None
    with shown.task("training pictures", len(entries)) as advance:

        def visit(tiles: Tensor, pictures: int) -> None:
            if fit is not None and len(tiles):
                fit.update(tiles)
            advance(pictures)

        found = survey(entries, cutter, seed, workers, visit)
    _report(shown, found, folder / f"train-{LEFT_OUT}", "training")
    state.left_out = sorted(found.left_out)
    if fit is not None:
        fit.finish()


def _epoch(
    state: _State,
    recipe: Recipe,
    stream: Iterator[Batch],
    steps: int,
    validation: ValidationSet,
    log: Log,
    shown: Progress,
) -> None:
    started = time.monotonic()
    state.network.train()
    total = 0.0
    with shown.task(f"epoch {state.epoch + 1}", steps) as advance:
        for batch in itertools.islice(stream, steps):
            total += _step(state, recipe, batch)
            advance(1)
    now = validation.measure(state.network)
    state.epoch += 1
    state.seconds += time.monotonic() - started
    if now.loss < (state.best.loss if state.best else float("inf")):
        state.best, state.best_epoch = now, state.epoch
        state.best_weights = copy.deepcopy(state.network.state_dict())
    log.add(
        epoch=state.epoch,
        step=state.epoch * steps,
        learning_rate=recipe.learning_rate,
        train_loss=total / steps,
        val_loss=now.loss,
        val_auroc=now.auroc,
        val_accuracy=now.accuracy,
        seconds=round(state.seconds, 3),
    )
    shown.say(
        f"epoch {state.epoch}: loss {total / steps:.4f}, validation loss {now.loss:.4f}, "
        f"AUROC {now.auroc:.4f}, {steps * recipe.batch / (time.monotonic() - started):.0f} tiles/s"
    )


def _step(state: _State, recipe: Recipe, batch: Batch) -> float:
    losses = patch_losses(state.network(batch.tiles), batch.numbers)
    loss = losses.mean()
    state.optimiser.zero_grad(set_to_none=True)
    (loss + penalty(state.network.network.weights(), recipe.penalties)).backward()  # type: ignore[no-untyped-call]
    state.optimiser.step()
    return float(loss.detach())


def _finished(state: _State, recipe: Recipe) -> bool:
    return state.epoch >= recipe.epochs or state.epoch - state.best_epoch >= recipe.patience


def _report(shown: Progress, found: Survey, path: Path, what: str) -> None:
    path.write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
    if found.left_out:
        shown.say(f"{what} pictures left out: {found.summary()}; see {path}")
