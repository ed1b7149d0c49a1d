"""Fine-tuning a generator against a frozen detector: to be missed, and yet to draw the same pictures.

Chai et al. 2020 (arXiv 2008.10588) tune a generator so that a frozen patch detector takes its samples for
photographs, and find that a detector trained anew recovers. Here the loss is the detector's cross-entropy
with *camera* over all patches of a sample, and the mean distance to the sample of the same noise before.
"""

from __future__ import annotations

import copy
import hashlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import torch
from msgspec import Meta
from torch import Tensor, nn

from spectrace.errors import RecipeError
from spectrace.generators.attacks.aim import frozen_detector, rounded, towards_camera
from spectrace.generators.export import export_generator
from spectrace.generators.sampler import GENERATOR, GeneratorCard, Sampler
from spectrace.generators.training import RECIPE, GeneratorTraining, load_training
from spectrace.learning.checkpoints import LOG, Log, load_checkpoint, save_checkpoint
from spectrace.learning.progress import Progress, Silent

TUNING = "tuning.json"
_LOG_EVERY = 25
_CHECKPOINT_SECONDS = 30.0


class TuningRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a generator is tuned.

    Attributes:
        steps: of Adam.
        weight: of the distance to the old samples, in nats per grey level.
        learning_rate: of Adam.
        batch: samples a step.
        seed: of the noise.
    """

    steps: Annotated[int, Meta(ge=1)] = 300
    weight: Annotated[float, Meta(ge=0.0)] = 0.1
    learning_rate: Annotated[float, Meta(gt=0.0)] = 2e-4
    batch: Annotated[int, Meta(ge=1)] = 16
    seed: Annotated[int, Meta(ge=0)] = 0


@dataclass(frozen=True)
class Losses:
    """What a step of tuning started from.

    Attributes:
        evasion: cross-entropy of the detector with *camera*, in nats.
        distance: mean absolute difference from the old samples, in grey levels.
        missed: share of the samples whose mean logit says *camera*.
    """

    evasion: float
    distance: float
    missed: float


class Tuning:
    """A sampler on its way from what it was; all chance comes from seed and step.

    Args:
        sampler: from noise ``[N, latent]`` to pictures ``[N, 3, S, S]`` in -1..1; is changed in place, and
            left in evaluation mode, so that what is tuned is what is exported.
        latent: numbers that a sample is made of.
        detector: frozen; float32 ``[N, 3, S, S]`` in 0..255 to logits ``[N, h, w]``.
        recipe: how.

    Attributes:
        step: steps done.
    """

    def __init__(self, sampler: nn.Module, latent: int, detector: nn.Module, recipe: TuningRecipe) -> None:
        self.old = copy.deepcopy(sampler).eval().requires_grad_(False)
        self.sampler = sampler.eval().requires_grad_(True)
        self.latent, self.detector, self.recipe = latent, detector, recipe
        self.optimiser = torch.optim.Adam(sampler.parameters(), recipe.learning_rate)
        self.step = 0

    def advance(self) -> Losses:
        """Take one step.

        Raises:
            RecipeError: a loss that is no number any more.
        """
        words = np.random.SeedSequence([self.recipe.seed, self.step])
        chance = torch.Generator().manual_seed(int(words.generate_state(1, np.uint64)[0] >> 1))
        z = torch.randn(self.recipe.batch, self.latent, generator=chance)
        with torch.no_grad():
            before = _grey_levels(self.old(z))
        after = _grey_levels(self.sampler(z))
        logits = self.detector(rounded(after))
        evasion, distance = towards_camera(logits).mean(), (after - before).abs().mean()
        loss = evasion + self.recipe.weight * distance
        if not math.isfinite(float(loss.detach())):
            raise RecipeError(f"step {self.step} of tuning gave no number as its loss: lower learning_rate")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        missed = (logits.detach().flatten(1).mean(1) < 0).float().mean()
        return Losses(float(evasion.detach()), float(distance.detach()), float(missed))


def tune_generator(
    generator: Path,
    detector: Path,
    folder: Path,
    recipe: TuningRecipe,
    *,
    progress: Progress | None = None,
) -> Path:
    """Tune a trained generator against a trained detector, or go on where a killed tuning stopped.

    The folder becomes a generator's run of its own, with ``generator.onnx``, ``recipe.json``,
    ``checkpoint.pt``, ``log.jsonl`` (mean losses) and ``tuning.json``; so it can be sampled and tuned again.

    Args:
        generator: folder of a generator's run.
        detector: folder of a detector's run.
        folder: of the tuning.
        recipe: how.
        progress: is told losses and how far it is.

    Returns:
        The exported sampler.

    Raises:
        RecipeError: folders that hold something else, a detector for other sizes, an autoencoder (it draws
            nothing from noise), a folder of another tuning, or losses that are no numbers any more.
    """
    shown = progress or Silent()
    training = load_training(generator)
    latent = training.family.latent
    if not latent:
        raise RecipeError(
            f"{generator} holds an autoencoder, which draws nothing from noise: name a generator"
        )
    frozen = frozen_detector(detector, training.recipe.size)
    digest = _digest(training.averaged, frozen, recipe)
    tuning = Tuning(training.averaged, latent, frozen, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    saved = load_checkpoint(folder, digest, recipe.seed)
    if saved is not None:
        training.restore(saved["training"])
        tuning.optimiser.load_state_dict(saved["optimiser"])
        tuning.step = saved["step"]
    (folder / RECIPE).write_bytes(msgspec.json.encode(training.recipe))
    (folder / TUNING).write_bytes(msgspec.json.encode(recipe))
    log = Log(folder / LOG, tuning.step)
    kept = time.monotonic()
    with shown.task("tuning", recipe.steps) as advance:
        advance(tuning.step)
        while tuning.step < recipe.steps:
            count = min(_LOG_EVERY, recipe.steps - tuning.step)
            losses = [tuning.advance() for _ in range(count)]
            means = {
                name: sum(getattr(one, name) for one in losses) / count
                for name in ("evasion", "distance", "missed")
            }
            log.add(epoch=tuning.step, **means)
            advance(count)
            last = tuning.step == recipe.steps
            if last or time.monotonic() - kept > _CHECKPOINT_SECONDS:
                state = {"training": training.state(), "optimiser": tuning.optimiser.state_dict()}
                save_checkpoint(folder, {"digest": digest, "seed": recipe.seed, "step": tuning.step, **state})
                kept = time.monotonic()
            if tuning.step % (4 * _LOG_EVERY) == 0 or last:
                shown.say(
                    f"tuning: step {tuning.step} of {recipe.steps}; evasion {means['evasion']:.3f} nats, "
                    f"distance {means['distance']:.2f} grey levels, missed {means['missed']:.0%}"
                )
    return _export(training, generator, folder, recipe)


def _export(training: GeneratorTraining, generator: Path, folder: Path, recipe: TuningRecipe) -> Path:
    card = Sampler(generator).card
    note = f"tuned against a detector for {recipe.steps} steps at weight {recipe.weight:g}"
    tuned = GeneratorCard(
        recipe=card.recipe,
        latent=card.latent,
        photographs=card.photographs,
        steps=card.steps,
        note=f"{card.note}; {note}" if card.note else note,
    )
    return export_generator(training.averaged, tuned, folder / GENERATOR)


def _grey_levels(drawn: Tensor) -> Tensor:
    return 127.5 * drawn.clamp(-1.0, 1.0) + 127.5


def _digest(sampler: nn.Module, detector: nn.Module, recipe: TuningRecipe) -> str:
    """What decides a tuning's result."""
    found = hashlib.sha256(msgspec.json.encode(recipe))
    for module in (sampler, detector):
        for name, value in module.state_dict().items():
            found.update(name.encode() + value.contiguous().numpy().tobytes())
    return found.hexdigest()
