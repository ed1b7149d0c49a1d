"""Known fingerprints: files, similarity, leave one out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spectrace.errors import UsageError
from spectrace.spectra.coarse import coarse_spectrum, levelled
from spectrace.spectra.known import (
    KnownFile,
    KnownFingerprint,
    Measure,
    grid_rows,
    read_known,
    shipped_known,
    strangers,
)
from spectrace.spectra.upsampling import KERNELS, noise_picture


def entry(name: str, seed: int) -> KnownFingerprint:
    grid = np.random.default_rng(seed).normal(0, 3, (17, 17))
    return KnownFingerprint(name=name, family=name, difference=grid_rows(grid))


def test_the_shipped_file_is_small_and_holds_the_kernels() -> None:
    file = shipped_known()
    names = [known.name for known in file.fingerprints]
    assert len(names) == len(set(names))
    assert {f"upsampling: {kernel} x{factor}" for kernel in KERNELS for factor in (2, 4)} <= set(names)
    assert 0.5 < file.threshold < 0.9
    assert file.threshold_from
    source = Path(__file__).parents[2] / "src" / "spectrace" / "spectra" / "known.json"
    assert source.stat().st_size < 100_000


def test_the_shipped_kernels_are_what_the_kernels_do() -> None:
    native = np.mean([levelled(coarse_spectrum(noise_picture(256, seed=s))) for s in range(99, 105)], axis=0)
    shipped = {known.name: known.grid for known in shipped_known().fingerprints}
    for kernel in KERNELS:
        pictures = [noise_picture(256, kernel, 2, seed) for seed in range(99, 105)]
        made = np.mean([levelled(coarse_spectrum(one)) for one in pictures], axis=0) - native
        assert np.abs(made - shipped[f"upsampling: {kernel} x2"]).mean() < 0.5


def test_a_file_comes_back_and_a_name_stands_once(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    file = KnownFile(threshold=0.5, threshold_from="here").with_entry(entry("a", 0)).with_entry(entry("b", 1))
    file.with_entry(entry("a", 2)).write(path)
    back = read_known(path)
    assert [known.name for known in back.fingerprints] == ["b", "a"]
    assert back.fingerprints[1] == entry("a", 2)
    assert (back.threshold, back.threshold_from) == (0.5, "here")
    KnownFile().write(path)
    assert read_known(path) == KnownFile()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema_version":2,"fingerprints":[]}',
        '{"fingerprints":[{"name":"a","family":"a","difference":[[1.0]]}]}',
        '{"fingerprints":[{"name":"a"}]}',
    ],
)
def test_other_files_are_refused_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"known\.json is no file of known fingerprints"):
        read_known(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_known(tmp_path / "none.json")


def test_what_photographs_vary_in_anyway_counts_little() -> None:
    rng = np.random.default_rng(0)
    slope = np.hypot(*np.mgrid[:17, :17])
    photographs = rng.normal(size=(200, 1, 1)) * slope + rng.normal(size=(200, 17, 17))
    peak = np.zeros((17, 17))
    peak[0, 16] = 12
    measure = Measure(photographs)
    assert measure.similarity(peak + slope / 4, peak) > 0.9
    assert measure.similarity(peak, slope) < 0.3
    assert measure.similarity(peak, -peak) == pytest.approx(-1)
    assert measure.similarity(peak, np.zeros((17, 17))) == 0


def test_matches_and_leave_one_out() -> None:
    measure = Measure(np.random.default_rng(9).normal(size=(60, 17, 17)))
    known = [entry("a", 0), entry("b", 1), entry("c", 2)]
    twin = KnownFingerprint(name="a2", family="a", difference=known[0].difference)
    matches = measure.matches(known[1].grid, known)
    assert (matches[0].name, matches[0].similarity) == ("b", 1)
    assert measure.largest(np.stack([known[0].grid, known[2].grid]), known).tolist() == pytest.approx([1, 1])
    others = strangers([*known, twin], measure)
    assert others["a"].family != "a"
    assert max(match.similarity for match in others.values()) < 0.5
