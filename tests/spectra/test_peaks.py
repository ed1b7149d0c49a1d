"""Peaks: named on what was upsampled, silence on photographs, JPEG's blocks called by their name."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from spectrace.spectra.jpeg_grid import jpeg_grid
from spectrace.spectra.neighbourhood import FREQUENCIES, LATTICE, line_strength
from spectrace.spectra.peaks import MIN_SIDE, Peak, find_peaks, upsampling_factor
from spectrace.spectra.traces import SIDE, central_luma, traces
from spectrace.spectra.transforms import luma
from spectrace.spectra.upsampling import pink_noise, upsample

LOSSLESS = ("astronaut", "coffee")  # no trace of JPEG in their pixels
NATURAL = ("astronaut", "coffee", "chelsea", "rocket", "china", "flower")


def as_pixels(grey: np.ndarray) -> np.ndarray:
    return np.dstack([np.clip(np.rint(grey), 0, 255).astype(np.uint8)] * 3)


def coded(pixels: np.ndarray, kind: str, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, quality=quality)
    with Image.open(stream) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("size", [64, 128, 200])
@pytest.mark.parametrize("kernel", ["nearest", "zero-insertion", "bilinear", "binomial"])
def test_noise_upsampled_by_two_prints_period_two(kernel: str, size: int) -> None:
    for seed in range(4):
        noise = pink_noise(size, seed) * 8
        # Zeros inserted as black and as mid-grey: the second leaves no pattern, only a swing.
        for pixels in (
            as_pixels(upsample(noise + 128, 2, kernel)),
            as_pixels(upsample(noise, 2, kernel) + 128),
        ):
            peaks = find_peaks(pixels)
            assert upsampling_factor(peaks) == 2
            assert {peak.direction for peak in peaks} >= {"horizontally", "vertically"}
            assert all(peak.period == 2 and peak.kind == "upsampling" for peak in peaks)


@pytest.mark.parametrize("factor", [4, 8])
@pytest.mark.parametrize("kernel", ["nearest", "zero-insertion"])
def test_noise_upsampled_further_prints_that_period(kernel: str, factor: int) -> None:
    for seed in range(4):
        for size in (64, 128 // factor * 2):
            pixels = as_pixels(upsample(pink_noise(size, seed) * 8 + 128, factor, kernel))
            assert upsampling_factor(find_peaks(pixels)) == factor


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_native_noise_prints_nothing(size: int) -> None:
    assert not any(find_peaks(as_pixels(pink_noise(size, seed) * 8 + 128)) for seed in range(5))


def test_upsampling_in_one_direction_only_is_named_by_its_direction() -> None:
    noise = np.random.default_rng(0).normal(128, 30, (256, 128))
    peaks = find_peaks(as_pixels(noise.repeat(2, axis=1)))
    assert {(peak.period, peak.direction) for peak in peaks} == {(2, "horizontally")}


def test_a_faint_pattern_that_repeats_is_found_wherever_it_lies() -> None:
    noise = np.random.default_rng(0).normal(128, 6, (512, 512))
    noise[::4, ::2] += 5
    peaks = find_peaks(as_pixels(noise))
    assert upsampling_factor(peaks) == 4
    assert {peak.trace for peak in peaks} == {"pattern"}
    assert "diagonally" in {peak.direction for peak in peaks}


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("kernel", ["nearest", "zero-insertion", "bilinear", "binomial"])
def test_photographs_upsampled_by_two_are_found(
    photographs: dict[str, np.ndarray], name: str, kernel: str
) -> None:
    pixels = np.clip(np.rint(upsample(photographs[name], 2, kernel)), 0, 255).astype(np.uint8)
    assert upsampling_factor(find_peaks(pixels)) == 2


@pytest.mark.parametrize("kernel", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
def test_resizing_by_two_is_found_too(photographs: dict[str, np.ndarray], kernel: Image.Resampling) -> None:
    pixels = photographs["astronaut"]
    height, width = pixels.shape[:2]
    resized = Image.fromarray(pixels).resize((width * 2, height * 2), kernel)
    assert upsampling_factor(find_peaks(np.asarray(resized))) == 2


@pytest.mark.parametrize("name", NATURAL)
def test_silence_on_photographs_and_their_crops(photographs: dict[str, np.ndarray], name: str) -> None:
    pixels = photographs[name]
    assert upsampling_factor(find_peaks(pixels)) is None
    rng = np.random.default_rng(0)
    alarms = 0
    for side in (64, 100, 160, 256):
        for _ in range(6):
            top, left = (rng.integers(0, length - side + 1) for length in pixels.shape[:2])
            alarms += upsampling_factor(find_peaks(pixels[top : top + side, left : left + side])) is not None
    assert alarms <= 1


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("quality", [30, 60, 85])
def test_jpeg_blocks_are_called_by_their_name(
    photographs: dict[str, np.ndarray], name: str, quality: int
) -> None:
    pixels = coded(photographs[name], "JPEG", quality)
    for known in (True, None):
        for shifted in (pixels, pixels[3:, 5:]):
            peaks = find_peaks(shifted, jpeg_grid=known)
            assert upsampling_factor(peaks) is None
            assert {peak.kind for peak in peaks} == {"jpeg-grid"}
            assert all(peak.period == 8 and peak.label.startswith("JPEG block grid") for peak in peaks)


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("quality", [50, 80])
def test_silence_on_lossy_webp(photographs: dict[str, np.ndarray], name: str, quality: int) -> None:
    assert upsampling_factor(find_peaks(coded(photographs[name], "WEBP", quality))) is None


def test_upsampling_by_eight_is_not_mistaken_for_blocks_nor_blocks_for_it(
    photographs: dict[str, np.ndarray],
) -> None:
    small = photographs["coffee"][::8, ::8].repeat(8, axis=0).repeat(8, axis=1)
    assert upsampling_factor(find_peaks(small)) == 8
    assert upsampling_factor(find_peaks(small, jpeg_grid=True)) is None
    blocks = coded(photographs["coffee"], "JPEG", 50)
    assert upsampling_factor(find_peaks(blocks, jpeg_grid=False)) is None  # shallow: never claimed


def test_the_block_grid_is_found_at_its_phase(photographs: dict[str, np.ndarray]) -> None:
    pixels = coded(photographs["astronaut"], "JPEG", 80)
    assert jpeg_grid(luma(pixels)).found
    for dy, dx in ((0, 0), (1, 6), (7, 3)):
        evidence = jpeg_grid(luma(pixels[dy:, dx:]))
        assert evidence.found
        assert evidence.phase == (-dy % 8, -dx % 8)
    assert not jpeg_grid(luma(photographs["astronaut"])).found
    assert not jpeg_grid(luma(photographs["coffee"].repeat(2, axis=0).repeat(2, axis=1))).found


def test_only_the_middle_is_looked_at(photographs: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (2000, 1600, 3), dtype=np.uint8)
    nearest = large[:512, :512].repeat(2, axis=0).repeat(2, axis=1)
    top, left = ((side - SIDE) // 2 // 8 * 8 for side in large.shape[:2])
    large[top : top + SIDE, left : left + SIDE] = nearest[:SIDE, :SIDE]
    assert find_peaks(large) == find_peaks(nearest[:SIDE, :SIDE])
    assert central_luma(large).shape == (SIDE, SIDE)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 90), st.integers(1, 90), st.just(3)),
        elements=st.sampled_from([0, 1, 127, 254, 255]),
        fill=st.sampled_from([0, 255]),
    ),
    st.sampled_from([True, False, None]),
)
def test_any_picture_gives_finite_peaks(pixels: np.ndarray, grid: bool | None) -> None:
    for peak in find_peaks(pixels, jpeg_grid=grid):
        assert np.isfinite(peak.strength)
        assert peak.period in (2, 3, 4, 8)
        assert f"period {peak.period:g} px" in peak.label


def test_pictures_without_texture_or_size_give_nothing() -> None:
    for value in (0, 128, 255):
        assert find_peaks(np.full((200, 200, 3), value, np.uint8)) == []
    noise = np.random.default_rng(0).integers(0, 256, (MIN_SIDE - 1, 300, 3), dtype=np.uint8)
    assert find_peaks(noise) == []
    ramp = np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 256, 3))
    assert find_peaks(ramp) == []


def test_lattice_holds_every_frequency_once() -> None:
    points = {(period, round(fy, 9), round(fx, 9)) for period, fy, fx in LATTICE}
    expected = set()
    for period in (2, 3, 4, 8):
        for a in range(period):
            for b in range(period):
                if a or b:
                    expected.add((a / period, b / period))
    mirrored = {((fy % 1), (fx % 1)) for _, fy, fx in points} | {
        ((-fy % 1), (-fx % 1)) for _, fy, fx in points
    }
    assert {(round(y, 6), round(x, 6)) for y, x in mirrored} == {
        (round(y, 6), round(x, 6)) for y, x in expected
    }
    assert len(points) == len(LATTICE) == 37
    assert sorted(FREQUENCIES) == [1 / 8, 1 / 4, 1 / 3, 3 / 8, 1 / 2]


def test_strength_is_measured_over_the_median_of_the_neighbours() -> None:
    power = np.full(240, 2.0)
    power[60] = 200.0
    power[62] = 1e6  # one loud neighbour does not move a median
    strengths = line_strength(power)
    assert strengths[0.25] == pytest.approx(20, abs=0.01)
    assert strengths[0.5] == pytest.approx(0, abs=0.01)


def test_jpeg_is_mirror_symmetric_so_residuals_on_pixels_stay_silent(
    photographs: dict[str, np.ndarray],
) -> None:
    found = traces(luma(coded(photographs["astronaut"], "JPEG", 60)))
    between, on = (line_strength(swing.columns)[0.5] for swing in (found.between, found.on))
    assert between > 15
    assert on < 8


def test_factor_is_that_of_the_strongest_family() -> None:
    def peak(period: float, strength: float, kind: str = "upsampling") -> Peak:
        return Peak(period, (0.0, 1 / period), strength, kind, "between")

    assert upsampling_factor([]) is None
    assert upsampling_factor([peak(8, 40, "jpeg-grid")]) is None
    assert upsampling_factor([peak(2, 40), peak(4, 30), peak(3, 35)]) == 4
    assert upsampling_factor([peak(2, 30), peak(3, 35)]) == 3
