"""The study of baselines: recipes made alike, sources held apart, figures against scikit-learn."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

pytest.importorskip("torch")

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.studies.baselines import (
    CHOOSING,
    Network,
    Settings,
    placed,
    recipe_of,
    run_study,
)
from spectrace.studies.baselines_figure import figure
from spectrace.studies.baselines_tables import Measured, tables
from spectrace.studies.registry import Context

RECIPE = """
name = "tiny"
warmup = 100
learning_rate = 0.005
steps_per_epoch = 1000
[data]
manifest = "m.csv"
min_side = 256
augment = ["flip@0.5"]
[representation]
id = "pixels"
[network]
id = "linear"
"""


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    network = Network(recipe=str(path), title="Tiny")
    return Settings(networks=(network,), baselines=("knn", "metadata"), equalise=("jpeg(quality=80)@0.9",))


def rows(split, count, sources=10):
    return [
        Row(path=f"{split}/{label}/{number}", label=label, split=split, source=f"{label}-{number % sources}")
        for label in ("real", "generated")
        for number in range(count)
    ]


def test_recipes_keep_what_is_theirs_and_share_the_schedule(settings):
    recipe = recipe_of(settings.networks[0], settings)
    assert (recipe.learning_rate, recipe.network.id, recipe.name) == (0.005, "linear", "tiny")
    assert recipe.data.augment == ["jpeg(quality=80)@0.9", "flip@0.5"]
    assert (recipe.epochs * recipe.steps_per_epoch, recipe.batch, recipe.tile) == (160, 32, 64)
    assert recipe.warmup == 8
    own = msgspec.structs.replace(settings.networks[0], equalise=False)
    assert recipe_of(own, settings).data.augment == ["flip@0.5"]


def test_sources_choose_that_were_not_trained_on(settings):
    manifest = Manifest([*rows("train", 100), *rows("val", 10)])
    found = placed(manifest, settings, 0)
    trained, choosing = ({row.source for row in found.select(split=split)} for split in ("train", CHOOSING))
    assert trained.isdisjoint(choosing)
    assert (len(trained), len(choosing)) == (16, 4)
    assert not [row for row in found if row.path.startswith("val")]
    assert placed(manifest, settings, 1).digest() != found.digest()


def test_figures_are_of_the_pictures_that_all_scored(settings):
    testing = Manifest(rows("val", 30, sources=3))
    truth = np.array([row.is_generated for row in testing])
    rng = np.random.default_rng(0)
    scores = {seed: rng.normal(size=(3, 60)) + truth for seed in (0, 1)}
    other = rng.normal(size=(3, 60))
    other[1, 7] = np.nan
    measured = [Measured("tiny", "Tiny", "network", "study", some, 0.5) for some in scores.values()]
    result = tables(
        [*measured, Measured("knn", "kNN", "baseline", "no", other, 0.25)], testing, settings.conditions
    )
    kept = np.arange(60) != 7
    assert (result["pictures"], result["not_scored_by_all"]) == ({"real": 29, "generated": 30}, 1)
    tiny, knn = result["methods"]
    assert (tiny["title"], tiny["equalised"], knn["equalised"]) == ("Tiny", "study", "no")
    for number, condition in enumerate(settings.conditions):
        expected = [roc_auc_score(truth[kept], some[number][kept]) for some in scores.values()]
        cell = tiny["figures"][condition]["auroc"]
        assert cell["seeds"] == pytest.approx(expected, abs=1e-4)
        assert cell["value"] == pytest.approx(np.mean(expected), abs=1e-4)
        assert cell["low"] < cell["value"] < cell["high"]
    weights = np.array([1 / 9 if row.source == "real-1" else 0.1 for row in testing])[kept]
    by_source = roc_auc_score(truth[kept], other[0][kept], sample_weight=weights)
    found = knn["figures"][settings.conditions[0]]["auroc_by_source"]["value"]
    assert found == pytest.approx(by_source, abs=1e-4)
    panels = figure(result).axes
    assert next(label.get_text() for label in panels[0].get_yticklabels()) == "Tiny (trained here)"


def test_the_last_split_is_refused(settings, tmp_path):
    with pytest.raises(UsageError, match="kept for the last measurement"):
        run_study(msgspec.structs.replace(settings, test_split="unseen"), Context(tmp_path))
