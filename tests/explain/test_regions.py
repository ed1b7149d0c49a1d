"""Regions: label pictures on disk, their names, the built-in description, and shares of patches."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from spectrace.errors import ImageError, UsageError
from spectrace.explain import description
from spectrace.explain.description import NAMES, Description
from spectrace.explain.regions import MaskFolder, area_shares, patch_shares, read_names

PICTURES = st_numpy.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))


def named(pixels):
    labels = Description().label(np.asarray(pixels, np.uint8), "")
    return np.array(NAMES)[labels]


# --- the built-in description ------------------------------------------------------------------------


@settings(max_examples=80)
@given(PICTURES)
def test_every_pixel_of_any_picture_has_one_region(pixels):
    labels = Description().label(pixels, "")
    assert labels.dtype == np.uint16
    assert labels.shape == pixels.shape[:2]
    assert labels.max() < len(NAMES)
    assert area_shares(labels, len(NAMES)).sum() == pytest.approx(1.0)


def test_regions_of_a_made_picture():
    rng = np.random.default_rng(0)
    pixels = np.full((128, 320, 3), 128.0)
    pixels[:, 64:128] = rng.normal(128, 30, (128, 64, 1))  # noise
    pixels[:, 128:192] = 8
    pixels[:, 192:256] = 253
    pixels[64:, 256:] = 60  # an edge between two flats
    found = named(pixels.clip(0, 255))
    assert found[64, 0] == "border"
    assert found[1, 30] == "border"
    assert (found[8:120, 8:56] == "flat").all()
    assert (found[8:120, 72:120] == "fine texture").mean() > 0.9
    assert (found[8:120, 130:190] == "dark").all()
    assert (found[8:120, 194:254] == "saturated").all()
    assert (found[62:66, 264:310] == "edge").all()
    assert (found[8:56, 264:310] == "flat").all()


def test_the_order_decides_where_several_fit():
    black = named(np.zeros((64, 64, 3)))
    assert set(black[2:-2, 2:-2].ravel()) == {"dark"}
    assert set(np.concatenate([black[:2].ravel(), black[:, -2:].ravel()])) == {"border"}
    blue = np.zeros((64, 64, 3))
    blue[..., 2] = 255  # luma 29: not dark, and a channel at its end
    assert named(blue)[32, 32] == "saturated"


def test_mirrored_pictures_have_mirrored_regions(photographs):
    picture = photographs["chelsea"]
    labels = Description().label(picture, "")
    for turned in (np.s_[::-1], np.s_[:, ::-1]):
        again = Description().label(np.ascontiguousarray(picture[turned]), "")[turned]
        assert (again == labels).mean() > 0.999  # running means round differently from the other end


def test_bands_join_without_a_seam(photographs, monkeypatch):
    picture = photographs["coffee"]
    whole = Description().label(picture, "")
    monkeypatch.setattr(description, "_BAND", 37)
    assert (Description().label(picture, "") == whole).mean() > 0.9999


def test_memory_is_bounded_by_a_band():
    pixels = np.zeros((6000, 2000, 3), np.uint8)
    tracemalloc.start()
    labels = Description().label(pixels, "")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < labels.nbytes + (100 << 20)


def test_photographs_have_texture_and_edges(photographs):
    for name in ("chelsea", "china", "coffee"):
        shares = dict(zip(NAMES, area_shares(Description().label(photographs[name], ""), 6), strict=True))
        assert shares["edge"] > 0.05, name
        assert shares["fine texture"] > 0.05, name


# --- shares -----------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(st.data())
def test_shares_of_patches_against_a_slow_count(data):
    height, width, count = (data.draw(st.integers(1, n)) for n in (20, 20, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    labels = rng.integers(0, count, (height, width)).astype(np.uint16)
    rectangles = []
    for _ in range(data.draw(st.integers(0, 5))):
        top, left = rng.integers(0, (height, width))
        rectangles.append([top, left, rng.integers(top + 1, height + 1), rng.integers(left + 1, width + 1)])
    found = patch_shares(labels, np.array(rectangles, np.int64).reshape(-1, 4), count)
    assert found.shape == (len(rectangles), count)
    for (top, left, bottom, right), shares in zip(rectangles, found, strict=True):
        part = labels[top:bottom, left:right]
        np.testing.assert_allclose(shares, [(part == label).mean() for label in range(count)], atol=1e-12)
        assert shares.sum() == pytest.approx(1.0)


# --- names and label pictures -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds 0 names"),
        ("a\n" * 1001, "holds 1001 names"),
        ("sky\nsea\nsky\n", "line 3 holds the name 'sky' again"),
        ("sky\n\nsea\n", "line 2 holds no name"),
    ],
)
def test_bad_names_are_refused(tmp_path, text, said):
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_names(tmp_path / "names.txt")


def test_names_that_are_no_text(tmp_path):
    (tmp_path / "names.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("names.txt", "missing.txt"):
        with pytest.raises(UsageError, match="cannot be read as names"):
            read_names(tmp_path / name)


@pytest.fixture
def masks(tmp_path):
    """A folder of label pictures for 4 x 6 pictures, right and wrong ones."""
    labels = np.arange(24, dtype=np.uint8).reshape(4, 6) % 3
    Image.fromarray(labels).save(tmp_path / "grey.png")
    Image.fromarray(labels.astype(np.uint16)).save(tmp_path / "deep.png")
    palette = Image.new("P", (6, 4))
    palette.putdata(labels.ravel().tolist())
    palette.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200])
    palette.save(tmp_path / "palette.png")
    Image.fromarray(labels + 1).save(tmp_path / "high.png")
    Image.new("L", (5, 4)).save(tmp_path / "small.png")
    Image.new("RGB", (6, 4)).save(tmp_path / "colour.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "grey.png").read_bytes()[:40])
    (tmp_path / "text.png").write_text("not a picture")
    return tmp_path, labels


@pytest.mark.parametrize("name", ["grey", "deep", "palette"])
def test_label_pictures_are_found_by_name(masks, name):
    folder, labels = masks
    regions = MaskFolder(folder, ("a", "b", "c"))
    found = regions.label(np.zeros((4, 6, 3), np.uint8), f"/elsewhere/{name}.jpg")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "has no label picture missing.png"),
        ("high", "holds the label 3: wanted 0 to 2"),
        ("small", "is 5x4: wanted 6x4"),
        ("colour", "has 3 channels: wanted one"),
        ("broken", "cannot be read"),
        ("text", "cannot be read"),
    ],
)
def test_label_pictures_that_do_not_fit_are_one_line(masks, name, said):
    regions = MaskFolder(masks[0], ("a", "b", "c"))
    with pytest.raises(ImageError, match=said) as caught:
        regions.label(np.zeros((4, 6, 3), np.uint8), f"{name}.jpg")
    assert "\n" not in str(caught.value)


def test_a_folder_without_label_pictures_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="holds no PNG file"):
            MaskFolder(folder, ("a",))
