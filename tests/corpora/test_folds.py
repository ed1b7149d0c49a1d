from __future__ import annotations

import random

import pytest

from spectrace.corpora.folds import generator_folds
from spectrace.corpora.manifest import Row
from spectrace.errors import ManifestError


def rows_of(*specs: tuple[str, str, str], each: int = 3) -> list[Row]:
    """Rows of (generator or empty, source, pair)."""
    return [
        Row(
            path=f"{generator or 'camera'}/{source}/{number}.png",
            label="generated" if generator else "real",
            generator=generator or "camera",
            source=source,
            pair=pair,
        )
        for generator, source, pair in specs
        for number in range(each)
    ]


MIXED = rows_of(
    ("", "phone", ""),
    ("", "film", ""),
    ("", "faces", "f"),
    ("gan", "faces-made", "f"),
    ("gan", "zoo", ""),
    ("vae", "many", ""),
    ("diffusion", "many", ""),
    ("diffusion-2", "web", ""),
)


def test_no_generator_source_or_pair_is_in_two_folds():
    folds = generator_folds(MIXED, 3)
    for key in (
        lambda row: row.generator if row.is_generated else None,
        lambda row: None if row.is_generated else row.source,
        lambda row: row.pair or None,
    ):
        seen: dict[str, set[int]] = {}
        for row, fold in zip(MIXED, folds, strict=True):
            if key(row) is not None:
                seen.setdefault(key(row), set()).add(fold)
        assert all(len(found) == 1 for found in seen.values())
    assert set(folds) == {0, 1, 2}


def test_folds_do_not_depend_on_the_order():
    shuffled = MIXED[:]
    random.Random(1).shuffle(shuffled)
    by_path = dict(zip((row.path for row in shuffled), generator_folds(shuffled, 3), strict=True))
    assert [by_path[row.path] for row in MIXED] == generator_folds(MIXED, 3)


def test_kin_stay_together():
    folds = generator_folds(MIXED, 2, {"diffusion": "d", "diffusion-2": "d"})
    by_generator = {row.generator: fold for row, fold in zip(MIXED, folds, strict=True)}
    assert by_generator["diffusion"] == by_generator["diffusion-2"]


def test_what_was_made_from_a_photograph_goes_with_it():
    aligned = [
        Row(path=f"{source}-{kind}.png", label=label, generator=kind, source=of, extra={"content": source})
        for source in ("phone", "film")
        for kind, label, of in (("camera", "real", source), ("autoencoder", "generated", "autoencoder"))
    ]
    rows = [*MIXED, *aligned]
    folds = dict(zip((row.path for row in rows), generator_folds(rows, 4), strict=True))
    for source in ("phone", "film"):
        assert (
            folds[f"{source}-autoencoder.png"]
            == folds[f"{source}-camera.png"]
            == folds[f"camera/{source}/0.png"]
        )


def test_too_few_groups_are_refused():
    with pytest.raises(ManifestError, match="wanted 9 or more"):
        generator_folds(MIXED[:6], 9)
