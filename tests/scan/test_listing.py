"""Which items sources mean: folders, patterns, lists, tables, addresses."""

from __future__ import annotations

import io
import itertools
import os
import sys
import zipfile
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.utils import infer_storage_options

from spectrace.errors import ManifestError, UsageError
from spectrace.scan.items import Item, read
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


def listed(*sources, column=None, but=None):
    problems: list[str] = []
    items = list(list_items([os.fspath(source) for source in sources], problems.append, column, but=but))
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


def test_links_lead_into_no_loop(folder):
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    names = ["a.png", "b.jpg", "self.jpg", "sub/c.webp"]
    for source in (folder, f"{folder}/**/*.[jpw]*", f"{folder}/**"):
        items, problems = listed(source)
        found = {os.path.relpath(item.path, folder) for item in items}
        assert found - {"notes.txt"} == set(names), source
        assert not problems
    assert [os.path.relpath(item.path, folder) for item in listed(folder)[0]] == names
    pq.write_table(pa.table({"raw": [b"1"]}), folder / "sub" / "t.parquet")
    assert listed(folder, column="raw") == ([Item(f"{folder}/sub/t.parquet", 0)], [])


def test_a_folder_that_cannot_be_listed_is_told(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    items, problems = listed(folder)
    assert [Path(item.path).name for item in items] == ["a.png", "b.jpg"]
    assert problems == [f"{folder}/sub cannot be listed (Permission denied): what is in it is left out"]


def test_a_folder_without_end_is_listed_as_it_comes(folder, monkeypatch):
    class Entry:
        def __init__(self, number):
            self.name = f"{number:07}.jpg"

        def is_dir(self):
            return False

    class Entries(io.BytesIO):
        def __iter__(self):
            return map(Entry, itertools.count())

    monkeypatch.setattr(os, "scandir", lambda path: Entries())
    items = list_items([os.fspath(folder)], print)
    assert [next(items).path for _ in range(3)] == [f"{folder}/{n:07}.jpg" for n in range(3)]
    items.close()


def test_addresses(bucket):
    below = [Item("memory://bucket/b.jpg"), Item("memory://bucket/sub/a.PNG")]
    assert listed(bucket) == (below, [])
    assert listed(f"{bucket}/") == (below, [])
    assert listed("memory://") == ([Item("memory:///bucket/b.jpg"), Item("memory:///bucket/sub/a.PNG")], [])
    assert listed(f"{bucket}/*.jpg") == (below[:1], [])
    assert listed(f"{bucket}/s*") == (below[1:], [])
    assert listed(f"{bucket}/b.jpg") == (below[:1], [])


def test_addresses_with_marks_in_their_names(bucket):
    fsspec.filesystem("memory").pipe("/bucket/[1].jpg", b"")
    assert listed(f"{bucket}/[1].jpg") == ([Item("memory://bucket/[1].jpg")], [])


def test_what_is_named_like_a_file_is_not_asked_for(bucket, monkeypatch):
    """A list may hold millions of addresses: a request for each would take days."""
    monkeypatch.setattr(MemoryFileSystem, "info", None)
    monkeypatch.setattr(MemoryFileSystem, "isdir", None)
    assert listed(f"{bucket}/b.jpg") == ([Item("memory://bucket/b.jpg")], [])


def test_chained_addresses(bucket, tmp_path):
    names = [item.path for item in listed(f"simplecache::{bucket}")[0]]
    assert names == ["simplecache::memory://bucket/b.jpg", "simplecache::memory://bucket/sub/a.PNG"]
    archive = f"zip://::file://{tmp_path}/a.zip"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as files:
        files.writestr("inner/b.jpg", b"one")
    found = [Item(f"zip://inner/b.jpg::file://{tmp_path}/a.zip")]
    assert listed(archive) == (found, [])
    assert list(read(found, 100)) == [(found[0], b"one")]


class Hosted(MemoryFileSystem):
    """Files of a host that the address names, as for ``ftp://`` and ``sftp://``."""

    protocol = "hosted"

    def __init__(self, host=None, **options):
        super().__init__(**options)
        self.host = host

    @classmethod
    def _strip_protocol(cls, path):
        return infer_storage_options(path)["path"].rstrip("/")

    @staticmethod
    def _get_kwargs_from_urls(path):
        return {"host": infer_storage_options(path)["host"]}

    def _open(self, path, *arguments, **options):
        assert self.host == "example.org"
        return super()._open(path, *arguments, **options)


def test_addresses_keep_their_host(bucket):
    fsspec.register_implementation("hosted", Hosted, clobber=True)
    for source in ("hosted://example.org/bucket", "hosted://example.org/bucket/*.jpg"):
        items, _ = listed(source)
        assert items[0] == Item("hosted://example.org/bucket/b.jpg")
        assert list(read(items[:1], 100)) == [(items[0], b"")]


def test_passwords_in_addresses_are_refused(tmp_path):
    table = tmp_path / "list.csv"
    table.write_text("path\nftp://me:secret@example.org/a.jpg\n")
    names = tmp_path / "list.txt"
    names.write_text("ftp://me:secret@example.org/\n")
    for source in (
        "ftp://me:secret@example.org",
        table,
        f"@{names}",
        "simplecache::ftp://me:s/e@example.org",
    ):
        with pytest.raises(UsageError, match=r"ftp://\*\*\*@example.org.* came with a password") as raised:
            listed(source)
        assert "secret" not in str(raised.value)


def test_lists_mix_everything(folder, bucket, tmp_path):
    names = tmp_path / "list.txt"
    names.write_text(f"# ours\n{folder}/b.jpg\n\n{bucket}/sub\n")
    items, problems = listed(f"@{names}")
    assert [item.path for item in items] == [f"{folder}/b.jpg", "memory://bucket/sub/a.PNG"]
    assert not problems


def test_lists_hold_names_of_any_bytes(tmp_path, monkeypatch):
    raw = b"\xef\xbb\xbffirst.jpg\r\n caf\xe9.jpg\nna\xc3\xafve.jpg"
    (tmp_path / "list.txt").write_bytes(raw)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    for source in (f"@{tmp_path}/list.txt", "@-"):
        items, problems = listed(source)
        assert [item.path for item in items] == ["first.jpg", "caf\udce9.jpg", "naïve.jpg"]
        assert not problems
    (tmp_path / "list.txt").write_text("a.jpg\n", encoding="utf-16")
    items, [problem] = listed(f"@{tmp_path}/list.txt")
    assert not items
    assert "cannot be read as a list of paths (it holds a zero byte)" in problem


def test_sources_that_mean_nothing_are_problems(folder, bucket, tmp_path):
    (tmp_path / "empty").mkdir()
    sources = (tmp_path / "empty", f"{folder}/*.gif", f"@{tmp_path}/no.txt", "memory://bucket/*.gif")
    items, problems = listed(*sources)
    assert not items
    assert len(problems) == 4


PATHS = ["a.jpg", "/abs/b.jpg", None, "s3://bucket/c.jpg", "new\nline.jpg"]


@pytest.mark.parametrize("kind", ["csv", "string", "large_string", "string_view", "dictionary"])
def test_tables_of_paths(tmp_path, kind):
    if kind == "csv":
        table = tmp_path / "manifest.csv"
        table.write_text("label,path\n" + "".join(f'real,"{path or ""}"\n' for path in PATHS) + "short\n")
    else:
        table = tmp_path / "manifest.parquet"
        values = pa.array([*PATHS, ""])
        cast = values.dictionary_encode() if kind == "dictionary" else values.cast(getattr(pa, kind)())
        pq.write_table(pa.table({"path": cast, "label": ["real"] * 6}), table)
    items, problems = listed(table)
    assert items == [
        Item(f"{tmp_path}/a.jpg"),
        Item("/abs/b.jpg"),
        Item("s3://bucket/c.jpg"),
        Item(f"{tmp_path}/new\nline.jpg"),
    ]
    assert problems == [f"{table}: left out, for nothing in the column path: 2 of its rows"]
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
    assert listed(shards, column="raw", but=shards / "part=1") == (expected[:2], [])


def test_a_table_at_an_address():
    files = fsspec.filesystem("memory")
    files.pipe("/lists/list.csv", b"path\nsub/a.jpg\n")
    assert listed("memory://lists/list.csv")[0] == [Item("memory://lists/sub/a.jpg")]
    files.store.clear()


def test_columns_of_something_else_are_refused(tmp_path):
    for values, kind in (([1, 2], "int64"), ([{"path": "a.jpg"}], "struct<path: string>")):
        pq.write_table(pa.table({"path": values}), tmp_path / "t.parquet")
        with pytest.raises(ManifestError, match=f"column path is {kind}"):
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
