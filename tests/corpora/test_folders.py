"""Manifests from folders, and splits by hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrace.corpora.manifest import Manifest
from spectrace.corpora.splits import shares_of, split_of
from spectrace.errors import ManifestError, UsageError


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{folder.name}/{name}".encode())
    return folder


def test_names_come_from_sub_folders_or_the_folder_itself(tmp_path: Path) -> None:
    real = fill(tmp_path / "photos", "a.JPG", "flickr/b.png", "flickr/2020/c.webp", "notes.txt", ".x/d.png")
    fake = fill(tmp_path / "fakes", "gan/e.png", "gan/Thumbs.db", "f.gif")
    manifest = Manifest.from_folders(real=real, generated=[fake], root=tmp_path)
    assert [(row.path, row.label, row.generator, row.source) for row in manifest] == [
        ("photos/a.JPG", "real", "camera", "photos"),
        ("photos/flickr/b.png", "real", "camera", "flickr"),
        ("photos/flickr/2020/c.webp", "real", "camera", "flickr"),
        ("fakes/f.gif", "generated", "fakes", "fakes"),
        ("fakes/gan/e.png", "generated", "gan", "gan"),
    ]
    assert manifest.rows[0].sha256 == hashlib.sha256(b"photos/a.JPG").hexdigest()


def test_folders_of_the_same_name_stay_apart(tmp_path: Path) -> None:
    folders = [fill(tmp_path / site / "real", "a.png", "b.png") for site in ("x", "y")]
    fake = fill(tmp_path / "fake", "a.png")
    manifest = Manifest.from_folders(real=folders, generated=fake, root=tmp_path)
    assert manifest.select(label="real").count("source") == {("x/real",): 2, ("y/real",): 2}


def test_paths_outside_of_the_root_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "real", "a.png")
    fill(tmp_path / "here" / "fake", "b.png")
    monkeypatch.chdir(tmp_path / "here")
    manifest = Manifest.from_folders(real="../real", generated="fake")
    assert [row.path for row in manifest] == [
        (tmp_path / "real" / "a.png").resolve().as_posix(),
        "fake/b.png",
    ]
    assert all(manifest.locate(row).is_file() for row in manifest)
    manifest.write("m.csv")
    assert all(manifest.locate(row).is_file() for row in Manifest.read("m.csv"))


def test_a_written_manifest_finds_its_pictures_from_another_folder(tmp_path: Path) -> None:
    real, fake = fill(tmp_path / "real", "a.png"), fill(tmp_path / "fake", "b.png")
    manifest = Manifest.from_folders(real=real, generated=fake, root=tmp_path)
    for place in (tmp_path / "deep" / "er" / "m.csv", tmp_path / "m.csv"):
        manifest.write(place)
        again = Manifest.read(place)
        assert all(again.locate(row).is_file() for row in again)


def test_bad_folders_are_clear_errors(tmp_path: Path) -> None:
    real, empty = fill(tmp_path / "real", "a.png"), fill(tmp_path / "empty", "a.txt")
    with pytest.raises(ManifestError, match="empty holds no picture"):
        Manifest.from_folders(real=real, generated=empty)
    with pytest.raises(ManifestError, match="none is not a folder"):
        Manifest.from_folders(real=tmp_path / "none", generated=real)
    with pytest.raises(ManifestError, match="no folder of generated pictures"):
        Manifest.from_folders(real=real, generated=[])
    with pytest.raises(ManifestError, match="more than once"):
        Manifest.from_folders(real=real, generated=real)


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    real, fake = fill(tmp_path / "real", "a.png"), fill(tmp_path / "fake", "b.png")
    (real / "loop").symlink_to(tmp_path)
    assert len(Manifest.from_folders(real=real, generated=fake)) == 2


def test_visit_sees_every_picture(tmp_path: Path) -> None:
    real, fake = fill(tmp_path / "real", "a.png", "b.png"), fill(tmp_path / "fake", "c.png")
    seen: list[str] = []
    Manifest.from_folders(real=real, generated=fake, visit=lambda path: seen.append(path.name))
    assert seen == ["a.png", "b.png", "c.png"]


def test_the_split_of_a_picture_does_not_change_when_others_are_added(tmp_path: Path) -> None:
    real = fill(tmp_path / "real", *(f"{n}.png" for n in range(40)))
    fake = fill(tmp_path / "fake", "b.png")
    before = {row.path: row.split for row in Manifest.from_folders(real=real, generated=fake, root=tmp_path)}
    fill(real, *(f"{n}.png" for n in range(20, 90)), "0/1.png")
    after = {row.path: row.split for row in Manifest.from_folders(real=real, generated=fake, root=tmp_path)}
    assert before == {path: after[path] for path in before}
    assert set(before.values()) == {"train", "val"}


def test_equal_files_share_a_split_and_stems_can(tmp_path: Path) -> None:
    real, fake = tmp_path / "real", tmp_path / "fake"
    for number in range(60):
        fill(real, f"{number}.png")
        fill(fake, f"{number}.jpg")
        (real / f"copy-{number}.png").write_bytes((real / f"{number}.png").read_bytes())
    manifest = Manifest.from_folders(real=real, generated=fake, shares=shares_of(val=0.5))
    by_content: dict[str, set[str]] = {}
    for row in manifest:
        by_content.setdefault(row.sha256, set()).add(row.split)
    assert len(by_content) == 120
    assert all(len(splits) == 1 for splits in by_content.values())

    def splits_by_stem(manifest: Manifest) -> list[set[str]]:
        stems: dict[str, set[str]] = {}
        for row in manifest:
            stems.setdefault(Path(row.path).stem, set()).add(row.split)
        return list(stems.values())

    together = Manifest.from_folders(
        real=real, generated=fake, shares=shares_of(val=0.5), keep_stems_together=True
    )
    assert any(len(splits) == 2 for splits in splits_by_stem(manifest))
    assert all(len(splits) == 1 for splits in splits_by_stem(together))


def test_splits_have_the_shares_asked_for() -> None:
    shares = shares_of(val=0.125, test=0.25)
    splits, counts = np.unique([split_of(f"{n}.png", shares) for n in range(8000)], return_counts=True)
    assert splits.tolist() == ["test", "train", "val"]
    np.testing.assert_allclose(counts / 8000, [0.25, 0.625, 0.125], atol=0.015)


def test_splits_are_golden() -> None:
    # A change here would move pictures of existing projects from train to val.
    # The first byte of sha256("0.png") is 0x0f: below one half, hence val; the others alike.
    expected = ["val", "train", "val", "train", "train", "train", "val", "val"]
    assert [split_of(f"{n}.png", shares_of(val=0.5)) for n in range(8)] == expected


@given(st.text())
def test_any_key_has_a_split(key: str) -> None:
    assert split_of(key) in {"train", "val"}
    assert split_of(key, {"only": 1.0}) == "only"


def test_impossible_shares_are_refused() -> None:
    for bad in ({}, {"a": 0.5}, {"a": 1.5, "b": -0.5}):
        with pytest.raises(UsageError, match="add up to 1"):
            split_of("x", bad)
    for val, test in ((1.5, 0.0), (-0.1, 0.0), (0.6, 0.6)):
        with pytest.raises(UsageError, match="wanted each from 0 to 1"):
            shares_of(val, test)
    assert shares_of(0.0) == {"train": 1.0}
