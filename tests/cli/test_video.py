"""``spectrace detect`` on videos: rows, exit codes, folders, heatmaps and reports."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from spectrace.detectors.card import Thresholds
from spectrace.images.video_reader import opencv

cv2 = pytest.importorskip("cv2")
opencv()


@pytest.fixture
def model(toy_model):
    return toy_model(thresholds=Thresholds(generated=20.0, camera=-20.0), results={"video": {}})


@pytest.fixture
def folder(tmp_path):
    """Bright (generated to the toy), dark (camera) and mixed clips, a broken one, and a bright picture."""
    folder = tmp_path / "media"
    folder.mkdir()
    for name, levels in (
        ("bright.mp4", [200] * 8),
        ("dark.mp4", [20] * 8),
        ("mixed.mp4", [20] * 5 + [200] * 3),
    ):
        writer = cv2.VideoWriter(
            str(folder / name), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (48, 32)
        )
        for level in levels:
            writer.write(np.full((32, 48, 3), level, np.uint8))
        writer.release()
    (folder / "broken.mp4").write_bytes((folder / "bright.mp4").read_bytes()[:600])
    Image.fromarray(np.full((32, 48, 3), 200, np.uint8)).save(folder / "picture.png")
    return folder


def lines(result) -> list[dict]:
    return [json.loads(line) for line in result.out.splitlines()]


def test_rows(spectrace, model, folder):
    result = spectrace("detect", folder / "bright.mp4", "--model", model, "--jsonl", "--frames", "2")
    path = str(folder / "bright.mp4")
    assert [row["path"] for row in lines(result)] == [f"{path}#t=0.080", f"{path}#t=0.240", path]
    assert [row["format"] for row in lines(result)] == ["MP4 frame", "MP4 frame", "MP4"]
    picture = spectrace("detect", folder / "picture.png", "--model", model, "--jsonl")
    assert [list(row) for row in lines(result)] == [list(lines(picture)[0])] * 3
    assert (result.code, result.err) == (1, "")
    every = spectrace("detect", folder / "bright.mp4", "--model", model, "--jsonl", "--every", "0.1")
    assert len(lines(every)) == 3 + 1


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["dark.mp4"], 0),
        (["bright.mp4"], 1),
        # Three of its frames are generated to the toy, the clip is not.
        (["mixed.mp4"], 0),
        (["bright.mp4", "broken.mp4"], 3),
        (["missing.mp4"], 3),
    ],
)
def test_exit_codes(spectrace, model, folder, names, code):
    assert spectrace("detect", *(folder / name for name in names), "--model", model).code == code


def test_a_folder_of_both_keeps_its_order_and_goes_on(spectrace, model, folder):
    result = spectrace("detect", folder, "--model", model, "--jsonl")
    whole = [row for row in lines(result) if "#t=" not in row["path"]]
    assert [row["path"].split("/")[-1] for row in whole] == sorted(path.name for path in folder.iterdir())
    assert [row["verdict"] for row in whole] == ["generated", None, "camera", "inconclusive", "generated"]
    assert whole[3]["reasons"] == ["frames-disagree: 3 of 8 frames speak for generated, 5 for camera"]
    assert "broken.mp4 is an MP4" in whole[1]["error"]
    assert result.code == 3


def test_names_do_not_deceive(spectrace, model, folder):
    clip = (folder / "dark.mp4").rename(folder / "clip.jpg")
    picture = (folder / "picture.png").rename(folder / "picture.mp4")
    rows = lines(spectrace("detect", clip, picture, "--model", model, "--jsonl", "--frames", "1"))
    assert [row["format"] for row in rows] == ["MP4 frame", "MP4", "PNG"]


def test_table(spectrace, model, folder):
    out = spectrace("detect", folder / "mixed.mp4", "--model", model).out
    assert "frames-disagree: 3 of 8" in out
    card_says_nothing = spectrace("detect", folder / "mixed.mp4").out
    assert re.search(r"mixed.mp4#t=0.000 \(video, too-small\)\n", card_says_nothing)


def test_heatmaps_and_report(spectrace, model, folder, tmp_path):
    page = tmp_path / "report.html"
    arguments = ["--frames", "3", "--heatmaps", tmp_path / "maps", "--report", page]
    spectrace("detect", folder / "bright.mp4", folder / "picture.png", "--model", model, *arguments)
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert [re.sub(r"-[0-9a-f]{8}\.png$", "", name) for name in names] == [
        "bright-t0.040",
        "bright-t0.160",
        "bright-t0.280",
        "picture",
    ]
    titles = re.findall(r'<h2 id="name-\d+">([^<]*)</h2>', page.read_text())
    assert titles == [
        "bright.mp4",
        "bright.mp4#t=0.040",
        "bright.mp4#t=0.160",
        "bright.mp4#t=0.280",
        "picture.png",
    ]
    assert "3 examined, 0 not readable" in page.read_text()


def test_without_the_package(spectrace, model, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    result = spectrace("detect", folder, "--model", model, "--jsonl")
    assert [row["path"].split("/")[-1] for row in lines(result)] == ["picture.png"]
    assert result.code == 1
    assert result.err == (
        "spectrace: 4 videos in folders left out: Video files need opencv-python-headless, which is not "
        "installed: pip install 'spectrace[video]'\n"
    )
    named = spectrace("detect", folder / "dark.mp4", folder / "picture.png", "--model", model, "--jsonl")
    assert [row["error"] and row["error"][:21] for row in lines(named)] == ["Video files need open", None]
    assert named.code == 3


@pytest.mark.parametrize(
    "arguments", [("--frames", "3", "--every", "1"), ("--frames", "0"), ("--every", "0"), ("--every", "nan")]
)
def test_wrong_usage(spectrace, model, folder, arguments):
    result = spectrace("detect", folder / "dark.mp4", "--model", model, *arguments)
    assert result.code == 2
    assert "Traceback" not in result.err
