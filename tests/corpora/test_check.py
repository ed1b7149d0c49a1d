"""A check of a manifest names every kind of contradiction, and only those."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.check import check_manifest
from spectrace.corpora.manifest import Manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    rng = np.random.default_rng(0)
    for folder, count in (("real", 6), ("fake", 3)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            pixels = rng.integers(0, 256, (9, 8, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    return Manifest.from_folders(real=tmp_path / "real", generated=tmp_path / "fake", root=tmp_path)


def test_a_sound_manifest_is_complete_and_clean(manifest: Manifest) -> None:
    seen: list[str] = []
    findings = check_manifest(manifest, visit=lambda row: seen.append(row.path))
    assert findings.complete
    assert findings.clean
    assert findings.copies == 0
    assert sum(group.pictures for group in findings.groups) == findings.pictures == 9
    assert seen == [row.path for row in manifest]
    assert findings.digest == manifest.digest()


def test_files_that_are_missing_unreadable_or_changed_are_told_apart(manifest: Manifest) -> None:
    paths = [manifest.locate(row) for row in manifest]
    paths[0].unlink()
    paths[1].write_text("no picture at all")
    paths[2].write_bytes(paths[2].read_bytes()[:60])
    Image.new("RGB", (8, 8)).save(paths[3])
    findings = check_manifest(manifest)
    assert findings.missing == [manifest.rows[0].path]
    assert [found.path for found in findings.unreadable] == [manifest.rows[1].path, manifest.rows[2].path]
    assert findings.unreadable[0].problem == "not-an-image"
    assert "\n" not in findings.unreadable[1].message
    assert findings.changed == [manifest.rows[3].path]
    assert not findings.complete
    assert not findings.clean


def test_equal_files_in_two_splits_or_classes_are_found(manifest: Manifest) -> None:
    rows = [msgspec.structs.replace(row, split="train") for row in manifest]
    paths = [manifest.locate(row) for row in rows]
    paths[1].write_bytes(paths[0].read_bytes())  # both real, both train: harmless
    paths[3].write_bytes(paths[2].read_bytes())
    rows[3] = msgspec.structs.replace(rows[3], split="val")
    paths[-1].write_bytes(paths[4].read_bytes())
    rows = [msgspec.structs.replace(row, sha256="") for row in rows]
    findings = check_manifest(Manifest(rows, manifest.root))
    assert findings.copies == 3
    assert [(found.values, found.paths) for found in findings.across_splits] == [
        (["train", "val"], [rows[2].path, rows[3].path])
    ]
    assert [(found.values, found.paths) for found in findings.across_labels] == [
        (["generated", "real"], [rows[4].path, rows[-1].path])
    ]
    assert findings.complete
    assert not findings.changed
