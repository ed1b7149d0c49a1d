"""The training loop: survey, steps, validation, early stopping, checkpoints."""

from __future__ import annotations

import copy
import itertools
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spectrace.corpora.manifest import Manifest
from spectrace.errors import RecipeError
from spectrace.learning.checkpoints import LOG, Log, load_checkpoint, save_checkpoint
from spectrace.learning.cutting import Cutter, Pictures
from spectrace.learning.data import Batch, Survey, TrainingTiles, survey, training_batches
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

TRAIN_LEFT_OUT = "train-left-out.json"
VAL_LEFT_OUT = "val-left-out.json"


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

    The result depends on recipe, pictures and seed (and in the last digits on torch and the machine), not
    on the number of workers or on interruptions.

    Args:
        recipe: what to do.
        manifest: the labelled pictures.
        folder: of the run; holds checkpoint, log and the lists of pictures left out.
        seed: of initial weights, sampling, augmentation.
        workers: processes that cut tiles; 0 does it in this one.
        progress: is told what happens.

    Raises:
        RecipeError: a class without usable pictures in either split, or a checkpoint of another recipe.
    """
    # The workers keep their cores busy; threads that fight them for those would slow both down.
    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - workers)))
    classes = class_names(manifest, recipe)
    entries = entries_of(manifest, recipe, recipe.data.train_split, classes)
    held_out = entries_of(manifest, recipe, recipe.data.val_split, classes)
    network = build_detector(recipe, 1 if recipe.task == "binary" else len(classes), seed)

    folder.mkdir(parents=True, exist_ok=True)
    training = _Training(recipe, classes, network, folder, seed, workers, progress or Silent())
    digest = recipe.digest(manifest)
    saved = load_checkpoint(folder, digest, seed)
    if saved is not None:
        training.restore(saved)
    if not training.finished:
        validation = training.read_validation(held_out)
        if saved is None:
            training.survey(entries)
            save_checkpoint(folder, training.state(digest))
        stream = training.stream(entries)
        log = Log(folder / LOG, training.epoch)
        while not training.finished:
            log.add(**training.run_epoch(stream, validation))
            save_checkpoint(folder, training.state(digest))
    best, epoch = training.take_best()
    return Trained(network, classes, best, epoch, digest)


@dataclass
class _Training:
    """A training in progress: what it needs and how far it got."""

    recipe: Recipe
    classes: list[str]
    network: DetectorNetwork
    folder: Path
    seed: int
    workers: int
    progress: Progress
    cutter: Cutter = field(init=False)
    optimiser: torch.optim.Optimizer = field(init=False)
    left_out: list[str] = field(default_factory=list)
    steps: int = 0
    epoch: int = 0
    seconds: float = 0.0
    best: Validation | None = None
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cutter = Cutter.of(self.recipe)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=self.recipe.learning_rate)

    def state(self, digest: str) -> dict[str, Any]:
        return {
            "digest": digest,
            "seed": self.seed,
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
        self.progress.say(f"going on after epoch {self.epoch}, seed {self.seed}")

    @property
    def finished(self) -> bool:
        return self.epoch >= self.recipe.epochs or self.epoch - self.best_epoch >= self.recipe.patience

    def read_validation(self, held_out: list[Entry]) -> ValidationSet:
        count = self.recipe.data.val_tiles
        with self.progress.task("validation pictures", len(held_out)) as advance:
            validation, found = load_validation(
                held_out, self.cutter, count, self.classes, workers=self.workers, visit=advance
            )
        self._report(found, VAL_LEFT_OUT, "validation")
        return validation

    def survey(self, entries: list[Entry]) -> None:
        """Find pictures that cannot be used, and fit the normaliser on those that can."""
        representation = self.network.representation
        fit = Standardiser(representation) if representation.needs_fit else None
        with self.progress.task("training pictures", len(entries)) as advance:

            def visit(tiles: Tensor, pictures: int) -> None:
                if fit is not None and len(tiles):
                    fit.update(tiles)
                advance(pictures)

            found = survey(entries, self.cutter, self.seed, self.workers, visit)
        self._report(found, TRAIN_LEFT_OUT, "training")
        self.left_out = sorted(found.left_out)
        where = f"training, tiles of {self.recipe.tile} pixels ({found.summary()})"
        require_every_class(without(entries, found.left_out), self.classes, where)
        if fit is not None:
            fit.finish()

    def stream(self, entries: list[Entry]) -> Iterator[Batch]:
        """All batches from the current epoch to the last one."""
        usable = without(entries, set(self.left_out))
        batch = self.recipe.batch
        self.steps = self.recipe.steps_per_epoch or max(1, len(usable) // batch)
        sampler = Sampler(tuple(usable), len(self.classes), self.recipe.data.source_temperature)
        samples = range(self.epoch * self.steps * batch, self.recipe.epochs * self.steps * batch)
        pictures = Pictures(self.recipe.data.cache_mib * 2**20 // max(1, self.workers))
        tiles = TrainingTiles(sampler, self.cutter, self.seed, pictures)
        return training_batches(tiles, samples, batch, self.workers)

    def run_epoch(self, stream: Iterator[Batch], validation: ValidationSet) -> dict[str, float | int]:
        """Train for an epoch and validate; returns the epoch's line of the log."""
        started = time.monotonic()
        self.network.train()
        total = 0.0
        with self.progress.task(f"epoch {self.epoch + 1}", self.steps) as advance:
            for batch in itertools.islice(stream, self.steps):
                total += self._step(batch)
                advance(1)
        trained = time.monotonic()
        now = validation.measure(self.network)
        self.epoch += 1
        self.seconds += time.monotonic() - started
        if now.loss < (self.best.loss if self.best else float("inf")):
            self.best, self.best_epoch = now, self.epoch
            self.best_weights = copy.deepcopy(self.network.state_dict())
        speed = self.steps * self.recipe.batch / (trained - started)
        self.progress.say(
            f"epoch {self.epoch}: loss {total / self.steps:.4f}, validation loss {now.loss:.4f}, "
            f"AUROC {now.auroc:.4f}, {speed:.0f} tiles/s"
        )
        return {
            "step": self.epoch * self.steps,
            "epoch": self.epoch,
            "learning_rate": self.recipe.learning_rate,
            "train_loss": total / self.steps,
            "val_loss": now.loss,
            "val_auroc": now.auroc,
            "val_accuracy": now.accuracy,
            "tiles_per_second": round(speed, 1),
            "seconds": round(self.seconds, 3),
        }

    def take_best(self) -> tuple[Validation, int]:
        """Put the best epoch's weights into the network."""
        if self.best is None:
            raise RecipeError("the validation loss was never a number: lower learning_rate")
        self.network.load_state_dict(self.best_weights)
        self.network.eval()
        return self.best, self.best_epoch

    def _step(self, batch: Batch) -> float:
        loss = patch_losses(self.network(batch.tiles), batch.numbers).mean()
        shrinking = penalty(self.network.network.weights(), self.recipe.penalties)
        self.optimiser.zero_grad(set_to_none=True)
        (loss + shrinking).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss.detach())

    def _report(self, found: Survey, name: str, what: str) -> None:
        path = self.folder / name
        path.write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
        if found.left_out:
            self.progress.say(f"{what} pictures left out: {found.summary()}; see {path}")
