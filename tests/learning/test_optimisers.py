from __future__ import annotations

import copy

import pytest
import torch

from spectrace.learning.data import Batch
from spectrace.learning.distributed import Processes
from spectrace.learning.network import build_detector
from spectrace.learning.optimisers import Stepper, build_optimiser, learning_rate
from spectrace.learning.recipes import NetworkRecipe, PenaltyRecipe, RepresentationRecipe

ALONE = Processes(torch.device("cpu"))


def made_batch(count=8):
    generator = torch.Generator().manual_seed(1)
    tiles = torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8, generator=generator)
    return Batch(tiles, torch.arange(count) % 2, [], [])


def cnn_recipe(recipe_of, **changes):
    return recipe_of(
        network=NetworkRecipe(id="frank-cnn"), representation=RepresentationRecipe(id="pixels"), **changes
    )


def test_cosine_is_torchs_own(recipe_of):
    recipe = recipe_of(schedule="cosine", warmup=10, learning_rate=0.02)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.02)
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=90)
    for step in range(10, 100):
        assert learning_rate(recipe, step, 100) == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-12)
        optimiser.step()
        oracle.step()
    assert [learning_rate(recipe, step, 100) for step in range(10)] == pytest.approx(
        [0.002 * (step + 1) for step in range(10)]
    )


def test_constant_is_constant_after_the_warmup(recipe_of):
    recipe = recipe_of(warmup=2, learning_rate=0.5)
    assert [learning_rate(recipe, step, 6) for step in range(6)] == [0.25, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_weight_decay_leaves_biases_alone(recipe_of):
    recipe = cnn_recipe(recipe_of, optimiser="adamw", weight_decay=0.1, learning_rate=0.5)
    network = build_detector(recipe, 1, 0)
    optimiser = build_optimiser(network, recipe)
    before = {name: value.clone() for name, value in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    for name, value in network.named_parameters():
        kept = 0.95 if name.endswith("weight") else 1.0
        torch.testing.assert_close(value, before[name] * kept)


@pytest.mark.parametrize(("precision", "bits"), [("float32", 23), ("bfloat16", 7), ("float16", 10)])
def test_only_the_network_is_rounded(recipe_of, precision, bits):
    recipe = cnn_recipe(recipe_of, precision=precision, penalties=PenaltyRecipe())
    exact, rounded = build_detector(recipe, 1, 0), build_detector(recipe, 1, 0)
    seen = []
    rounded.network.register_forward_pre_hook(lambda module, given: seen.append(given[0].dtype))
    rounded.network.convolutions[0].register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    wanted = Stepper(exact, cnn_recipe(recipe_of, penalties=PenaltyRecipe()), ALONE, 10)
    stepper = Stepper(rounded, recipe, ALONE, 10)
    batch = made_batch()
    losses = [(float(wanted.step(n, batch)), float(stepper.step(n, batch))) for n in range(3)]
    assert seen[:2] == [torch.float32, getattr(torch, precision)]
    for exactly, roughly in losses:
        assert roughly == pytest.approx(exactly, abs=20 * 2.0**-bits)
    assert all(parameter.dtype == torch.float32 for parameter in rounded.parameters())
    assert rounded(batch.tiles).dtype == torch.float32


def test_a_restored_stepper_goes_on_as_if_nothing_had_been(recipe_of):
    recipe = cnn_recipe(recipe_of, precision="float16", optimiser="adamw", weight_decay=0.01)
    batch = made_batch()
    network = build_detector(recipe, 1, 0)
    stepper = Stepper(network, recipe, ALONE, 10)
    for n in range(3):
        stepper.step(n, batch)
    other = build_detector(recipe, 1, 5)
    other.load_state_dict(network.state_dict())
    resumed = Stepper(other, recipe, ALONE, 10)
    resumed.restore(copy.deepcopy(stepper.state()))
    assert resumed.state()["scaler"] == stepper.state()["scaler"] != {}
    for n in range(3, 6):
        assert float(stepper.step(n, batch)) == pytest.approx(float(resumed.step(n, batch)), abs=1e-6)
