"""Reading sets of files: census, skipped files, workers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from PIL import Image

from spectrace.errors import UsageError
from spectrace.spectra.census import PeakCensus, binomial_interval
from spectrace.spectra.fingerprints import Fingerprint, centre_crop
from spectrace.spectra.peaks import Peak
from spectrace.spectra.survey import survey, thinned


@pytest.fixture
def folder(tmp_path: Path, photographs: dict[str, np.ndarray]) -> Path:
    rng = np.random.default_rng(0)
    for index in range(40):
        top, left = rng.integers(0, 300, 2)
        crop = photographs["astronaut"][top : top + 96, left : left + 96]
        Image.fromarray(crop).save(tmp_path / f"{index:02}.png")
    Image.fromarray(photographs["coffee"][:96, :96]).save(tmp_path / "40.jpg", quality=60)
    Image.fromarray(photographs["coffee"][:50, :96]).save(tmp_path / "small.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "00.png").read_bytes()[:300])
    return tmp_path


def test_a_set_is_read_once_and_problems_are_listed(folder: Path) -> None:
    paths = sorted(folder.iterdir())
    steps: list[int] = []
    found = survey(paths, size=64, colour="rgb", workers=1, visit=steps.append)
    assert sum(steps) == len(paths) == 43
    assert found.fingerprint.count == found.census.pictures == 41
    assert [(Path(skip.path).name, skip.unreadable) for skip in found.skipped] == [
        ("broken.png", True),
        ("small.png", False),
    ]
    assert "96x50" in found.skipped[1].reason
    assert found.census.jpeg >= 1
    crops = []
    for path in paths:
        if path.name not in ("broken.png", "small.png"):
            with Image.open(path) as image:
                crops.append(centre_crop(np.asarray(image), 64, "rgb"))
    expected = Fingerprint.empty(64, "rgb").update(np.stack(crops))
    np.testing.assert_allclose(found.fingerprint.log_mean_dct, expected.log_mean_dct, atol=1e-5)


def test_the_number_of_processes_changes_nothing(folder: Path) -> None:
    paths = sorted(folder.iterdir())
    one, two = (survey(paths, size=64, workers=workers) for workers in (1, 2))
    np.testing.assert_array_equal(one.fingerprint.log_mean_dct, two.fingerprint.log_mean_dct)
    assert one.census == two.census
    assert one.skipped == two.skipped


def test_an_empty_set_and_an_impossible_size() -> None:
    assert survey([], size=64).fingerprint.count == 0
    with pytest.raises(UsageError, match="multiple of 8"):
        survey([], size=65)


def test_thinning_is_even() -> None:
    paths = [Path(str(number)) for number in range(100)]
    kept = [int(path.name) for path in thinned(paths, 8)]
    assert len(kept) == 8
    assert max(np.diff(kept)) - min(np.diff(kept)) <= 1
    assert thinned(paths, None) == thinned(paths, 100) == paths


def test_census_counts_and_merges() -> None:
    two = [Peak(2.0, (0.0, 0.5), 30.0, "upsampling", "between")]
    blocks = [Peak(8.0, (0.0, 0.125), 30.0, "jpeg-grid", "between")]
    census = PeakCensus()
    for peaks in (two, two, blocks, []):
        census = census.add(peaks)
    assert census == PeakCensus(4, {2: 2}, 1)
    assert census.merge(PeakCensus(1, {4: 1})) == PeakCensus(5, {2: 2, 4: 1}, 1)
    assert PeakCensus().add([], jpeg=True).jpeg == 1


def test_a_factor_is_named_only_where_the_set_carries_it() -> None:
    assert PeakCensus(0).likely_factor is None
    assert PeakCensus(1000, {2: 40}).likely_factor is None
    assert PeakCensus(1000, {2: 600, 4: 30}).likely_factor == 2
    assert PeakCensus(2, {2: 1}).likely_factor is None  # one of two proves nothing


@pytest.mark.parametrize(("count", "total"), [(0, 10), (3, 10), (10, 10), (17, 2932)])
def test_binomial_interval_is_clopper_and_pearsons(count: int, total: int) -> None:
    expected = scipy.stats.binomtest(count, total).proportion_ci(0.95, method="exact")
    assert binomial_interval(count, total) == pytest.approx((expected.low, expected.high), abs=1e-9)
