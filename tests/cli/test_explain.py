"""``spectrace explain`` with toy models on photographs: what is written, where regions come from, exit codes."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from spectrace.detectors.card import Calibration

NAMES = ("astronaut", "chelsea", "coffee", "china", "flower", "rocket")


@pytest.fixture
def folder(tmp_path, photographs):
    """Corners of photographs: 96 x 128 pixels each."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in NAMES:
        Image.fromarray(photographs[name][100:196, 60:188]).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def manifest(tmp_path, folder):
    path = tmp_path / "manifest.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for number, name in enumerate(NAMES):
            rows.writerow(
                [f"pictures/{name}.png", ("real", "generated")[number % 2], "val" if number < 4 else "train"]
            )
    return path


def read(out):
    return json.loads((out / "explain.json").read_text())


def test_labelled_pictures(spectrace, patch_model, manifest, tmp_path):
    out = tmp_path / "deep" / "out"
    result = spectrace(
        "explain", patch_model(), "--manifest", manifest, "--out", out, "--shown", 3, "--per-picture", 4
    )
    assert (result.code, result.err) == (0, "")
    made = read(out)
    assert made["pictures"] == {"generated": 2, "real": 2}  # the split val
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*made["figures"], "explain.json", "index.html"]
    )
    assert made["figures"] == [
        "mean-heatmap-generated.png",
        "mean-heatmap-real.png",
        "patches-generated.png",
        "regions-generated.png",
        "patches-real.png",
        "regions-real.png",
    ]
    generated, real = made["predictive_patches"]
    assert {patch["path"].rsplit("/")[-1] for patch in generated["patches"]} == {"chelsea.png", "china.png"}
    logits = [patch["logit"] for patch in real["patches"]]
    assert len(logits) == 8
    assert logits == sorted(logits)
    # A fully convolutional model sees patches of 7 pixels, cut off at the border.
    for patch in generated["patches"] + real["patches"]:
        top, left, bottom, right = patch["rectangle"]
        assert 0 <= top < bottom <= 96
        assert 0 <= left < right <= 128
        assert bottom - top == 7 or top == 0 or bottom == 96
    assert "fine texture" in result.out
    assert "6 figures, explain.json and index.html" in result.out
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/") == 8 + 6
    assert "http" not in page.replace("http-equiv", "")


def test_split_and_label(spectrace, patch_model, manifest, tmp_path):
    for arguments, counts in (
        (["--split", "train"], {"generated": 1, "real": 1}),
        (["--label", "real"], {"real": 2}),
        (["--label", "both", "--limit", "1"], {"generated": 1, "real": 1}),
    ):
        out = tmp_path / "out"
        assert (
            spectrace("explain", patch_model(), "-m", manifest, *arguments, "-o", out, "--resamples", 9).code
            == 0
        )
        assert read(out)["pictures"] == counts


def test_sources_with_and_without_a_label(spectrace, toy_model, folder, tmp_path):
    model = toy_model(calibration=Calibration(slope=0.05))
    out = tmp_path / "out"
    assert spectrace("explain", model, folder, "-o", out, "--shown", 4).code == 0
    made = read(out)
    assert [group["name"] for group in made["predictive_patches"]] == [
        "unlabelled-towards-generated",
        "unlabelled-towards-camera",
    ]
    assert [mean["end"] for mean in made["mean_heatmaps"]] == ["highest", "lowest"]
    assert spectrace("explain", model, folder, "--label", "generated", "-o", out, "--shown", 4).code == 0
    made = read(out)
    assert made["pictures"] == {"generated": 6}
    assert [group["speaking_for"] for group in made["predictive_patches"]] == ["generated"]


def test_a_model_of_tiles_gives_the_brightest_tile(spectrace, toy_model, folder, tmp_path):
    out = tmp_path / "out"
    assert spectrace("explain", toy_model(), folder, "-o", out, "--shown", 2).code == 0
    (best, *_) = read(out)["predictive_patches"][0]["patches"]
    top, left, bottom, right = best["rectangle"]
    assert (bottom - top, right - left) == (16, 16)
    with Image.open(best["path"]) as image:
        tile = np.asarray(image, float)[top:bottom, left:right]
    assert best["logit"] == pytest.approx(tile.mean() - 128, abs=1e-3)


def test_the_same_seed_gives_the_same_numbers(spectrace, patch_model, folder, tmp_path):
    made = []
    for seed in (1, 1, 2):
        out = tmp_path / "out"
        spectrace(
            "explain", patch_model(), folder, "-o", out, "--seed", seed, "--shown", 2, "--resamples", 50
        )
        made.append(read(out))
    assert made[0] == made[1]
    assert made[0]["predictive_patches"] != made[2]["predictive_patches"]


def test_regions_from_masks(spectrace, toy_model, folder, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for path in folder.iterdir():
        with Image.open(path) as image:
            bright = np.asarray(image.convert("L")) > 128
        Image.fromarray(bright.astype(np.uint8)).save(masks / path.name)
    (tmp_path / "names.txt").write_text("shade\nlight\n")
    arguments = ["explain", toy_model(), folder, "--masks", masks, "--names", tmp_path / "names.txt"]
    out = tmp_path / "out"
    assert spectrace(*arguments, "-o", out, "--shown", 2).code == 0
    for group, top in zip(read(out)["predictive_patches"], ("light", "shade"), strict=True):
        ratios = {bar["region"]: bar["ratio"]["value"] for bar in group["histogram"]["regions"]}
        assert max(ratios, key=lambda name: ratios[name]) == top
    (masks / "coffee.png").unlink()
    result = spectrace(*arguments, "-o", out, "--shown", 2)
    assert result.code == 3
    assert "coffee.png has no label picture" in result.err
    assert read(out)["predictive_patches"][0]["histogram"]["pictures"] == 5


def test_regions_from_a_segmenter(spectrace, toy_model, folder, tmp_path):
    from onnx import TensorProto, helper, save

    # The picture's own red, green and blue planes as logits: which one is largest.
    nodes = [helper.make_node("Cast", ["picture"], ["planes"], to=TensorProto.FLOAT)]
    sides = [1, 3, 64, 64]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, sides)],
        [helper.make_tensor_value_info("planes", TensorProto.FLOAT, sides)],
    )
    model = tmp_path / "colours.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(model))
    (tmp_path / "names.txt").write_text("red\ngreen\nblue\n")
    out = tmp_path / "out"
    arguments = ["explain", toy_model(), folder, "--segmenter", model, "--names", tmp_path / "names.txt"]
    assert spectrace(*arguments, "-o", out, "--shown", 2).code == 0
    made = read(out)
    assert made["regions_from"] == "the segmentation model colours.onnx"
    bars = made["predictive_patches"][0]["histogram"]["regions"]
    assert [bar["region"] for bar in bars] == ["red", "green", "blue"]
    assert sum(bar["area"] for bar in bars) == pytest.approx(1.0, abs=1e-4)


def test_unreadable_pictures_are_listed(spectrace, patch_model, folder, tmp_path):
    (folder / "broken\x1b[2J.png").write_text("not a picture")
    Image.new("RGB", (4, 4)).save(folder / "small.png")
    result = spectrace(
        "explain", patch_model(), folder, tmp_path / "nothing*", "-o", tmp_path / "out", "--shown", 2
    )
    assert result.code == 3
    assert "\x1b" not in result.err
    assert result.err.count("left out:") == 3
    left_out = read(tmp_path / "out")["left_out"]
    assert [one["unreadable"] for one in left_out] == [True, False]
    # A picture that is too small is no fault of the input.
    (folder / "broken\x1b[2J.png").unlink()
    quiet = spectrace("explain", patch_model(), folder, "-o", tmp_path / "out", "--shown", 2, "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give SOURCEs, or --manifest"),
        (["{folder}", "-m", "{manifest}"], "give one or the other"),
        (["{folder}", "--split", "val"], "--split makes sense with --manifest only"),
        (["{folder}", "--label", "both"], "--label both makes sense with --manifest only"),
        (["-m", "{manifest}", "--split", "test"], "wanted one of the splits and labels"),
        (["{folder}", "--names", "{manifest}"], "--names without regions"),
        (["{folder}", "--masks", "{folder}"], "give --names FILE"),
        (["{folder}", "--masks", "{folder}", "--segmenter", "{manifest}"], "give one or the other"),
        (
            ["{folder}", "--segmenter", "{manifest}", "--names", "{manifest}"],
            "cannot be loaded as an ONNX model",
        ),
        (["{folder}", "--per-picture", "0"], "Invalid value"),
        (["{folder}/astronaut.png", "--limit", "0"], "Invalid value"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_written(
    spectrace, patch_model, folder, manifest, tmp_path, arguments, said
):
    filled = [text.format(folder=folder, manifest=manifest) for text in arguments]
    result = spectrace("explain", patch_model(), *filled, "-o", tmp_path / "out")
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert "Traceback" not in result.err
    assert not (tmp_path / "out").exists()


def test_nothing_that_can_be_scored_is_an_error(spectrace, patch_model, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "small.png")
    result = spectrace("explain", patch_model(), tmp_path / "small.png", "-o", tmp_path / "out")
    assert result.code == 2
    assert "no picture could be scored" in result.err


def test_an_unknown_model_is_one_line(spectrace, folder, tmp_path):
    result = spectrace("explain", "nowhere", folder, "-o", tmp_path / "out")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
