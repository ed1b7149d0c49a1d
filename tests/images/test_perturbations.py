"""The perturbations: what each operation does, and that all chance is the caller's."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling
from scipy import ndimage

from spectrace.errors import UsageError
from spectrace.images.codecs import SUBSAMPLINGS, encode_jpeg, encode_webp
from spectrace.images.decode import decode
from spectrace.images.operations import KERNELS
from spectrace.images.perturbations import apply, names, parse

Pixels = np.ndarray

EVERY = {
    "identity": "identity",
    "flip": "flip",
    "jpeg": "jpeg(quality=60..95, subsampling=4:4:4|4:2:0)",
    "webp": "webp(quality=30..90)",
    "resize": "resize(scale=0.3..2.5, kernel=nearest|bilinear|bicubic|lanczos)",
    "crop-resize": "crop-resize(fraction=0.05..0.2)",
    "shift": "shift(rows=0..7, columns=0..7)",
    "blur": "blur(sigma=0..2)",
    "noise": "noise(std=5..20)",
    "gamma": "gamma(gamma=0.5..2)",
    "rotate": "rotate(degrees=-180..180)",
    "jitter": "jitter(brightness=0.4, contrast=0.4, saturation=0.4)",
    "mask": "mask(share=0..0.75)",
}


def picture(height: int = 32, width: int = 40, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_every_operation_is_tested_here() -> None:
    assert sorted(EVERY) == names()


# Chance


@pytest.mark.parametrize(
    "spec", [*EVERY.values(), " + ".join(EVERY.values()), "flip@0.5 + jpeg(quality=10..90)@0.5"]
)
def test_the_same_seed_gives_the_same_bytes(spec: str) -> None:
    pixels = picture()
    for seed in range(4):
        first, second = apply(spec, pixels, seed), apply(parse(spec), pixels, np.random.default_rng(seed))
        assert first.tobytes() == second.tobytes()
        assert first.shape == second.shape


def test_ranges_are_drawn_whole_and_inclusive_at_each_call() -> None:
    rng = np.random.default_rng(0)
    pixels = picture(16, 16)
    step, seen = parse("jpeg(quality=60..63)"), set()
    outputs = {quality: apply(f"jpeg(quality={quality})", pixels).tobytes() for quality in range(60, 64)}
    for _ in range(60):
        result = step(pixels, rng).tobytes()
        seen |= {quality for quality, output in outputs.items() if output == result}
        assert result in outputs.values()
    assert seen == {60, 61, 62, 63}
    scales = {apply("resize(scale=0.5..1)", picture(100, 100), rng).shape[0] for _ in range(60)}
    assert min(scales) >= 50
    assert max(scales) <= 100
    assert len(scales) > 15


def test_choices_and_probabilities_come_out_as_often_as_stated() -> None:
    rng = np.random.default_rng(0)
    pixels = picture(8, 8)
    flips = sum(apply("flip@0.3", pixels, rng).tobytes() != pixels.tobytes() for _ in range(1000))
    assert abs(flips - 300) < 60  # four standard deviations
    kernels = {kernel: apply(f"resize(scale=2, kernel={kernel})", pixels).tobytes() for kernel in KERNELS}
    drawn = [apply("resize(scale=2, kernel=nearest|lanczos)", pixels, rng).tobytes() for _ in range(400)]
    assert set(drawn) == {kernels["nearest"], kernels["lanczos"]}
    assert abs(drawn.count(kernels["nearest"]) - 200) < 40
    never = [apply("flip@0", pixels, rng).tobytes() == pixels.tobytes() for _ in range(50)]
    assert all(never)


# The operations


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_jpeg_quality_and_subsampling_are_really_applied(subsampling: str) -> None:
    pixels = picture()
    for quality in [1, 10, 49, 50, 51, 75, 95, 100]:
        raw = encode_jpeg(pixels, quality, subsampling)
        facts = decode(raw).facts
        assert (facts.jpeg_quality, facts.subsampling, facts.progressive) == (quality, subsampling, False)
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        with Image.open(io.BytesIO(raw)) as image:
            assert isinstance(image, JpegImageFile)
            # The first and last entries of the standard's luminance and chrominance tables, scaled by hand.
            for table, first, last in [(0, 16, 99), (1, 17, 99)]:
                wanted = [min(255, max(1, (entry * scale + 50) // 100)) for entry in (first, last)]
                assert [image.quantization[table][0], image.quantization[table][-1]] == wanted
            assert ["4:4:4", "4:2:2", "4:2:0"][get_sampling(image)] == subsampling
        spec = f"jpeg(quality={quality}, subsampling={subsampling})"
        np.testing.assert_array_equal(apply(spec, pixels), decode(raw).pixels)


def test_jpeg_defaults_to_halved_chroma() -> None:
    np.testing.assert_array_equal(
        apply("jpeg(quality=80)", picture()), apply("jpeg(quality=80, subsampling=4:2:0)", picture())
    )


def test_webp_is_lossy_and_follows_its_quality(photographs: dict[str, Pixels]) -> None:
    photograph = photographs["astronaut"][:128, :128]
    sizes = [len(encode_webp(photograph, quality)) for quality in (0, 20, 50, 80, 100)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 5
    assert encode_webp(photograph, 80)[12:16] == b"VP8 "
    np.testing.assert_array_equal(
        apply("webp(quality=50)", photograph), decode(encode_webp(photograph, 50)).pixels
    )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [0.25, 0.5, 1, 1.7, 4])
def test_resize_goes_up_and_down_with_the_kernel_named(kernel: str, scale: float) -> None:
    pixels = picture(30, 50)
    result = apply(f"resize(scale={scale}, kernel={kernel})", pixels)
    assert result.shape == (round(30 * scale), round(50 * scale), 3)
    wanted = Image.fromarray(pixels).resize(
        (result.shape[1], result.shape[0]), getattr(Image.Resampling, kernel.upper())
    )
    np.testing.assert_array_equal(result, np.asarray(wanted))
    if kernel == "nearest" and scale == 4:
        np.testing.assert_array_equal(result, pixels.repeat(4, axis=0).repeat(4, axis=1))


def test_crop_resize_keeps_the_size_and_takes_a_window() -> None:
    y, x = np.mgrid[0:100, 0:200]
    pixels = np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)
    corners = set()
    for seed in range(20):
        result = apply("crop-resize(fraction=0.2, kernel=nearest)", pixels, seed)
        assert result.shape == pixels.shape
        left, top = int(result[0, 0, 0]), int(result[0, 0, 1])
        assert (int(result[-1, -1, 0]), int(result[-1, -1, 1])) == (left + 159, top + 79)
        corners.add((left, top))
    assert len(corners) > 15
    assert max(left for left, _ in corners) <= 40
    assert max(top for _, top in corners) <= 20
    np.testing.assert_array_equal(apply("crop-resize(fraction=0)", pixels), pixels)


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 30), st.integers(0, 30))
def test_shift_cuts_at_top_and_left_and_leaves_a_pixel(
    height: int, width: int, rows: int, columns: int
) -> None:
    pixels = picture(height, width)
    shifted = apply(f"shift(rows={rows}, columns={columns})", pixels)
    assert shifted.shape == (max(1, height - rows), max(1, width - columns), 3)
    np.testing.assert_array_equal(shifted, pixels[-shifted.shape[0] :, -shifted.shape[1] :])


def test_a_shift_by_whole_blocks_keeps_the_jpeg_grid(photographs: dict[str, Pixels]) -> None:
    """A second encoding at the same quality changes little on the first one's grid, and more off it."""
    pixels = photographs["astronaut"][:144, :144]
    changes = []
    for offset in (16, 3):
        before = apply(f"jpeg(quality=60) + shift(rows={offset}, columns={offset})", pixels).astype(int)
        changes.append(abs(apply("jpeg(quality=60)", before.astype(np.uint8)) - before).mean())
    assert changes[0] < 0.5 * changes[1]


@pytest.mark.parametrize("sigma", [0.3, 1, 2.5])
def test_blur_is_a_true_gaussian(sigma: float) -> None:
    point = np.zeros((41, 41, 3), dtype=np.uint8)
    point[20, 20] = 255
    distance = np.arange(-20, 21)
    weights = np.exp(-0.5 * (distance / sigma) ** 2)
    weights[abs(distance) > int(4 * sigma + 0.5)] = 0
    weights /= weights.sum()
    wanted = np.rint(255 * np.outer(weights, weights))
    for channel in range(3):
        assert abs(apply(f"blur(sigma={sigma})", point)[:, :, channel] - wanted).max() <= 1
    pixels = picture()
    by_channel = np.stack(
        [ndimage.gaussian_filter(pixels[:, :, c].astype(float), sigma) for c in range(3)], axis=-1
    )
    assert abs(apply(f"blur(sigma={sigma})", pixels) - by_channel).max() <= 0.51
    np.testing.assert_array_equal(apply("blur(sigma=0)", pixels), pixels)


def test_noise_has_the_stated_strength_and_no_pattern() -> None:
    grey = np.full((200, 200, 3), 128, dtype=np.uint8)
    for std in (2, 10, 20):
        grain = apply(f"noise(std={std})", grey, 1).astype(float) - 128
        assert abs(grain.mean()) < 5 * std / np.sqrt(grain.size)
        assert abs(grain.std() / np.hypot(std, np.sqrt(1 / 12)) - 1) < 0.02
        assert abs(np.corrcoef(grain[:, :, 0].ravel(), grain[:, :, 1].ravel())[0, 1]) < 0.03
        assert abs(np.corrcoef(grain[:, :-1].ravel(), grain[:, 1:].ravel())[0, 1]) < 0.03
    np.testing.assert_array_equal(apply("noise(std=0)", picture()), picture())


def test_gamma_is_a_power_of_the_scaled_values() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for exponent in (0.4, 1, 2.2):
        wanted = [round(255 * (value / 255) ** exponent) for value in range(256)]
        assert apply(f"gamma(gamma={exponent})", ramp)[0, :, 1].tolist() == wanted


def test_rotate_turns_about_the_centre() -> None:
    pixels = picture(9, 9)
    for degrees, turns in ((90, 1), (180, 2), (-90, 3)):
        np.testing.assert_array_equal(apply(f"rotate(degrees={degrees})", pixels, 0), np.rot90(pixels, turns))
    turned = apply("rotate(degrees=45)", np.full((40, 40, 3), 255, np.uint8), 0)
    assert (turned[0, 0] == 0).all()
    assert (turned[20, 20] == 255).all()


def test_jitter_scales_each_property_by_itself() -> None:
    pixels = picture(64, 64) // 2
    factors = []
    for seed in range(40):
        brighter = apply("jitter(brightness=0.5)", pixels, seed).astype(float)
        factors.append(brighter.mean() / pixels.mean())
    assert 0.49 < min(factors) < 0.7
    assert 1.3 < max(factors) <= 1.51
    grey = np.repeat(picture(32, 32)[:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(apply("jitter(saturation=1)", grey, 3), grey)
    flat = np.full((8, 8, 3), 77, np.uint8)
    np.testing.assert_array_equal(apply("jitter(contrast=1)", flat, 3), flat)


def test_mask_blackens_whole_squares_as_often_as_stated() -> None:
    white = np.full((320, 320, 3), 255, np.uint8)
    masked = apply("mask(share=0.3, side=8)", white, 0)
    squares = masked.reshape(40, 8, 40, 8, 3).transpose(0, 2, 1, 3, 4).reshape(1600, -1)
    assert set(squares.mean(1).tolist()) == {0.0, 255.0}
    assert abs((squares[:, 0] == 0).mean() - 0.3) < 0.04


def test_flip_and_identity() -> None:
    pixels = picture()
    np.testing.assert_array_equal(apply("flip", pixels), np.fliplr(pixels))
    np.testing.assert_array_equal(apply("flip + flip", pixels), pixels)
    np.testing.assert_array_equal(apply("identity", pixels), pixels)


def test_a_chain_is_its_steps_in_order() -> None:
    pixels = picture()
    wanted = apply("jpeg(quality=30)", apply("resize(scale=0.5)", pixels))
    np.testing.assert_array_equal(apply("resize(scale=0.5) + jpeg(quality=30)", pixels), wanted)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([*EVERY.values(), " + ".join(EVERY.values())]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32),
)
def test_any_picture_in_gives_a_picture_out(spec: str, height: int, width: int, seed: int) -> None:
    pixels = picture(height, width, seed)
    pixels.flags.writeable = False  # the input must not be written to
    result = apply(spec, pixels, seed)
    assert result.dtype == np.uint8
    assert result.ndim == 3
    assert result.shape[2] == 3
    assert min(result.shape) >= 1
    assert result.flags.c_contiguous


def test_the_smallest_picture_stays_a_picture() -> None:
    assert apply("resize(scale=0.001)", picture(1, 1)).shape == (1, 1, 3)
    assert apply("crop-resize(fraction=0.99)", picture(1, 1)).shape == (1, 1, 3)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(pixels: Pixels) -> None:
    with pytest.raises(UsageError, match="uint8 pixels"):
        apply("identity", pixels)


def test_pictures_beyond_what_a_format_holds_are_refused() -> None:
    wide = np.zeros((1, 66_000, 3), dtype=np.uint8)
    for spec in ("jpeg(quality=80)", "webp(quality=80)"):
        with pytest.raises(UsageError, match="at most"):
            apply(spec, wide)
    with pytest.raises(UsageError, match="smaller scale"):
        apply("resize(scale=16)", np.zeros((3000, 3000, 3), dtype=np.uint8))
    for quality in (0, 101):
        with pytest.raises(UsageError):
            encode_jpeg(picture(), quality)
    with pytest.raises(UsageError):
        encode_jpeg(picture(), 80, "4:1:1")
    with pytest.raises(UsageError):
        encode_webp(picture(), 101)
