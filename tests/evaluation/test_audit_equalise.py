"""The equalised copy: alike in both classes, the same again, going on where it stopped."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.evaluation.audit.equalise import Chain, equalise
from spectrace.evaluation.audit.findings import Verdict, audit
from spectrace.images.decode import decode

CHAIN = Chain(side=48)


@pytest.fixture
def collection(tmp_path, photographs):
    """Real pieces saved as JPEG, generated ones (no less real) as PNG of another size."""
    rows = []
    pixels = photographs["astronaut"]
    for index in range(48):
        top, left = 48 * (index // 8), 48 * (index % 8)
        name = f"{index}.{'png' if index % 2 else 'jpg'}"
        side = 96 if index % 2 else 112
        Image.fromarray(pixels[top : top + side, left : left + side]).save(tmp_path / name, quality=80)
        label = "generated" if index % 2 else "real"
        rows.append(Row(path=name, label=label, source=label, sha256="0" * 64, extra={"iso": "100"}))
    Image.fromarray(pixels[:20, :300]).save(tmp_path / "small.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    rows += [Row(path="small.png", label="real"), Row(path="broken.jpg", label="real")]
    return Manifest(rows, tmp_path, ("path", "label", "source", "iso"))


def test_a_leak_is_gone_in_the_copy(collection, tmp_path):
    before = audit(collection)
    copy, done = equalise(collection, tmp_path / "out", CHAIN)
    after = audit(copy)
    assert before.verdict is Verdict.LEAK
    assert before.part("file").auroc.value == 1.0
    assert after.part("file").auroc.value == 0.5
    assert after.part("grid").auroc.low <= 0.5
    assert [one.path for one in done.too_small] == ["small.png"]
    assert [one.path for one in done.unreadable] == ["broken.jpg"]


def test_files_are_alike_to_the_byte(collection, tmp_path):
    copy, done = equalise(collection, tmp_path / "out", CHAIN)
    pictures = [decode(copy.locate(row)) for row in copy]
    assert {picture.pixels.shape for picture in pictures} == {(48, 48, 3)}
    assert len({picture.facts.bytes for picture in pictures}) == 1
    read = Manifest.read(tmp_path / "out" / "manifest.csv")
    assert len(read) == len(done.written) == 48
    assert read.rows[0].extra["iso"] == "100"
    assert read.rows[0].extra["original"] == "0.jpg"
    for row in read:
        assert hashlib.sha256(read.locate(row).read_bytes()).hexdigest() == row.sha256


def test_chance_comes_from_seed_and_path(collection, tmp_path):
    one, _ = equalise(collection, tmp_path / "one", CHAIN, workers=1)
    again, _ = equalise(collection, tmp_path / "again", CHAIN, workers=3)
    other, _ = equalise(collection, tmp_path / "other", Chain(side=48, seed=1))
    turned = Manifest(reversed(collection.rows), collection.root)
    backwards, _ = equalise(turned, tmp_path / "backwards", CHAIN)
    assert [row.sha256 for row in one] == [row.sha256 for row in again]
    assert [row.sha256 for row in one] == [row.sha256 for row in backwards][::-1]
    assert not {row.sha256 for row in one} & {row.sha256 for row in other}


def test_it_goes_on_where_it_stopped(collection, tmp_path):
    out = tmp_path / "out"
    whole, _ = equalise(collection, out, CHAIN)
    journal = out / "pictures.jsonl"
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([*lines[:10], lines[10][:20]]))
    kept = out / whole.rows[3].path
    lost = out / whole.rows[20].path
    stamp = kept.stat().st_mtime_ns
    lost.unlink()
    again, _ = equalise(collection, out, CHAIN)
    assert [row.sha256 for row in again] == [row.sha256 for row in whole]
    assert kept.stat().st_mtime_ns == stamp
    assert lost.is_file()


def test_other_settings_or_files_are_not_overwritten(collection, tmp_path):
    equalise(collection, tmp_path / "out", CHAIN)
    with pytest.raises(UsageError, match="other pictures or settings"):
        equalise(collection, tmp_path / "out", Chain(side=40))
    with pytest.raises(UsageError, match="not empty"):
        equalise(collection, tmp_path, CHAIN)
    with pytest.raises(UsageError, match="take a smaller side"):
        equalise(collection, tmp_path / "large", Chain(side=400))


def test_cuts_begin_off_the_grid_and_stay_inside():
    chain = Chain(side=32)
    marked = np.zeros((chain.least_side, chain.least_side, 3), np.uint8)
    for key in range(200):
        copy, done = chain.apply(marked, str(key))
        cut, left, top = (int(word.strip(",;")) for word in np.array(done.split())[[1, 5, 6]])
        assert copy.shape == (32, 32, 3)
        assert left % 8 or top % 8
        assert max(left, top) + cut <= chain.least_side


def test_aligned_pictures_stay_aligned(tmp_path, photographs):
    pixels = photographs["coffee"][:120, :120]
    rows = []
    for name, label in (("a", "real"), ("b", "generated")):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        rows.append(Row(path=f"{name}.png", label=label, extra={"content": "cup", "mask": "m.png"}))
    copy, _ = equalise(Manifest(rows, tmp_path), tmp_path / "out", CHAIN)
    assert copy.rows[0].sha256 == copy.rows[1].sha256
    assert all("mask" not in row.extra for row in copy)


def test_bad_chains_are_refused():
    for bad in ({"side": 4}, {"scale": (0.9, 0.5)}, {"scale": (0.5, 1.0)}, {"quality": (95, 70)}):
        with pytest.raises(UsageError):
            Chain(**bad)
