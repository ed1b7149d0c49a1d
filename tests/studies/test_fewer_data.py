"""Fewer data: nested parts, and a table that follows what classifiers of each part do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.generators.recipe import GeneratorRecipe
from spectrace.studies import fewer_data
from spectrace.studies.classifiers import Exam
from spectrace.studies.fewer_data import Settings, figure, part_of, run_study
from spectrace.studies.registry import Context

SOURCES = ("camera", "glow", "style")
SETTINGS = Settings(
    generators=(GeneratorRecipe(family="style"), GeneratorRecipe(family="glow")),
    shares=(0.1, 0.5, 1.0),
    models=("cnn",),
    seeds=(0, 3),
)


def rows(split, count):
    return [
        Row(
            path=f"{split}/{source}{number}.png",
            label="real" if source == "camera" else "generated",
            split=split,
            generator=source,
            extra={"photograph": ""},
        )
        for source in SOURCES
        for number in range(count)
    ]


@pytest.fixture
def manifest():
    some = [*rows("test", 20)]
    for seed in SETTINGS.seeds:
        some += [*rows(f"train-{seed}", 40), *rows(f"val-{seed}", 5)]
    return Manifest(some)


def paths(manifest, split):
    return {row.path for row in manifest.select(split=split)}


def test_smaller_parts_lie_in_larger_ones_and_take_of_every_source(manifest):
    parts = [part_of(manifest, share, 0) for share in (0.01, 0.1, 0.5, 1.0)]
    for part, count in zip(parts, (1, 4, 20, 40), strict=True):
        assert {part.count("split", "generator")["train-0", name] for name in SOURCES} == {count}
        assert paths(part, "val-0") == paths(manifest, "val-0")
        assert {row.split for row in part} == {"train-0", "val-0"}
    assert [row.path for row in parts[-1]] == [row.path for row in manifest if row.split.endswith("-0")]
    trained = [paths(part, "train-0") for part in parts]
    assert trained[0] < trained[1] < trained[2] < trained[3] == paths(manifest, "train-0")
    names = [{path.split("/")[1] for path in paths(part_of(manifest, 0.5, s), f"train-{s}")} for s in (0, 3)]
    assert names[0] != names[1]


def test_the_table_follows_the_classifiers(manifest, monkeypatch, tmp_path):
    """Stand-ins that are right on all pictures, save some wrong ones for the log-DCT of small parts."""

    def trained(trainings, context):
        for recipe, part, seed in trainings:
            assert (recipe.network.id, recipe.task) == ("frank-cnn", "attribution")
            assert recipe.data.train_split == f"train-{seed}"
            assert {row.split for row in part} == {f"train-{seed}", f"val-{seed}"}
        return [
            Path(
                f"{one.recipe.representation.id}:{len(one.manifest.select(split=one.recipe.data.train_split))}"
            )
            for one in trainings
        ]

    def logits(exam, model):
        representation, count = str(model).split(":")
        wrong = {"12": 12, "60": 6, "120": 0}[count] * (2 if representation == "pixels" else 1)
        said = exam.truth.copy()
        for target in range(3):
            some = np.flatnonzero(exam.truth == target)[: wrong // 3]
            said[some] = (target + 1) % 3
        return np.eye(3)[said]

    monkeypatch.setattr(fewer_data, "pictures_of", lambda *_: manifest)
    monkeypatch.setattr(fewer_data, "train_all", trained)
    monkeypatch.setattr(fewer_data, "_steps", lambda model: {"trained": 100, "kept": 50})
    monkeypatch.setattr(
        Exam, "of", lambda manifest, _: Exam(manifest.select(split="test"), list(SOURCES), np.zeros(()))
    )
    monkeypatch.setattr(Exam, "logits", logits)
    result = run_study(SETTINGS, Context(tmp_path))
    (model,) = result["models"]
    assert [row["pictures"] for row in model["shares"]] == [12, 60, 120]
    values = {
        name: [row["accuracy"][name]["value"] for row in model["shares"]]
        for name in ("pixels", "log-dct", "gain")
    }
    assert values == {"pixels": [0.6, 0.8, 1.0], "log-dct": [0.8, 0.9, 1.0], "gain": [0.2, 0.1, 0.0]}
    assert [row["lost"]["pixels"]["value"] for row in model["shares"]] == [0.4, 0.2, 0.0]
    assert model["shares"][0]["lost"]["log-dct"]["low"] > 0
    assert result["most_steps"] == 500
    panel = figure(result).axes[0]
    assert panel.get_xscale() == "log"
    assert panel.lines[0].get_xdata().tolist() == [12, 60, 120]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shares": (0.5, 0.1, 1.0)}, "wanted rising ones above 0, the last 1"),
        ({"shares": (0.1, 0.5)}, "wanted rising ones above 0, the last 1"),
        ({"steps_per_epoch": 0}, "gives fewer pictures fewer steps"),
    ],
)
def test_bad_settings_are_refused(tmp_path, change, message):
    with pytest.raises(UsageError, match=message):
        run_study(msgspec.structs.replace(SETTINGS, **change), Context(tmp_path))
    assert not list(tmp_path.iterdir())
