"""Processes: no Ctrl-C is lost, and none outlives its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from spectrace.scan import local
from spectrace.scan.chunks import Chunk
from spectrace.scan.items import Item
from spectrace.scan.scoring import Scoring

PATIENCE = 120.0


@pytest.fixture
def heard():
    """Ctrl-C raises KeyboardInterrupt, which it does not in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_while_a_worker_starts_is_not_lost(toy_model, monkeypatch, capfd):
    start = BaseProcess.start

    def interrupted(process):
        os.kill(os.getpid(), signal.SIGINT)
        start(process)
        os.kill(process.pid, signal.SIGINT)

    monkeypatch.setattr(BaseProcess, "start", interrupted)
    chunks = iter([Chunk(0, [Item("missing.jpg")])])
    with pytest.raises(KeyboardInterrupt):
        local.run(Scoring(model=str(toy_model())), "toy@1", chunks, print, workers=1)
    assert multiprocessing.active_children() == []
    assert capfd.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


STUCK = """
import sys, time
from pathlib import Path
from spectrace.scan import local, scoring
from spectrace.scan.chunks import Chunk
from spectrace.scan.items import Item

if __name__ == "__main__":
    chunks = iter([Chunk(0, [Item(sys.argv[2])])])
    local.run(scoring.Scoring(model=sys.argv[1]), "toy@1", chunks, print, workers=1)
"""
FILES = """
import os, time
from pathlib import Path
from fsspec import AbstractFileSystem

class Stuck(AbstractFileSystem):
    protocol = "stuck"
    def _open(self, path, **options):
        Path(os.environ["STUCK"]).write_text(str(os.getpid()))
        time.sleep(3600)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_a_worker_that_waits_for_a_network_ends_with_its_parent(toy_model, tmp_path):
    facts = tmp_path / "files-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: files\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[fsspec.specs]\nstuck = stuck_files.Stuck\n")
    (tmp_path / "stuck_files.py").write_text(FILES)
    (tmp_path / "parent.py").write_text(STUCK)
    search = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    told = tmp_path / "worker"
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", str(toy_model()), "stuck://bucket/a.jpg"],
        env={**os.environ, "PYTHONPATH": search, "STUCK": str(told)},
    )
    while not (told.exists() and told.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    worker, end = Path("/proc", told.read_text(), "stat"), time.monotonic() + PATIENCE
    while worker.exists() and worker.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end, "the worker lives on"
        time.sleep(0.05)
