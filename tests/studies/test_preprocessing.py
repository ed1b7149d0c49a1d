"""The preprocessing ablation: who stands in which class, and figures that follow what detectors say."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from spectrace.corpora.manifest import Row
from spectrace.errors import ManifestError, UsageError
from spectrace.evaluation.metrics import auroc
from spectrace.generators.aligned import Crop
from spectrace.images.decode import decode
from spectrace.studies import pieces, preprocessing
from spectrace.studies.pieces import TEST, TRAIN, VAL, WHEELS
from spectrace.studies.preprocessing import FACTORS, Factor, Settings, cases_of, figure, run_study
from spectrace.studies.preprocessing_parts import (
    PHOTOGRAPH,
    PHOTOGRAPHS,
    PIPELINE,
    Case,
    pictures_of,
    through,
    write_pipelines,
)
from spectrace.studies.preprocessing_tables import OTHERS, Tests
from spectrace.studies.registry import Context

_JPEG = "jpeg(quality=50)"


def _negative(pixels):
    return 255 - pixels


def _dark(pixels):
    return pixels // 2


@pytest.fixture
def written(tmp_path):
    rng = np.random.default_rng(0)
    placed = []
    for number in range(16):
        row = Row(path=f"{number}.jpg", label="real", source=f"source {number % 3}")
        split = (TRAIN, VAL, TEST, TEST)[number // 4]
        for part in "ab":
            pixels = rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)
            placed.append((split, Crop(f"{number}{part}", row, pixels)))
    makers = {"negative": _negative, "dark": _dark}
    manifest = write_pipelines(placed, tmp_path, makers, ["identity", _JPEG, _JPEG], trained_on="negative")
    return placed, manifest


def test_no_photograph_is_in_both_classes(written):
    _, manifest = written
    for split in (TRAIN, VAL, TEST):
        real, generated = (
            {row.extra[PHOTOGRAPH] for row in manifest.select(split=split, label=label)}
            for label in ("real", "generated")
        )
        assert not real & generated
        assert len(real) == len(generated) == (4 if split == TEST else 2)


def test_every_picture_is_its_makers_through_its_pipeline(written):
    placed, manifest = written
    pixels = {piece.key: piece.pixels for _, piece in placed}
    made = {"camera": pixels.get, PHOTOGRAPHS: pixels.get}
    made |= {"negative": lambda key: 255 - pixels[key], "dark": lambda key: pixels[key] // 2}
    for row in manifest:
        key = row.path.split("/")[-1].removesuffix(".png")
        found = decode(manifest.locate(row)).pixels
        assert (found == made[row.generator](key)).all() == (row.extra[PIPELINE] == "identity")
    assert {row.generator for row in manifest.select(split=TEST)} == {
        "camera",
        PHOTOGRAPHS,
        "negative",
        "dark",
    }
    assert {row.generator for row in manifest.select(split=[TRAIN, VAL])} == {
        "camera",
        PHOTOGRAPHS,
        "negative",
    }


def test_a_case_has_each_class_through_its_own_pipeline(written):
    _, manifest = written
    chosen = pictures_of(manifest, Case("negative", _JPEG, "identity"))
    assert chosen.count("generator", "label") == {("camera", "real"): 16, ("negative", "generated"): 16}
    assert {(row.label, row.extra[PIPELINE]) for row in chosen} == {
        ("real", _JPEG),
        ("generated", "identity"),
    }
    assert {row.extra[PIPELINE] for row in through(manifest, _JPEG)} == {_JPEG}


def test_both_classes_need_a_photograph(tmp_path):
    alone = Crop("a", Row(path="a.jpg", label="real"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ManifestError, match="one for each class"):
        write_pipelines([(TRAIN, alone)], tmp_path, {"dark": _dark}, ["identity"], trained_on="dark")


def _detector(of_pipeline, of_maker, rng):
    """Scores that add what the pipeline gives, what the maker gives and noise."""
    return {
        pipeline: {
            maker: shift + step + rng.normal(size=200 if maker == "camera" else 300)
            for maker, step in of_maker.items()
        }
        for pipeline, shift in of_pipeline.items()
    }


@pytest.fixture
def tests():
    return Tests(
        [f"c{n // 2}" for n in range(200)], [f"g{n // 2}" for n in range(300)], "known", ["first", "second"]
    )


_MAKERS = {"camera": 0.0, PHOTOGRAPHS: 0.0, "known": 1.5, "first": 1.5, "second": 0.0}


def test_a_detector_of_traces_has_the_same_figures_in_all_ways(tests):
    rng = np.random.default_rng(1)
    seeds = [_detector({"a": 0.0, "b": 0.0}, _MAKERS, rng) for _ in range(2)]
    found = tests.of(seeds, Case("known", "a", "a"), ("a", "b"))
    expected = 0.856  # of two normal distributions 1.5 apart
    for way in ("reported", "one pipeline", "mismatched", "exchanged"):
        assert found["known"][way]["low"] < expected < found["known"][way]["high"]
        assert found[PHOTOGRAPHS][way]["low"] < 0.5 < found[PHOTOGRAPHS][way]["high"]
        mean = (found["first"][way]["value"] + found["second"][way]["value"]) / 2
        assert found[OTHERS][way]["value"] == pytest.approx(mean, abs=1e-4)
    assert found["second"]["one pipeline"]["value"] == pytest.approx(0.5, abs=0.05)


def test_a_detector_of_pipelines_fails_the_null_test(tests):
    seeds = [_detector({"a": 0.0, "b": 3.0}, dict.fromkeys(_MAKERS, 0.0), np.random.default_rng(2))]
    found = tests.of(seeds, Case("known", "a", "b"), ("a", "b"))
    assert found["known"]["reported"]["low"] > 0.95
    assert found["known"]["exchanged"]["high"] < 0.05
    assert found[PHOTOGRAPHS]["mismatched"]["low"] > 0.95
    for maker in ("known", PHOTOGRAPHS):
        assert found[maker]["one pipeline"]["low"] < 0.5 < found[maker]["one pipeline"]["high"]


def test_reported_is_what_the_training_had(tests):
    rng = np.random.default_rng(3)
    seeds = [_detector({"a": 0.0, "b": 1.0}, _MAKERS, rng) for _ in range(3)]
    matched = tests.of(seeds, Case("known", "a", "a"), ("a", "b"))["known"]
    mismatched = tests.of(seeds, Case("known", "a", "b"), ("a", "b"))["known"]
    labels = np.repeat([False, True], [200, 300])
    alike, each = (
        [float(auroc(labels, np.concatenate([one["a"]["camera"], one[way]["known"]]))) for one in seeds]
        for way in "ab"
    )
    assert matched["reported"]["seeds"] == pytest.approx(alike, abs=1e-4)
    assert mismatched["reported"]["seeds"] == pytest.approx(each, abs=1e-4)
    assert mismatched["reported"] == mismatched["mismatched"] == matched["mismatched"]
    assert matched["reported"]["value"] == pytest.approx(np.mean(alike), abs=1e-4)


def test_factors_name_pipelines_and_share_trainings():
    cases = {case for factor in FACTORS for case in cases_of(factor, "known").values()}
    cameras = {factor.camera for factor in FACTORS}
    assert len(cases) == len(FACTORS) + len(cameras)
    assert len({factor.name for factor in FACTORS}) == len(FACTORS)


_SETTINGS = Settings(
    photographs=WHEELS,
    weights="",
    upsamplers=("transposed", "nearest"),
    generator_steps=4,
    per_photograph=6,
    side=64,
    factors=(Factor("codec", "jpeg(quality=40)", "identity"),),
    detectors=("ridge",),
    seeds=(0,),
    tile=32,
    batch=8,
    steps_per_epoch=6,
    epochs=1,
)


class _Sharpness:
    """A stub of a detector, which takes what is sharp for generated: PNG rather than coarse JPEG."""

    card = SimpleNamespace(name="sharpness@0")

    def detect(self, path):
        pixels = decode(path).pixels.astype(float)
        return SimpleNamespace(
            score=np.log(np.abs(np.diff(pixels[:, :, 1])).mean()), verdict=None, evidence=None
        )


def test_the_study_trains_every_case_and_tests_what_was_trained(tmp_path, monkeypatch):
    asked = []

    def train_all(trainings, context):
        asked.extend(trainings)
        return [tmp_path / f"{number}.onnx" for number in range(len(trainings))]

    monkeypatch.setattr(preprocessing, "train_all", train_all)
    monkeypatch.setattr(pieces, "autoencoder", lambda *_: SimpleNamespace(reconstruct=_dark))
    monkeypatch.setattr(preprocessing.Detector, "load", lambda _: _Sharpness())
    result = run_study(_SETTINGS, Context(tmp_path))
    assert result["photographs"] == {"train": 4, "val": 2, "test": 3}
    assert result["others"] == ["nearest"]
    assert [row["trained"] for row in result["rows"]] == [
        "mismatched",
        "matched",
        "no generator, mismatched",
        "no generator, matched",
    ]
    factor = _SETTINGS.factors[0]
    makers = ["transposed", "transposed", PHOTOGRAPHS, PHOTOGRAPHS]
    pipelines = [factor.generated, factor.camera] * 2
    for training, maker, pipeline in zip(asked, makers, pipelines, strict=True):
        found = {(row.generator, row.extra[PIPELINE]) for row in training.manifest}
        assert found == {("camera", factor.camera), (maker, pipeline)}
        assert {row.split for row in training.manifest} == {TRAIN, VAL}
    # This one is told by sharpness alone: one half as sharp in the dark, and JPEG is the less sharp one.
    auroc = result["rows"][0]["auroc"]
    assert auroc["transposed"]["one pipeline"]["value"] < auroc[PHOTOGRAPHS]["one pipeline"]["value"]
    assert auroc[PHOTOGRAPHS]["exchanged"]["value"] < auroc[PHOTOGRAPHS]["mismatched"]["value"]
    assert auroc["nearest"] == auroc["transposed"]
    assert figure(result).get_axes()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"test_split": "unseen"}, "kept for the last measurement"),
        ({"trained_on": "flux2-tiny"}, "wanted one of transposed, nearest"),
        ({"detectors": ("guess",)}, "known are ridge, patches"),
        ({"factors": (Factor("size", "identity", "resize(scale=0.5)"),)}, "64x64 and 32x32 pixels"),
        ({"factors": (Factor("small", "resize(scale=0.2)", "resize(scale=0.2)"),)}, "at least 32"),
        ({"factors": (Factor("codec", "identity", "gif(quality=3)"),)}, "gif"),
    ],
)
def test_bad_settings_are_refused(tmp_path, changed, message):
    with pytest.raises(UsageError, match=message):
        run_study(msgspec.structs.replace(_SETTINGS, **changed), Context(tmp_path))
