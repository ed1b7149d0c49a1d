from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from spectrace.errors import RecipeError
from spectrace.learning.cutting import Cutter, Pictures
from spectrace.learning.data import TrainingTiles, batches, parts, survey, training_batches
from spectrace.learning.sampling import Entry, Sampler, entries_of

CLASSES = ["camera", "generated"]


def stream(manifest, recipe, seed=0, budget=0):
    sampler = Sampler(tuple(entries_of(manifest, recipe, "train", CLASSES)), 2, 0.0)
    return TrainingTiles(sampler, Cutter.of(recipe), seed, Pictures(budget))


def taken(dataset, indices, workers):
    found = list(batches(dataset, parts(indices, 8), workers))
    return torch.cat([part.tiles for part in found]), torch.cat([part.numbers for part in found])


def test_stream_does_not_depend_on_workers_nor_on_what_is_kept(pictures, recipe_of):
    recipe = recipe_of()
    alone, targets = taken(stream(pictures, recipe), range(48), 0)
    for workers, budget in ((1, 0), (2, 10**6), (0, 10**6)):
        tiles, numbers = taken(stream(pictures, recipe, budget=budget), range(48), workers)
        assert torch.equal(tiles, alone)
        assert torch.equal(numbers, targets)
    assert alone.shape == (48, 3, 16, 16)
    assert alone.dtype == torch.uint8
    assert targets.tolist() == [0, 1] * 24


def test_stream_can_be_entered_anywhere(pictures, recipe_of):
    dataset = stream(pictures, recipe_of())
    whole, _ = taken(dataset, range(32), 0)
    rest, _ = taken(dataset, range(16, 32), 0)
    assert torch.equal(whole[16:], rest)


def test_seeds_differ(pictures, recipe_of):
    one, _ = taken(stream(pictures, recipe_of(), seed=1), range(16), 0)
    two, _ = taken(stream(pictures, recipe_of(), seed=2), range(16), 0)
    assert not torch.equal(one, two)


def test_stream_leaves_torchs_generator_alone(pictures, recipe_of):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    taken(stream(pictures, recipe_of()), range(8), 0)
    assert torch.equal(before, torch.get_rng_state())


def test_failed_pictures_are_replaced_and_reported(pictures, spoiled, recipe_of, tmp_path):
    dataset = stream(spoiled(pictures, tmp_path / "bad"), recipe_of())
    found = list(batches(dataset, parts(range(400), 8), 0))
    assert all(len(part.tiles) == 8 for part in found)
    names = {problem.name.rsplit("/", 1)[1] for part in found for problem in part.problems}
    assert names == {"broken.png", "missing.png", "tiny.png"}


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_but_failures_is_an_error_of_one_line(recipe_of, tmp_path, workers):
    entries = tuple(Entry(tmp_path / f"{n}.png", f"{n}.png", n, "g") for n in range(2))
    dataset = TrainingTiles(Sampler(entries, 2, 0.0), Cutter.of(recipe_of()), 0, Pictures())
    with pytest.raises(RecipeError, match=r"in a row gave no tile.*\.png") as raised:
        next(training_batches(dataset, [range(8)], workers))
    assert "\n" not in str(raised.value)


def test_datasets_can_be_sent_to_other_processes(pictures, recipe_of):
    dataset = stream(pictures, recipe_of())
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy[5][0], dataset[5][0])


@pytest.mark.parametrize("workers", [0, 2])
def test_survey_sees_every_picture_once(pictures, spoiled, recipe_of, tmp_path, workers):
    recipe = recipe_of()
    entries = entries_of(spoiled(pictures, tmp_path / "bad"), recipe, "train", CLASSES)
    seen = []
    looked_at = 0

    def visit(tiles, count):
        nonlocal looked_at
        looked_at += count
        seen.append(tiles.numpy())

    found = survey(entries, Cutter.of(recipe), 0, workers, visit)
    assert looked_at == len(entries) == 39
    assert sum(map(len, seen)) == 36
    assert {name.rsplit("/", 1)[1] for name in found.unreadable} == {"broken.png", "missing.png"}
    assert all("\n" not in reason for reason in found.unreadable.values())
    assert [name.rsplit("/", 1)[1] for name in found.too_small] == ["tiny.png"]
    assert found.left_out == {*found.unreadable, *found.too_small}


def test_batches_without_a_good_picture(recipe_of, tmp_path):
    entries = [Entry(tmp_path / f"{n}.png", f"{n}.png", 0, "g") for n in range(40)]
    shapes = []
    found = survey(
        entries, Cutter.of(recipe_of()), 0, 0, lambda tiles, count: shapes.append((len(tiles), count))
    )
    assert shapes == [(0, 32), (0, 8)]
    assert len(found.unreadable) == 40
