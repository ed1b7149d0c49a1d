"""One batch, engine-free: the same rows that the detector gives."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from spectrace.detectors.detector import Detector
from spectrace.detectors.schema import flat, schema
from spectrace.scan.items import Item
from spectrace.scan.scoring import Scoring, score_batch


@pytest.fixture
def model(toy_model):
    return toy_model()


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(8):
        pixels = rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    (tmp_path / "text.jpg").write_text("not a picture")
    return [str(path) for path in sorted(tmp_path.glob("*.[pj]*g"))] + [str(tmp_path / "missing.jpg")]


def test_rows_are_those_of_the_detector(model, paths):
    detector = Scoring(model=str(model)).detector()
    expected = [row.to_dict() for row in Detector.load(model).detect_many(paths)]
    assert list(score_batch(detector, map(Item, paths))) == expected


def test_pictures_inside_parquet_files(model, paths, tmp_path):
    pictures = [path for path in paths if not path.endswith("missing.jpg")]
    table = pa.table({"raw": [Path(path).read_bytes() for path in pictures]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=3)
    detector = Scoring(model=str(model), column="raw").detector()
    items = [Item(str(tmp_path / "t.parquet"), row) for row in range(len(pictures))]
    from_files = score_batch(detector, map(Item, pictures))
    for row, item, expected in zip(
        score_batch(detector, items, column="raw"), items, from_files, strict=True
    ):
        assert row["path"] == item.name
        assert {**row, "path": 0, "error": 0} == {**expected, "path": 0, "error": 0}
        assert (row["error"] is None) == (expected["error"] is None)


def test_known_bytes_are_not_scored(model, paths):
    detector = Scoring(model=str(model)).detector()
    known = hashlib.sha256(Path(paths[0]).read_bytes()).hexdigest()
    first, second = score_batch(detector, map(Item, paths[:2]), known=known.__eq__)
    assert (first["sha256"], first["verdict"], first["score"]) == (known, None, None)
    assert second["score"] is not None


def test_every_row_fits_the_schema(model, paths):
    detector = Scoring(model=str(model)).detector()
    rows = list(score_batch(detector, map(Item, paths)))
    assert schema("more").names == [*rows[0], "more"]
    assert schema().names == list(rows[0])
    table = pa.Table.from_pylist([flat(row) for row in rows], schema=schema())
    assert table.column("score").to_pylist() == [row["score"] for row in rows]
    assert [
        str(schema().field(name).type) for name in ("score", "tiles", "branches", "family_probability")
    ] == [
        "double",
        "int64",
        "string",
        "double",
    ]
