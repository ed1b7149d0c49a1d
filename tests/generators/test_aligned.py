"""Aligned pictures: photographs and their reconstructions differ in nothing but the reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ManifestError
from spectrace.generators.aligned import read_crops, write_aligned
from spectrace.images.decode import decode


@pytest.fixture
def manifest(tmp_path, photograph_paths):
    rows = [
        Row(path=str(path), label="real", source="skimage" if name != "china" else "sklearn", split="train")
        for name, path in photograph_paths.items()
        if name not in ("hubble", "retina")
    ]
    (tmp_path / "broken.png").write_bytes(b"broken")
    rows.append(Row(path=str(tmp_path / "broken.png"), label="real", source="broken"))
    return Manifest(rows, tmp_path)


def test_crops_are_pieces_of_the_scaled_photographs_with_sources_in_turns(manifest):
    problems = []
    crops = read_crops(manifest, side=64, scale=0.5, per_photograph=3, count=4, on_problem=problems.append)
    assert len(crops) == 12
    assert len({crop.key for crop in crops}) == 12
    assert {crop.pixels.shape for crop in crops} == {(64, 64, 3)}
    # Two sources can be read: both are among the first two photographs.
    assert {crop.row.source for crop in crops[:6]} == {"skimage", "sklearn"}
    assert len(problems) == 1
    assert "broken.png" in problems[0]


def test_full_scale_leaves_pixels_alone(manifest):
    crop = read_crops(manifest, side=100, scale=1.0, count=1)[0]
    pixels = decode(manifest.locate(crop.row)).pixels
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (100, 100), axis=(0, 1))[::8, ::8]
    assert (windows == crop.pixels.transpose(2, 0, 1)).all(axis=(2, 3, 4)).any()


def test_written_pictures_are_aligned_and_kept(manifest, tmp_path):
    crops = [("train", crop) for crop in read_crops(manifest, side=64, count=3)]
    made = write_aligned(crops, tmp_path / "out", {"negative": lambda pixels: 255 - pixels})
    again = Manifest.read(tmp_path / "out" / "manifest.csv")
    assert again.digest() == made.digest()
    assert len(again) == 6
    by_content = {}
    for row in again:
        by_content.setdefault(row.extra["content"], {})[row.generator] = np.asarray(
            Image.open(again.locate(row))
        )
    for pictures in by_content.values():
        assert (pictures["camera"] == 255 - pictures["negative"]).all()

    def never(pixels):
        raise AssertionError("made twice")

    assert write_aligned(crops, tmp_path / "out", {"negative": never}).digest() == made.digest()


def test_photographs_that_are_too_small(manifest):
    with pytest.raises(ManifestError, match="no photograph of 4000 pixels"):
        read_crops(manifest, side=2000)
