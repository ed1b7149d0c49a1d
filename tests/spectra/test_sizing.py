"""The side of the crops that suits the sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from spectrace.errors import UsageError
from spectrace.spectra.sizing import common_size


def pictures(folder: Path, *sides: tuple[int, int]) -> list[Path]:
    folder.mkdir()
    for index, side in enumerate(sides):
        Image.new("RGB", side).save(folder / f"{index:02}.png")
    return sorted(folder.iterdir())


def test_nine_in_ten_of_each_set_are_large_enough(tmp_path: Path) -> None:
    samples = pictures(tmp_path / "samples", *[(70, 90)] * 19, (40, 90))
    large = pictures(tmp_path / "large", *[(500, 400)] * 3)
    assert common_size([large]) == 256
    assert common_size([samples, large]) == 64
    assert common_size([large, samples[-1:]]) == 40


def test_unreadable_files_do_not_count(tmp_path: Path) -> None:
    paths = pictures(tmp_path / "samples", (100, 100))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    assert common_size([[*paths, broken, tmp_path / "missing.png"]]) == 96
    assert common_size([[broken]]) == 256


def test_too_small_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="smaller than 32"):
        common_size([pictures(tmp_path / "tiny", *[(28, 28)] * 5)])
