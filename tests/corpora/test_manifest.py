"""Manifests: reading, writing, selecting, digest; every way in which a file can be wrong."""

from __future__ import annotations

import builtins
import string
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ManifestError, MissingDependencyError

ROWS = [
    Row(path="real/a.jpg", label="real", split="train", source="phone", extra={"iso": "100", "note": ""}),
    Row(path="fake/b, c.png", label="generated", split="val", generator="gan", source="x", sha256="ab"),
    Row(path="fake/ü\n.png", label="generated", split="val", generator="vae", pair='p "1"', family="vae"),
]


def write_text(folder: Path, text: str, name: str = "manifest.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["m.csv", "m.parquet", "deeper/M.CSV"])
def test_round_trip_keeps_every_value(tmp_path: Path, name: str) -> None:
    Manifest(ROWS, tmp_path).write(tmp_path / "first.csv")
    manifest = Manifest.read(tmp_path / "first.csv")
    file = tmp_path / name
    manifest.write(file)
    again = Manifest.read(file)
    if file.parent == tmp_path:
        assert again.rows == manifest.rows
        assert again.digest() == manifest.digest() == Manifest(ROWS, "elsewhere").digest()
    assert [again.locate(row).resolve() for row in again] == [(tmp_path / row.path).resolve() for row in ROWS]
    assert again.rows[0].extra == {"iso": "100"}  # an empty column is not written


def test_columns_keep_their_order_and_unknown_ones_are_written_back(tmp_path: Path) -> None:
    text = "style,path,label,zoom,split\nart,a.png,generated,2,val\n,b.png,real,1,train\n"
    source = write_text(tmp_path, text)
    manifest = Manifest.read(source)
    assert manifest.rows[0].extra == {"style": "art", "zoom": "2"}
    manifest.write(tmp_path / "again.csv")
    header = (tmp_path / "again.csv").read_text().splitlines()[0]
    assert header == "style,path,label,zoom,split,generator,source"


def test_a_spreadsheets_byte_order_mark_and_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b"\xef\xbb\xbfpath,label\r\na.png,real\r\n\r\nb.png,generated\r\n")
    assert [(row.path, row.label) for row in Manifest.read(path)] == [
        ("a.png", "real"),
        ("b.png", "generated"),
    ]


def test_defaults_come_from_label_and_folder(tmp_path: Path) -> None:
    path = write_text(tmp_path, "path,label\nphone/a.jpg,real\nb.png,generated\n")
    first, second = Manifest.read(path)
    assert (first.generator, first.source, first.split) == ("camera", "phone", "")
    assert (second.generator, second.source) == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("path,label\n", "lists no pictures"),
        ("file,kind\na.png,real\n", "no column path and no column label"),
        ("path,split\na.png,val\n", "no column label"),
        ("path,label\na.png,fake\n", "row 1: a.png: unknown label 'fake', wanted one of real, generated"),
        ("path,label\na.png,\n", "unknown label ''"),
        ("path,label\n,real\n", "names no file"),
        ("path,label,path\na,real,b\n", "column path twice"),
        ("path,label\na.png,real\nx/../a.png,real\n", "occur more than once, the first is a.png"),
        ("path,label\na.png,real,9\n", "line 2: 3 values for 2 columns"),
        ("path,label\na.png\n", "line 2: 1 values for 2 columns"),
        ('path,label\n"a.png,real\n', "not valid CSV"),
        ("path,label,generator\na.png,real,gan\n", "contradict"),
        ("path,label,generator\na.png,generated,camera\n", "contradict"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, text: str, said: str) -> None:
    path = write_text(tmp_path, text)
    with pytest.raises(ManifestError) as caught:
        Manifest.read(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("raw", [b"\x89PNG\r\n\x1a\n\0\0\xff", b"\xff\xfep\0a\0", b"\0\0\0", b"PAR1\0\0PAR1"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_that_is_no_table_is_a_manifest_error(tmp_path: Path, raw: bytes, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(raw)
    with pytest.raises(ManifestError, match="m\\."):
        Manifest.read(path)


def test_missing_file_folder_and_suffix(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="is not there"):
        Manifest.read(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ManifestError, match="is not there"):
        Manifest.read(tmp_path / "folder.csv")
    with pytest.raises(ManifestError, match=r"unknown kind of table '.txt', wanted .csv or .parquet"):
        Manifest.read(tmp_path / "m.txt")
    (tmp_path / "file").touch()
    with pytest.raises(ManifestError, match="cannot be written"):
        Manifest(ROWS, tmp_path).write(tmp_path / "file" / "m.csv")


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError, match=r"spectrace\[parquet\]"):
        Manifest(ROWS, tmp_path).write(tmp_path / "m.parquet")
    assert list(tmp_path.iterdir()) == []


def test_numbers_in_parquet_become_text(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"path": ["a.png"], "label": ["real"], "iso": [100], "pair": [None]})
    parquet.write_table(table, tmp_path / "m.parquet")
    row = Manifest.read(tmp_path / "m.parquet").rows[0]
    assert (row.extra, row.pair) == ({"iso": "100"}, "")


def test_a_file_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    odd = Row(path="b\udce4d.png", label="real")
    manifest = Manifest([odd], tmp_path)
    manifest.write(tmp_path / "m.csv")
    assert Manifest.read(tmp_path / "m.csv").rows[0].path == odd.path
    assert len(manifest.digest()) == 64
    with pytest.raises(ManifestError, match="not UTF-8"):
        manifest.write(tmp_path / "m.parquet")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "m.parquet"
    Manifest(ROWS, tmp_path).write(file)
    before = file.read_bytes()
    with pytest.raises(ManifestError):
        Manifest([Row(path="b\udce4d.png", label="real")], tmp_path).write(file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.parquet"]


def test_select_and_count() -> None:
    manifest = Manifest(ROWS)
    assert manifest.select(split="val").count("label", "generator") == {
        ("generated", "gan"): 1,
        ("generated", "vae"): 1,
    }
    assert [row.source for row in manifest.select(split=("train", "val"), label="real")] == ["phone"]
    assert len(manifest.select(generator={"gan"}, pair="")) == 1
    assert len(manifest.select()) == len(manifest) == 3
    assert len(manifest.select(split=[])) == 0


def test_both_classes_can_be_demanded() -> None:
    manifest = Manifest(ROWS)
    assert manifest.require_both_labels() is manifest
    with pytest.raises(ManifestError, match=r"no real pictures \(0 real, 2 generated\)"):
        manifest.select(split="val").require_both_labels()
    with pytest.raises(ManifestError, match="no real and no generated pictures"):
        Manifest([]).require_both_labels()


@given(st.permutations(ROWS))
def test_digest_does_not_depend_on_order(rows: list[Row]) -> None:
    assert Manifest(rows).digest() == Manifest(ROWS, root="/elsewhere").digest()


@pytest.mark.parametrize(
    "change",
    [
        {"split": "test"},
        {"label": "generated", "generator": ""},
        {"sha256": "cd"},
        {"path": "z.jpg"},
        {"pair": "q"},
    ],
)
def test_digest_changes_with_what_matters(change: dict[str, str]) -> None:
    rows = [msgspec.structs.replace(ROWS[0], **change), *ROWS[1:]]
    assert Manifest(rows).digest() != Manifest(ROWS).digest()


def test_digest_does_not_change_with_extra_columns_or_by_leaving_one_out() -> None:
    bare = msgspec.structs.replace(ROWS[0], extra={})
    assert Manifest([bare, *ROWS[1:]]).digest() == Manifest(ROWS).digest()
    assert Manifest(ROWS[1:]).digest() != Manifest(ROWS).digest()


words = st.text(string.printable + "äß€", max_size=8)
values = st.fixed_dictionaries(
    {"split": words, "source": words.filter(bool), "family": words, "pair": words, "zoom": words}
)


@settings(max_examples=40)
@given(st.dictionaries(st.text("abc/_. ,\"'", min_size=1, max_size=9), values, min_size=1, max_size=4))
def test_any_text_survives_csv(
    tmp_path_factory: pytest.TempPathFactory, pictures: dict[str, dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    rows = []
    for number, (name, known) in enumerate(pictures.items()):
        fields = dict(known)
        zoom = fields.pop("zoom")
        rows.append(Row(path=f"{number}{name}", label="generated", extra={"zoom": zoom}, **fields))
    Manifest(rows, folder).write(folder / "m.csv")
    again = Manifest.read(folder / "m.csv")
    plain = [{**row.extra, "split": row.split, "source": row.source, "pair": row.pair} for row in rows]
    found = [
        {"zoom": "", **row.extra, "split": row.split, "source": row.source, "pair": row.pair} for row in again
    ]
    assert found == plain
    assert again.digest() == Manifest(rows).digest()


@pytest.mark.corpus
def test_the_corpus_reads_as_it_is_and_round_trips(corpus: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(corpus / "manifest.csv")
    assert manifest.count("split") == {("train",): 5233, ("val",): 730, ("unseen",): 1186}
    assert "source_format" in manifest.rows[0].extra
    manifest.root = tmp_path
    manifest.write(tmp_path / "manifest.csv")
    assert (tmp_path / "manifest.csv").read_bytes() == (corpus / "manifest.csv").read_bytes()
