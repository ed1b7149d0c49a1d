"""Training a generator: resumed exactly, logged, shown, exported."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from spectrace.errors import RecipeError
from spectrace.generators import training as module
from spectrace.generators.families import Family
from spectrace.generators.photographs import Photographs
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.generators.sampler import Sampler
from spectrace.generators.training import (
    GeneratorTraining,
    load_training,
    run_folder,
    train_generator,
)
from spectrace.learning.checkpoints import LOG, read_log


class _KilledError(Exception):
    pass


def _samples(path: Path) -> np.ndarray:
    return Sampler(path).sample(6, seed=3)


def test_a_training_that_was_killed_resumes_to_the_same_result(
    tmp_path: Path,
    tiny_recipe: GeneratorRecipe,
    tiny_photographs: Photographs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    straight = train_generator(tiny_recipe, tiny_photographs, tmp_path / "straight")

    monkeypatch.setattr(module, "_CHECKPOINT_SECONDS", 0.0)
    advance = GeneratorTraining.advance

    def killed(self: GeneratorTraining, photographs: Photographs) -> dict[str, float]:
        if self.step == 40:
            raise _KilledError
        return advance(self, photographs)

    with monkeypatch.context() as patched:
        patched.setattr(GeneratorTraining, "advance", killed)
        with pytest.raises(_KilledError):
            train_generator(tiny_recipe, tiny_photographs, tmp_path / "killed")
    assert load_training(tmp_path / "killed").step == 25
    torch.manual_seed(99)  # what others drew meanwhile does not matter
    resumed = train_generator(tiny_recipe, tiny_photographs, tmp_path / "killed")

    np.testing.assert_array_equal(_samples(straight), _samples(resumed))
    logs = [read_log(path.parent / LOG) for path in (straight, resumed)]
    for log in logs:
        for line in log:
            del line["seconds"]
    assert logs[0] == logs[1]
    assert [line["epoch"] for line in logs[0]] == [25, 50, 60]


def test_a_finished_training_is_not_repeated(
    tmp_path: Path,
    tiny_recipe: GeneratorRecipe,
    tiny_photographs: Photographs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train_generator(tiny_recipe, tiny_photographs, tmp_path)
    monkeypatch.setattr(GeneratorTraining, "advance", lambda *_: pytest.fail("trained again"))
    train_generator(tiny_recipe, tiny_photographs, tmp_path)


def test_the_seed_decides(
    tmp_path: Path, tiny_recipe: GeneratorRecipe, tiny_photographs: Photographs
) -> None:
    short = msgspec.structs.replace(tiny_recipe, steps=2)
    other = msgspec.structs.replace(short, seed=1)
    made = [train_generator(one, tiny_photographs, tmp_path / str(one.seed)) for one in (short, other)]
    assert not np.array_equal(_samples(made[0]), _samples(made[1]))


def test_grid_and_card(tmp_path: Path, tiny_recipe: GeneratorRecipe, tiny_photographs: Photographs) -> None:
    path = train_generator(tiny_recipe, tiny_photographs, tmp_path)
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (128, 128)
    assert (tmp_path / "grids" / "step-000060.png").is_file()
    card = Sampler(path).card
    assert card.recipe == msgspec.structs.replace(tiny_recipe, upsampler="transposed")
    assert card.steps == 60
    assert card.photographs == tiny_photographs.digest
    assert card.seconds > 0


def test_exported_sampler_draws_what_torch_draws(
    tmp_path: Path, tiny_recipe: GeneratorRecipe, tiny_photographs: Photographs
) -> None:
    path = train_generator(tiny_recipe, tiny_photographs, tmp_path)
    training = load_training(tmp_path)
    noise = np.stack([np.random.default_rng([3, n]).standard_normal(64, np.float32) for n in range(6)])
    with torch.no_grad():
        drawn = training.averaged(torch.from_numpy(noise)).clamp(-1, 1)
    expected = (127.5 * drawn + 127.5).round().permute(0, 2, 3, 1).numpy()
    assert np.abs(_samples(path) - expected).max() <= 1


def test_another_run_in_the_folder_is_refused(
    tmp_path: Path, tiny_recipe: GeneratorRecipe, tiny_photographs: Photographs
) -> None:
    train_generator(tiny_recipe, tiny_photographs, tmp_path)
    longer = msgspec.structs.replace(tiny_recipe, steps=61)
    with pytest.raises(RecipeError, match="another recipe, data or seed"):
        train_generator(longer, tiny_photographs, tmp_path)


def test_other_photographs_are_another_run(
    tiny_recipe: GeneratorRecipe, tiny_photographs: Photographs
) -> None:
    fewer = Photographs(tiny_photographs.pictures[1:], 16)
    assert run_folder(tiny_recipe, fewer) != run_folder(tiny_recipe, tiny_photographs)
    assert run_folder(tiny_recipe, tiny_photographs).name.startswith("dcgan-transposed-")


def test_a_training_that_falls_apart_says_so(
    tmp_path: Path,
    tiny_recipe: GeneratorRecipe,
    tiny_photographs: Photographs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(self: Family, photographs: object, number: int) -> dict[str, float]:
        return {"critic": float("nan")}

    monkeypatch.setattr("spectrace.generators.families.dcgan.DCGAN.step", broken)
    with pytest.raises(RecipeError, match="fell apart"):
        train_generator(tiny_recipe, tiny_photographs, tmp_path)


def test_a_folder_without_a_training(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no generator's training"):
        load_training(tmp_path)
