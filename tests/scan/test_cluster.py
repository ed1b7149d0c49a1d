"""Ray: what is settled before any work goes out. A whole scan is in the tests of the command."""

from __future__ import annotations

import pytest

from spectrace.errors import ModelError
from spectrace.scan import cluster
from spectrace.scan.chunks import Chunk
from spectrace.scan.items import Item
from spectrace.scan.scoring import Scoring


@pytest.mark.filterwarnings("ignore")  # Ray warns of its own settings
@pytest.mark.parametrize("running", [False, True])
def test_a_cluster_without_gpus_is_told_and_a_running_session_left_alone(monkeypatch, running):
    ray = pytest.importorskip("ray")
    called = []
    monkeypatch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr(ray, "is_initialized", lambda: running)
    monkeypatch.setattr(ray, "init", lambda **options: called.append("init"))
    monkeypatch.setattr(ray, "shutdown", lambda: called.append("shutdown"))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    with pytest.raises(ModelError, match="the cluster has no GPU: start a worker that has one"):
        cluster.run(Scoring(model="none", gpu=True), iter([Chunk(0, [Item("a.jpg")])]), print)
    assert called == ([] if running else ["init", "shutdown"])
