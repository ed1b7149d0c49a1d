"""Manipulations: nothing outside of the region changes, everything is decided by the seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import binary_erosion, label

from spectrace.corpora.check import check_manifest
from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.masks import mask_of
from spectrace.errors import ManifestError, UsageError
from spectrace.generators.aligned import read_crops
from spectrace.generators.manipulated import make_manipulations, write_manipulations
from spectrace.generators.manipulations import (
    MANIPULATIONS,
    manipulate,
    match_colours,
    resynthesise,
    retexture,
    swap,
    warp,
)
from spectrace.generators.regions import Region, random_region

sides = st.integers(64, 150)
seeds = st.integers(0, 2**32 - 1)


@given(sides, sides, seeds)
def test_a_region_has_a_tenth_to_two_fifths_of_the_area_in_one_piece(
    height: int, width: int, seed: int
) -> None:
    region = random_region(height, width, np.random.default_rng(seed))
    assert region.weight.shape == (height, width)
    assert 0.1 <= region.inside.mean() <= 0.4
    assert 0.0 <= region.weight.min() < region.weight.max() <= 1.0
    pieces = np.bincount(label(region.inside, np.ones((3, 3)))[0][region.inside])
    assert pieces.max() >= 0.98 * pieces.sum()  # a sharp corner may end in a pixel of its own
    # Soft: along the border the weight is small, deep inside it is one.
    border = region.inside & ~binary_erosion(region.inside)
    assert region.weight[border].max() < 0.75
    rows, columns = region.box
    assert region.inside[rows, columns].sum() == region.inside.sum()
    assert region.inside[rows].any(axis=1).all()
    assert region.inside[:, columns].any(axis=0).all()
    assert set(np.unique(region.mask)) == {0, 255}


def test_regions_of_both_kinds_are_of_many_sizes_and_places() -> None:
    regions = [random_region(100, 100, np.random.default_rng(seed)) for seed in range(80)]
    areas = [region.inside.mean() for region in regions]
    assert min(areas) < 0.15
    assert max(areas) > 0.35
    middles = np.array([np.argwhere(region.inside).mean(axis=0) for region in regions])
    assert (middles.std(axis=0) > 7).all()


@pytest.mark.parametrize("size", [(63, 99), (99, 63)])
def test_small_pictures_have_no_region(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="wanted sides of 64 or more"):
        random_region(*size, np.random.default_rng(0))


def random_picture(height: int, width: int, seed: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "flat":
        return np.full((height, width, 3), rng.integers(256), np.uint8)
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    return np.broadcast_to(ramp[None, :, None], (height, width, 3)).copy()


@settings(max_examples=60)
@given(
    sides,
    sides,
    seeds,
    st.sampled_from(MANIPULATIONS),
    st.sampled_from(["noise", "flat", "ramp"]),
    sides,
    sides,
)
def test_outside_of_the_region_every_pixel_is_the_originals(
    height: int, width: int, seed: int, name: str, kind: str, donor_height: int, donor_width: int
) -> None:
    picture = random_picture(height, width, seed, kind)
    donor = random_picture(donor_height, donor_width, seed + 1, "noise")
    before = picture.copy()
    region = random_region(height, width, np.random.default_rng(seed))

    def once() -> np.ndarray:
        return manipulate(name, picture, region, np.random.default_rng(seed), donor=donor)

    changed = once()
    assert (changed.dtype, changed.shape) == (np.uint8, picture.shape)
    assert (changed == picture)[~region.inside].all()
    assert (picture == before).all()
    assert (once() == changed).all()
    if kind == "noise":
        assert (changed != picture).any(axis=2)[region.inside].mean() > 0.5


@pytest.mark.parametrize("name", MANIPULATIONS)
def test_a_photograph_is_changed_nearly_everywhere_inside(
    photographs: dict[str, np.ndarray], name: str
) -> None:
    picture = photographs["astronaut"][60:260, 100:300]
    region = random_region(200, 200, np.random.default_rng(3))
    changed = manipulate(name, picture, region, np.random.default_rng(3), donor=photographs["coffee"])
    assert (changed != picture).any(axis=2)[region.weight > 0.5].mean() > 0.8


def test_colours_are_matched(photographs: dict[str, np.ndarray]) -> None:
    ours = photographs["coffee"][:128, :128].astype(float)
    theirs = photographs["astronaut"][:128, :128].astype(float)
    where = random_region(128, 128, np.random.default_rng(0)).inside
    matched = match_colours(ours, theirs, where)
    np.testing.assert_allclose(matched[where].mean(axis=0), theirs[where].mean(axis=0), atol=1e-6)
    gain = matched[where].std(axis=0) / ours[where].std(axis=0)
    np.testing.assert_allclose(gain, np.clip(theirs[where].std(axis=0) / ours[where].std(axis=0), 1 / 3, 3))


def test_a_flat_donor_is_not_blown_up_to_noise() -> None:
    rng = np.random.default_rng(0)
    nearly_flat = 100 + rng.normal(0, 0.5, (64, 64, 3))
    wild = rng.uniform(0, 255, (64, 64, 3))
    everywhere = np.ones((64, 64), bool)
    assert match_colours(nearly_flat, wild, everywhere).std() < 3 * 0.5 * 1.2


def whole(height: int, width: int) -> Region:
    return Region(np.ones((height, width), np.float32))


def test_swap_shows_the_donor(photographs: dict[str, np.ndarray]) -> None:
    donor = photographs["flower"][:200, :200]
    picture = photographs["china"][:100, :100]
    changed = swap(picture, whole(100, 100), np.random.default_rng(0), donor)
    assert np.abs(changed.mean((0, 1)) - picture.mean((0, 1))).max() < 8
    with pytest.raises(UsageError, match="donor of 60x200 pixels"):
        swap(picture, whole(100, 100), np.random.default_rng(0), donor[:, :60])


def test_resynthesis_is_the_autoencoders_answer() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    assert (resynthesise(picture, whole(70, 90), lambda pixels: 255 - pixels) == 255 - picture).all()
    half = Region(np.full((70, 90), 0.5, np.float32))
    blended = resynthesise(picture, half, lambda pixels: 255 - pixels)
    assert np.abs(blended.astype(int) - 127.5).max() <= 1


def test_warping_moves_pixels_a_little(photographs: dict[str, np.ndarray]) -> None:
    ramp = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, :, None], (128, 128, 3)).copy()
    region = random_region(128, 128, np.random.default_rng(1))
    shift = warp(ramp, region, np.random.default_rng(1)).astype(int) - ramp
    # On a ramp of slope one the change is the displacement: 3 to 6 % of 128 pixels, both axes together.
    assert 1 <= np.abs(shift).max() <= 8


def test_retexturing_keeps_what_is_coarse_and_how_strong_the_fine_is(
    photographs: dict[str, np.ndarray],
) -> None:
    from scipy.ndimage import gaussian_filter

    picture = photographs["china"][100:300, 100:300]
    changed = retexture(picture, whole(200, 200), np.random.default_rng(0))
    coarse = [gaussian_filter(x.astype(float), (4, 4, 0)) for x in (picture, changed)]
    fine = [x.astype(float) - gaussian_filter(x.astype(float), (1.5, 1.5, 0)) for x in (picture, changed)]
    assert np.abs(coarse[1] - coarse[0]).mean() < 5
    assert 0.7 < fine[1].std() / fine[0].std() < 1.3
    assert abs(np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1]) < 0.25


def test_an_unknown_manipulation_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown manipulation 'smear': wanted one of swap, "):
        manipulate(
            "smear",
            np.zeros((64, 64, 3), np.uint8),
            whole(64, 64),
            np.random.default_rng(0),
            donor=np.zeros((64, 64, 3), np.uint8),
        )


@pytest.fixture
def manifest(photograph_paths: dict[str, Path]) -> Manifest:
    splits = {"astronaut": "train", "coffee": "train", "chelsea": "train", "china": "test", "flower": "test"}
    return Manifest(
        Row(path=str(photograph_paths[name]), label="real", split=split, source=f"wheel-{name}")
        for name, split in splits.items()
    )


def test_a_corpus_of_manipulations(manifest: Manifest, tmp_path: Path) -> None:
    made = make_manipulations(manifest, tmp_path / "a", size=96, seed=5, per_photograph=2)
    assert made.count("generator", "split") == {
        (generator, split): 2 * (3 if split == "train" else 2)
        for generator in ("camera", *MANIPULATIONS)
        for split in ("train", "test")
    }
    again = Manifest.read(tmp_path / "a" / "manifest.csv")
    assert again.digest() == made.digest()
    places: dict[str, set[tuple[str, str]]] = {}
    for row in again:
        places.setdefault(row.extra["content"], set()).add((row.split, row.source))
        pixels = np.asarray(Image.open(again.locate(row)))
        mask = mask_of(again, row, 96, 96)
        original = np.asarray(Image.open(again.root / "camera" / f"{row.extra['content']}.png"))
        assert pixels.shape == (96, 96, 3)
        assert (pixels == original)[~mask].all()
        assert mask.any() == row.is_generated
        assert again.locate(row).read_bytes().startswith(b"\x89PNG")
    assert all(len(found) == 1 for found in places.values())
    assert len(places) == 10
    assert check_manifest(again).clean


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


def test_the_seed_decides_whatever_other_photographs_there_are(manifest: Manifest, tmp_path: Path) -> None:
    make_manipulations(manifest, tmp_path / "a", size=64, seed=1)
    make_manipulations(manifest, tmp_path / "b", size=64, seed=1)
    make_manipulations(manifest, tmp_path / "c", size=64, seed=2)
    fewer = Manifest([row for row in manifest if "coffee" not in row.path])
    placed = [(crop.row.split, crop) for crop in read_crops(fewer, side=64, scale=1.0)]
    some = ("resynthesise", "warp", "retexture")
    write_manipulations(placed, tmp_path / "d", seed=1, manipulations=some)
    first, second, third, part = (files_of(tmp_path / name) for name in "abcd")
    assert first == second
    assert all((first[name] != third[name]) == (not name.startswith("camera")) for name in first)
    assert {name.split("/")[0] for name in part} == {"camera", "masks", *some}
    assert all(first[name] == content for name, content in part.items())


def test_what_is_there_already_is_kept(manifest: Manifest, tmp_path: Path) -> None:
    first = make_manipulations(manifest, tmp_path, size=64)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    (tmp_path / first.rows[1].path).unlink()
    assert make_manipulations(manifest, tmp_path, size=64).digest() == first.digest()
    changed = [path for path, before in times.items() if path.stat().st_mtime_ns != before]
    assert changed == [tmp_path / first.rows[1].path]


def test_a_broken_photograph_is_one_line(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_text("text")
    rows = [*manifest, Row(path=str(tmp_path / "broken.png"), label="real", split="train")]
    said: list[str] = []
    made = make_manipulations(Manifest(rows), tmp_path / "out", size=64, on_problem=said.append)
    assert len(made) == 5 * 5
    assert len(said) == 1
    assert "broken.png" in said[0]


def test_a_folder_is_split_by_hash(tmp_path: Path, photographs: dict[str, np.ndarray]) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(40):
        piece = photographs["astronaut"][number : number + 64, number : number + 64]
        Image.fromarray(piece).save(tmp_path / "photos" / f"{number}.png")
    made = make_manipulations(tmp_path / "photos", tmp_path / "out", size=64)
    assert made.count("split").keys() == {("train",), ("val",)}
    assert {row.source for row in made} == {"photos"}


def test_what_cannot_be_done_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="wanted sides of 64 or more"):
        make_manipulations(manifest, tmp_path, size=63)
    with pytest.raises(UsageError, match="unknown manipulation 'smear'"):
        write_manipulations([], tmp_path, manipulations=["smear"])
    with pytest.raises(ManifestError, match="split 'test' has one photograph"):
        make_manipulations(Manifest(manifest.rows[:4]), tmp_path)
    with pytest.raises(ManifestError, match="no photograph of 5000 pixels"):
        make_manipulations(manifest, tmp_path, size=5000)
