"""How weights move: the optimiser, its learning rate, and a step of training."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from spectrace.learning.data import Batch
from spectrace.learning.distributed import Processes
from spectrace.learning.network import DetectorNetwork, Objective
from spectrace.learning.recipes import Recipe


def build_optimiser(network: DetectorNetwork, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser; weight decay shrinks weights only, no biases and no normalisations.

    Example:
        >>> from spectrace.learning.networks.linear import Linear
        >>> from spectrace.learning.representations import Pixels
        >>> from spectrace.learning.recipes import DataRecipe, NetworkRecipe, RepresentationRecipe
        >>> recipe = Recipe(name="a", data=DataRecipe(manifest="m.csv"), network=NetworkRecipe(id="linear"),
        ...     representation=RepresentationRecipe(id="pixels"), optimiser="adamw", weight_decay=0.01)
        >>> optimiser = build_optimiser(DetectorNetwork(Pixels(), Linear(1, 16)), recipe)
        >>> [(len(group["params"]), group["weight_decay"]) for group in optimiser.param_groups]
        [(1, 0.01), (1, 0.0)]
    """
    if recipe.optimiser == "adam":
        return torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    weights = network.network.weights()
    decayed = {id(weight) for weight in weights}
    others = [parameter for parameter in network.parameters() if id(parameter) not in decayed]
    groups = [{"params": weights, "weight_decay": recipe.weight_decay}]
    if others:
        groups.append({"params": others, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Learning rate of a step, from its number alone.

    It rises in a straight line over ``warmup`` steps; then it stays, or falls to zero along half a cosine
    (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts).

    Args:
        recipe: names learning rate, warm-up and schedule.
        step: number of the step, from 0.
        steps: number of steps of the whole training.

    Example:
        >>> from spectrace.learning.recipes import DataRecipe, NetworkRecipe, RepresentationRecipe
        >>> recipe = Recipe(name="a", data=DataRecipe(manifest="m.csv"), network=NetworkRecipe(id="linear"),
        ...     representation=RepresentationRecipe(id="pixels"), schedule="cosine", warmup=2,
        ...     learning_rate=1.0)
        >>> [round(learning_rate(recipe, step, 6), 3) for step in range(6)]
        [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    if recipe.schedule == "constant":
        return recipe.learning_rate
    done = (step - recipe.warmup) / (steps - recipe.warmup)
    return recipe.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))


class Stepper:
    """Takes the steps of a training, in this process or together with others.

    Args:
        network: is trained; it is moved to the group's device.
        recipe: names optimiser, schedule, penalties and precision.
        group: the processes that train together.
        steps: number of steps of the whole training.
    """

    def __init__(self, network: DetectorNetwork, recipe: Recipe, group: Processes, steps: int) -> None:
        network.to(group.device)
        self._recipe, self._device, self._steps = recipe, group.device, steps
        self._objective = group.share(Objective(network, recipe))
        self._optimiser = build_optimiser(network, recipe)
        # float16 has no room for small gradients; the others go through it untouched.
        self._scaler = torch.amp.GradScaler(group.device.type, enabled=recipe.precision == "float16")

    def step(self, number: int, batch: Batch) -> Tensor:
        """Move the weights by one batch (this process's part of it).

        Args:
            number: of the step, from 0.
            batch: tiles and their classes.

        Returns:
            The loss before the step, in nats and without penalties: a number on the device.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self._recipe, number, self._steps)
        losses = self._objective(batch.tiles.to(self._device), batch.numbers.to(self._device))
        loss: Tensor = losses[0].detach()
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(losses[1]).backward()
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return loss

    def state(self) -> dict[str, Any]:
        """What a resumed training needs besides the weights."""
        return {"optimiser": self._optimiser.state_dict(), "scaler": self._scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self._optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state.get("scaler", {}))
