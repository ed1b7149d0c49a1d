"""The report's verdict: planted prints are named, photographs against photographs give nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats

from spectrace.spectra.exchange import exchange_test
from spectrace.spectra.fingerprint_report import (
    FingerprintReport,
    Outcome,
    fingerprint_report,
    report_numbers,
)
from spectrace.spectra.known import shipped_known
from spectrace.spectra.survey import Survey
from spectrace.spectra.traits import features
from spectrace.spectra.upsampling import KERNELS

COUNT = 72
NAMES = ("samples", "photographs")
Make = Callable[..., list[np.ndarray]]
Surveyed = Callable[..., Survey]


@pytest.fixture(scope="module")
def photographs_survey(small_pictures: Make, make_survey: Surveyed) -> Survey:
    return make_survey(small_pictures(COUNT, 1))


def report(samples: Survey, photographs: Survey) -> FingerprintReport:
    return fingerprint_report(samples, photographs, [shipped_known()], names=NAMES)


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_kernel_is_its_own_nearest(
    kernel: str, small_pictures: Make, make_survey: Surveyed, photographs_survey: Survey
) -> None:
    found = report(make_survey(small_pictures(COUNT, 2, kernel)), photographs_survey)
    assert found.outcome is Outcome.TRACES
    assert found.near
    families = {known.name: known.family for known in shipped_known().fingerprints}
    assert found.near[0].family == families[f"upsampling: {kernel} x2"]
    assert found.near[0].name == f"upsampling: {kernel} x2" or kernel.startswith("binomial")
    low, high = found.tail.excess_interval_95
    assert low < found.tail.excess_db < high
    if kernel == "zero-insertion":
        assert found.tail.excess_db > 5
        assert found.upsampling_factor == 2
        assert {peak.period for peak in found.peaks} == {2.0}
        assert found.bands[0].mean_db > 0
    elif kernel != "nearest":
        assert found.tail.direction == "falls"
        assert found.bands[0].high == 0.5
        assert found.bands[0].mean_db < -5


def test_photographs_against_photographs_give_nothing(
    small_pictures: Make, make_survey: Surveyed, photographs_survey: Survey
) -> None:
    found = report(make_survey(small_pictures(COUNT, 3)), photographs_survey)
    assert found.outcome is Outcome.NOTHING
    assert (found.near, found.bands, found.spots, found.peaks) == ([], [], [], [])


def test_false_alarms_on_random_halves(photographs_survey: Survey) -> None:
    rows = features(photographs_survey.traits)
    rng = np.random.default_rng(0)
    alarms = 0
    for seed in range(40):
        order = rng.permutation(len(rows))
        alarms += exchange_test(rows[order[:36]], rows[order[36:]], seed).found
    assert alarms <= scipy.stats.binom.ppf(0.999, 40, 0.01)


def test_contrast_alone_is_no_trace(
    small_pictures: Make, make_survey: Surveyed, photographs_survey: Survey
) -> None:
    flat = [(pixels * 0.6 + 40).astype(np.uint8) for pixels in small_pictures(COUNT, 4)]
    found = report(make_survey(flat), photographs_survey)
    assert found.outcome is Outcome.NOTHING
    assert found.level_db == pytest.approx(20 * np.log10(0.6), abs=1.5)


def test_few_pictures_are_said_to_be_too_few(
    small_pictures: Make, make_survey: Surveyed, photographs_survey: Survey
) -> None:
    pictures = small_pictures(8, 5, "zero-insertion")
    found = report(make_survey(pictures[:3]), make_survey(small_pictures(5, 6)))
    assert found.outcome is Outcome.TOO_FEW
    assert sum("Only" in warning for warning in found.warnings) == 2


def test_formats_and_sizes_that_differ_are_warned_of(
    small_pictures: Make, make_survey: Surveyed, photographs_survey: Survey
) -> None:
    pictures = [np.pad(pixels, ((0, 64), (0, 64), (0, 0))) for pixels in small_pictures(60, 7)]
    found = report(make_survey(pictures, "JPEG"), photographs_survey)
    text = " ".join(found.warnings)
    for wanted in ("100% JPEG", "100% PNG", "128 and 64 pixels", "JPEG prints periods"):
        assert wanted in text
    assert report(photographs_survey, photographs_survey).warnings == []


def test_numbers_are_plain_json(
    small_pictures: Make, make_survey: Surveyed, photographs_survey: Survey
) -> None:
    found = report(make_survey(small_pictures(60, 8, "bilinear")), photographs_survey)
    numbers = json.loads(json.dumps(report_numbers(found)))
    assert numbers["outcome"] == "traces"
    assert numbers["tail"]["from"] == 0.35
    assert numbers["tail"]["direction"] == "falls"
    assert numbers["near"][0] == found.near[0].name
    assert np.shape(numbers["difference_db"]) == (17, 17)
    assert len(numbers["rings_db"]["low"]) == 15
