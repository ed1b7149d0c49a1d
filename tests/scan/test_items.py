"""Bytes of items: files, addresses, rows of Parquet files."""

from __future__ import annotations

import io

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.errors import ImageError, ImageProblem, UsageError
from spectrace.scan.items import Item, read


def bytes_of(items, limit=100, column=None):
    return [
        (item, raw if isinstance(raw, bytes) else raw.problem) for item, raw in read(items, limit, column)
    ]


def test_files_and_addresses_in_order(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "long").write_bytes(bytes(101))
    fsspec.filesystem("memory").pipe("/items/b", b"two")
    items = [
        Item(f"{tmp_path}/a"),
        Item("memory://items/b"),
        Item("memory://items/none"),
        Item(f"{tmp_path}/none"),
        Item(f"{tmp_path}/long"),
        Item(str(tmp_path)),
    ]
    found = bytes_of(items)
    assert [item for item, _ in found] == items
    assert [raw for _, raw in found] == [
        b"one",
        b"two",
        ImageProblem.MISSING,
        ImageProblem.MISSING,
        ImageProblem.TOO_MANY_BYTES,
        ImageProblem.UNREADABLE,
    ]


def test_messages_begin_with_the_name(tmp_path):
    pq.write_table(pa.table({"raw": pa.array([None], pa.binary())}), tmp_path / "t.parquet")
    items = [Item("none.jpg"), Item("memory://none.jpg"), Item(f"{tmp_path}/t.parquet", 0)]
    for item, error in read(items, 100, "raw"):
        assert isinstance(error, ImageError)
        assert str(error).startswith(f"{item.name} ")


def test_an_address_nobody_knows_is_one_that_cannot_be_read():
    [(_, error)] = read([Item("nosuch://bucket/a.jpg")], 100)
    assert isinstance(error, ImageError)
    assert str(error).startswith("nosuch://bucket/a.jpg cannot be read (Protocol not known")


def test_a_library_that_is_not_installed_concerns_everything():
    fsspec.register_implementation("absent", "no_such_package.Files", clobber=True, errtxt="Install absentfs")
    with pytest.raises(UsageError, match=r"absent://bucket/a.jpg cannot be opened: Install absentfs"):
        list(read([Item("absent://bucket/a.jpg")], 100))


@settings(max_examples=25)
@given(
    st.lists(st.binary(max_size=8), min_size=1, max_size=60),
    st.integers(1, 25),
    st.data(),
)
def test_rows_of_parquet_files(tmp_path_factory, cells, group, data):
    path = tmp_path_factory.mktemp("rows") / "t.parquet"
    pq.write_table(pa.table({"n": range(len(cells)), "raw": cells}), path, row_group_size=group)
    rows = sorted(data.draw(st.sets(st.integers(0, len(cells) - 1), min_size=1)))
    found = bytes_of([Item(str(path), row) for row in rows], column="raw")
    assert [(item.row, raw) for item, raw in found] == [(row, cells[row]) for row in rows]


def test_a_row_group_is_never_in_memory_as_a_whole(tmp_path, monkeypatch):
    cell, cells = 2**16, 96
    noise = np.random.default_rng(0)
    table = pa.table({"raw": [noise.bytes(cell) for _ in range(cells)]})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, write_batch_size=1, data_page_size=cell, use_dictionary=False)
    assert pq.ParquetFile(path).num_row_groups == 1
    sizes = []

    class Watched(io.FileIO):
        def read(self, size=-1):
            sizes.append(size)
            return super().read(size)

    monkeypatch.setattr("spectrace.scan.items.open_file", Watched)
    found = read([Item(str(path), row) for row in range(cells)], cell, "raw")
    assert sum(len(raw) == cell for _, raw in found) == cells
    assert min(sizes) >= 0
    assert max(sizes) < path.stat().st_size / 4


def test_rows_that_have_gone(tmp_path):
    pq.write_table(pa.table({"raw": [b"0", b"1"]}), tmp_path / "t.parquet")
    found = [raw for _, raw in read([Item(f"{tmp_path}/t.parquet", row) for row in range(4)], 100, "raw")]
    assert found[:2] == [b"0", b"1"]
    for error in found[2:]:
        assert "cannot be read (it has 2 rows now, not 3)" in str(error)


def test_a_parquet_file_that_is_gone_or_damaged(tmp_path):
    path = tmp_path / "t.parquet"
    cells = [bytes([n]) * 4000 for n in range(64)]
    pq.write_table(
        pa.table({"raw": cells}), path, row_group_size=32, compression="none", use_dictionary=False
    )
    raw = bytearray(path.read_bytes())
    raw[200_000:210_000] = bytes(10_000)  # inside the second group
    path.write_bytes(raw)
    items = [Item(str(path), row) for row in range(64)] + [Item(f"{tmp_path}/none.parquet", 0)]
    found = bytes_of(items, limit=5000, column="raw")
    assert [item for item, _ in found] == items
    assert [raw for _, raw in found[:32]] == cells[:32]
    assert found[-1][1] is ImageProblem.UNREADABLE
