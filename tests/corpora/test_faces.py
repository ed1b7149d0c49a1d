"""Aligned crops: the transform against scikit-image, and the same crop for both classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import binary_dilation
from skimage.transform import SimilarityTransform, warp

from spectrace.corpora.alignment import resample, similarity
from spectrace.corpora.faces import canonical, crop_faces, read_landmarks
from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.masks import read_mask
from spectrace.errors import ManifestError, UsageError


@given(st.integers(0, 2**32 - 1), st.integers(3, 9))
def test_similarity_is_scikit_images(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    source, target = rng.normal(0, 50, (2, count, 2))
    spread = np.linalg.svd((target - target.mean(0)).T @ (source - source.mean(0)), compute_uv=False)
    assume(spread[1] > 1e-3 * spread[0])  # else a turn and its mirror image fit alike
    wanted = SimilarityTransform.from_estimate(source, target)
    np.testing.assert_allclose(similarity(source, target), wanted.params[:2], atol=1e-8)


@given(st.floats(-3.1, 3.1), st.floats(0.1, 9), st.floats(-99, 99), st.floats(-99, 99))
def test_an_exact_similarity_is_found_again(angle: float, scale: float, x: float, y: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = canonical(100)
    np.testing.assert_allclose(
        similarity(points, points @ turn.T + (x, y)), np.column_stack([turn, (x, y)]), atol=1e-7
    )


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ([[1, 1], [1, 1]], [[0, 0], [1, 1]], "coincide"),
        ([[1, 1]], [[0, 0]], "n at least 2"),
        ([[0, 0], [1, 1]], [[0, 0], [1, 1], [2, 2]], "wanted two times"),
        ([[0, 0], [np.nan, 1]], [[0, 0], [1, 1]], "not finite"),
    ],
)
def test_points_that_say_nothing_are_refused(source: list, target: list, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        similarity(source, target)


@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_resampling_is_scikit_images(photographs: dict[str, np.ndarray], scale: float) -> None:
    picture = photographs["astronaut"][40:200, 150:330]
    turn = SimilarityTransform(scale=scale, rotation=0.3, translation=(20, -35))
    ours = resample(picture, turn.params[:2], 128).astype(float)
    theirs = warp(picture, turn.inverse, output_shape=(128, 128), order=3, preserve_range=True)
    inside = warp(np.ones(picture.shape[:2]), turn.inverse, output_shape=(128, 128), order=0) > 0
    inside[:4], inside[-4:], inside[:, :4], inside[:, -4:] = False, False, False, False
    core = (
        inside
        & np.roll(inside, 9, 0)
        & np.roll(inside, -9, 0)
        & np.roll(inside, 9, 1)
        & np.roll(inside, -9, 1)
    )
    assert core.mean() > 0.4
    # Two cubic kernels: alike, not the same; half a pixel of shift would give about four times as much.
    assert np.abs(ours - theirs)[core].mean() < 1.5


def test_shrinking_does_not_fold_over() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (200, 100))
    small = resample(stripes, np.array([[0.25, 0, -2], [0, 0.25, -2]]), 40)
    assert np.ptp(small.astype(int)) < 12


def test_nearest_takes_pixels_as_they_are() -> None:
    mask = np.random.default_rng(0).integers(0, 2, (50, 60), dtype=np.uint8) * 255
    turn = SimilarityTransform(scale=0.6, rotation=-0.5, translation=(3, 22))
    found = resample(mask, turn.params[:2], 30, nearest=True)
    x, y = (
        turn.inverse(np.stack(np.meshgrid(np.arange(30), np.arange(30)), -1).reshape(-1, 2))
        .round()
        .astype(int)
        .T
    )
    inside = (x >= 0) & (x < 60) & (y >= 0) & (y < 50)
    wanted = np.where(inside, mask[y.clip(0, 49), x.clip(0, 59)], 0).reshape(30, 30)
    assert (found == wanted).mean() > 0.995  # ties at pixel borders go either way


def test_landmarks_come_to_lie_where_they_should(tmp_path: Path) -> None:
    frame = np.zeros((300, 400, 3), np.uint8)
    points = np.array([[150.0, 120], [222, 128], [180, 160], [150, 195], [205, 200]])
    for x, y in points.astype(int):
        frame[y - 2 : y + 3, x - 2 : x + 3] = 255
    matrix = similarity(points, canonical(128))
    crop = resample(frame, matrix, 128)
    for x, y in points @ matrix[:, :2].T + matrix[:, 2]:
        assert crop[round(y), round(x)].min() > 150
    assert (crop.shape, crop.dtype) == ((128, 128, 3), np.uint8)


@pytest.mark.parametrize(("size", "margin"), [(7, 0.3), (64, -0.1), (64, np.nan)])
def test_bad_crops_are_refused(size: int, margin: float) -> None:
    with pytest.raises(UsageError, match="wanted 8 pixels or more"):
        canonical(size, margin)


def make_pair(folder: Path, photograph: np.ndarray) -> Manifest:
    changed, mask = photograph.copy(), np.zeros(photograph.shape[:2], np.uint8)
    changed[80:160, 200:280], mask[80:160, 200:280] = 0, 255
    for name, pixels in (("a/0001", photograph), ("b/0001", changed), ("m/0001", mask)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    content = {"content": "071/0001"}
    return Manifest(
        [
            Row(path="a/0001.png", label="real", split="test", source="c23", extra=content),
            Row(
                path="b/0001.png",
                label="generated",
                split="test",
                generator="faceswap",
                source="c23",
                extra=content | {"mask": "m/0001.png"},
            ),
            Row(path="c/0002.png", label="real", source="c23", extra={"content": "071/0002"}),
            Row(path="c/0001.png", label="real", source="c40", extra=content),
        ],
        folder,
    )


def test_original_and_manipulation_are_cropped_alike(
    photographs: dict[str, np.ndarray], tmp_path: Path
) -> None:
    manifest = make_pair(tmp_path, photographs["astronaut"])
    (tmp_path / "points.json").write_text(
        json.dumps({"071/0001": [[207, 100], [250, 98], [232, 125], [210, 145], [248, 144]]})
    )
    said: list[str] = []
    cropped = crop_faces(
        manifest, read_landmarks(tmp_path / "points.json"), tmp_path / "out", 96, on_problem=said.append
    )
    assert len(said) == 2
    assert "c/0001.png" in said[0]
    assert "left out" in said[0]
    assert "1 of 4 pictures have no landmarks, the first is 071/0002" in said[1]
    again = Manifest.read(tmp_path / "out" / "manifest.csv")
    assert [row.path for row in again] == [row.path for row in cropped]
    real, fake = (np.asarray(Image.open(again.locate(row))) for row in again)
    mask = read_mask(again.root / again.rows[1].extra["mask"])
    assert real.shape == fake.shape == (96, 96, 3)
    assert mask.shape == (96, 96)
    assert 0.02 < mask.mean() < 0.98
    # What was not manipulated is the same to the last bit, a few pixels of the kernel's reach aside.
    untouched = ~binary_dilation(mask, np.ones((15, 15)))
    assert untouched.any()
    assert (real == fake)[untouched].all()
    assert (real != fake)[mask].mean() > 0.5
    assert [row.split for row in again] == ["test", "test"]
    assert [row.generator for row in again] == ["camera", "faceswap"]


def test_names_in_a_manifest_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    row = Row(path=str(tmp_path / "a.png"), label="real", source="../../x", extra={"content": "f"})
    points = canonical(40)
    cropped = crop_faces(Manifest([row]), {"f": points}, tmp_path / "out", 16)
    assert cropped.locate(cropped.rows[0]).resolve().is_relative_to(tmp_path / "out")


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    rows = [Row(path=f"{top}/n/0.png", label="real", source="s") for top in ("a", "b")]
    with pytest.raises(ManifestError, match=r"a/n/0.png and b/n/0.png would both be"):
        crop_faces(Manifest(rows, tmp_path), {}, tmp_path / "out")
    with pytest.raises(ManifestError, match="no face was cropped"):
        crop_faces(Manifest(rows[:1], tmp_path), {}, tmp_path / "out")


@pytest.mark.parametrize("text", ["[]", "{", '{"071/0001": [[1, 2]]}', '{"071/0001": [[1, 2], 3]}'])
def test_bad_landmark_files_are_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "l.json").write_text(text)
    with pytest.raises(ManifestError, match="l.json") as caught:
        read_landmarks(tmp_path / "l.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(ManifestError, match="none.json"):
        read_landmarks(tmp_path / "none.json")
