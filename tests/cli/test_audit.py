"""``spectrace audit`` from the outside."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row


def write(folder, pixels, suffix, count=24, side=64):
    folder.mkdir()
    for index in range(count):
        top, left = side * (index // 6), side * (index % 6)
        Image.fromarray(pixels[top : top + side, left : left + side]).save(folder / f"{index}{suffix}")
    return folder


@pytest.fixture
def folders(tmp_path, photographs):
    pixels = photographs["astronaut"]
    return write(tmp_path / "real", pixels, ".jpg"), write(tmp_path / "generated", pixels, ".png")


def test_a_leak_is_told(spectrace, folders):
    done = spectrace("audit", *folders, "--workers", 1)
    assert done.code == 1
    assert "The formats leak" in done.out
    assert "File format is JPEG: 0 % of the generated pictures, 100 % of the real ones" in done.out
    assert "24 real pictures of 1 sources" in done.out


def test_json_report_and_copy(spectrace, folders, tmp_path):
    page, out, fixed = (tmp_path / name for name in ("page.html", "out.json", "fixed"))
    done = spectrace(
        "audit", *folders, "--json", "-o", out, "--report", page, "--fix", fixed, "--side", 24, "-q"
    )
    found = json.loads(done.out)
    assert found == json.loads(out.read_text())
    assert done.code == (found["copy"]["verdict"] == "leak")
    assert found["audit"]["verdict"] == "leak"
    assert [part["auroc"]["value"] for part in (found["audit"]["parts"][0], found["copy"]["parts"][0])] == [
        1.0,
        0.5,
    ]
    assert len(Manifest.read(fixed / "manifest.csv")) == 48
    assert "<script" not in page.read_text("utf-8")


def test_broken_files_are_listed(spectrace, folders):
    (folders[1] / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = spectrace("audit", *folders)
    assert done.code == 3
    assert "broken.png" in done.err


def test_the_last_split_is_left_out_unless_named(spectrace, folders, tmp_path):
    rows = [
        Row(path=str(path), label=label, split=split)
        for label, folder, split in (("real", folders[0], "train"), ("generated", folders[1], "train"))
        for path in folder.iterdir()
    ]
    black = tmp_path / "black.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(black)
    rows.append(Row(path=str(black), label="real", split="unseen"))
    Manifest(rows).write(tmp_path / "manifest.csv")
    done = spectrace("audit", "-m", tmp_path / "manifest.csv")
    assert "24 real pictures" in done.out
    assert "unseen is left out" in done.err
    assert spectrace("audit", "-m", tmp_path / "manifest.csv", "-s", "nothing").code == 2


@pytest.mark.parametrize(
    "arguments", [[], ["real"], ["real", "real", "real"], ["real", "real", "-m", "a.csv"]]
)
def test_wrong_usage(spectrace, tmp_path, monkeypatch, arguments):
    (tmp_path / "real").mkdir()
    monkeypatch.chdir(tmp_path)
    done = spectrace("audit", *arguments)
    assert done.code == 2
    assert "two folders" in done.err
