from __future__ import annotations

import itertools
import json
import math
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from spectrace.corpora.manifest import Manifest, Row
from spectrace.detectors.patches import PatchGrid
from spectrace.errors import RecipeError
from spectrace.learning.checkpoints import load_checkpoint, read_log, save_checkpoint
from spectrace.learning.distributed import Processes
from spectrace.learning.loop import train
from spectrace.learning.network import patch_losses, penalty
from spectrace.learning.networks import Network, registry
from spectrace.learning.progress import Silent
from spectrace.learning.recipes import NetworkRecipe, PenaltyRecipe
from spectrace.learning.validation import Validation, ValidationSet


class KilledIn(Silent):
    """Stops the training in the middle of an epoch, as a kill does."""

    def __init__(self, task: str) -> None:
        self.victim = task

    @contextmanager
    def task(self, name, total):
        def advance(done):
            if name == self.victim:
                raise KeyboardInterrupt

        yield advance


def weights(trained) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in trained.network.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-6, err_msg=name)


class Moody(Network):
    """Has everything a resume can get wrong: chance (dropout) and state that is no parameter (batch norm)."""

    def __init__(self, outputs: int, tile: int) -> None:
        super().__init__()
        self.patches = PatchGrid(size=tile, stride=tile)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, tile),
            torch.nn.BatchNorm2d(4),
            torch.nn.Dropout(0.5),
            torch.nn.Conv2d(4, outputs, 1),
        )

    def forward(self, inputs):
        return self.layers(inputs)


@pytest.mark.parametrize("network", ["linear", "frank-cnn", "moody"])
def test_a_killed_training_ends_like_an_undisturbed_one(pictures, recipe_of, tmp_path, monkeypatch, network):
    monkeypatch.setitem(registry._BUILDERS, "moody", Moody)
    recipe = recipe_of(network=NetworkRecipe(id=network))
    straight = train(recipe, pictures, tmp_path / "straight", seed=3, workers=0)
    for victim in ("training pictures", "epoch 1", "epoch 3"):
        with pytest.raises(KeyboardInterrupt):
            train(recipe, pictures, tmp_path / "cut", seed=3, workers=0, progress=KilledIn(victim))
    resumed = train(recipe, pictures, tmp_path / "cut", seed=3, workers=0)
    assert_same(weights(straight), weights(resumed))
    ends = [load_checkpoint(tmp_path / folder, straight.digest, 3) for folder in ("straight", "cut")]
    assert_same(*({name: value.numpy() for name, value in end["network"].items()} for end in ends))
    lines = [read_log(tmp_path / folder / "log.jsonl") for folder in ("straight", "cut")]
    assert [line["epoch"] for line in lines[1]] == [1, 2, 3, 4]
    for one, other in zip(*lines, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], abs=1e-6)
        assert one["val_loss"] == pytest.approx(other["val_loss"], abs=1e-6)


CHANGES = {
    "cosine": {"schedule": "cosine", "warmup": 3, "optimiser": "adamw", "weight_decay": 0.1},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_schedules_and_precisions_resume_exactly(pictures, recipe_of, tmp_path, change):
    recipe = recipe_of(network=NetworkRecipe(id="frank-cnn"), **CHANGES[change])
    straight = train(recipe, pictures, tmp_path / "straight", seed=3, workers=0)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, pictures, tmp_path / "cut", seed=3, workers=0, progress=KilledIn("epoch 3"))
    resumed = train(recipe, pictures, tmp_path / "cut", seed=3, workers=0)
    assert_same(weights(straight), weights(resumed))
    plain = train(recipe_of(network=recipe.network), pictures, tmp_path / "plain", seed=3, workers=0)
    assert any(
        np.abs(a - b).max() > 1e-6
        for a, b in zip(*(weights(t).values() for t in (straight, plain)), strict=True)
    )
    assert all(value.dtype != np.float16 for value in weights(straight).values())


def test_the_learning_rate_is_in_the_log(pictures, recipe_of, tmp_path):
    recipe = recipe_of(schedule="cosine", warmup=2, learning_rate=0.01)
    train(recipe, pictures, tmp_path, seed=0, workers=0)
    rates = [line["learning_rate"] for line in read_log(tmp_path / "log.jsonl")]
    # Of the last step of each epoch of two: 1, 3, 5 and 7 of 8, of which 2 are the warm-up.
    expected = [0.01, *(0.005 * (1 + math.cos(math.pi * (step - 2) / 6)) for step in (3, 5, 7))]
    assert rates == pytest.approx(expected)


def test_aligned_couples_train(pictures, recipe_of, tmp_path):
    """The pictures of the fixture are couples already: number n of both classes shows the same."""
    rows = [msgspec.structs.replace(row, extra={"content": row.path.split("/")[1]}) for row in pictures.rows]
    known = Manifest(rows, pictures.root)
    data = msgspec.structs.replace(recipe_of().data, paired_share=1.0)
    recipe = recipe_of(data=data)
    aligned = train(recipe, known, tmp_path / "aligned", seed=0, workers=0)
    fed = train(recipe, known, tmp_path / "fed", seed=0, workers=2)
    assert_same(weights(aligned), weights(fed))
    free = train(recipe_of(), known, tmp_path / "free", seed=0, workers=0)
    assert (
        np.abs(weights(aligned)["network.dense.weight"] - weights(free)["network.dense.weight"]).max() > 1e-5
    )
    with pytest.raises(RecipeError, match="split 'train' of the data: data.paired_share"):
        train(recipe, pictures, tmp_path / "none", seed=0, workers=0)


@pytest.mark.parametrize("select", ["loss", "accuracy", "auroc"])
def test_the_best_epoch_is_chosen_by(pictures, recipe_of, tmp_path, monkeypatch, select):
    figures = iter(
        [
            Validation(0.5, 0.6, 0.7),
            Validation(0.4, 0.5, 0.6),
            Validation(0.6, 0.7, 0.5),
            Validation(0.6, 0.5, 0.8),
        ]
    )
    monkeypatch.setattr(ValidationSet, "measure", lambda self, network: next(figures))
    trained = train(recipe_of(select=select), pictures, tmp_path, seed=0, workers=0)
    assert trained.epoch == {"loss": 2, "accuracy": 4, "auroc": 3}[select]
    assert trained.best.loss == {"loss": 0.4, "accuracy": 0.6, "auroc": 0.6}[select]


def test_stops_when_no_epoch_can_be_better(pictures, recipe_of, tmp_path, monkeypatch):
    figures = iter([Validation(0.5, 1.0, 0.9), Validation(0.4, 1.0, 1.0)])
    monkeypatch.setattr(ValidationSet, "measure", lambda self, network: next(figures))
    assert train(recipe_of(select="accuracy"), pictures, tmp_path, seed=0, workers=0).epoch == 2
    assert len(read_log(tmp_path / "log.jsonl")) == 2


def test_a_checkpoint_from_before_there_were_several_processes(pictures, recipe_of, tmp_path):
    recipe = recipe_of(network=NetworkRecipe(id="frank-cnn"))
    straight = train(recipe, pictures, tmp_path / "straight", seed=3, workers=0)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, pictures, tmp_path / "cut", seed=3, workers=0, progress=KilledIn("epoch 3"))
    saved = load_checkpoint(tmp_path / "cut", straight.digest, 3)
    del saved["scaler"]
    saved["random"] = saved["random"][0].clone()
    saved["best"] = {name: saved["best"][name] for name in ("loss", "auroc", "accuracy")}
    save_checkpoint(tmp_path / "cut", saved)
    assert_same(weights(straight), weights(train(recipe, pictures, tmp_path / "cut", seed=3, workers=0)))


def test_a_batch_that_processes_cannot_share(pictures, recipe_of, tmp_path):
    group = Processes(torch.device("cpu"), rank=0, count=3)
    with pytest.raises(RecipeError, match="batch is 8, which 3 processes cannot share"):
        train(recipe_of(), pictures, tmp_path, seed=0, workers=0, group=group)


def test_workers_do_not_change_the_result(pictures, recipe_of, tmp_path):
    alone = train(recipe_of(), pictures, tmp_path / "alone", seed=0, workers=0)
    fed = train(recipe_of(), pictures, tmp_path / "fed", seed=0, workers=2)
    assert_same(weights(alone), weights(fed))


def test_a_finished_training_reads_no_picture_again(pictures, recipe_of, tmp_path):
    first = train(recipe_of(), pictures, tmp_path, seed=0, workers=0)
    nowhere = Manifest(pictures.rows, "/nowhere")
    again = train(recipe_of(), nowhere, tmp_path, seed=0, workers=0)
    assert_same(weights(first), weights(again))
    assert (first.best, first.epoch) == (again.best, again.epoch)


def test_log_can_be_plotted(pictures, recipe_of, tmp_path):
    trained = train(recipe_of(), pictures, tmp_path, seed=0, workers=0)
    lines = read_log(tmp_path / "log.jsonl")
    wanted = {"step", "epoch", "learning_rate", "train_loss", "val_loss", "val_auroc", "val_accuracy"}
    wanted |= {"val_patch_auroc", "val_patch_accuracy", "tiles_per_second", "seconds"}
    assert all(wanted <= line.keys() for line in lines)
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert trained.best.loss == min(line["val_loss"] for line in lines)
    assert lines[trained.epoch - 1]["val_loss"] == trained.best.loss
    assert all(a["seconds"] <= b["seconds"] for a, b in itertools.pairwise(lines))


def test_stops_early_and_keeps_the_best(pictures, recipe_of, tmp_path):
    recipe = recipe_of(epochs=60, patience=3, learning_rate=0.5, penalties=PenaltyRecipe())
    trained = train(recipe, pictures, tmp_path, seed=0, workers=0)
    lines = read_log(tmp_path / "log.jsonl")
    assert len(lines) == trained.epoch + 3 < 60
    assert trained.best.loss < min(line["val_loss"] for line in lines[trained.epoch :])


def test_learns_what_upsampling_leaves(pictures, recipe_of, tmp_path):
    data = msgspec.structs.replace(recipe_of().data, augment=["flip@0.5"], grid=8)
    recipe = recipe_of(epochs=15, steps_per_epoch=10, learning_rate=0.003, data=data)
    assert train(recipe, pictures, tmp_path, seed=0, workers=0).best.auroc > 0.95


def test_attribution(pictures, recipe_of, tmp_path):
    trained = train(recipe_of(task="attribution"), pictures, tmp_path, seed=0, workers=0)
    assert trained.classes == ["camera", "up0", "up1"]
    assert trained.network(torch.zeros(2, 3, 16, 16, dtype=torch.uint8)).shape == (2, 3, 1, 1)


def test_left_out_pictures_are_listed(pictures, spoiled, recipe_of, tmp_path):
    lines = []
    progress = Silent()
    progress.say = lines.append
    train(
        recipe_of(),
        spoiled(pictures, tmp_path / "bad"),
        tmp_path / "run",
        seed=0,
        workers=0,
        progress=progress,
    )
    listed = json.loads((tmp_path / "run" / "train-left-out.json").read_text())
    assert sorted(name.rsplit("/", 1)[1] for name in listed["unreadable"]) == ["broken.png", "missing.png"]
    assert [name.rsplit("/", 1)[1] for name in listed["too_small"]] == ["tiny.png"]
    assert any("2 unreadable, 1 smaller than a tile" in line for line in lines)


def test_tiles_larger_than_the_pictures(pictures, recipe_of, tmp_path):
    recipe = recipe_of(tile=64, network=NetworkRecipe(id="linear"))
    with pytest.raises(RecipeError, match="12 smaller than a tile"):
        train(recipe, pictures, tmp_path, seed=0, workers=0)


def test_tiles_larger_than_the_training_pictures(pictures, recipe_of, tmp_path):
    Image.new("RGB", (15, 40)).save(tmp_path / "camera.png")
    Image.new("RGB", (40, 15)).save(tmp_path / "generated.png")
    held_out = [
        msgspec.structs.replace(row, path=str(pictures.locate(row))) for row in pictures.select(split="val")
    ]
    small = [
        Row(path="camera.png", label="real", split="train"),
        Row(path="generated.png", label="generated", split="train"),
    ]
    with pytest.raises(RecipeError, match=r"tiles of 16 pixels \(0 unreadable, 2 smaller than a tile\)"):
        train(recipe_of(), Manifest([*held_out, *small], tmp_path), tmp_path / "run", seed=0, workers=0)


def test_unknown_network_stops_before_reading(recipe_of, pictures, tmp_path):
    with pytest.raises(RecipeError, match=r"network\.id"):
        train(
            recipe_of(network=NetworkRecipe(id="nothing")),
            Manifest(pictures.rows, "/nowhere"),
            tmp_path,
            seed=0,
            workers=0,
        )


def test_a_loss_that_is_no_number(pictures, recipe_of, tmp_path, monkeypatch):
    monkeypatch.setattr(ValidationSet, "measure", lambda self, network: Validation(math.nan, 0.5, 0.5))
    with pytest.raises(RecipeError, match="lower learning_rate"):
        train(recipe_of(), pictures, tmp_path, seed=0, workers=0)


@pytest.mark.parametrize("strength", [0.01, 0.3])
def test_ridge_loss_has_scikit_learns_minimum(strength):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 5))
    labels = (features @ [1.0, -2.0, 0.5, 0.0, 0.0] + rng.normal(size=200) > 0.3).astype(int)
    layer = torch.nn.Linear(5, 1, dtype=torch.float64)
    optimiser = torch.optim.LBFGS(
        layer.parameters(), max_iter=500, line_search_fn="strong_wolfe", tolerance_change=1e-12
    )

    def closure():
        optimiser.zero_grad()
        logits = layer(torch.from_numpy(features))[:, :, None]
        loss = patch_losses(logits, torch.from_numpy(labels)).mean()
        total = loss + penalty([layer.weight], PenaltyRecipe(l2=strength))
        total.backward()
        return total

    optimiser.step(closure)
    # scikit-learn minimises |w|^2 / 2 + C * sum of losses.
    oracle = LogisticRegression(C=1 / (2 * strength * 200), tol=1e-10, max_iter=1000).fit(features, labels)
    np.testing.assert_allclose(layer.weight.detach().numpy(), oracle.coef_, atol=1e-4)
    np.testing.assert_allclose(layer.bias.detach().numpy(), oracle.intercept_, atol=1e-4)


def test_lasso_shrinks_more_weights_away(pictures, recipe_of, tmp_path):
    size = {}
    for l1 in (0.0, 0.05):
        recipe = recipe_of(epochs=5, steps_per_epoch=10, penalties=PenaltyRecipe(l1=l1))
        trained = train(recipe, pictures, tmp_path / str(l1), seed=0, workers=0)
        size[l1] = float(trained.network.network.dense.weight.detach().abs().sum())
    assert size[0.05] < 0.75 * size[0.0]


def test_patch_losses_average_over_patches():
    logits = torch.tensor([[[0.0, 2.0], [-1.0, 3.0]]])
    expected = np.mean([np.log1p(np.exp(-x)) for x in (0.0, 2.0, -1.0, 3.0)])
    assert float(patch_losses(logits, torch.tensor([1]))) == pytest.approx(expected)
    several = torch.randn(2, 3, 2, 2)
    whole = patch_losses(several, torch.tensor([2, 0]))
    parts = torch.stack(
        [
            patch_losses(several[:, :, r : r + 1, c : c + 1], torch.tensor([2, 0]))
            for r in (0, 1)
            for c in (0, 1)
        ]
    )
    torch.testing.assert_close(whole, parts.mean(0))
