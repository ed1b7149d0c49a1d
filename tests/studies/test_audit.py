"""The study of audits: which pictures it takes, and that its result follows them."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.studies.audit import Settings, _thinned, by_source, figure, run_study
from spectrace.studies.registry import Context


def test_every_source_gives_as_many_whatever_the_order():
    rows = [Row(path=f"{s}{i}", label="real", source=s) for s, n in (("a", 30), ("b", 4)) for i in range(n)]
    one, other = _thinned(Manifest(rows), 10), _thinned(Manifest(rows[::-1]), 10)
    assert [len(members) for members in by_source(one)] == [10, 4]
    assert {row.path for row in one} == {row.path for row in other}


def test_the_last_split_is_refused(tmp_path):
    with pytest.raises(UsageError, match="last measurement"):
        run_study(Settings(splits=("train", "unseen")), Context(tmp_path))


def test_formats_leak_until_they_are_equalised(tmp_path):
    settings = Settings(photographs="wheels", side=52, halves=1, halvings=1, half_pictures=40, per_source=30)
    result = run_study(settings, Context(tmp_path, workers=1))
    as_is, copy, _ = result["states"]
    assert as_is["verdict"] == "leak"
    assert as_is["kinds"][0]["auroc"]["value"] == 1.0
    assert copy["kinds"][0]["auroc"]["value"] == 0.5
    half = result["halves"][0]["kinds"][0]
    assert half["low"] <= 0.5 <= half["high"]
    assert not list(tmp_path.glob("copy-*"))
    assert isinstance(figure(result), Figure)
