"""``spectrace scan``: rows, resuming after any kind of end, duplicates, the summary, exit codes."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from spectrace.detectors.card import Thresholds
from spectrace.detectors.detector import Detector

PICTURES = 260


@pytest.fixture
def model(toy_model):
    return toy_model(
        thresholds=Thresholds(generated=20.0, camera=-20.0, false_positive_rate=0.05, miss_rate=0.1)
    )


@pytest.fixture(scope="session")
def _made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        (folder / str(number // 100)).mkdir(exist_ok=True)
        pixels = rng.normal(rng.uniform(50, 200), 20, (96, 96, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / str(number // 100) / f"{number:03}.jpg")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "empty.png").touch()
    return folder


@pytest.fixture
def pictures(_made, tmp_path):
    """Hundreds of noisy pictures, two that are none, in four folders."""
    return Path(shutil.copytree(_made, tmp_path / "pictures"))


def start(*arguments, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "spectrace", "scan", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
    )


def rows_of(out: Path) -> list[dict]:
    return pq.read_table(out / "rows").to_pylist()


def assert_as_detected(out: Path, model: Path, pictures: Path, before: str = "") -> None:
    """Exactly one row a picture, and the one that the detector gives."""
    paths = sorted(path for path in pictures.rglob("*") if path.suffix in (".jpg", ".png"))
    rows = {row["path"]: row for row in rows_of(out)}
    assert len(rows_of(out)) == len(rows) == len(paths)
    for expected in Detector.load(model).detect_many(paths):
        row = rows[before + expected.path]
        assert (row["score"], row["verdict"], row["sha256"], row["error"]) == (
            expected.to_dict()["score"],
            expected.verdict,
            expected.sha256,
            expected.error and before + expected.error,
        )


def children(pid: int) -> list[int]:
    """Processes that a process started, from /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


def workers_of(pid: int) -> list[int]:
    return [child for child in children(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")


def test_rows_summary_and_exit_codes(spectrace, model, pictures, tmp_path):
    out = tmp_path / "out"
    result = spectrace("scan", pictures, "--out", out, "--model", model, "--workers", 2)
    assert result.code == 3, result.err
    assert_as_detected(out, model, pictures)
    counts = dict.fromkeys(("generated", "camera", "inconclusive"), 0)
    for row in rows_of(out):
        if row["verdict"]:
            counts[row["verdict"]] += 1
    assert all(counts.values())
    assert result.out.startswith(
        f"{PICTURES + 2} pictures: {counts['generated']} generated, {counts['camera']} camera, "
        f"{counts['inconclusive']} inconclusive, 2 not read\n"
    )
    page = (out / "summary.html").read_text()
    assert page.count('<figure><img src="data:image/jpeg;base64,') == 100
    ranked = sorted((row for row in rows_of(out) if row["score"]), key=lambda row: -row["score"])
    shown = [Path(row["path"]).name for row in ranked[:100]]
    assert [page.index(name) for name in shown] == sorted(page.index(name) for name in shown)
    assert "is empty (N bytes)" in page
    assert "http" not in page.replace("http-equiv", "")
    assert spectrace("scan", pictures, "--out", out, "--model", model, "--exit-zero").code == 0


def test_nothing_to_do_starts_no_worker(spectrace, model, pictures, tmp_path, monkeypatch):
    arguments = ("scan", pictures / "0", "--out", tmp_path / "out", "--model", model)
    first = spectrace(*arguments)
    assert first.code == 1
    import multiprocessing.process

    def fail(process):
        raise AssertionError("a worker was started")

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", fail)
    assert spectrace(*arguments) == first


def test_new_pictures_are_scored_and_told(spectrace, model, pictures, tmp_path):
    out = tmp_path / "out"
    arguments = ("scan", pictures / "0", "--out", out, "--model", model, "--workers", 1)
    spectrace(*arguments)
    before = {path.name: path.read_bytes() for path in (out / "rows").iterdir()}
    shutil.copy(pictures / "1" / "150.jpg", pictures / "0" / "000-new.jpg")
    (pictures / "0" / "001.jpg").unlink()
    result = spectrace(*arguments)
    assert "new since" in result.err
    assert "scored too: 1" in result.err
    assert "delete" in result.err
    after = {path.name: path.read_bytes() for path in (out / "rows").iterdir()}
    assert {name: after[name] for name in before} == before
    assert len({row["path"] for row in rows_of(out)}) == len(rows_of(out)) == 101


def test_another_scan_is_not_mixed_in(spectrace, model, toy_model, pictures, tmp_path):
    out = tmp_path / "out"
    arguments = ("scan", pictures / "2", "--out", out, "--model", model, "--workers", 1)
    spectrace(*arguments)
    for more, told in (
        (("--tiles", 3), "tiles is null, here it is 3"),
        (("--once",), "once is false, here it is true"),
        ((pictures / "1",), "sources is"),
    ):
        result = spectrace(*arguments, *more)
        assert (result.code, result.err.count("\n")) == (2, 1)
        assert told in result.err
        assert f"delete {out}" in result.err
    other = shutil.copy(model, tmp_path / "other.onnx")
    assert spectrace(*arguments[:-3], other, "--workers", 1).code == 1  # the same bytes are the same model
    other = toy_model(version="2")
    result = spectrace(*arguments[:-3], other)
    assert result.code == 2
    assert 'model is "toy@1", here it is "toy@2"' in result.err


def test_folders_that_hold_something_else_are_left_alone(spectrace, model, pictures):
    result = spectrace("scan", pictures, "--out", pictures, "--model", model)
    assert result.code == 2
    assert "holds other files" in result.err
    assert not (pictures / "rows").exists()


def test_two_scans_at_once_are_refused(spectrace, model, pictures, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    lock = sqlite3.connect(out / "lock.sqlite", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    result = spectrace("scan", pictures, "--out", out, "--model", model)
    assert result.code == 2
    assert "in use by another scan" in result.err
    lock.close()
    assert spectrace("scan", pictures / "2", "--out", out, "--model", model).code == 1


def test_state_that_is_broken_is_one_line(spectrace, model, pictures, tmp_path):
    out = tmp_path / "out"
    arguments = ("scan", pictures / "2", "--out", out, "--model", model, "--workers", 1)
    spectrace(*arguments)
    kept = (out / "listing.sqlite").read_bytes()
    for broken, told in (
        (b"no listing at all" * 1000, "state in"),
        (None, "holds results that listing.sqlite does not know"),
    ):
        for path in out.glob("listing.sqlite*"):
            path.unlink()
        if broken is not None:
            (out / "listing.sqlite").write_bytes(broken)
        result = spectrace(*arguments)
        assert (result.code, result.err.count("\n")) == (2, 1)
        assert told in result.err
    for path in out.glob("listing.sqlite*"):
        path.unlink()
    (out / "listing.sqlite").write_bytes(kept)
    assert spectrace(*arguments).code == 1


def test_folders_whose_names_are_no_utf8(spectrace, model, pictures, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        (pictures / "2").rename(folder)
    except OSError:
        pytest.skip("a file system of UTF-8 names")
    (folder / "200.jpg").rename(os.fsdecode(os.fsencode(folder) + b"/\xff\n.jpg"))
    (folder / "201.jpg").rename(folder / "<b>&.jpg")
    arguments = ("scan", folder, "--out", tmp_path / "out", "--model", model, "--workers", 1)
    assert spectrace(*arguments).code == 1
    assert spectrace(*arguments).code == 1
    rows = rows_of(tmp_path / "out")
    assert len({row["path"] for row in rows}) == 60
    assert not any(row["error"] for row in rows)
    assert f"{tmp_path}/caf\\udce9/\\udcff\n.jpg" in {row["path"] for row in rows}
    page = (tmp_path / "out" / "summary.html").read_text()
    assert "<br>&lt;b&gt;&amp;.jpg</figcaption>" in page
    assert "<b>&" not in page
    assert f"Their paths begin with <code>{tmp_path}/caf\\udce9/</code>" in page


@needs_proc
def test_killed_at_random_moments(model, pictures, tmp_path):
    """-9 to the parent, then to the parent and its workers: at the end every picture has one row."""
    out, chance = tmp_path / "out", random.Random(0)
    arguments = (pictures, "--out", out, "--model", model, "--workers", 2)
    first = start(pictures / "0", "--out", tmp_path / "timed", "--model", model, "--workers", 2)
    begun = time.monotonic()
    first.communicate()
    usual = time.monotonic() - begun
    for number in range(4):
        process = start(*arguments)
        time.sleep(chance.uniform(0.3, 1.2) * usual)
        victims = [process.pid, *(workers_of(process.pid) if number % 2 else [])]
        for victim in victims:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        process.communicate()
    last = start(*arguments)
    _, err = last.communicate()
    assert last.returncode == 3, err
    assert_as_detected(out, model, pictures)
    assert not [path for path in (out / "rows").iterdir() if path.name.startswith(".")]


FILES = """
import os, signal, time
from fsspec import AbstractFileSystem

class Deadly(AbstractFileSystem):
    protocol = "deadly"
    def _open(self, path, **options):
        os.kill(os.getpid(), signal.SIGKILL)

class Slow(AbstractFileSystem):
    protocol = "slow"
    def _open(self, path, **options):
        time.sleep(0.1)
        return open(path, "rb")
"""


@pytest.fixture
def plugins(tmp_path):
    """Environment in which fsspec knows deadly:// (it kills who reads) and slow:// (this machine's files)."""
    plugin = tmp_path / "plugin"
    facts = plugin / "files-1.dist-info"
    facts.mkdir(parents=True)
    (plugin / "odd_files.py").write_text(FILES)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: files\nVersion: 1\n")
    (facts / "entry_points.txt").write_text(
        "[fsspec.specs]\ndeadly = odd_files.Deadly\nslow = odd_files.Slow\n"
    )
    search = os.pathsep.join([str(plugin), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": search}


def write_table(path: Path, addresses: list[str]) -> Path:
    path.write_text("path\n" + "\n".join(addresses) + "\n")
    return path


@needs_proc
def test_workers_that_die_are_replaced(model, pictures, tmp_path, plugins):
    out = tmp_path / "out"
    paths = sorted(path for path in pictures.rglob("*") if path.is_file())
    table = write_table(tmp_path / "list.csv", [f"slow://{path}" for path in paths])
    process = start(table, "--out", out, "--model", model, "--workers", 2, env=plugins)
    parts = killed = 0
    while process.poll() is None and killed < 2:
        found = len(list((out / "rows").glob("part-*"))) if out.exists() else 0
        if found > parts:
            parts = found
            for worker in workers_of(process.pid):
                os.kill(worker, signal.SIGKILL)
                killed += 1
        time.sleep(0.05)
    _, err = process.communicate()
    assert killed
    assert process.returncode == 3, err
    assert_as_detected(out, model, pictures, "slow://")


def test_a_picture_that_no_worker_survives_is_an_error(model, pictures, tmp_path, plugins):
    """Found among its neighbours, which all have their rows."""
    paths = [str(path) for path in sorted((pictures / "0").iterdir())[:40]]
    table = write_table(tmp_path / "list.csv", [*paths[:17], "deadly://bucket/a.jpg", *paths[17:]])
    out = tmp_path / "out"
    process = start(table, "--out", out, "--model", model, "--workers", 1, env=plugins)
    _, err = process.communicate()
    assert process.returncode == 3, err
    rows = {row["path"]: row for row in rows_of(out)}
    assert len(rows_of(out)) == len(rows) == 41
    assert "ended the process that read it, 2 times" in rows.pop("deadly://bucket/a.jpg")["error"]
    assert all(row["score"] is not None for row in rows.values())


@needs_proc
def test_interrupted_by_ctrl_c(model, pictures, tmp_path, plugins):
    out = tmp_path / "out"
    paths = sorted(path for path in pictures.rglob("*") if path.is_file())
    table = write_table(tmp_path / "list.csv", [f"slow://{path}" for path in paths])
    arguments = (table, "--out", out, "--model", model, "--workers", 2)
    # What runs the tests may be in the background of a shell, where nobody listens to Ctrl-C.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = start(*arguments, env=plugins, preexec_fn=heard)
    while len(workers_of(process.pid)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: parent and workers get it
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines() == [f"interrupted: what is done is kept in {out}, the same command goes on"]
    start(*arguments, env=plugins).communicate()
    assert_as_detected(out, model, pictures, "slow://")


def test_duplicates_are_scored_once(spectrace, model, pictures, tmp_path):
    for number in range(40):
        shutil.copy(pictures / "0" / f"{number:03}.jpg", pictures / f"copy-{number}.jpg")
    shutil.copy(pictures / "0" / "000.jpg", pictures / "2" / "again.jpg")
    out = tmp_path / "out"
    arguments = ("scan", pictures, "--out", out, "--model", model, "--workers", 2, "--once")
    result = spectrace(*arguments)
    assert result.code == 3
    assert "41 of them duplicates" in result.out
    assert_as_detected(out, model, pictures)
    rows = {row["path"]: row for row in rows_of(out)}
    firsts = [row for row in rows.values() if row["duplicate_of"] is None and row["error"] is None]
    assert len({row["sha256"] for row in firsts}) == len(firsts) == PICTURES
    for row in rows.values():
        if row["duplicate_of"] is not None:
            first = rows[row["duplicate_of"]]
            same = {"path": "", "duplicate_of": None}
            assert {**row, **same} == {**first, **same}
            assert first["duplicate_of"] is None
    # A part that is lost is made again, and the same pictures stay the firsts.
    duplicates = {path: row["duplicate_of"] for path, row in rows.items()}
    (out / "rows" / "part-00000001.parquet").unlink()
    spectrace(*arguments)
    assert {row["path"]: row["duplicate_of"] for row in rows_of(out)} == duplicates


def test_parquet_of_pictures_and_addresses(spectrace, model, pictures, tmp_path):
    paths = sorted((pictures / "0").iterdir())[:50]
    cells = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
    pq.write_table(pa.table({"image": cells}), tmp_path / "shard.parquet", row_group_size=7)
    out = tmp_path / "shards"
    arguments = ("--model", model, "--workers", 1)
    result = spectrace("scan", tmp_path / "shard.parquet", "--column", "image", "--out", out, *arguments)
    assert result.code == 1, result.err
    from_shard = [row["score"] for row in rows_of(out)]
    assert [row["path"] for row in rows_of(out)] == [f"{tmp_path}/shard.parquet#{n}" for n in range(50)]
    assert (out / "summary.html").read_text().count("<figure>") == 50
    # Results in the folder that is scanned are no source of it, when it is scanned again.
    folder = tmp_path / "both"
    folder.mkdir()
    shutil.copy(tmp_path / "shard.parquet", folder)
    for _ in range(2):
        result = spectrace("scan", folder, "--column", "image", "--out", folder / "out", *arguments)
        assert result.code == 1, result.err
        assert len(rows_of(folder / "out")) == 50
    out = tmp_path / "addresses"
    result = spectrace("scan", f"local://{pictures}/0", "--out", out, *arguments)
    assert result.code == 1, result.err
    assert [row["score"] for row in rows_of(out)][:50] == from_shard
    assert rows_of(out)[0]["path"] == f"local://{pictures}/0/000.jpg"


def test_what_is_wrong_with_all_of_it_is_one_line(spectrace, model, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    table = write_table(tmp_path / "list.csv", ["nosuch://bucket/a.jpg"])
    for sources, told in (
        (("nosuch://bucket",), "nosuch://bucket cannot be opened"),
        (("ftp://me:secret@example.org",), "ftp://***@example.org came with a password"),
        ((table, "--column", "picture"), "no column picture"),
        ((pictures, "--model", "absent"), "no model 'absent'"),
        ((pictures, "--gpu"), "has no CUDA"),
    ):
        result = spectrace("scan", "--model", model, *sources, "--out", tmp_path / "out")
        assert (result.code, result.err.count("\n")) == (2, 1)
        assert told in result.err
        assert "secret" not in "".join(path.read_text("latin-1") for path in tmp_path.glob("out/*.*"))
    # Nothing was listed, so the same folder takes the command that was meant.
    assert spectrace("scan", "--model", model, pictures / "2", "--out", tmp_path / "out").code == 1


def test_sources_without_pictures_are_problems(spectrace, model, pictures, tmp_path):
    result = spectrace(
        "scan", f"{pictures}/2/*.jpg", f"{pictures}/*.gif", "--out", tmp_path / "out", "--model", model
    )
    assert result.code == 3
    assert "matches no file" in result.err
    assert len(rows_of(tmp_path / "out")) == 60


def test_progress_on_a_terminal_only(model, pictures, tmp_path):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    arguments = (pictures / "2", "--model", model, "--workers", 1, "--out")
    command = [sys.executable, "-m", "spectrace", "scan", *map(str, arguments), str(tmp_path / "seen")]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the end of a terminal that has been closed
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    assert process.wait() == 1
    assert b"60/60" in shown
    _, err = start(*arguments, tmp_path / "silent").communicate()
    assert err == ""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray")
def test_ray_goes_on_with_what_processes_began(model, pictures, tmp_path):
    out = tmp_path / "out"
    arguments = (pictures, "--out", out, "--model", model, "--once")
    start(*arguments).communicate()
    for number in (1, 3):
        (out / "rows" / f"part-{number:08d}.parquet").unlink()
    before = {path.name for path in (out / "rows").iterdir()}
    process = start(*arguments, "--engine", "ray", "--workers", 1)
    _, err = process.communicate(timeout=540)
    if "no cluster could be reached or started" in err:
        pytest.skip("too busy a machine: Ray gives a cluster half a minute to start")
    assert process.returncode == 3, err
    assert "core_worker" not in err
    assert {path.name for path in (out / "rows").iterdir()} > before
    assert_as_detected(out, model, pictures)
    assert json.loads((out / "scan.json").read_text())["once"]
