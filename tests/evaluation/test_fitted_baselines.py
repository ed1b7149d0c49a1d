"""Baselines as detectors: what they find, what they may not learn from, and what their scores mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation.baselines.detector import FOLDS, fit_baseline
from spectrace.evaluation.baselines.registry import METHODS
from spectrace.evaluation.baselines.sampling import balanced, source_folds
from spectrace.evaluation.evaluate import evaluate, observe
from spectrace.evaluation.metrics import auroc

SIDE, SIZE = 32, 48
SOURCES, EACH = 6, 4


def write(folder, draw, real_suffix=".png", generated_suffix=".png"):
    """Pictures of six sources a class, four each for fitting and two for the test; draw(label, source, rng)."""
    rows = []
    for number in range(SOURCES * (EACH + 2) * 2):
        label, source = ("real", "generated")[number % 2], number // 2 % SOURCES
        suffix = real_suffix if label == "real" else generated_suffix
        path = folder / f"{number}{suffix}"
        Image.fromarray(draw(label, source, np.random.default_rng(number))).save(path, quality=90)
        split = "val" if number // (2 * SOURCES) >= EACH else "train"
        rows.append(Row(path=path.name, label=label, split=split, source=f"{label}-{source}"))
    return Manifest(rows, folder)


def photograph(photographs, rng):
    picture = photographs["coffee"]
    top, left = (int(rng.integers(length - SIZE)) for length in picture.shape[:2])
    return picture[top : top + SIZE, left : left + SIZE]


@pytest.fixture(scope="module")
def printed(photographs, tmp_path_factory):
    """Generated pictures have a lattice; all files are of one kind."""

    def draw(label, source, rng):
        pixels = photograph(photographs, rng).astype(np.float64)
        lattice = 12.0 * (-1.0) ** np.add.outer(np.arange(SIZE), np.arange(SIZE))[..., None]
        return np.clip(pixels + lattice * (label == "generated"), 0, 255).astype(np.uint8)

    return write(tmp_path_factory.mktemp("printed"), draw)


@pytest.fixture(scope="module")
def told_by_format(photographs, tmp_path_factory):
    """Photographs on both sides: JPEG files are called real, PNG files generated."""
    folder = tmp_path_factory.mktemp("format")
    return write(folder, lambda label, source, rng: photograph(photographs, rng), real_suffix=".jpg")


def area(observations):
    return auroc([one.row.is_generated for one in observations], [one.score for one in observations])


@pytest.mark.parametrize(("name", "floor"), [("knn-dct", 0.7), ("eigenfaces-dct", 0.9), ("prnu", 0.9)])
def test_a_print_in_the_pixels_is_found(printed, name, floor):
    baseline = fit_baseline(name, printed, side=SIDE)
    evaluation = evaluate(baseline, printed, split="val", resamples=20)
    assert evaluation.model == baseline.card.name
    assert baseline.card.name.startswith(f"{name}@")
    assert evaluation.overall.figures["auroc"].value > floor
    cuts = baseline.card.thresholds
    assert cuts.camera <= cuts.generated
    assert (cuts.false_positive_rate, cuts.miss_rate) == (0.05, 0.05)


def test_the_same_twice_whatever_the_workers(printed):
    first, second = (fit_baseline("knn", printed, side=SIDE, workers=count).card for count in (1, 3))
    assert first == second
    assert fit_baseline("knn", printed, side=SIDE, per_source=3).card.name != first.name


def test_metadata_is_read_from_files_only(told_by_format):
    baseline = fit_baseline("metadata", told_by_format)
    tested = told_by_format.select(split="val")
    assert area(observe(baseline, tested)) == 1.0
    # The same pictures after a perturbation: one size, no file.
    assert len({one.score for one in observe(baseline, tested, perturbation="flip")}) == 1


def test_the_block_grid_is_read_from_pixels(told_by_format):
    baseline = fit_baseline("block-grid", told_by_format)
    tested = told_by_format.select(split="val")
    files = [one.score for one in observe(baseline, tested)]
    assert files == [one.score for one in observe(baseline, tested, perturbation="identity")]
    assert area(observe(baseline, tested)) > 0.8


def test_fitted_on_perturbed_pictures_metadata_has_nothing(told_by_format):
    baseline = fit_baseline("metadata", told_by_format, perturbation="jpeg(quality=80)")
    assert baseline.card.calibration.slope == 0.0
    assert baseline.card.training["perturbation"] == "jpeg(quality=80)"


def test_what_tells_sources_and_not_classes_gives_no_score(tmp_path):
    """Each source has a grey of its own: known sources are told without fault, new ones not at all."""
    greys = {
        (label, source): 40 + 16 * source + 8 * (label == "real")
        for label in ("real", "generated")
        for source in range(SOURCES)
    }

    def draw(label, source, rng):
        return (greys[label, source] + rng.integers(0, 3, (SIZE, SIZE, 3))).astype(np.uint8)

    manifest = write(tmp_path, draw)
    baseline = fit_baseline("knn", manifest, side=SIDE)
    scores = [abs(one.score) for one in observe(baseline, manifest)]
    # One neighbour is certain each time: a log-likelihood ratio that believed it would be far from 0.
    assert max(scores) < 0.7


def test_small_pictures_are_inconclusive_and_take_no_part_in_fitting(printed, tmp_path):
    small = tmp_path / "small.png"
    Image.fromarray(np.zeros((SIDE - 1, SIZE, 3), np.uint8)).save(small)
    rows = [*printed, Row(path=str(small), label="real", split="train", source="real-0")]
    baseline = fit_baseline("knn", Manifest(rows, printed.root), side=SIDE)
    # Where it was drawn, it took another one's place.
    assert baseline.card.training["pictures"] - 2 * SOURCES * EACH in {-1, 0}
    seen = baseline.detect(small)
    assert seen.score is None
    assert seen.verdict == "inconclusive"
    assert seen.reasons[0].startswith("too-small")


@pytest.mark.parametrize("name", METHODS)
def test_every_baseline_takes_pictures_of_any_size(printed, name):
    fitted = fit_baseline(name, printed, side=SIDE, per_source=2)
    rng = np.random.default_rng(0)
    for shape in ((SIDE, SIDE, 3), (200, 33, 3)):
        for pixels in (np.zeros(shape, np.uint8), rng.integers(0, 256, shape, np.uint8)):
            seen = fitted.detect(pixels)
            assert np.isfinite(seen.score)
            assert seen.verdict in {"camera", "generated", "inconclusive"}


def test_what_cannot_be_fitted_is_refused(printed):
    with pytest.raises(UsageError, match="kept for the last measurement"):
        fit_baseline("knn", printed, split="unseen")
    with pytest.raises(UsageError, match="'magic' is unknown: use one of knn, knn-dct"):
        fit_baseline("magic", printed)
    with pytest.raises(ManifestError, match="no picture has the split 'nowhere'"):
        fit_baseline("knn", printed, split="nowhere")
    with pytest.raises(ManifestError, match="as large as the window"):
        fit_baseline("knn", printed, side=SIZE + 1)
    few = Manifest([row for row in printed if row.source.endswith("-0")][:6], printed.root)
    with pytest.raises(ManifestError, match="wanted 5 of each at least"):
        fit_baseline("knn", few, side=SIDE)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=12, max_size=80),
    st.integers(1, 9),
    st.integers(0, 5),
)
def test_fair_shares(drawn, per_source, seed):
    rows = [
        Row(path=f"{number}", label="generated" if made else "real", source=f"{made}-{source}")
        for number, (made, source) in enumerate([*drawn, (True, 0), (False, 0)])
    ]
    chosen = balanced(Manifest(rows), per_source, seed=seed)
    by_class = chosen.count("label")
    assert by_class["real",] == by_class["generated",] > 0
    counts, there = chosen.count("source"), Manifest(rows).count("source")
    assert max(counts.values()) <= per_source
    for made in (True, False):
        # A source has fewer than another by more than one picture only where it has no more.
        own = {name: counts[name] for name in there if name[0].startswith(str(made))}
        assert all(count >= min(there[name], max(own.values()) - 1) for name, count in own.items())


@settings(max_examples=50)
@given(st.lists(st.integers(0, 9), min_size=10, max_size=60), st.integers(0, 5))
def test_folds_hold_sources_together(drawn, seed):
    several = [*range(FOLDS), *drawn]
    rows = [
        Row(path=f"{label}{number}", label=label, source=f"{label}{source}")
        for label in ("real", "generated")
        for number, source in enumerate(several)
    ]
    folds = source_folds(rows, FOLDS, seed=seed)
    pairs = {(row.source, int(fold)) for row, fold in zip(rows, folds, strict=True)}
    assert len(pairs) == len({row.source for row in rows})
    assert {(row.label, int(fold)) for row, fold in zip(rows, folds, strict=True)} == {
        (label, fold) for label in ("real", "generated") for fold in range(FOLDS)
    }


def test_few_sources_are_dealt_out_by_picture():
    rows = [Row(path=f"{number}", label=("real", "generated")[number % 2]) for number in range(20)]
    folds = source_folds(rows, FOLDS)
    assert np.bincount(folds).tolist() == [4] * FOLDS
