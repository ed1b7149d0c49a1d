"""The 4 x 4 table: its figures by hand, its settings, and the whole study on a few photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from spectrace.corpora.wheels import wheel_photographs
from spectrace.errors import UsageError
from spectrace.generators.manipulations import MANIPULATIONS
from spectrace.studies.cross_manipulation import Settings, run_study
from spectrace.studies.manipulation_tables import MEASURES, POOLINGS, Seen, figure, tables
from spectrace.studies.registry import Context, Experiment, study_names

EXPERIMENT = Path(__file__).resolve().parents[2] / "experiments" / "cross-manipulation.toml"


def made(seed: int, count: int = 40) -> Seen:
    rng = np.random.default_rng(seed)
    scores = rng.normal(np.arange(5)[None, :, None] * 0.5, 1.0, (len(POOLINGS), 5, count))
    return Seen(scores, rng.uniform(0, 1, (len(MEASURES), 4, count)), seed / 10)


def test_tables_are_means_over_seeds_of_scikit_learns_figures():
    seen = {name: [made(10 * index), made(10 * index + 1)] for index, name in enumerate(MANIPULATIONS)}
    result = tables(seen)
    assert result["manipulations"] == list(MANIPULATIONS)
    truth = np.repeat([0, 1], 40)
    for trained, name in enumerate(MANIPULATIONS):
        assert result["thresholds"][name] == [trained, trained + 0.1]
        for tested in range(4):
            for index, pooling in enumerate(POOLINGS):
                cell = result["average_precision"][pooling][trained][tested]
                wanted = [
                    average_precision_score(
                        truth, np.concatenate([one.scores[index, 0], one.scores[index, 1 + tested]])
                    )
                    for one in seen[name]
                ]
                assert cell["seeds"] == pytest.approx(wanted, abs=1e-4)
                assert cell["value"] == pytest.approx(np.mean(wanted), abs=1e-4)
                assert cell["low"] < cell["value"] < cell["high"]
            for index, measure in enumerate(MEASURES):
                cell = result[measure][trained][tested]
                wanted = [one.figures[index, tested].mean() for one in seen[name]]
                assert cell["seeds"] == pytest.approx(wanted, abs=1e-4)
                assert cell["low"] < cell["value"] < cell["high"]
    json.dumps(result, allow_nan=False)
    drawn = figure(result)
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert f"{result['average_precision']['strongest'][1][2]['value']:.2f}" in texts
    assert [label.get_text() for label in drawn.axes[1].get_xticklabels()] == list(MANIPULATIONS)


def test_the_last_split_is_refused(tmp_path):
    for split in ("train_split", "test_split"):
        with pytest.raises(UsageError, match="'unseen' is kept for the last measurement"):
            run_study(Settings(**{split: "unseen"}), Context(tmp_path))


def test_the_experiment_reads():
    experiment = Experiment.read(EXPERIMENT)
    assert experiment.study == "cross-manipulation"
    assert experiment.study in study_names()
    assert experiment.chosen(quick=True).photographs == "wheels"


def test_photographs_in_wheels_are_there():
    manifest = wheel_photographs()
    assert all(manifest.locate(row).is_file() for row in manifest)
    assert manifest.count("split")["train",] >= 4


class Silence:
    def __init__(self):
        self.said = []

    def say(self, line):
        self.said.append(line)

    def task(self, name, total):
        from spectrace.learning.progress import Silent

        return Silent().task(name, total)


@pytest.mark.slow
def test_the_whole_study_on_a_few_photographs(tmp_path):
    settings = Experiment.read(EXPERIMENT).chosen(quick=True)
    result = run_study(settings, Context(tmp_path, workers=0))
    assert result["pictures"] == {"train": 16, "val": 8, "test": 12}
    for matrix in (*result["average_precision"].values(), *(result[measure] for measure in MEASURES)):
        assert [len(row) for row in matrix] == [4] * 4
        assert all(0.0 <= cell["value"] <= 1.0 for row in matrix for cell in row)
    shares = [cell["value"] for row in result["manipulated_share"] for cell in row]
    assert 0.1 < min(shares) < max(shares) < 0.4
    # A second run finds every part done and says the same.
    progress = Silence()
    again = run_study(settings, Context(tmp_path, progress, workers=0))
    assert again == result
    assert not any(line.startswith("epoch") for line in progress.said)
