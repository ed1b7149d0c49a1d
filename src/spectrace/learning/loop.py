"""The training loop: survey, steps, validation, early stopping, checkpoints; in one process or several."""

from __future__ import annotations

import copy
import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spectrace.corpora.manifest import Manifest
from spectrace.errors import RecipeError
from spectrace.learning.checkpoints import (
    LOG,
    Log,
    load_checkpoint,
    read_chance,
    save_checkpoint,
    seed_chance,
    write_chance,
)
from spectrace.learning.cutting import Cutter
from spectrace.learning.data import Batch, Survey, TrainingTiles, parts, survey, training_batches
from spectrace.learning.distributed import Processes
from spectrace.learning.network import DetectorNetwork, build_detector
from spectrace.learning.optimisers import Stepper, learning_rate
from spectrace.learning.pairs import Reconstructor
from spectrace.learning.pictures import Pictures
from spectrace.learning.progress import Progress, Silent
from spectrace.learning.recipes import Recipe
from spectrace.learning.representations import Standardiser
from spectrace.learning.sampling import (
    Entry,
    Sampler,
    class_names,
    entries_of,
    require_couples,
    require_every_class,
    without,
)
from spectrace.learning.validation import NOTHING, Validation, ValidationSet, load_validation

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
    group: Processes | None = None,
    reconstructors: Sequence[Reconstructor] = (),
    pictures: Pictures | None = None,
) -> Trained:
    """Train a detector, or go on where a killed training stopped.

    The result depends on recipe, pictures and seed (and in the last digits on torch, the machine and the
    number of processes), not on the number of workers or on interruptions.

    Args:
        recipe: what to do.
        manifest: the labelled pictures.
        folder: of the run; holds checkpoint, log and the lists of pictures left out.
        seed: of initial weights, sampling, augmentation.
        workers: processes that cut tiles, for each process that trains; 0 does it in this one.
        progress: is told what happens.
        group: the processes that train together, each of which calls this function; None is this one alone,
            on the CPU.
        reconstructors: the autoencoders that the recipe names in ``data.pairs``, in its order.
        pictures: decoded pictures that several trainings share, where ``workers`` is 0.

    Raises:
        RecipeError: a class without usable pictures in either split, a share of aligned couples where there
            are none, a batch that the processes cannot share, or a checkpoint of another recipe.
    """
    group = group or Processes(torch.device("cpu"))
    # The workers keep their cores busy; threads that fight them for those would slow both down.
    cores = (os.cpu_count() or 1) // group.neighbours
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores - workers)))
    if recipe.batch % group.count:
        raise RecipeError(f"batch is {recipe.batch}, which {group.count} processes cannot share evenly")
    classes = class_names(manifest, recipe)
    cutter = Cutter.of(recipe, reconstructors)
    makers = [one.name for one in reconstructors]
    entries = entries_of(manifest, recipe, recipe.data.train_split, classes, makers)
    if recipe.data.paired_share:
        require_couples(entries, f"split {recipe.data.train_split!r} of the data")
    held_out = entries_of(manifest, recipe, recipe.data.val_split, classes, makers)
    network = build_detector(recipe, 1 if recipe.task == "binary" else len(classes), seed)
    digest = recipe.digest(manifest, reconstructors)

    budget = recipe.data.cache_mib * 2**20 // (max(1, workers) * group.neighbours)
    kept = Pictures(budget) if pictures is None or workers else pictures
    training = _Training(
        recipe, cutter, classes, network, folder, seed, workers, progress or Silent(), group, kept
    )
    if group.first:
        folder.mkdir(parents=True, exist_ok=True)
    saved = group.word(load_checkpoint(folder, digest, seed) if group.first else None)
    if saved is not None:
        training.restore(saved)
    if not training.finished:
        validation = training.read_validation(held_out) if group.first else None
        if saved is None:
            training.survey(entries)
        stream, stepper = training.begin(entries, saved)
        if saved is None:
            training.save(digest, stepper)
        log = Log(folder / LOG, training.epoch) if group.first else None
        while not training.finished:
            line = training.run_epoch(stream, stepper, validation)
            if log is not None:
                log.add(**line)
            training.save(digest, stepper)
    best, epoch = training.take_best()
    return Trained(network, classes, best, epoch, digest)


@dataclass
class _Training:
    """A training in progress: what it needs and how far it got."""

    recipe: Recipe
    cutter: Cutter
    classes: list[str]
    network: DetectorNetwork
    folder: Path
    seed: int
    workers: int
    progress: Progress
    group: Processes
    pictures: Pictures
    left_out: list[str] = field(default_factory=list)
    steps: int = 0
    epoch: int = 0
    seconds: float = 0.0
    best: Validation | None = None
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.group.first:
            seed_chance(self.seed, self.group.rank)

    def save(self, digest: str, stepper: Stepper) -> None:
        chance = self.group.together(read_chance(self.group.device))
        if not self.group.first:
            return
        state = {
            "digest": digest,
            "seed": self.seed,
            "network": self.network.state_dict(),
            **stepper.state(),
            "random": chance,
            "left_out": self.left_out,
            "epoch": self.epoch,
            "seconds": self.seconds,
            "best": asdict(self.best) if self.best else None,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
        }
        save_checkpoint(self.folder, state)

    def restore(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        # One row a process; runs from before there could be several hold a single one.
        chance = saved["random"].reshape(-1, saved["random"].shape[-1])
        if self.group.rank < len(chance):
            write_chance(chance[self.group.rank], self.group.device)
        self.left_out = saved["left_out"]
        self.epoch, self.seconds = saved["epoch"], saved["seconds"]
        self.best = Validation(**saved["best"]) if saved["best"] else None
        self.best_epoch, self.best_weights = saved["best_epoch"], saved["best_weights"]
        self.progress.say(f"going on after epoch {self.epoch}, seed {self.seed}")

    @property
    def finished(self) -> bool:
        if self.epoch >= self.recipe.epochs or self.epoch - self.best_epoch >= self.recipe.patience:
            return True
        return self.best is not None and self.best.is_perfect(self.recipe.select)

    @property
    def _pictures_read_here(self) -> Pictures | None:
        # Other processes end after one pass: what they keep is lost.
        return None if self.workers else self.pictures

    def read_validation(self, held_out: list[Entry]) -> ValidationSet:
        count = self.recipe.data.val_tiles
        with self.progress.task("validation pictures", len(held_out)) as advance:
            validation, found = load_validation(
                held_out,
                self.cutter,
                count,
                self.classes,
                workers=self.workers,
                visit=advance,
                pictures=self._pictures_read_here,
            )
        self._report(found, VAL_LEFT_OUT, "validation")
        return validation

    def survey(self, entries: list[Entry]) -> None:
        """Find pictures that cannot be used, and fit the normaliser on those that can."""
        if self.group.first:
            self.left_out = self._survey(entries)
        self.left_out, fitted = self.group.word((self.left_out, self.network.state_dict()))
        self.network.load_state_dict(fitted)

    def _survey(self, entries: list[Entry]) -> list[str]:
        representation = self.network.representation
        fit = Standardiser(representation) if representation.needs_fit else None
        aligned = self.recipe.data.paired_share > 0
        with self.progress.task("training pictures", len(entries)) as advance:

            def visit(tiles: Tensor, pictures: int) -> None:
                if fit is not None and len(tiles):
                    fit.update(tiles)
                advance(pictures)

            found = survey(
                entries,
                self.cutter,
                self.seed,
                self.workers,
                visit,
                aligned=aligned,
                pictures=self._pictures_read_here,
            )
        self._report(found, TRAIN_LEFT_OUT, "training")
        where = f"training, tiles of {self.recipe.tile} pixels ({found.summary()})"
        usable = without(entries, found.left_out)
        require_every_class(usable, self.classes, where)
        if aligned:
            require_couples(usable, where)
        if fit is not None:
            fit.finish()
        return sorted(found.left_out)

    def begin(self, entries: list[Entry], saved: dict[str, Any] | None) -> tuple[Iterator[Batch], Stepper]:
        """This process's part of all batches from the current epoch on, and what takes the steps."""
        recipe, data, group = self.recipe, self.recipe.data, self.group
        usable = without(entries, set(self.left_out))
        self.steps = recipe.steps_per_epoch or max(1, len(usable) // recipe.batch)
        stepper = Stepper(self.network, recipe, group, recipe.epochs * self.steps)
        if saved is not None:
            stepper.restore(saved)
        sampler = Sampler(usable, len(self.classes), data.source_temperature, data.paired_share)
        samples = range(self.epoch * self.steps * recipe.batch, recipe.epochs * self.steps * recipe.batch)
        tiles = TrainingTiles(sampler, self.cutter, self.seed, self.pictures)
        mine = parts(samples, recipe.batch, group.rank, group.count)
        return training_batches(tiles, mine, self.workers), stepper

    def run_epoch(
        self, stream: Iterator[Batch], stepper: Stepper, validation: ValidationSet | None
    ) -> dict[str, float | int]:
        """Train for an epoch and validate (in the first process); returns the epoch's line of the log."""
        started = time.monotonic()
        self.network.train()
        total = torch.zeros((), dtype=torch.float64, device=self.group.device)
        first = self.epoch * self.steps
        with self.progress.task(f"epoch {self.epoch + 1}", self.steps) as advance:
            for step, batch in enumerate(itertools.islice(stream, self.steps), start=first):
                total += stepper.step(step, batch)
                advance(1)
        loss = float(self.group.together(total).mean()) / self.steps
        trained = time.monotonic()
        now = self.group.word(validation.measure(self.network) if validation else NOTHING)
        self.epoch += 1
        self.seconds += time.monotonic() - started
        if now.is_better(self.best, self.recipe.select):
            self.best, self.best_epoch = now, self.epoch
            self.best_weights = copy.deepcopy(self.network.state_dict())
        rate = learning_rate(self.recipe, first + self.steps - 1, self.recipe.epochs * self.steps)
        speed = self.steps * self.recipe.batch / (trained - started)
        self.progress.say(
            f"epoch {self.epoch}: loss {loss:.4f}, validation loss {now.loss:.4f}, "
            f"accuracy {now.accuracy:.4f}, AUROC {now.auroc:.4f}, {speed:.0f} tiles/s"
        )
        return {
            "step": self.epoch * self.steps,
            "epoch": self.epoch,
            "learning_rate": rate,
            "train_loss": loss,
            **{f"val_{name}": value for name, value in asdict(now).items()},
            "tiles_per_second": round(speed, 1),
            "seconds": round(self.seconds, 3),
        }

    def take_best(self) -> tuple[Validation, int]:
        """Put the best epoch's weights into the network, on the CPU and in the usual layout."""
        if self.best is None:
            raise RecipeError("the validation loss was never a number: lower learning_rate")
        self.network.load_state_dict(self.best_weights)
        self.network.cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.network.eval()
        return self.best, self.best_epoch

    def _report(self, found: Survey, name: str, what: str) -> None:
        path = self.folder / name
        path.write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
        if found.left_out:
            self.progress.say(f"{what} pictures left out: {found.summary()}; see {path}")
