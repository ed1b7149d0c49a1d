"""Results as a table: the columns of the command's Parquet, for pandas and for whatever speaks Arrow."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import spectrace
from spectrace.detectors.detection import Detection
from spectrace.detectors.detections import Detections
from spectrace.detectors.detector import Detector
from spectrace.detectors.schema import schema
from spectrace.errors import MissingDependencyError

GREY = np.full((40, 50, 3), 138, np.uint8)


@pytest.fixture
def detector(toy_model):
    return Detector.load(toy_model())


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "pictures"
    place.mkdir()
    for name in ("a.png", "b.jpg"):
        Image.fromarray(GREY).save(place / name)
    (place / "c.jpg").write_text("no picture")
    return place


@pytest.fixture
def results(detector, folder):
    return detector.detect_all([folder, GREY[:4]])


def test_folders_patterns_pictures_and_what_is_none_of_them(detector, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    sources = [
        folder,
        str(folder / "[a].*"),
        GREY,
        tmp_path / "empty",
        "missing[1].jpg",
        folder / "a.png",
        None,
    ]
    found = detector.detect_all(sources, workers=3)
    names = [folder / "a.png", folder / "b.jpg", folder / "c.jpg", folder / "a.png"]
    after = [None, tmp_path / "empty", "missing[1].jpg", folder / "a.png", None]
    assert [one.path for one in found] == [name and str(name) for name in names + after]
    assert [one.error is None for one in found] == [True, True, False, True, True, False, False, True, False]
    assert found[6].error == "missing[1].jpg is not there: check the path"
    assert found[0].score == found[7].score == pytest.approx(10.0)


def test_one_source_needs_no_list(detector, folder):
    assert len(detector.detect_all(folder)) == 3
    assert detector.detect_all(str(folder / "a.png"))[0].error is None


def test_the_public_function_uses_the_shipped_model(folder):
    [found] = spectrace.detect_all(folder / "a.png")
    assert found.model == spectrace.Detector.load().card.name


def test_a_sequence(results):
    assert len(results) == 4
    assert [one.path for one in results[1:3]] == [one.path for one in list(results)[1:3]]
    assert isinstance(results[1:3], Detections)
    assert results[-1] is list(results)[3]
    assert results[0] in results
    with pytest.raises(IndexError):
        results[4]
    # Libraries that see a Sequence take its items for rows before they look for an Arrow table.
    assert not isinstance(results, Sequence)


def test_it_prints_as_one_short_line(results):
    assert repr(results) == "<Detections of 4 pictures: 2 generated, 1 inconclusive, 1 error>"
    assert repr(Detections()) == "<Detections of 0 pictures>"
    assert all("\n" not in repr(one) for one in results)


def test_columns_are_those_of_a_row(results):
    rows = results.rows()
    assert [list(row) for row in rows] == [list(results[0].to_dict())] * 4
    assert rows[3]["reasons"] == "; ".join(results[3].reasons)
    assert len(pd.DataFrame(rows)) == 4


def test_arrow_is_what_the_command_writes(results, tmp_path):
    table = pa.table(results)
    assert table.schema == schema()
    assert table == results.to_arrow()
    assert table.to_pylist() == results.rows()
    pq.write_table(table, tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet") == table


def test_pandas_says_the_same(results):
    frame = results.to_pandas()
    assert frame.astype(object).where(frame.notna(), None).to_dict("records") == results.rows()
    assert (frame["verdict"] == "generated").sum() == 2
    assert frame.loc[frame["verdict"] == "generated", "score"].tolist() == pytest.approx([10.0, 10.0])


def test_an_empty_table_has_the_same_columns_and_types(results):
    empty = Detections()
    assert empty.to_arrow().schema == schema()
    assert (empty.to_pandas().dtypes == results.to_pandas().dtypes).all()


@pytest.mark.parametrize(("package", "method"), [("pandas", "to_pandas"), ("pyarrow", "to_arrow")])
def test_what_is_missing_is_named(package, method, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"need {package}.*: pip install"):
        getattr(Detections(), method)()


def test_pandas_needs_no_pyarrow(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert len(results.to_pandas()) == 4


@given(
    st.lists(st.text(st.characters(), max_size=20), min_size=4, max_size=4),
    st.floats(),
    st.none() | st.integers(0, 2**31),
)
def test_any_text_and_number_finds_its_cell(texts, score, width):
    path, reason, error, family = texts
    row = Detection(
        path=path, model="toy@1", score=score, width=width, reasons=[reason], error=error, family=family
    )
    results = Detections([row])
    table = results.to_arrow()
    assert table.column("error").to_pylist() == [error.encode("utf-8", "backslashreplace").decode()]
    assert table.column("width").to_pylist() == [width]
    frame = results.to_pandas()
    assert frame["path"][0] == results.rows()[0]["path"]
    assert frame["width"].isna()[0] == (width is None)


def test_pictures_of_a_list_are_kept_and_those_of_an_iterator_let_go(detector):
    given = [GREY.copy(), Image.fromarray(GREY)]
    assert [one.source for one in detector.detect_all(given)] == given
    made: list[weakref.ref] = []

    def pictures():
        for _ in range(5):
            picture = GREY.copy()
            made.append(weakref.ref(picture))
            yield picture

    results = detector.detect_all(pictures())
    gc.collect()
    assert [one.source for one in results] == [None] * 5
    assert [picture() for picture in made] == [None] * 5


def test_evidence_and_sources_are_no_part_of_a_row(detector, folder):
    path = folder / "a.png"
    shown, plain = detector.detect(path), next(detector.detect_many([path]))
    assert shown == plain
    assert "source=" not in repr(shown)
    assert not {"source", "card", "evidence"} & shown.to_dict().keys()


@pytest.mark.parametrize("many", [False, True])
def test_what_a_detection_keeps_of_its_source(detector, folder, many):
    look = (lambda source: next(detector.detect_many([source]))) if many else detector.detect
    path = folder / "a.png"
    assert look(path).source == str(path)
    with path.open("rb") as file:
        assert look(file).source is None
    assert (look(GREY).source is GREY) is not many
