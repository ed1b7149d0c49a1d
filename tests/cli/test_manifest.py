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


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "none.csv"),
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
