"""The listing on disk: chunks never change, and no interruption loses or repeats an item."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrace.scan.chunks import LARGEST, SMALLEST, Lister, Listing
from spectrace.scan.items import Item


def chunks_of(listing):
    return [listing.chunk(number) for number, _ in listing.sizes()]


class _CutError(Exception):
    pass


def cut_after(items, count):
    for number, item in enumerate(items):
        if number == count:
            raise _CutError
        yield item


@settings(max_examples=25)
@given(
    names=st.lists(st.sampled_from([f"{n}.jpg" for n in range(150)]), max_size=300),
    cuts=st.lists(st.integers(0, 300), max_size=4),
)
def test_interrupted_listings_come_to_the_same(tmp_path_factory, names, cuts):
    path = tmp_path_factory.mktemp("listing") / "listing.sqlite"
    items = [Item(name) for name in names]
    before: list = []
    for cut in cuts:
        listing = Listing(path)
        if cut < len(items):
            with pytest.raises(_CutError):
                listing.extend(cut_after(items, cut))
        found = chunks_of(listing)
        assert found[: len(before)] == before
        before = found
        listing.close()
    listing = Listing(path)
    added = listing.extend(items)
    found = chunks_of(listing)
    assert found[: len(before)] == before
    flat = [item for chunk in found for item in chunk.items]
    assert flat == list(dict.fromkeys(items))
    assert added == len(flat) - sum(len(chunk.items) for chunk in before)
    assert listing.complete
    assert listing.items == len(flat)
    assert listing.chunks == len(found)
    listing.close()


def test_chunks_grow_with_the_listing(tmp_path):
    listing = Listing(tmp_path / "listing.sqlite")
    assert not listing.complete
    listing.extend(Item(f"{n}.jpg") for n in range(40_000))
    sizes = [size for _, size in listing.sizes()]
    assert sizes[0] == SMALLEST
    assert sizes[:-1] == sorted(sizes[:-1])
    assert max(sizes) == LARGEST
    assert sum(sizes) == 40_000
    listing.close()


def test_names_of_any_bytes(tmp_path):
    listing = Listing(tmp_path / "listing.sqlite")
    items = [Item("\udcff.jpg"), Item("naïve #1.jpg"), Item("shard.parquet", 3), Item("shard.parquet")]
    listing.extend(items)
    assert listing.chunk(0).items == items
    listing.close()


def test_the_lister_stops_when_asked_and_goes_on(tmp_path):
    path = tmp_path / "listing.sqlite"
    endless = (Item(f"{n}.jpg") for n in iter(int, 1))
    lister = Lister(path, endless)
    lister.start()
    lister.stop()
    lister.join()
    assert lister.error is None
    listing = Listing(path)
    assert not listing.complete
    listing.close()


def test_what_stops_the_lister_is_kept(tmp_path):
    lister = Lister(tmp_path / "listing.sqlite", cut_after([Item("a.jpg")] * 3, 2))
    lister.start()
    lister.join()
    assert isinstance(lister.error, _CutError)
    lister = Lister(tmp_path, [Item("a.jpg")])  # a folder is no file to keep a listing in
    lister.start()
    lister.join()
    assert isinstance(lister.error, sqlite3.Error)
