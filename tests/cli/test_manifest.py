"""``spectrace manifest`` from the outside."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spectrace.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, count in (("real/phone", 12), ("fake/gan[1]", 7)):
        (tmp_path / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["spectrace", "manifest", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def build(monkeypatch: pytest.MonkeyPatch, folder: Path, *more: str) -> Path:
    out = folder / "manifest.csv"
    arguments = ("build", "--real", folder / "real", "--generated", folder / "fake", "--out", out, *more)
    assert run(monkeypatch, *arguments) == 0
    return out


def test_build_then_check(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = build(monkeypatch, folder, "--val-share", "0.4")
    said = capsys.readouterr().out
    assert "19 pictures" in said
    assert "train/generated" in said
    assert "val/real" in said
    assert run(monkeypatch, "check", out) == 0
    shown = capsys.readouterr()
    assert "gan[1]" in shown.out  # not taken for markup
    assert "every picture is there" in shown.out
    assert shown.err == ""
    assert run(monkeypatch, "check", out, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 19
    assert {group["source"] for group in found["groups"]} == {"phone", "gan[1]"}
    assert found["missing"] == found["unreadable"] == found["across_splits"] == []


def test_check_reports_what_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = build(monkeypatch, folder)
    copy = folder / "fake" / "gan[1]" / "0.png"
    copy.write_bytes((folder / "real" / "phone" / "0.png").read_bytes())
    capsys.readouterr()
    assert run(monkeypatch, "check", out) == 1
    said = capsys.readouterr().out
    assert "1 equal files under both labels" in said
    assert "1 not the file that was listed" in said
    (folder / "real" / "phone" / "1.png").unlink()
    (folder / "real" / "phone" / "2.png").write_text("text")
    assert run(monkeypatch, "check", out) == 3
    said = capsys.readouterr().out
    assert "1 missing:\n  real/phone/1.png" in said
    assert "real/phone/2.png (not-an-image: " in said


def test_many_findings_are_cut_short_on_screen_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(100, 130):
        (folder / "real" / "phone" / f"{number}.png").write_text("text")
    out = build(monkeypatch, folder)
    capsys.readouterr()
    assert run(monkeypatch, "check", out) == 3
    assert "... and 10 more" in capsys.readouterr().out
    run(monkeypatch, "check", out, "--json")
    assert len(json.loads(capsys.readouterr().out)["unreadable"]) == 30


@pytest.fixture
def faceforensics(tmp_path: Path) -> Path:
    root = tmp_path / "ff"
    folders = ["original_sequences/youtube/c23/images/071"]
    for name in ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures"):
        folders += [f"manipulated_sequences/{name}/{inner}/images/071_054" for inner in ("c23", "masks")]
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for number in (1, 2):
            Image.new("RGB", (90, 80), (200, 180, 160)).save(root / folder / f"{number:04d}.png")
    (root / "splits").mkdir()
    (root / "splits" / "train.json").write_text('[["071", "054"]]')
    return root


def test_faceforensics_is_listed_and_cropped(
    faceforensics: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = faceforensics.parent / "ff.csv"
    arguments = ("faceforensics", faceforensics, "--splits", faceforensics / "splits", "--out", out)
    assert run(monkeypatch, *arguments) == 0
    shown = capsys.readouterr()
    assert "10 pictures (8 train/generated, 2 train/real)" in shown.out
    assert shown.err == ""
    points = {"071/0001": [[30, 30], [55, 30], [42, 45], [32, 58], [52, 58]]}
    (faceforensics / "points.json").write_text(json.dumps(points))
    crops = faceforensics.parent / "crops"
    arguments = ("crop-faces", out, faceforensics / "points.json", "--out", crops, "--size", "32")
    assert run(monkeypatch, *arguments) == 3
    shown = capsys.readouterr()
    assert "5 pictures (4 train/generated, 1 train/real)" in shown.out
    assert shown.err.strip() == "5 of 10 pictures have no landmarks, the first is 071/0002"
    assert run(monkeypatch, "check", crops / "manifest.csv") == 1  # these "manipulations" change nothing
    assert "equal files under both labels" in capsys.readouterr().out


def test_missing_parts_of_faceforensics_are_named(
    faceforensics: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (faceforensics / "manipulated_sequences/FaceSwap").rename(faceforensics / "gone")
    out = faceforensics / "m.csv"
    assert run(monkeypatch, "faceforensics", faceforensics, "--out", out, "--frames", "1") == 3
    shown = capsys.readouterr()
    assert "4 pictures (3 /generated, 1 /real)" in shown.out
    assert shown.err.count("\n") == 1
    assert "FaceSwap/c23 is not there" in shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "none.csv"),
        ("faceforensics", ".", "--out", "m.csv"),
        ("faceforensics", ".", "--out", "m.txt"),
        ("faceforensics", "real", "--out", "m.csv", "--compression", "c24"),
        ("crop-faces", "none.csv", "none.json", "--out", "crops"),
        ("check", "."),
        ("build", "--real", ".", "--out", "m.csv"),
        ("build", "--real", "none", "--generated", ".", "--out", "m.csv"),
        ("build", "--real", ".", "--generated", ".", "--out", "m.txt"),
        ("build", "--real", "real", "--generated", "fake", "--out", "m.csv", "--val-share", "2"),
        ("tidy",),
    ],
)
def test_wrong_usage_is_two_and_one_line(
    folder: Path,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    assert run(monkeypatch, *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert not (folder / "m.csv").exists()


def test_a_name_that_is_no_unicode_is_shown_escaped(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = Path(os.fsdecode(bytes(folder / "real") + b"/b\xe4d\x1b.png"))
    try:
        odd.write_text("text")
    except OSError:
        pytest.skip("this file system wants UTF-8 names")
    out = build(monkeypatch, folder)
    capsys.readouterr()
    assert run(monkeypatch, "check", out) == 3
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "d\\x1b.png" in said
    assert run(monkeypatch, "check", out, "--json") == 3
    assert json.loads(capsys.readouterr().out)["unreadable"][0]["path"] == "real/b\udce4d\x1b.png"
