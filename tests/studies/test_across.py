"""Matrices: their cells by scikit-learn, who is tested on what, stand-ins, and pictures that are treated once."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from spectrace.corpora.manifest import Manifest
from spectrace.errors import UsageError
from spectrace.images.decode import decode
from spectrace.studies import across
from spectrace.studies.across import Settings, run_study
from spectrace.studies.across_tables import Groups, figure, tables
from spectrace.studies.registry import Context
from spectrace.studies.stand_ins import stand_ins

NAMES = ["a", "b", "c"]


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    count = 120
    generated = rng.random(count) < 0.5
    group = [NAMES[number % 3] if one else None for number, one in enumerate(generated)]
    test = rng.random(count) < 0.7
    test[~generated] = True
    source = [f"s{number % 5}" for number in range(count)]
    scores = rng.normal(size=(2, 3, 2, count)) + generated
    return scores, Groups(NAMES, group, generated, test, source)


def test_cells_are_scikit_learns(scored):
    scores, groups = scored
    result = tables(scores, groups)
    for row, trained in enumerate(NAMES):
        for column, tested in enumerate(NAMES):
            chosen = groups.chosen(tested, met=trained == tested)
            wanted = [roc_auc_score(groups.generated[chosen], one[chosen]) for one in scores[0, row]]
            cell = result["each"][row][column]
            assert cell["seeds"] == pytest.approx(wanted, abs=1e-4)
            assert cell["value"] == pytest.approx(np.mean(wanted), abs=1e-4)
            assert cell["low"] <= cell["value"] <= cell["high"]
    for column, tested in enumerate(NAMES):
        chosen = groups.chosen(tested, met=False)
        wanted = [roc_auc_score(groups.generated[chosen], one[chosen]) for one in scores[1, column]]
        assert result["others"][column]["value"] == pytest.approx(np.mean(wanted), abs=1e-4)
    own = np.mean([result["each"][number][number]["value"] for number in range(3)])
    assert result["means"]["own"]["value"] == pytest.approx(own, abs=1e-4)


def test_what_was_trained_on_is_tested_on_the_test_split_alone(scored):
    _, groups = scored
    met = groups.chosen("a", met=True)
    assert groups.test[met].all()
    new = groups.chosen("a", met=False)
    assert (new & ~groups.test).any()
    assert groups.generated[new & ~groups.test].all()
    assert {groups.group[number] for number in np.flatnonzero(new)} == {"a", None}


def test_pictures_too_small_for_a_score_take_no_part(scored):
    scores, groups = scored
    fewer = scores.copy()
    fewer[..., :10] = np.nan
    kept = Groups(NAMES, groups.group[10:], groups.generated[10:], groups.test[10:], groups.source[10:])
    assert [[cell["seeds"] for cell in row] for row in tables(fewer, groups)["each"]] == [
        [cell["seeds"] for cell in row] for row in tables(scores[..., 10:], kept)["each"]
    ]


def test_the_figure_names_every_cell(scored):
    result = tables(*scored) | {"groups": NAMES, "by": "pair"}
    axes = figure(result).axes[0]
    assert len(axes.texts) == 12
    assert axes.texts[0].get_text().startswith(f"{result['each'][0][0]['value']:.2f}")
    assert [label.get_text() for label in axes.get_yticklabels()] == [*NAMES, "all others"]


def test_the_last_split_is_refused(tmp_path):
    for field in ("train_split", "test_split"):
        with pytest.raises(UsageError, match="kept for the last measurement"):
            run_study(msgspec.structs.replace(Settings(), **{field: "unseen"}), Context(tmp_path))


def test_pictures_are_treated_once_and_alike(tmp_path):
    context = Context(tmp_path)
    listed = stand_ins(context, splits=("train", "val"), count=6, side=96)
    settings = Settings(by="scale", groups=("1", "0.75"), window=96, tile=64, treatment="jpeg(quality=90)")
    made = across._treated(settings, listed, context)
    assert made.count("split", "label")["test", "real"] == 12
    assert {row.extra["group"] for row in made} == {"1", "0.75"}
    sides = {row.extra["group"]: decode(made.locate(row)).facts.width for row in made}
    assert sides == {"1": 96, "0.75": 72}
    times = {row.path: made.locate(row).stat().st_mtime_ns for row in made}
    again = across._treated(settings, listed, context)
    assert again.digest() == made.digest()
    assert times == {row.path: again.locate(row).stat().st_mtime_ns for row in again}
    # At a scale that leaves no room for a tile the picture is left out at all scales.
    narrow = msgspec.structs.replace(settings, groups=("1", "0.5"), tile=64)
    assert not len(across._treated(narrow, listed, context))


def test_new_groups_are_tested_on_some_of_their_training_pictures(tmp_path):
    listed = stand_ins(Context(tmp_path), splits=("train", "val"), count=6, side=64)
    rows = [msgspec.structs.replace(row, extra={"group": row.generator}) for row in listed]
    rows = [msgspec.structs.replace(row, split={"val": "test"}.get(row.split, row.split)) for row in rows]
    chosen = across._testing(Settings(test_more=2), Manifest(rows, listed.root))
    assert chosen.count("split", "label") == {
        ("train", "generated"): 2,
        ("test", "real"): 6,
        ("test", "generated"): 6,
    }
    # Scaled training pictures were met at another scale.
    assert set(across._testing(Settings(by="scale"), Manifest(rows, listed.root)).count("split")) == {
        ("test",)
    }


def test_stand_ins_are_photographs_and_their_upsampled_halves(tmp_path):
    manifest = stand_ins(Context(tmp_path), splits=("train", "val"), count=6, side=64, kernels=("bilinear",))
    assert manifest.count("split", "label") == {
        (split, label): 6 for split in ("train", "val") for label in ("real", "generated")
    }
    sources = {split: {row.source for row in manifest.select(split=split)} for split in ("train", "val")}
    assert not sources["train"] & sources["val"]
    high = {"real": [], "generated": []}
    for row in manifest:
        pixels = decode(manifest.locate(row)).pixels.astype(np.float64)
        assert pixels.shape == (64, 64, 3)
        high[row.label].append(abs(np.diff(pixels, 2, axis=0)).mean())
    assert all(made < real for real, made in zip(high["real"], high["generated"], strict=True))
