from __future__ import annotations

import pickle

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from spectrace.errors import RecipeError
from spectrace.learning.cutting import Cutter
from spectrace.learning.data import TrainingTiles, batches, parts, survey, training_batches
from spectrace.learning.pictures import Pictures
from spectrace.learning.sampling import Entry, Sampler, entries_of

CLASSES = ["camera", "generated"]
AUGMENT = [
    "flip@0.5",
    "resize(scale=0.5..1.4, kernel=nearest)@0.5",
    "crop-resize(fraction=0.1..0.3, kernel=nearest)@0.5",
]


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


@pytest.fixture
def couples(tmp_path, recipe_of):
    """Entries of ten couples: red and green say where a pixel lies, blue says of which class it is."""
    rows, columns = np.mgrid[:60, :48]
    entries = []
    for number in range(10):
        for target in (0, 1):
            name = f"{number}-{target}.png"
            pixels = np.stack([rows * 4, columns * 4, rows * 0 + 10 * number + target], axis=2)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name)
            entries.append(Entry(tmp_path / name, name, target, f"group{number % 2}", f"scene{number}"))
    return entries


def aligned(entries, recipe_of, share=1.0, seed=0, budget=0):
    recipe = recipe_of(data=msgspec.structs.replace(recipe_of().data, augment=AUGMENT))
    return TrainingTiles(Sampler(entries, 2, 0.0, share), Cutter.of(recipe), seed, Pictures(budget))


def test_aligned_couples_differ_in_their_traces_only(couples, recipe_of):
    tiles, targets = taken(aligned(couples, recipe_of), range(80), 0)
    assert targets.tolist() == [0, 1] * 40
    camera, generated = tiles[::2].numpy(), tiles[1::2].numpy()
    np.testing.assert_array_equal(camera[:, :2], generated[:, :2])
    np.testing.assert_array_equal(camera[:, 2] + 1, generated[:, 2])
    assert len(np.unique(camera.reshape(40, -1), axis=0)) > 30


def test_half_of_the_couples_can_be_aligned(couples, recipe_of):
    dataset = aligned(couples, recipe_of, 0.5)
    tiles, _ = taken(dataset, range(64), 0)
    alike = (tiles[::2, :2] == tiles[1::2, :2]).flatten(1).all(1)
    assert alike.tolist() == [dataset.sampler.is_paired(couple) for couple in range(32)]
    assert int(alike.sum()) == 16
    free, _ = taken(aligned(couples, recipe_of, 0.0), range(64), 0)
    assert torch.equal(free[::2][~alike], tiles[::2][~alike])


def test_aligned_stream_does_not_depend_on_workers(couples, recipe_of):
    alone, _ = taken(aligned(couples, recipe_of, 0.5), range(48), 0)
    for workers, budget in ((2, 0), (1, 10**6)):
        tiles, _ = taken(aligned(couples, recipe_of, 0.5, budget=budget), range(48), workers)
        assert torch.equal(tiles, alone)
    single = torch.from_numpy(np.concatenate([aligned(couples, recipe_of, 0.5)[n].tiles for n in range(48)]))
    assert torch.equal(single, alone)


def test_a_couple_with_a_failed_picture_is_replaced_as_a_whole(couples, recipe_of):
    for entry in couples[:8]:
        if entry.target == (entry.content == "scene1"):
            entry.path.write_bytes(b"broken")
    tiles, _ = taken(aligned(couples, recipe_of), range(80), 0)
    np.testing.assert_array_equal(tiles[::2, :2], tiles[1::2, :2])
    assert not set((tiles[:, 2].unique() // 10).tolist()) & {0, 1, 2, 3}


def test_aligned_pictures_of_different_sizes_are_an_error(couples, recipe_of):
    Image.new("RGB", (48, 59)).save(couples[5].path)
    with pytest.raises(RecipeError, match=r"2-1.png has 48x59 pixels, 2-0.png of the same content 48x60"):
        survey(couples, Cutter.of(recipe_of()), 0, 0, lambda tiles, count: None, aligned=True)
    survey(couples, Cutter.of(recipe_of()), 0, 0, lambda tiles, count: None)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_processes_split_every_batch_between_them(pictures, recipe_of, ranks):
    dataset = stream(pictures, recipe_of())
    whole = [batch.tiles for batch in batches(dataset, parts(range(32), 16), 0)]
    split = [batches(dataset, parts(range(32), 16, rank, ranks), 0) for rank in range(ranks)]
    for batch, shares in zip(whole, zip(*split, strict=True), strict=True):
        assert torch.equal(batch, torch.cat([share.tiles for share in shares]))
        assert all(share.numbers.tolist() == [0, 1] * (8 // ranks) for share in shares)
