"""Audits: the classifier against scikit-learn, the null against many random halves, leaks that are planted."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from spectrace.corpora.manifest import Manifest, Row
from spectrace.errors import UsageError
from spectrace.evaluation.audit import wording
from spectrace.evaluation.audit.classifier import (
    TraitClassifier,
    balanced,
    column_of,
    fit_logistic,
    one_hot,
)
from spectrace.evaluation.audit.findings import Gathered, Verdict, audit, judge
from spectrace.evaluation.audit.separation import fit_many, separation, separation_of_new_sources
from spectrace.evaluation.audit.traits import TRAITS, file_traits, pixel_traits, traits_of
from spectrace.images.decode import decode
from spectrace.images.perturbations import apply


def encoded(pixels, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return decode(file.getvalue())


def some_traits(rng, count):
    formats = rng.choice(["PNG", "JPEG", "WEBP"], count, p=[0.5, 0.3, 0.2])
    sides = rng.choice([256.0, 512.0, 1024.0], count)
    details = rng.normal(size=count)
    return [
        {"format": str(f), "width": float(w), "fine_detail": float(d)}
        for f, w, d in zip(formats, sides, details, strict=True)
    ]


class TestTraits:
    def test_files_say_what_was_written(self, photographs):
        pixels = photographs["astronaut"][:200, :304]
        found = file_traits(encoded(pixels, "JPEG", quality=83, subsampling=1, progressive=True))
        assert found["size"] == "304 x 200"
        assert found["multiple_of"] == "8"
        assert (found["jpeg_quality"], found["subsampling"], found["progressive"]) == (83.0, "4:2:2", "yes")
        other = file_traits(encoded(pixels, "JPEG", quality=84))
        assert other["jpeg_tables"] != found["jpeg_tables"]
        assert "jpeg_quality" not in file_traits(encoded(pixels, "PNG"))

    def test_arrays_have_a_size_only(self, photographs):
        found = file_traits(decode(photographs["coffee"]))
        assert set(found) == {"size", "width", "height", "aspect", "multiple_of"}

    def test_pixels_remember_jpeg(self, photographs):
        pixels = photographs["astronaut"]
        plain = pixel_traits(pixels)
        once = pixel_traits(apply("jpeg(quality=75)", pixels))
        shifted = pixel_traits(apply("jpeg(quality=75)", pixels)[3:, 2:])
        twice = pixel_traits(apply("jpeg(quality=60) + jpeg(quality=85)", pixels))
        assert [one["grid_phase"] for one in (plain, once, shifted)] == ["none", "aligned", "shifted"]
        # Annex K of T.81 at quality 75: 5 to 7 at the low frequencies, halves of 10 to 14.
        assert 5 <= once["grid_step_low"] <= 7
        assert plain["grid_step_low"] == 0
        assert twice["grid_holes"] > 2 * once["grid_holes"]

    def test_every_trait_is_described(self, photographs):
        for picture in (encoded(photographs["coffee"], "JPEG"), encoded(photographs["coffee"], "PNG")):
            found = traits_of(picture)
            assert set(found) <= set(TRAITS)
            assert all(isinstance(value, str) or np.isfinite(value) for value in found.values())

    @pytest.mark.parametrize("shape", [(1, 1), (8, 8), (30, 30), (49, 200), (60, 60)])
    def test_small_and_flat_pictures_have_fewer(self, shape):
        noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        for pixels in (noise, np.full_like(noise, 255)):
            assert all(isinstance(v, str) or np.isfinite(v) for v in pixel_traits(pixels).values())


class TestClassifier:
    @pytest.mark.parametrize("ridge", [0.1, 1.0, 10.0])
    def test_it_is_scikit_learns(self, ridge):
        rng = np.random.default_rng(1)
        traits = some_traits(rng, 300)
        labels = rng.random(300) < [0.8 if one["format"] == "PNG" else 0.2 for one in traits]
        weights = rng.uniform(0.5, 2, 300)
        own = TraitClassifier(ridge=ridge).fit(traits, labels, weights)
        rows = one_hot(own.columns, traits)
        oracle = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=5000)
        oracle.fit(rows, labels, sample_weight=balanced(labels, weights))
        assert np.allclose(own.scores(traits), oracle.decision_function(rows), atol=1e-4)

    def test_separable_classes_converge(self):
        traits = [{"format": "PNG"}] * 40 + [{"format": "JPEG"}] * 5
        labels = np.arange(45) < 40
        scores = TraitClassifier().fit(traits, labels).scores(traits)
        assert scores[:40].min() > 1
        assert scores[40:].max() < -1

    def test_a_band_in_the_middle_is_found(self):
        values = np.random.default_rng(2).uniform(0, 1, 400)
        labels = np.abs(values - 0.5) < 0.2
        traits = [{"fine_detail": float(value)} for value in values]
        scores = TraitClassifier().fit(traits, labels).scores(traits)
        assert scores[labels].mean() > scores[~labels].mean() + 2

    def test_unknown_values_are_tolerated(self):
        traits = [{"format": "PNG", "width": 5.0}] * 9 + [{"format": "JPEG"}] * 9
        fitted = TraitClassifier().fit(traits, np.arange(18) < 9)
        odd = [{}, {"format": "TIFF"}, {"format": 3.0, "width": "wide"}, {"width": np.nan}, {"new": 1.0}]
        assert np.isfinite(fitted.scores(odd)).all()

    def test_one_class_is_refused(self):
        with pytest.raises(UsageError, match="both are needed"):
            TraitClassifier().fit([{"format": "PNG"}], [True])

    def test_labels_play_no_part_in_columns(self):
        traits = some_traits(np.random.default_rng(0), 100)
        column = column_of("fine_detail", traits)
        assert np.bincount(column.codes(traits)).max() <= 2 * 100 / 12

    def test_many_at_once_are_as_one_by_one(self):
        rng = np.random.default_rng(3)
        rows = one_hot([column_of("format", t := some_traits(rng, 90))], t)
        labels = rng.permuted(np.repeat((np.arange(90) < 30)[:, None], 4, axis=1), axis=0)
        together = rows @ fit_many(rows, labels, 1.0)[1:]
        for index in range(4):
            alone = fit_logistic(rows, labels[:, index], balanced(labels[:, index], np.ones(90)), 1.0)
            assert np.corrcoef(rows @ alone[1:], together[:, index])[0, 1] > 0.999


class TestSeparation:
    def test_random_halves_come_out_at_one_half(self):
        """Of 40 halves of one source the mean is 0.5 and about 95 in 100 intervals hold it."""
        rng = np.random.default_rng(0)
        found = []
        for seed in range(40):
            traits = some_traits(rng, 120)
            rows = one_hot([column_of(name, traits) for name in traits[0]], traits)
            half = rng.permutation(120) < 60
            found.append(separation(rows, half, seed=seed, permutations=99, resamples=100))
        values = np.array([one.auroc.value for one in found])
        covered = sum(one.auroc.low <= 0.5 <= one.auroc.high for one in found)
        assert abs(values.mean() - 0.5) < 3 * values.std() / np.sqrt(40)
        assert covered >= 35  # of 38 expected
        assert sum(one.p_value <= 0.1 for one in found) <= 9  # of 4 expected

    def test_a_known_share_gives_the_known_area(self):
        """One fact, true of 3 in 4 and of 1 in 4: the area is 3/4."""
        truth = np.r_[np.arange(200) % 4 > 0, np.arange(200) % 4 == 0]
        found = separation(np.stack([truth, ~truth], axis=1).astype(float), np.arange(400) < 200)
        assert found.auroc.value == pytest.approx(0.75, abs=0.02)
        assert found.auroc.low > 0.68
        assert found.p_value == 0.005

    def test_what_holds_for_each_source_alone_does_not_carry(self):
        """Every source has a size of its own: a classifier that knows them all is right, on new ones it is not."""
        sources = [f"{index // 20}" for index in range(400)]
        generated = np.array([int(name) % 2 == 0 for name in sources])
        rows = np.eye(20)[[int(name) for name in sources]]
        assert separation(rows, generated).auroc.value > 0.95
        new = separation_of_new_sources(rows, generated, sources, sources)
        assert new is not None
        assert new.low <= 0.5 <= new.high

    def test_halves_of_a_pair_stay_together(self):
        """A pair shares one size: were its halves apart, each would teach the opposite of the other."""
        pairs = [f"{index // 20}" for index in range(400)]
        generated = np.arange(400) % 2 == 0
        rows = np.eye(20)[[int(name) for name in pairs]]
        # Named so that a pair's halves are not dealt to one fold by chance.
        sources = [
            f"{(int(pair) + made) % 20:02}-{made}" for pair, made in zip(pairs, generated, strict=True)
        ]
        assert separation_of_new_sources(rows, generated, sources, sources).value < 0.3
        assert separation_of_new_sources(rows, generated, sources, pairs).value == pytest.approx(0.5)

    def test_few_sources_give_none(self):
        generated = np.arange(40) % 2 == 0
        names = ["a" if label else "b" for label in generated]
        assert separation_of_new_sources(np.ones((40, 1)), generated, names, names) is None


def gathered(count, leaking):
    """Pictures of one size, of which the generated are PNG twice as often where it leaks."""
    rng = np.random.default_rng(0)
    rows, traits = [], []
    for index in range(count):
        label = "generated" if index % 2 else "real"
        share = (0.9 if index % 2 else 0.1) if leaking else 0.5
        rows.append(Row(path=f"{index}", label=label, source=label))
        traits.append({"format": "PNG" if rng.random() < share else "JPEG", "width": 64.0, "size": "64 x 64"})
    return Gathered(rows, traits, [])


class TestFindings:
    def test_a_planted_leak_is_named(self):
        found = judge(gathered(300, leaking=True), digest="")
        assert found.verdict is Verdict.LEAK
        assert found.tells[0].name == "format"
        assert abs(found.tells[0].generated - found.tells[0].real) == pytest.approx(0.8, abs=0.1)
        assert "leak" in wording.headline(found)
        assert any("File format is " in sentence for sentence in wording.findings(found))
        assert [one.size for one in found.uniform] == ["64 x 64", "64 x 64"]

    def test_without_a_leak_none_is_found(self):
        found = judge(gathered(800, leaking=False), digest="")
        assert found.verdict is Verdict.NONE
        assert found.part("file").auroc.low <= 0.5 <= found.part("file").auroc.high

    def test_few_pictures_say_nothing(self):
        found = judge(gathered(30, leaking=True), digest="")
        assert found.verdict is Verdict.UNCLEAR
        assert found.part("file").auroc is None
        assert "at least 20 pictures" in next(wording.findings(found))

    def test_order_and_workers_change_nothing(self, tmp_path, photographs):
        rows = []
        for index in range(44):
            pixels = photographs["astronaut"][8 * index : 8 * index + 64, :64]
            Image.fromarray(pixels).save(tmp_path / f"{index}.png")
            rows.append(Row(path=f"{index}.png", label="real" if index % 2 else "generated"))
        found = [audit(Manifest(rows, tmp_path), workers=workers) for workers in (1, 3)]
        assert found[0].to_json() == found[1].to_json()
