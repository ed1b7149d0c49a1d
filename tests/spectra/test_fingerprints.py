"""Fingerprints against numpy, merged in any grouping, and files that are none."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.fft

from spectrace.errors import UsageError
from spectrace.spectra.fingerprints import (
    Fingerprint,
    absolute_difference,
    centre_crop,
    decibel,
    difference,
    ratio,
)
from spectrace.spectra.mean_peaks import find_mean_peaks
from spectrace.spectra.profiles import radial_profile
from spectrace.spectra.transforms import luma, power, windowed


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (11, 3, 24, 24), dtype=np.uint8)


def fingerprint(crops: np.ndarray) -> Fingerprint:
    return Fingerprint.empty(24, "rgb").update(crops)


def test_statistics_are_numpys(crops: np.ndarray) -> None:
    found = fingerprint(crops)
    size = np.abs(scipy.fft.dctn(crops.astype(float), axes=(-2, -1), norm="ortho"))
    spectra = np.abs(np.fft.fftshift(np.fft.fft2(windowed(crops.astype(float))), axes=(-2, -1))) ** 2 / 24**2
    assert found.count == 11
    np.testing.assert_allclose(found.log_mean_dct, np.log(size.mean(axis=0)), atol=1e-3)
    np.testing.assert_allclose(found.log_std_dct, np.log(size.std(axis=0)), atol=1e-3)
    np.testing.assert_allclose(found.log_dct.mean, np.log(size).mean(axis=0), atol=1e-2)
    np.testing.assert_allclose(found.mean_power, spectra.mean(axis=0), rtol=1e-3, atol=1e-3)
    profiles = decibel(radial_profile(spectra)[1])
    np.testing.assert_allclose(found.radial.mean, profiles.mean(axis=0), atol=1e-2)
    np.testing.assert_allclose(found.radial.std, profiles.std(axis=0), atol=1e-2)


def test_any_grouping_gives_the_same(crops: np.ndarray) -> None:
    whole = fingerprint(crops)
    parts = fingerprint(crops[:4]).merge(fingerprint(crops[4:4])).merge(fingerprint(crops[4:]))
    streamed = Fingerprint.empty(24, "rgb")
    for crop in crops:
        streamed = streamed.update(crop[None])
    for other in (parts, streamed):
        assert other.count == whole.count
        np.testing.assert_allclose(other.log_mean_dct, whole.log_mean_dct, atol=1e-6)
        np.testing.assert_allclose(other.log_std_dct, whole.log_std_dct, atol=1e-4)
        np.testing.assert_allclose(other.mean_power, whole.mean_power, rtol=1e-5)


def test_comparisons_with_a_reference(crops: np.ndarray) -> None:
    reference, other = fingerprint(crops[:5]), fingerprint(crops[5:])
    means = [
        np.abs(scipy.fft.dctn(part.astype(float), axes=(-2, -1), norm="ortho")).mean(axis=0)
        for part in (crops[:5], crops[5:])
    ]
    np.testing.assert_allclose(ratio(other, reference), means[1] / means[0], rtol=1e-3)
    np.testing.assert_allclose(difference(other, reference), np.log(means[1] / means[0]), atol=1e-3)
    np.testing.assert_array_equal(absolute_difference(other, reference), abs(difference(other, reference)))
    assert not difference(reference, reference).any()


def test_only_equal_sizes_and_colours_are_compared(crops: np.ndarray) -> None:
    for other in (Fingerprint.empty(32, "rgb"), Fingerprint.empty(24, "grey")):
        for compare in (difference, ratio, Fingerprint.merge):
            with pytest.raises(UsageError, match="cannot be compared"):
                compare(fingerprint(crops), other)
    for size in (0, 4, 25, -8):
        with pytest.raises(UsageError, match="multiple of 8"):
            Fingerprint.empty(size)
    with pytest.raises(UsageError, match="grey or rgb"):
        Fingerprint.empty(24, "cmyk")  # type: ignore[arg-type]


def test_saved_and_loaded_it_is_the_same(crops: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    found = fingerprint(crops)
    found.save(path)
    back = Fingerprint.load(path)
    assert (back.size, back.colour, back.count) == (24, "rgb", 11)
    for part in ("dct", "log_dct", "power", "log_power", "radial"):
        np.testing.assert_array_equal(getattr(back, part).mean, getattr(found, part).mean)
        np.testing.assert_array_equal(getattr(back, part).squares, getattr(found, part).squares)
    np.testing.assert_allclose(back.merge(found).log_mean_dct, found.log_mean_dct)


def test_files_that_are_no_fingerprint_are_refused(crops: np.ndarray, tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    fingerprint(crops).save(good)
    raw = good.read_bytes()
    bad = {
        "empty": b"",
        "text": b"not an archive",
        "pickle": pickle.dumps({"size": 24}),
        "truncated": raw[: len(raw) // 2],
        "flipped": raw[:200] + bytes(200) + raw[400:],
    }
    for name, content in bad.items():
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        with pytest.raises(UsageError, match="no fingerprint"):
            Fingerprint.load(path)
    with pytest.raises(UsageError, match="does not exist"):
        Fingerprint.load(tmp_path / "missing.npz")


def test_archives_with_other_contents_are_refused(crops: np.ndarray, tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    fingerprint(crops).save(good)
    with np.load(good) as arrays:
        contents = dict(arrays)
    path = tmp_path / "bad.npz"
    for change in ({"format": np.asarray(9)}, {"colour": np.asarray("cmyk")}, {"dct_mean": np.zeros((2, 2))}):
        np.savez(path, **(contents | change))
        with pytest.raises(UsageError):
            Fingerprint.load(path)
    objects = np.empty(1, dtype=object)
    np.savez(path, **(contents | {"dct_mean": objects}))
    with pytest.raises(UsageError, match="no fingerprint"):
        Fingerprint.load(path)
    del contents["power_mean"]
    np.savez(path, **contents)
    with pytest.raises(UsageError, match="no fingerprint"):
        Fingerprint.load(path)


def test_the_crop_is_the_middle_on_the_block_grid() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (101, 70, 3), dtype=np.uint8)
    crop = centre_crop(pixels, 32, "rgb")
    assert crop is not None
    top, left = 32, 16  # (101 - 32) // 2 = 34 and (70 - 32) // 2 = 19, down to multiples of 8
    np.testing.assert_array_equal(crop, pixels[top : top + 32, left : left + 32].transpose(2, 0, 1))
    grey = centre_crop(pixels, 32, "grey")
    assert grey is not None
    np.testing.assert_allclose(grey[0], luma(pixels)[top : top + 32, left : left + 32])
    assert centre_crop(pixels, 72, "grey") is None


def mean_decibel(pictures: np.ndarray) -> np.ndarray:
    return decibel(power(windowed(pictures))).mean(axis=0)


def test_peaks_of_a_mean_spectrum() -> None:
    rng = np.random.default_rng(0)
    plain = rng.normal(128, 20, (40, 96, 96))
    assert find_mean_peaks(mean_decibel(plain), 40, jpeg=False) == []
    printed = plain.copy()
    printed[:, :, ::4] += 8
    found = find_mean_peaks(mean_decibel(printed), 40, jpeg=False)
    assert [(peak.period, peak.direction, peak.kind) for peak in found] == [(4, "horizontally", "upsampling")]
    named = find_mean_peaks(mean_decibel(printed), 40, jpeg=True)
    assert [peak.kind for peak in named] == ["jpeg-grid"]
    # A single picture must show more than the mean of many.
    assert find_mean_peaks(mean_decibel(printed), 1, jpeg=False) == []


def test_one_loud_picture_does_not_make_a_peak_of_the_set() -> None:
    pictures = np.random.default_rng(0).normal(128, 20, (40, 96, 96))
    pictures[0, :, ::2] += 200
    assert find_mean_peaks(mean_decibel(pictures), 40, jpeg=False) == []
