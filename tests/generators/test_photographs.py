"""Photographs for generators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from spectrace.errors import UsageError
from spectrace.generators.photographs import Photographs


def _write(path: Path, height: int, width: int) -> Path:
    rng = np.random.default_rng(height)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path)
    return path


def test_whole_photographs_are_squared_and_scaled_down(tmp_path: Path) -> None:
    paths = [_write(tmp_path / "wide.png", 90, 160), _write(tmp_path / "tall.png", 120, 40)]
    found = Photographs.read(paths, 32)
    assert [pixels.shape for pixels in found.pictures] == [(36, 36, 3), (36, 36, 3)]


def test_the_middle_is_taken(tmp_path: Path) -> None:
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, 40:80] = 200
    Image.fromarray(pixels).save(tmp_path / "middle.png")
    (square,) = Photographs.read([tmp_path / "middle.png"], 16).pictures
    assert square.mean() == pytest.approx(200, abs=4)


def test_pieces_keep_native_pixels(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.png", 50, 70)
    (found,) = Photographs.read([path], 32, pieces=True).pictures
    with Image.open(path) as image:
        np.testing.assert_array_equal(found, np.asarray(image))


def test_problems_are_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths = [
        tmp_path / "broken.png",
        _write(tmp_path / "small.png", 33, 90),
        _write(tmp_path / "good.png", 40, 40),
    ]
    problems: list[str] = []
    found = Photographs.read(paths, 32, on_problem=problems.append)
    assert len(found.pictures) == 1
    assert ["broken.png" in problems[0], "90x33 pixels: wanted at least 36" in problems[1]] == [True, True]


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no side below 32"):
        Photographs.read([_write(tmp_path / "small.png", 20, 20)], 32)


@settings(max_examples=40, deadline=None)
@given(
    npst.arrays(np.uint8, st.tuples(st.integers(16, 24), st.integers(16, 24), st.just(3))),
    st.integers(0, 2**31),
)
def test_batches_hold_pieces_of_the_photographs(pixels: np.ndarray, seed: int) -> None:
    photographs = Photographs([pixels], 16)
    piece = photographs.pixels(1, np.random.default_rng(seed))[0]
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (16, 16, 3)).reshape(-1, 16, 16, 3)
    assert any(np.array_equal(piece, w) or np.array_equal(piece, w[:, ::-1]) for w in windows)
    batch = photographs.batch(1, np.random.default_rng(seed))
    np.testing.assert_allclose((batch[0].permute(1, 2, 0).numpy() + 1) * 127.5, piece, atol=1e-3)


def test_digest_tells_pictures_and_sizes_apart() -> None:
    one = np.zeros((20, 20, 3), np.uint8)
    other = one.copy()
    other[3, 4, 1] = 1
    digests = {Photographs([a], size).digest for a in (one, other) for size in (16, 20)}
    assert len(digests) == 4
