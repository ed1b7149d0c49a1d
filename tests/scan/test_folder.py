"""The folder of a scan: what is written is whole, and what is not ours is left alone."""

from __future__ import annotations

import errno
import math
import os

import pytest

from spectrace.detectors.detection import Detection
from spectrace.errors import SpectraceError, UsageError
from spectrace.scan.folder import ScanFolder, Settings
from spectrace.scan.summary import BINS, summarise


@pytest.fixture
def settings():
    return Settings(
        sources=["a"],
        folder=None,
        column=None,
        once=False,
        model="m@1",
        model_sha256="00",
        tiles=None,
        dense=False,
        max_pixels=1,
    )


@pytest.fixture
def folder(tmp_path, settings):
    folder = ScanFolder(tmp_path / "out", settings)
    yield folder
    folder.close()


def rows(*paths):
    return [Detection(path=path, model="m@1").to_dict() | {"duplicate_of": None} for path in paths]


def test_parts_are_those_that_were_written(folder):
    for chunk in (11, 2):
        folder.write_part(chunk, rows("a.jpg", "b.jpg"))
    assert folder.parts() == [2, 11]
    assert [row["path"] for row in folder.read_part(11, ["path"])] == ["a.jpg", "b.jpg"]


def test_scores_that_are_no_numbers_are_counted_nowhere(folder):
    scores = {"a": 40.0, "b": math.nan, "c": math.inf, "d": -math.inf, "e": 0.1, "f": -40.0}
    folder.write_part(0, [row | {"score": scores[row["path"]], "verdict": "camera"} for row in rows(*scores)])
    summary = summarise(folder)
    assert (summary.pictures, summary.verdicts["camera"], summary.scored) == (6, 6, 3)
    assert [one.path for one in summary.strongest] == ["a", "e", "f"]
    assert (summary.bins[0], summary.bins[BINS // 2], summary.bins[-1]) == (1, 1, 1)


def test_a_full_disk_is_one_line_and_leaves_no_part(folder, settings, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SpectraceError, match=r"part-00000000.parquet cannot be written \(No space left"):
            folder.write_part(0, rows("a.jpg"))
        with pytest.raises(SpectraceError, match=r"summary.html cannot be written \(No space left"):
            folder.write_page("")
    assert folder.parts() == []
    folder.close()
    again = ScanFolder(folder.path, settings)
    assert list(again.rows.iterdir()) == []
    again.close()


def test_a_damaged_part_is_named(folder):
    folder.write_part(0, rows("a.jpg"))
    [path] = folder.rows.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SpectraceError, match=r"part-00000000.parquet is damaged .*delete it"):
        list(folder.read_part(0, ["path"]))


@pytest.mark.parametrize("name", ["notes.txt", "rows/.hidden", "rows/part-00000-x.parquet", ".git/config"])
def test_what_somebody_else_keeps_there_is_left_alone(tmp_path, settings, name):
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(UsageError, match="holds other files"):
        ScanFolder(tmp_path / "out", settings)
    assert path.exists()


def test_hidden_files_beside_the_parts_are_left_alone(folder, settings):
    (folder.rows / ".DS_Store").touch()
    (folder.rows / ".part-00000003.parquet").touch()
    folder.close()
    again = ScanFolder(folder.path, settings)
    assert [path.name for path in again.rows.iterdir()] == [".DS_Store"]
    again.close()
