"""Every experiment: its quick version runs to a results file and a figure, and its settings are known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spectrace.studies import Context, Experiment, study_names

FOLDER = Path(__file__).resolve().parents[2] / "experiments"
EXPERIMENTS = sorted(FOLDER.glob("*.toml"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Generators and detectors that one experiment trains serve the others."""
    return tmp_path_factory.mktemp("shared")


def test_every_study_has_an_experiment():
    assert {Experiment.read(path).study for path in EXPERIMENTS} == set(study_names())


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_quick(path, shared, tmp_path, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    experiment = Experiment.read(path)
    results = experiment.run(Context(tmp_path, workers=0, shared=shared), quick=True)
    written = experiment.write(results, tmp_path / "results", path.stem)
    found = json.loads(written[0].read_text("utf-8"))
    assert found["quick"]
    assert found["result"]["manifest_digest"]
    assert all(file.stat().st_size for file in written)
