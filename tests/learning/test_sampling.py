from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import RecipeError
from spectrace.learning.sampling import (
    Entry,
    Sampler,
    class_names,
    couples_of,
    entries_of,
    require_couples,
)

SIZES = {("real", "phone"): 90, ("real", "film"): 10, ("generated", "gan"): 3, ("generated", "ldm"): 27}


@pytest.fixture
def manifest() -> Manifest:
    rows = [
        Row(
            path=f"{source}/{number}.png",
            label=label,
            split=split,
            generator=source if label == "generated" else "",
            source=source,
            pair="faces" if number == 0 else "",
        )
        for (label, source), count in SIZES.items()
        for split in ("train", "val", "unseen")
        for number in range(
            {"train": 0, "val": 1000, "unseen": 2000}[split],
            {"train": count, "val": 1001, "unseen": 2001}[split],
        )
    ]
    return Manifest(rows)


def drawn(sampler: Sampler, count: int = 8000) -> Counter[str]:
    return Counter(
        sampler.draw(index, np.random.default_rng([1, index])).group.split("/")[1] for index in range(count)
    )


@pytest.mark.parametrize(
    ("temperature", "shares"),
    [
        (0.0, {"phone": 0.25, "film": 0.25, "gan": 0.25, "ldm": 0.25}),
        (1.0, {"phone": 0.45, "film": 0.05, "gan": 0.05, "ldm": 0.45}),
        (0.5, {"phone": 0.375, "film": 0.125, "gan": 0.125, "ldm": 0.375}),
    ],
)
def test_sources_are_drawn_by_temperature(manifest, recipe_of, temperature, shares):
    entries = entries_of(manifest, recipe_of(), "train", ["camera", "generated"])
    found = drawn(Sampler(tuple(entries), 2, temperature))
    assert {name: count / 8000 for name, count in found.items()} == pytest.approx(shares, abs=0.02)


def test_every_batch_holds_each_class_alike(manifest, recipe_of):
    entries = entries_of(manifest, recipe_of(), "train", ["camera", "generated"])
    sampler = Sampler(tuple(entries), 2, 1.0)
    targets = [sampler.draw(index, np.random.default_rng(index)).target for index in range(320)]
    assert all(sum(targets[start : start + 32]) == 16 for start in range(0, 320, 32))


def test_splits_do_not_mix(manifest, recipe_of):
    entries = entries_of(manifest, recipe_of(), "train", ["camera", "generated"])
    assert len(entries) == sum(SIZES.values())
    assert all(int(Path(entry.name).stem) < 1000 for entry in entries)


def test_attribution_has_a_class_a_generator(manifest, recipe_of):
    recipe = recipe_of(task="attribution")
    classes = class_names(manifest, recipe)
    assert classes == ["camera", "gan", "ldm"]
    entries = entries_of(manifest, recipe, "train", classes)
    assert Counter(entry.target for entry in entries) == {0: 100, 1: 3, 2: 27}


def test_attribution_of_nothing(manifest, recipe_of):
    with pytest.raises(RecipeError, match="nothing to attribute"):
        class_names(manifest.select(label="real"), recipe_of(task="attribution"))


def test_excluded_rows_are_left_out(manifest, recipe_of):
    data = msgspec.structs.replace(recipe_of().data, exclude={"generator": ["gan"], "pair": ["faces"]})
    recipe = recipe_of(data=data)
    entries = entries_of(manifest, recipe, "train", ["camera", "generated"])
    assert Counter(entry.group for entry in entries) == {"camera/phone": 89, "camera/film": 9, "ldm/ldm": 26}
    assert class_names(manifest, recipe_of(task="attribution", data=data)) == ["camera", "ldm"]


@pytest.mark.parametrize(("label", "empty"), [("real", "generated"), ("generated", "camera")])
def test_an_empty_class_is_named(manifest, recipe_of, label, empty):
    with pytest.raises(RecipeError, match=f"split 'train'.*no pictures of class {empty}"):
        entries_of(manifest.select(label=label), recipe_of(), "train", ["camera", "generated"])


def test_a_missing_split_is_an_empty_class(manifest, recipe_of):
    with pytest.raises(RecipeError, match="split 'tain'"):
        entries_of(manifest, recipe_of(), "tain", ["camera", "generated"])


def test_key_depends_on_the_name_only():
    assert Entry(Path("/a/x.png"), "x.png", 0, "g").key == Entry(Path("/b/x.png"), "x.png", 1, "h").key
    assert Entry(Path("x.png"), "x.png", 0, "g").key != Entry(Path("x.png"), "y.png", 0, "g").key


def aligned_entries() -> list[Entry]:
    """Two cameras; generator a has remade 30 pictures of one and 10 of the other, generator b 20 of one."""
    made = {("phone", "a"): 30, ("film", "a"): 10, ("phone", "b"): 20}
    entries = [
        Entry(Path(f"{camera}{n}"), f"{camera}{n}", 0, f"camera/{camera}", f"{camera}-{n}")
        for camera in ("phone", "film")
        for n in range(40)
    ]
    entries += [
        Entry(Path(f"{camera}{n}{generator}"), f"{camera}{n}{generator}", 1, generator, f"{camera}-{n}")
        for (camera, generator), count in made.items()
        for n in range(count)
    ]
    return [*entries, Entry(Path("x"), "x", 1, "c"), Entry(Path("y"), "y", 1, "c", "no photograph of it")]


def test_couples_share_their_content():
    couples = couples_of(aligned_entries())
    assert len(couples) == 60
    assert all(camera.content == generated.content for camera, generated in couples)
    assert all((camera.target, generated.target) == (0, 1) for camera, generated in couples)


@pytest.mark.parametrize(
    ("temperature", "shares"),
    [
        (0.0, {("a", "phone"): 1 / 4, ("a", "film"): 1 / 4, ("b", "phone"): 1 / 2}),
        (1.0, {("a", "phone"): 1 / 2, ("a", "film"): 1 / 6, ("b", "phone"): 1 / 3}),
    ],
)
def test_couples_are_drawn_by_generator_then_by_camera(temperature, shares):
    sampler = Sampler(aligned_entries(), 2, temperature, 1.0)
    drawn = [sampler.draw_couple(np.random.default_rng([4, n])) for n in range(6000)]
    found = Counter((generated.group, camera.group.split("/")[1]) for camera, generated in drawn)
    assert {names: count / 6000 for names, count in found.items()} == pytest.approx(shares, abs=0.03)
    assert len({generated.name for _, generated in drawn}) == 60


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 1.0])
def test_the_share_of_couples_is_the_same_in_every_batch(share):
    sampler = Sampler(aligned_entries(), 2, 0.0, share)
    paired = np.array([sampler.is_paired(couple) for couple in range(1600)]).reshape(50, 32)
    assert (np.abs(paired.sum(1) - 32 * share) < 1).all()
    assert paired.mean() == pytest.approx(share, abs=1e-3)


def test_no_couple_is_an_error():
    entries = [Entry(Path(name), name, target, "g", "") for name, target in (("a", 0), ("b", 1))]
    with pytest.raises(RecipeError, match="split 'train': data.paired_share .* no such couple") as raised:
        require_couples(entries, "split 'train'")
    assert "\n" not in str(raised.value)


def test_content_comes_from_the_manifest(recipe_of):
    rows = [
        Row(path="a.png", label="real", split="train", extra={"content": "sunset"}),
        Row(path="b.png", label="generated", split="train", generator="gan"),
    ]
    entries = entries_of(Manifest(rows), recipe_of(), "train", ["camera", "generated"])
    assert [entry.content for entry in entries] == ["sunset", ""]
