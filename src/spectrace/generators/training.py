"""Training a generator of any family: steps, checkpoints, a log, grids of samples, an exported sampler."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from spectrace.errors import RecipeError
from spectrace.generators.export import export_generator
from spectrace.generators.families import Family, build_family, resolve
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import GENERATOR, GeneratorCard
from spectrace.images.grid import grid
from spectrace.learning.checkpoints import LOG, Log, load_checkpoint, save_checkpoint
from spectrace.learning.progress import Progress, Silent

RUNS = Path("runs") / "generators"
GRID = "grid.png"
RECIPE = "recipe.json"
_LOG_EVERY = 25  # steps; checkpoints are written with a line of the log only, so that no sum is cut in two
_GRID_EVERY = 250
_GRID_SIDE = 8
_CHECKPOINT_SECONDS = 30.0
_DECAY = 0.995


class GeneratorTraining:
    """A generator with everything that a training changes.

    Attributes:
        recipe: without gaps.
        family: the networks as they are trained.
        averaged: moving average of the family's sampler; what is shown and exported.
        step: steps done.
        seconds: that they took.
    """

    def __init__(self, recipe: GeneratorRecipe) -> None:
        self.recipe = resolve(recipe)
        self.family: Family = build_family(self.recipe)
        self.averaged: nn.Module = copy.deepcopy(self.family.sampler).eval().requires_grad_(False)
        self.step = 0
        self.seconds = 0.0

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {
            "recipe": msgspec.to_builtins(self.recipe),
            "step": self.step,
            "seconds": self.seconds,
            "family": self.family.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimisers": {name: one.state_dict() for name, one in self.family.optimisers.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.family.load_state_dict(state["family"])
        self.averaged.load_state_dict(state["averaged"])
        for name, optimiser in self.family.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.step = state["step"]
        self.seconds = state["seconds"]

    def advance(self, photographs: Photographs) -> dict[str, float]:
        """Train one step, the same whoever does it and whenever.

        Returns:
            Losses by name.

        Raises:
            RecipeError: a loss that is no number any more.
        """
        started = time.monotonic()
        words = [self.recipe.seed, self.step]
        torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1))
        rng = np.random.default_rng(words)
        self.family.train()
        losses = self.family.step(lambda: photographs.batch(self.recipe.batch, rng), self.step)
        if not all(math.isfinite(value) for value in losses.values()):
            raise RecipeError(
                f"{self.recipe.family}: step {self.step} gave {losses}; the training fell apart: "
                "try another seed, a larger batch or more width"
            )
        self.step += 1
        _average(self.averaged, self.family.sampler, min(_DECAY, self.step / (self.step + 10)))
        self.seconds += time.monotonic() - started
        return losses

    @torch.no_grad()
    def preview(self, photographs: Photographs) -> Tensor:
        """What the averaged sampler makes of fixed noise, float32 ``[64, 3, S, S]`` in -1..1.

        Of an autoencoder: photographs and their reconstructions, in turns.
        """
        chance = torch.Generator().manual_seed(0)
        if self.family.latent:
            z = torch.randn(_GRID_SIDE**2, self.family.latent, generator=chance)
            return torch.cat([self.averaged(part) for part in torch.split(z, _GRID_SIDE)])
        batch = photographs.batch(_GRID_SIDE**2 // 2, np.random.default_rng(0))
        return torch.stack([batch, self.averaged(batch)], 1).flatten(0, 1)


def train_generator(
    recipe: GeneratorRecipe, photographs: Photographs, folder: Path, *, progress: Progress | None = None
) -> Path:
    """Train a generator, or go on where a killed training stopped; the result is the same.

    The folder gets ``generator.onnx`` (the exported sampler), ``recipe.json``, ``log.jsonl`` (mean losses),
    ``grids/`` and ``grid.png`` (samples of fixed noise), ``checkpoint.pt``.

    Args:
        recipe: gaps are filled by the family.
        photographs: to learn from.
        folder: of the run.
        progress: is told losses and how far it is.

    Returns:
        The exported sampler.

    Raises:
        RecipeError: a bad recipe, a folder of another run, or losses that are no numbers any more.
    """
    shown = progress or Silent()
    training = GeneratorTraining(recipe)
    digest = run_digest(training.recipe, photographs)
    folder.mkdir(parents=True, exist_ok=True)
    saved = load_checkpoint(folder, digest, training.recipe.seed)
    if saved is not None:
        training.restore(saved["training"])
    (folder / RECIPE).write_bytes(msgspec.json.encode(training.recipe))
    log = Log(folder / LOG, training.step)
    steps, name = training.recipe.steps, training.recipe.family
    sums: dict[str, float] = {}
    kept = time.monotonic()
    with shown.task(f"generator, {name}", steps) as advance:
        advance(training.step)
        while training.step < steps:
            for loss, value in training.advance(photographs).items():
                sums[loss] = sums.get(loss, 0.0) + value
            advance(1)
            last = training.step == steps
            if training.step % _GRID_EVERY == 0 or last:
                _write_grid(training, photographs, folder)
            if training.step % _LOG_EVERY == 0 or last:
                count = (training.step - 1) % _LOG_EVERY + 1
                means = {loss: value / count for loss, value in sums.items()}
                log.add(epoch=training.step, seconds=round(training.seconds, 1), **means)
                sums = {}
                if training.step % _GRID_EVERY == 0:
                    losses = ", ".join(f"{loss} {value:.4f}" for loss, value in means.items())
                    shown.say(f"{name}: step {training.step} of {steps}; {losses}")
                if last or time.monotonic() - kept > _CHECKPOINT_SECONDS:
                    save_checkpoint(
                        folder,
                        {"digest": digest, "seed": training.recipe.seed, "training": training.state()},
                    )
                    kept = time.monotonic()
    card = GeneratorCard(
        recipe=training.recipe,
        latent=training.family.latent,
        photographs=photographs.digest,
        steps=training.step,
        seconds=round(training.seconds, 1),
    )
    return export_generator(training.averaged, card, folder / GENERATOR)


def load_training(folder: Path) -> GeneratorTraining:
    """A finished or interrupted training, read from its folder.

    Raises:
        RecipeError: the folder holds none.
    """
    try:
        recipe = msgspec.json.decode((folder / RECIPE).read_bytes(), type=GeneratorRecipe)
        saved = torch.load(folder / "checkpoint.pt", weights_only=True)
        training = GeneratorTraining(recipe)
        training.restore(saved["training"])
    except Exception as error:  # torch raises whatever the unpickler meets
        raise RecipeError(
            f"{folder} holds no generator's training ({error!r:.120}): name a folder that "
            "`spectrace generate train` wrote"
        ) from error
    return training


def run_folder(recipe: GeneratorRecipe, photographs: Photographs, kept: Path = RUNS) -> Path:
    """Where a training lies that nobody named a folder for: the same recipe and photographs, the same one."""
    full = resolve(recipe)
    words = [full.family, full.upsampler, run_digest(full, photographs)[:8]]
    return kept / "-".join(word for word in words if word)


def run_digest(recipe: GeneratorRecipe, photographs: Photographs) -> str:
    """What decides a training's result: recipe and photographs."""
    words = json.dumps([msgspec.to_builtins(resolve(recipe)), photographs.digest], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()


@torch.no_grad()
def _average(averaged: nn.Module, trained: nn.Module, decay: float) -> None:
    for kept, now in zip(averaged.state_dict().values(), trained.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(now, 1.0 - decay)
        else:
            kept.copy_(now)


def _write_grid(training: GeneratorTraining, photographs: Photographs, folder: Path) -> None:
    drawn = training.preview(photographs).clamp(-1, 1)
    pictures = (127.5 * drawn + 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    sheet = Image.fromarray(grid(pictures, _GRID_SIDE))
    (folder / "grids").mkdir(exist_ok=True)
    sheet.save(folder / "grids" / f"step-{training.step:06d}.png")
    sheet.save(folder / GRID)
