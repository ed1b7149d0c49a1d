"""A whole study with a detector that sees nothing but brightness: what it looks at is known beforehand."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from PIL import Image

from spectrace.detectors.card import METADATA_KEY, Calibration, Card
from spectrace.detectors.detector import Detector
from spectrace.errors import ModelError, UsageError
from spectrace.explain.description import Description
from spectrace.explain.findings import Settings, Subject
from spectrace.explain.heatmap import score_map
from spectrace.explain.mean_heatmap import GRID, common_grid, mean_scores
from spectrace.explain.regions import MaskFolder
from spectrace.explain.study import look, study
from spectrace.explain.study_figures import patch_sheet, score_limit, write_figures
from spectrace.explain.study_numbers import numbers
from spectrace.explain.study_page import study_page

SIZE, STRIDE = 16, 8


def write_brightness_model(path, scale=1.0):
    """Fully convolutional: the mean of 16 x 16 pixels less 128, every 8 pixels, without padding."""
    from onnx import TensorProto, helper, save

    card = Card(
        id="brightness",
        version="1",
        title="Brightness <b>alone</b>",
        tile_size=32,
        receptive_field=SIZE,
        stride=STRIDE,
        any_size=True,
        calibration=Calibration(slope=0.05),
    )
    nodes = [
        helper.make_node("Cast", ["tiles"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "one"], ["grey"], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["mean"], kernel_shape=[SIZE] * 2, strides=[STRIDE] * 2),
        helper.make_node("Sub", ["mean", "centre"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["maps"]),
        helper.make_node("Squeeze", ["maps", "one"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("tiles", TensorProto.UINT8, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "h", "w"])],
        [
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("centre", TensorProto.FLOAT, [], [128.0]),
            helper.make_tensor("scale", TensorProto.FLOAT, [], [scale]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    save(model, str(path))
    return path


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return Detector.load(write_brightness_model(tmp_path_factory.mktemp("model") / "m.onnx"), dense=True)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twelve pictures of four stripes, the third bright and the second dark, and their label pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "labels").mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        height, width = 64 + 8 * number, 128
        pixels = rng.normal(120, 5, (height, width, 3))
        labels = np.repeat(np.arange(4, dtype=np.uint8), 32)[None].repeat(height, axis=0)
        pixels[labels == 1] -= 60
        pixels[labels == 2] += 60 + number
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02}.png")
        Image.fromarray(labels).save(folder / "labels" / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def regions(pictures):
    return MaskFolder(pictures / "labels", ("sky", "roof", "lamp", "street"))


def subjects(folder, label="unlabelled"):
    return [Subject(path, label) for path in sorted(folder.glob("*.png"))]


@pytest.fixture(scope="module")
def found(detector, pictures, regions):
    half = subjects(pictures)
    labelled = [Subject(one.path, "generated") for one in half[::2]] + [
        Subject(one.path, "real") for one in half[1::2]
    ]
    settings = Settings(pictures=2, per_picture=3, shown=5, resamples=200)
    return study(look(detector, labelled, settings), detector, regions)


def test_the_region_that_the_detector_looks_at_comes_out_on_top(found):
    for group, top in zip(found.groups, ("lamp", "roof"), strict=True):
        bars = {bar.region: bar for bar in group.bars}
        assert max(bars, key=lambda name: bars[name].ratio.value) == top
        assert bars[top].share == 1.0
        assert bars[top].ratio.low > 3.0
        assert bars[top].against_random.low > 2.0
        for bar in bars.values():
            assert 0.6 < bar.random_ratio.value < 1.4
        assert sum(bar.share for bar in bars.values()) == pytest.approx(1.0)


def test_random_patches_are_where_any_patch_is(detector, pictures, regions):
    """The interval of every region's random ratio holds what the grid of patches makes one expect."""
    settings = Settings(per_picture=20, shown=1, resamples=500)
    made = study(look(detector, subjects(pictures), settings), detector, regions)
    inner = {bar.region: bar.random_ratio for bar in made.groups[0].bars}
    # Fifteen columns of patches, 8 pixels apart and without padding, reach the outermost 8 pixels once and
    # all others twice: 56 of 240 pixels seen lie in an outer stripe, 64 in an inner one.
    expected = {"sky": 56 / 60, "roof": 64 / 60, "lamp": 64 / 60, "street": 56 / 60}
    for name, bounds in inner.items():
        assert bounds.low <= expected[name] <= bounds.high, name


def test_groups_and_their_order(found):
    generated, real = found.groups
    assert [group.direction.name for group in found.groups] == ["generated", "real"]
    assert len(generated.patches) == 18
    assert [patch.logit for patch in generated.patches] == sorted(
        (patch.logit for patch in generated.patches), reverse=True
    )
    assert [patch.logit for patch in real.patches] == sorted(patch.logit for patch in real.patches)
    assert (generated.counted, generated.counted_pictures) == (18, 6)
    assert found.counts == {"generated": 6, "real": 6}


def test_crops_are_exactly_the_pixels_behind_the_logit(found):
    for group in found.groups:
        assert len(group.crops) == 5
        for crop, patch in zip(group.crops, group.patches, strict=False):
            top, left, bottom, right = patch.rectangle
            with Image.open(patch.path) as image:
                np.testing.assert_array_equal(crop, np.asarray(image)[top:bottom, left:right])
            assert crop.shape == (SIZE, SIZE, 3)
            assert crop.astype(float).mean() - 128 == pytest.approx(patch.logit, abs=1e-3)
            assert patch.score == pytest.approx(0.05 * patch.logit, rel=1e-5)


def test_mean_heatmaps_are_those_of_the_farthest_pictures(found, detector):
    easiest, hardest, easiest_real, _ = found.means
    assert [one.end for one in found.means] == ["easiest", "hardest", "easiest", "hardest"]
    scores = [one.score for one in easiest.maps]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > max(one.score for one in hardest.maps)
    assert [one.score for one in easiest_real.maps] == sorted(one.score for one in easiest_real.maps)
    grids, squares = [], []
    for one in easiest.maps:
        evidence = detector.detect(one.path).evidence
        height, width = evidence.facts.height, evidence.facts.width
        rows, columns = (np.floor((np.arange(GRID) + 0.5) * n / GRID).astype(int) for n in (height, width))
        grids.append(score_map(evidence, height, width)[np.ix_(rows, columns)])
        with Image.open(one.path) as image:
            squares.append(np.asarray(image.resize((256, 256), Image.Resampling.BOX), float))
    np.testing.assert_allclose(easiest.scores, np.mean(grids, axis=0), rtol=1e-5)
    assert np.abs(easiest.picture - np.mean(squares, axis=0)).max() <= 0.51
    # The third quarter is bright, whatever the height.
    columns = easiest.scores.mean(axis=0)
    assert 32 <= columns.argmax() < 48


def test_no_picture_is_both_easy_and_hard(detector, pictures, regions):
    made = study(look(detector, subjects(pictures)[:5], Settings(pictures=100)), detector, regions)
    high, low = ({one.path for one in mean.maps} for mean in made.means)
    assert len(high) == len(low) == 2
    assert not high & low
    assert [mean.end for mean in made.means] == ["highest", "lowest"]
    assert [group.direction.sign for group in made.groups] == [+1, -1]


def test_one_picture_is_enough(detector, pictures, regions, tmp_path):
    made = study(look(detector, subjects(pictures)[:1]), detector, regions)
    assert math.isnan(made.groups[0].bars[0].ratio.low)
    assert (
        numbers(made, detector.card)["predictive_patches"][0]["histogram"]["regions"][0]["ratio"]["low"]
        is None
    )
    assert "one picture alone gives no interval" in study_page(made, detector.card)
    write_figures(made, tmp_path)


def test_the_number_of_workers_changes_nothing(detector, pictures, regions):
    made = [
        numbers(
            study(look(detector, subjects(pictures), workers=n), detector, regions, workers=n), detector.card
        )
        for n in (1, 4)
    ]
    assert made[0] == made[1]


def test_photographs_dark_patches_speak_for_the_camera(detector, photograph_paths):
    chosen = [
        Subject(photograph_paths[name]) for name in ("astronaut", "coffee", "china", "rocket", "flower")
    ]
    made = study(look(detector, chosen, Settings(per_picture=4, shown=4)), detector, Description())
    bright, dark = ({bar.region: bar.against_random.value for bar in group.bars} for group in made.groups)
    assert max(dark, key=lambda name: dark[name]) == "dark"
    assert bright["dark"] < 0.05


def test_pictures_that_cannot_be_used_are_listed(detector, pictures, regions, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_text("nothing")
    Image.new("RGB", (64, 64), (250, 250, 250)).save(tmp_path / "no-labels.png")
    notes = look(detector, subjects(pictures) + subjects(tmp_path))
    made = study(notes, detector, regions)
    kinds = {one.path.rsplit("/")[-1]: one.unreadable for one in made.problems}
    assert kinds == {"broken.png": True, "small.png": False, "no-labels.png": False}
    assert made.counts == {"unlabelled": 13}
    # Its patch is the brightest, and shown; only the histogram goes without.
    assert made.groups[0].patches[0].path.endswith("no-labels.png")
    assert made.groups[0].counted == 12
    assert "no-labels.png" in study_page(made, detector.card)


def test_no_regions_at_all(detector, pictures, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "other.png")
    made = study(look(detector, subjects(pictures)), detector, MaskFolder(tmp_path, ("a",)))
    assert all(not group.bars for group in made.groups)
    assert len(made.problems) == 12
    files = write_figures(made, tmp_path)
    assert not any(name.startswith("regions") for name in files)
    assert "No picture's regions are known" in study_page(made, detector.card)


def test_logits_that_are_no_numbers_are_an_error(pictures, tmp_path):
    broken = Detector.load(write_brightness_model(tmp_path / "m.onnx", scale=math.nan), dense=True)
    with pytest.raises(ModelError, match="no numbers"):
        look(broken, subjects(pictures))


@pytest.mark.parametrize("name", ["pictures", "patches", "per_picture", "shown", "resamples"])
def test_settings_below_one_are_refused(name):
    with pytest.raises(UsageError, match=f"{name} = 0: wanted 1 or more"):
        Settings(**{name: 0})


# --- the common grid --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(33, 32), (64, 64), (40, 500), (300, 200)])
def test_the_common_grid_samples_the_score_map(detector, shape):
    rng = np.random.default_rng(1)
    evidence = detector.detect(rng.integers(0, 256, (*shape, 3), np.uint8)).evidence
    rows, columns = (np.floor((np.arange(GRID) + 0.5) * n / GRID).astype(int) for n in shape)
    np.testing.assert_array_equal(
        common_grid(evidence, *shape), score_map(evidence, *shape)[np.ix_(rows, columns)]
    )


def test_means_leave_out_what_was_not_scored():
    maps = [np.array([[1, np.nan, np.nan]], np.float32), np.array([[3, 5, np.nan]], np.float32)]
    np.testing.assert_array_equal(mean_scores(maps), [[2, 5, np.nan]])


# --- what is written --------------------------------------------------------------------------------


def test_numbers_are_plain_json_of_every_figure(found, detector):
    made = json.loads(json.dumps(numbers(found, detector.card), allow_nan=False))
    assert made["model"] == "brightness@1"
    assert len(made["card_sha256"]) == 64
    assert made["settings"]["seed"] == 0
    assert np.array(made["mean_heatmaps"][0]["scores"]).shape == (GRID, GRID)
    first = made["predictive_patches"][0]
    assert first["speaking_for"] == "generated"
    assert first["patches"][0]["rectangle"] == list(found.groups[0].patches[0].rectangle)
    assert [row["region"] for row in first["histogram"]["regions"]] == ["sky", "roof", "lamp", "street"]


def test_figures_are_pictures_that_show_something(found, tmp_path):
    files = write_figures(found, tmp_path)
    assert files == [
        "mean-heatmap-generated.png",
        "mean-heatmap-real.png",
        "patches-generated.png",
        "regions-generated.png",
        "patches-real.png",
        "regions-real.png",
    ]
    for name in files:
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 200
            assert np.asarray(image.convert("L")).std() > 10
    again = tmp_path / "again"
    again.mkdir()
    write_figures(found, again)
    assert all((again / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


def test_the_sheet_holds_the_patches_pixel_by_pixel(found):
    sheet = patch_sheet(found.groups[0])
    crop = found.groups[0].crops[0]
    enlarged = crop.repeat(9, axis=0).repeat(9, axis=1)
    places = [
        (top, 12) for top in range(20, 80) if np.array_equal(sheet[top : top + 144, 12 : 12 + 144], enlarged)
    ]
    assert len(places) == 1


def test_colours_end_near_the_largest_mean(found):
    largest = max(np.abs(one.scores).max() for one in found.means)
    assert 0.5 * largest < score_limit(found.means) < 1.2 * largest


def test_the_page_loads_nothing_and_runs_nothing(found, detector):
    page = study_page(found, detector.card)
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!data:image/(?:png|jpeg);base64,)", page)
    assert not re.search(r"<script|<link|<iframe|@import|url\(|https?://|\son\w+=", page)
    assert page.count("<figure") == 8 + 10
    assert "brightness@1" in page


def test_names_from_files_cannot_write_to_the_page(detector, pictures, tmp_path):
    evil = tmp_path / "<img src=x onerror=alert(1)>\u202egnp.png"
    evil.write_bytes((pictures / "00.png").read_bytes())
    odd = tmp_path / "caf\udce9.png"
    odd.write_bytes((pictures / "01.png").read_bytes())
    (tmp_path / "labels").mkdir()
    for one in (evil, odd):
        (tmp_path / "labels" / one.name).write_bytes((pictures / "labels" / "00.png").read_bytes())
    regions = MaskFolder(tmp_path / "labels", ("<script>alert(2)</script>", "b", "c", "d"))
    made = study(look(detector, subjects(tmp_path)), detector, regions)
    page = study_page(made, detector.card)
    page.encode("utf-8")
    json.dumps(numbers(made, detector.card)).encode("utf-8")
    assert "<img src=x" not in page
    assert "<script" not in page
    assert "<b>alone" not in page
    assert "\u202e" not in page
    write_figures(made, tmp_path)
