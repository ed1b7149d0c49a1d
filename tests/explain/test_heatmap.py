"""Heatmaps: the score map against a slow oracle, and what a reader must be able to see in the drawing."""

from __future__ import annotations

import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from spectrace.detectors.patches import PatchGrid
from spectrace.errors import UsageError
from spectrace.explain.colours import COLOUR_MAPS, colour_table, levels
from spectrace.explain.heatmap import heatmap, save_png, score_map, scores_at, tint


def evidence(corners, size, scores, patches=None):
    scores = np.asarray(scores, np.float32)
    stride = max(1, size // scores.shape[1])
    return SimpleNamespace(
        corners=np.asarray(corners, np.int64).reshape(-1, 2),
        extent=(size, size),
        patches=patches or PatchGrid(size=stride, stride=stride),
        scores=scores,
    )


def slow_score_map(shown, height, width):
    """Pixel by pixel, in the words of the definition."""
    out = np.full((height, width), np.nan)

    def nearest(position, count):
        centres = [
            shown.patches.start + i * shown.patches.stride + (shown.patches.size - 1) / 2
            for i in range(count)
        ]
        distances = [abs(position - centre) for centre in centres]
        return max(i for i, distance in enumerate(distances) if distance == min(distances))

    for y in range(height):
        for x in range(width):
            found = []
            for (top, left), patches in zip(shown.corners, shown.scores, strict=True):
                dy, dx = y - top, x - left
                if 0 <= dy < shown.extent[0] and 0 <= dx < shown.extent[1]:
                    found.append(patches[nearest(dy, len(patches)), nearest(dx, len(patches[0]))])
            if found:
                out[y, x] = np.mean(np.asarray(found, np.float64))
    return out


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_score_map_is_the_mean_of_the_tiles_that_cover_a_pixel(data):
    height, width = data.draw(st.integers(1, 24)), data.draw(st.integers(1, 24))
    size, count = data.draw(st.integers(1, 12)), data.draw(st.integers(0, 6))
    h, w = data.draw(st.integers(1, min(size, 4))), data.draw(st.integers(1, min(size, 4)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    corners = rng.integers(0, (max(height - size, 0) + 1, max(width - size, 0) + 1), (count, 2))
    grid = PatchGrid(
        size=data.draw(st.integers(1, 20)),
        stride=data.draw(st.integers(1, 6)),
        start=data.draw(st.integers(-9, 3)),
    )
    shown = evidence(corners, size, rng.normal(0, 3, (count, h, w)), grid)
    found = score_map(shown, height, width)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slow_score_map(shown, height, width), rtol=1e-5, atol=1e-6)


def test_scores_at_some_rows_and_columns_are_those_of_the_whole_map():
    rng = np.random.default_rng(3)
    shown = evidence(rng.integers(0, 60, (9, 2)), 32, rng.normal(0, 3, (9, 5, 3)))
    rows, columns = np.arange(3, 90, 7), np.arange(1, 95, 5)
    np.testing.assert_array_equal(
        scores_at(shown, rows, columns), score_map(shown, 92, 96)[np.ix_(rows, columns)]
    )


def test_no_tile_no_score():
    shown = evidence([], 16, np.zeros((0, 1, 1)))
    assert np.isnan(score_map(shown, 5, 7)).all()


# --- the drawing ------------------------------------------------------------------------------------

# Machado, Oliveira, Fernandes 2009: full protanopia, deuteranopia and tritanopia, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(colour, blindness):
    srgb = np.asarray(colour, float) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(BLINDNESS[blindness]) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    f = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("name", COLOUR_MAPS)
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_camera_zero_and_generated_can_be_told_apart(name, blindness, grey):
    """At least 12 CIELAB units between any two, over black, grey and white, for any colour vision."""
    pixels = np.full((1, 3, 3), grey, np.uint8)
    scores = np.array([[-5.0, 0.0, 5.0]], np.float32)
    drawn = [lab(colour, blindness) for colour in tint(pixels, scores, colour_map=name)[0]]
    for first, second in ((0, 1), (1, 2), (0, 2)):
        assert np.linalg.norm(drawn[first] - drawn[second]) > 12


def test_the_map_is_anchored_at_zero_and_ends_at_its_limit():
    table = colour_table("blue-orange")
    red, blue = table[:, 0].astype(int), table[:, 2].astype(int)
    assert red[127] == blue[127]
    assert (blue[:100] > red[:100]).all()
    assert (red[-100:] > blue[-100:]).all()
    found = levels(np.array([-np.inf, -5, -1e-9, 0, 5, 1e9, np.nan], np.float32), 5.0)
    assert found.tolist() == [0, 0, 127, 127, 254, 254, 255]


def test_the_picture_shows_through(photographs):
    picture = photographs["astronaut"][:256, :256]
    for score in (-5.0, 0.0, 5.0):
        drawn = tint(picture, np.full((256, 256), score, np.float32))
        grey, seen = (np.asarray(Image.fromarray(p).convert("L"), float) for p in (picture, drawn))
        assert np.corrcoef(grey.ravel(), seen.ravel())[0, 1] > 0.98
        assert seen.std() > 0.25 * grey.std()


def test_pixels_without_a_score_are_grey_darker_and_hatched():
    pixels = np.full((80, 80, 3), (200, 60, 30), np.uint8)
    drawn = tint(pixels, np.full((80, 80), np.nan, np.float32))
    assert (drawn == drawn[..., :1]).all()
    shades, counts = np.unique(drawn[..., 0], return_counts=True)
    assert len(shades) == 2
    assert counts[1] / counts.sum() == pytest.approx(1 / 8, abs=0.02)
    assert shades[0] < 0.6 * np.asarray(Image.fromarray(pixels).convert("L"))[0, 0]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 700), st.integers(0, 2**32))
def test_any_picture_gets_its_pixels_and_a_legend(height, width, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    shown = evidence(
        [(0, 0)] if min(height, width) >= 8 else [], 8, rng.normal(0, 9, (int(min(height, width) >= 8), 1, 1))
    )
    drawn = heatmap(pixels, shown)
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] > height + 60
    assert drawn.shape[1] == max(width, 320)
    whole = tint(pixels, score_map(shown, height, width))
    np.testing.assert_array_equal(drawn[:height, :width], whole)
    # The legend is drawn in ink, below and never over the picture; the margin beside a narrow one is empty.
    assert drawn[height:].min() < 60
    assert (drawn[:height, width:] == 250).all()


def test_bands_join_without_a_seam(photographs):
    picture = photographs["hubble"]
    shown = evidence([(200, 100), (300, 140)], 256, [[[4.0]], [[-2.0]]])
    np.testing.assert_array_equal(
        heatmap(picture, shown)[: picture.shape[0], : picture.shape[1]],
        tint(picture, score_map(shown, *picture.shape[:2])),
    )


def test_a_12_megapixel_picture_is_quick_and_needs_little_memory():
    pixels = np.zeros((3000, 4000, 3), np.uint8)
    corners = [(y, x) for y in range(0, 2751, 250) for x in range(0, 3751, 250)]
    shown = evidence(corners, 256, np.zeros((len(corners), 8, 8)))
    tracemalloc.start()
    started = time.process_time()
    drawn = heatmap(pixels, shown)
    seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 5
    assert peak < drawn.nbytes + (48 << 20)


def test_the_file_holds_what_was_drawn(tmp_path, photographs):
    drawn = heatmap(photographs["coffee"], evidence([(0, 0)], 128, [[[3.0]]]))
    save_png(drawn, tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), drawn)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour_map": "jet"}, "unknown colour map 'jet': wanted one of blue-orange, purple-green"),
        ({"opacity": 1.5}, "opacity 1.5: wanted 0 to 1"),
        ({"opacity": float("nan")}, "opacity nan: wanted 0 to 1"),
        ({"limit": 0.0}, "limit 0: wanted a positive score"),
        ({"limit": float("inf")}, "limit inf: wanted a positive score"),
    ],
)
def test_values_out_of_range_are_refused(options, said):
    with pytest.raises(UsageError, match="wanted") as caught:
        heatmap(np.zeros((9, 9, 3), np.uint8), evidence([], 8, np.zeros((0, 1, 1))), **options)
    assert str(caught.value) == said
