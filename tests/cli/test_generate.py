"""``spectrace generate``: train, resume, sample, list."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row

_TINY = ("--size", 16, "--width", 4, "--batch", 4, "--steps", 3)


@pytest.fixture
def folder(tmp_path, photographs):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(photographs[name][:120, :160]).save(folder / f"{name}.png")
    return folder


def test_train_then_sample(spectrace, folder, tmp_path):
    (folder / "broken.png").write_bytes(b"nothing")
    run = tmp_path / "run"
    trained = spectrace("generate", "train", "dcgan", folder, *_TINY, "--upsampler", "nearest", "-o", run)
    assert trained.code == 0
    assert trained.out.strip() == str(run / "generator.onnx")
    assert "broken.png" in trained.err
    again = spectrace("generate", "train", "dcgan", folder, *_TINY, "--upsampler", "nearest", "-o", run)
    assert again.code == 0

    sampled = spectrace("generate", "sample", run, tmp_path / "samples", "-n", 5, "--seed", 2)
    assert (sampled.code, sampled.out.strip()) == (0, str(tmp_path / "samples"))
    files = sorted((tmp_path / "samples").iterdir())
    assert [file.name for file in files][:2] == ["2-000000.png", "2-000001.png"]
    with Image.open(files[0]) as image:
        assert (image.size, image.mode) == ((16, 16), "RGB")
    assert len(files) == 5


def test_the_default_folder_is_named_after_the_recipe(spectrace, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained = spectrace("generate", "train", "dcgan", folder, *_TINY, "-q")
    assert trained.code == 0
    assert trained.out.startswith("runs/generators/dcgan-transposed-")
    assert trained.err == ""


def test_a_manifest_gives_its_real_pictures(spectrace, folder, tmp_path):
    rows = [
        Row(path="astronaut.png", label="real", split="train", source="a"),
        Row(path="coffee.png", label="generated", split="train", source="a"),
        Row(path="chelsea.png", label="real", split="train", source="b"),
    ]
    manifest = folder / "manifest.csv"
    Manifest(rows, folder).write(manifest)
    run = tmp_path / "run"
    trained = spectrace("generate", "train", "dcgan", manifest, "--source", "b", *_TINY, "-o", run)
    assert trained.code == 0
    only = tmp_path / "only"
    only.mkdir()
    (folder / "chelsea.png").rename(only / "chelsea.png")
    same = spectrace("generate", "train", "dcgan", only, *_TINY, "-o", run)
    assert same.code == 0  # the same photographs: the run in the folder is taken as done


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nothing", "."], "family is 'nothing'"),
        (["train", "dcgan", ".", "--size", "48"], "size is 48: wanted a power of two"),
        (["train", "dcgan", ".", "--upsampler", "magic"], "upsampler is 'magic'"),
        (["train", "mixture", ".", "--upsampler", "nearest"], "has no upsampler"),
        (["train", "dcgan", "missing-folder"], "missing-folder"),
        (["train", "dcgan", "a.csv", "b.csv"], "wanted one manifest"),
        (["train", "dcgan", "a.csv", "--split", "unseen"], "kept for the last measurement"),
        (["train", "dcgan", ".", "--source", "a"], "give a manifest"),
        (["sample", "missing.onnx", "out"], "no generator of Spectrace"),
    ],
)
def test_wrong_usage_is_one_line(spectrace, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save("a.png")
    ended = spectrace("generate", *arguments)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_families_lists_all(spectrace):
    listed = spectrace("generate", "families")
    assert listed.code == 0
    assert "dcgan         transposed" in listed.out
    assert "upsamplers: transposed, pixel-shuffle, nearest" in listed.out
