from __future__ import annotations

import msgspec
import numpy as np

from spectrace.corpora.manifest import Manifest
from spectrace.learning.fitting import Statistics
from spectrace.studies import ingredients
from spectrace.studies.ingredients import Ingredient, Settings, figure, run_study
from spectrace.studies.registry import Context
from spectrace.studies.stand_ins import stand_ins

SETTINGS = Settings(
    ingredients=[Ingredient(name="plain"), Ingredient(name="with pairs", pairs=True, augment=["flip@0.5"])],
    manifest="wheels",
    folds=2,
    seeds=(0, 1),
    resamples=10,
    pieces=4,
    conditions=("identity", "jpeg(quality=80)"),
)


def test_every_ingredient_is_tried_under_every_condition_with_every_seed(tmp_path):
    result = run_study(SETTINGS, Context(tmp_path, workers=0))
    assert [(row["ingredient"], row["condition"]) for row in result["rows"]] == [
        (ingredient, condition)
        for ingredient in ("plain", "with pairs")
        for condition in ("identity", "jpeg(quality=80)")
    ]
    for row in result["rows"]:
        assert len(row["seeds"]) == 2
        assert row["auroc"]["value"] == round(float(np.mean(row["seeds"])), 4) or len(set(row["seeds"])) > 1
        assert row["auroc"]["low"] <= row["auroc"]["value"] <= row["auroc"]["high"]
    assert figure(result).get_axes()


def test_pairs_are_trained_on_only_when_asked_and_never_tested_on(tmp_path, monkeypatch):
    made = stand_ins(
        Context(tmp_path),
        splits=("train", "val"),
        count=6,
        side=160,
        kernels=("bilinear", "nearest", "bicubic", "lanczos"),
    )
    rows = [
        msgspec.structs.replace(
            row, pair="", extra={"content": row.path} if row.generator == "lanczos" else {}
        )
        for row in made
    ]
    Manifest(rows, made.root).write(tmp_path / "stand-ins" / "m.csv")
    measured, fitted = [], []

    def measure(entries, *_, **__):
        measured.append([entry.name for entry in entries])
        rng = np.random.default_rng(len(entries))
        features = rng.normal(size=(len(entries), 3)).astype(np.float32)
        return Statistics(features, np.arange(len(entries)), None)

    fit = ingredients.fit_discriminant
    monkeypatch.setattr(ingredients, "statistics_of", measure)
    monkeypatch.setattr(
        ingredients,
        "fit_discriminant",
        lambda *args, **options: fitted.append(set(args[2])) or fit(*args, **options),
    )
    settings = msgspec.structs.replace(SETTINGS, manifest=str(tmp_path / "stand-ins" / "m.csv"), seeds=(0,))
    result = run_study(settings, Context(tmp_path, workers=0))
    assert not any("lanczos" in name for name in (*measured[0], *measured[1]))  # the two conditions
    assert any("lanczos" in name for name in measured[2])
    plain, paired = fitted[:2], fitted[2:]
    assert not any("lanczos" in group for groups in plain for group in groups)
    assert any("lanczos" in group for groups in paired for group in groups)
    assert result["reconstructions"] > 0
