"""Which items sources mean: folders, patterns, lists, tables, addresses."""

from __future__ import annotations

import os

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spectrace.errors import ManifestError, UsageError
from spectrace.scan.items import Item
from spectrace.scan.listing import list_items


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.jpg", "a.png", "sub/c.webp", "notes.txt", ".hidden.jpg"):
        (folder / name).touch()
    return folder


@pytest.fixture
def bucket():
    files = fsspec.filesystem("memory")
    for name in ("b.jpg", "sub/a.PNG", "notes.txt", "sub/.hidden.jpg"):
        files.pipe(f"/bucket/{name}", b"")
    yield "memory://bucket"
    files.store.clear()


def listed(*sources, column=None):
    problems: list[str] = []
    items = list(list_items([os.fspath(source) for source in sources], problems.append, column))
    return items, problems


def test_folders_patterns_and_files(folder):
    items, problems = listed(folder, f"{folder}/*.jpg", "missing.png")
    assert [os.path.relpath(item.path, folder) for item in items[:-1]] == [
        "a.png",
        "b.jpg",
        "sub/c.webp",
        "b.jpg",
    ]
    assert items[-1] == Item("missing.png")
    assert not problems


def test_addresses(bucket):
    below = [Item("memory:///bucket/b.jpg"), Item("memory:///bucket/sub/a.PNG")]
    assert listed(bucket) == (below, [])
    assert listed(f"{bucket}/*.jpg") == (below[:1], [])
    assert listed(f"{bucket}/b.jpg") == (below[:1], [])


def test_lists_mix_everything(folder, bucket, tmp_path):
    names = tmp_path / "list.txt"
    names.write_text(f"# ours\n{folder}/b.jpg\n\n{bucket}/sub\n")
    items, problems = listed(f"@{names}")
    assert [item.path for item in items] == [f"{folder}/b.jpg", "memory:///bucket/sub/a.PNG"]
    assert not problems


def test_sources_that_mean_nothing_are_problems(folder, bucket, tmp_path):
    (tmp_path / "empty").mkdir()
    sources = (tmp_path / "empty", f"{folder}/*.gif", f"@{tmp_path}/no.txt", "memory://bucket/*.gif")
    items, problems = listed(*sources)
    assert not items
    assert len(problems) == 4


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_of_paths(tmp_path, suffix):
    table = tmp_path / f"manifest.{suffix}"
    paths = ["a.jpg", "/abs/b.jpg", "s3://bucket/c.jpg"]
    if suffix == "csv":
        table.write_text("label,path\n" + "".join(f"real,{path}\n" for path in paths))
    else:
        pq.write_table(pa.table({"path": paths, "label": ["real"] * 3}), table)
    assert listed(table)[0] == [Item(f"{tmp_path}/a.jpg"), Item("/abs/b.jpg"), Item("s3://bucket/c.jpg")]
    with pytest.raises(ManifestError, match=r"no column picture \(it has .*--column"):
        listed(table, column="picture")


def test_tables_of_pictures(tmp_path):
    shards = tmp_path / "shards"
    (shards / "part=1").mkdir(parents=True)
    pq.write_table(pa.table({"raw": [b"1", None]}), shards / "a.parquet")
    boxed = pa.array([{"bytes": b"2", "path": "x.jpg"}])
    pq.write_table(pa.table({"raw": boxed}), shards / "part=1" / "b.parquet")
    expected = [
        Item(f"{shards}/a.parquet", 0),
        Item(f"{shards}/a.parquet", 1),
        Item(f"{shards}/part=1/b.parquet", 0),
    ]
    assert listed(shards, column="raw") == (expected, [])
    assert listed(f"{shards}/*.parquet", column="raw") == (expected[:2], [])


def test_a_table_at_an_address():
    files = fsspec.filesystem("memory")
    files.pipe("/lists/list.csv", b"path\nsub/a.jpg\n")
    assert listed("memory://lists/list.csv")[0] == [Item("memory:///lists/sub/a.jpg")]
    files.store.clear()


def test_columns_of_numbers_are_refused(tmp_path):
    pq.write_table(pa.table({"path": [1, 2]}), tmp_path / "t.parquet")
    with pytest.raises(ManifestError, match="column path is int64"):
        listed(tmp_path / "t.parquet")


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ManifestError, match="is not a Parquet file"):
        listed(tmp_path / "t.parquet")
    with pytest.raises(ManifestError, match="cannot be read"):
        listed(tmp_path / "absent.csv")


def test_addresses_nobody_knows_are_refused():
    with pytest.raises(UsageError, match="nosuch://a.jpg cannot be opened"):
        listed("nosuch://a.jpg")
