"""Source attribution: its tables by scikit-learn, its pictures, and the whole study on made sources."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, roc_auc_score

from spectrace.corpora.manifest import Manifest, Row
from spectrace.corpora.wheels import wheel_photographs
from spectrace.errors import ManifestError, UsageError
from spectrace.images.decode import decode
from spectrace.learning.progress import Silent
from spectrace.spectra.upsampling import KERNELS
from spectrace.studies import attribution
from spectrace.studies.attribution import Settings, figure, run_study
from spectrace.studies.attribution_tables import Attributed, Shown, tables
from spectrace.studies.encoding import decode_map, encode_map
from spectrace.studies.registry import Context, Experiment
from spectrace.studies.source_pictures import PHOTOGRAPH, Counts, Source, write_pictures

EXPERIMENT = Path(__file__).resolve().parents[2] / "experiments" / "attribution.toml"
CLASSES = ["camera", "a", "b"]


def write_upsampled(kernel, folder, count, seed, side=32):
    """Smooth noise, upsampled by a kernel: what a generator that has learned nothing leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.array(KERNELS[kernel])
    paths = []
    for number in range(count):
        paths.append(folder / f"{seed}-{number}.png")
        if paths[-1].is_file():
            continue
        rng = np.random.default_rng([seed, number])
        small = rng.normal(0, 25, (side // 2 + 4, side // 2 + 4, 3))
        small += np.roll(small, 1, 0) + np.roll(small, 1, 1)
        spread = np.zeros((2 * len(small), 2 * len(small), 3))
        spread[::2, ::2] = small
        for axis in (0, 1):
            spread = np.apply_along_axis(np.convolve, axis, spread, weights, mode="same")
        pixels = np.clip(np.rint(spread[4 : 4 + side, 4 : 4 + side] + 128), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(paths[-1])
    return paths


def made(name):
    return Source(name, f"made-{name}", partial(write_upsampled, name))


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2, 3], [40, 30, 50, 30])
    clusters = [f"photograph{n // 10}" if t == 0 else f"sample{n}" for n, t in enumerate(truth)]
    scores = rng.normal(size=(2, 150, 3)) + 1.2 * np.eye(4)[truth][:, :3]
    unknown = -scores.max(axis=2) + 0.5 * (truth == 3)
    one = Attributed("knn", "pixels", scores, unknown, [{"neighbours": 3}, {"neighbours": 5}])
    return one, Shown(CLASSES, ["c"], truth, clusters)


def test_tables_are_scikit_learns(pictures):
    one, known = pictures
    result = tables([one], known)
    cell = result["methods"][0]
    truth = known.truth
    matrices = [confusion_matrix(truth, seed.argmax(1), labels=range(4))[:, :3] for seed in one.scores]
    shares = np.mean(matrices, axis=0) / np.bincount(truth)[:, None]
    assert np.array(cell["confusion"]) == pytest.approx(shares, abs=1e-4)
    # Every class counts alike.
    assert cell["accuracy"]["value"] == pytest.approx(np.diag(shares[:3]).mean(), abs=1e-4)
    weights = 1.0 / np.bincount(truth)[truth]
    wanted = [roc_auc_score(truth == 3, seed, sample_weight=weights) for seed in one.unknown]
    assert cell["unknown_auroc"]["c"]["seeds"] == pytest.approx(wanted, abs=1e-4)
    for figures in (cell["accuracy"], cell["unknown_auroc"]["c"]):
        assert figures["low"] < figures["value"] < figures["high"]
        assert figures["value"] == pytest.approx(np.mean(figures["seeds"]), abs=1e-4)
    json.dumps(result, allow_nan=False)


def test_pieces_of_one_photograph_stand_or_fall_together():
    truth = np.repeat([0, 1], 200)
    right = np.repeat([1.0, -1.0, 1.0, 1.0], 50)[None, :, None] * np.array([1.0, -1.0])
    scores = np.concatenate([right, np.tile([-1.0, 1.0], (1, 200, 1))], axis=1)
    one = Attributed("knn", "pixels", scores, -scores.max(axis=2), [{}])

    def width(clusters):
        cell = tables([one], Shown(["camera", "a"], [], truth, clusters))["methods"][0]["accuracy"]
        assert cell["value"] == 0.875
        return cell["high"] - cell["low"]

    samples = [f"sample{n}" for n in range(200)]
    together = width([*(f"photograph{n // 50}" for n in range(200)), *samples])
    assert together > 3 * width([*(f"photograph{n}" for n in range(200)), *samples])


def test_maps_survive_the_results_file():
    values = np.random.default_rng(1).normal(size=(7, 5))
    again = decode_map(json.loads(json.dumps(encode_map(values))))
    assert again == pytest.approx(values, abs=np.ptp(values) / 255)
    assert decode_map(encode_map(np.full((2, 2), 3.0))).tolist() == [[3.0, 3.0], [3.0, 3.0]]


def by_split(manifest):
    return [manifest.select(split=name) for name in ("train", "val")]


def test_splits_share_no_photograph_and_no_chance(tmp_path):
    seeds_seen = {}

    def write(folder, count, seed):
        seeds_seen.setdefault(seed, []).append(count)
        return write_upsampled("nearest", folder, count, seed, side=16)

    train, test = by_split(wheel_photographs())
    known = [Source("a", "made-a", write)]

    def again():
        return write_pictures(
            train,
            test,
            known,
            [made("bilinear")],
            Context(tmp_path),
            side=16,
            counts=Counts(12, 4, 6),
            seeds=(0, 7),
        )

    manifest = again()
    counts = manifest.count("split", "generator")
    assert {name: counts[name, "camera"] for name in ("train-0", "val-0", "train-7", "val-7", "test")} == {
        "train-0": 12,
        "val-0": 4,
        "train-7": 12,
        "val-7": 4,
        "test": 6,
    }
    assert {split for split, name in counts if name == "bilinear"} == {"test"}
    # Five splits, five seeds of the generator.
    assert sorted(seeds_seen) == [0, 1, 2, 15, 16]
    cut_from = {
        split: {row.extra[PHOTOGRAPH] for row in manifest.select(split=split, label="real")}
        for split in ("train-0", "val-0", "test")
    }
    assert not cut_from["train-0"] & cut_from["val-0"]
    assert not (cut_from["train-0"] | cut_from["val-0"]) & cut_from["test"]
    pieces = [manifest.locate(row) for row in manifest.select(label="real")]
    assert {decode(path).pixels.shape for path in pieces} == {(16, 16, 3)}
    hashes = [row.sha256 for row in manifest.select(label="real")]
    assert len(set(hashes)) == len(hashes)
    before = {path: path.stat().st_mtime_ns for path in pieces}
    assert again().digest() == manifest.digest()
    assert {path: path.stat().st_mtime_ns for path in pieces} == before


def test_too_few_photographs_are_refused(tmp_path, photograph_paths):
    one = Manifest([Row(path=str(photograph_paths["coffee"]), label="real", split="train")])
    with pytest.raises(ManifestError, match="1 photographs to train and 0 to test on"):
        write_pictures(
            one,
            Manifest([]),
            [made("nearest")],
            [],
            Context(tmp_path),
            side=16,
            counts=Counts(2, 2, 2),
            seeds=(0,),
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"test_split": "unseen"}, "'unseen' is kept for the last measurement"),
        (
            {"methods": ("knn", "magic")},
            "method 'magic' is unknown: use some of knn, eigenfaces, prnu, linear, cnn",
        ),
        ({"unknown": ("sngan",)}, "wanted each once, known or unknown"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_made(tmp_path, settings, message):
    with pytest.raises(UsageError, match=message):
        run_study(Settings(**settings), Context(tmp_path))
    assert not list(tmp_path.iterdir())


def test_the_experiment_reads():
    experiment = Experiment.read(EXPERIMENT)
    assert experiment.study == "attribution"
    full, quick = (experiment.chosen(quick=quick) for quick in (False, True))
    assert len(full.generators) == 4
    assert full.seeds == (0, 1, 2)
    assert (quick.photographs, quick.sources) == ("wheels", ())


class Said(Silent):
    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


@pytest.mark.slow
def test_the_whole_study_on_made_sources(tmp_path, monkeypatch):
    monkeypatch.setattr(
        attribution, "generator_sources", lambda families, *_: [made(family) for family in families]
    )
    settings = msgspec.structs.replace(
        Experiment.read(EXPERIMENT).chosen(quick=True),
        generators=("bilinear", "nearest"),
        unknown=("binomial",),
        train=60,
        val=20,
        test=30,
        methods=("knn", "eigenfaces", "prnu", "linear"),
        epochs=2,
    )
    result = run_study(settings, Context(tmp_path, workers=0))
    assert result["classes"] == ["camera", "bilinear", "nearest"]
    cells = {(one["method"], one["representation"]): one for one in result["methods"]}
    assert len(cells) == 7
    for one in cells.values():
        assert np.array(one["confusion"]).shape == (4, 3)
        assert np.sum(one["confusion"], axis=1) == pytest.approx(1.0, abs=1e-3)
        assert len(one["chosen"]) == 1
    # Kernels tell themselves by their spectra.
    assert cells["linear", "log-dct"]["accuracy"]["value"] > 0.9
    assert cells["eigenfaces", "log-dct"]["accuracy"]["value"] > 0.9
    spectra = {name: decode_map(encoded) for name, encoded in result["maps"]["mean_log_dct"].items()}
    # Nearest and bilinear have a zero at half the sampling rate, bilinear a double one.
    assert spectra["bilinear"][-4:, -4:].mean() < spectra["nearest"][-4:, -4:].mean()
    assert list(result["maps"]["weights_log-dct"]) == result["classes"]
    json.dumps(result, allow_nan=False)
    drawn = figure(result)
    titles = {panel.get_title() for part in drawn.subfigs for panel in part.axes}
    assert {"Accuracy on 3 known sources", "PRNU, pixels", "linear (ridge), log-DCT"} <= titles
    said = Said()
    assert run_study(settings, Context(tmp_path, said, workers=0)) == result
    assert not any(line.startswith("epoch") for line in said.lines)
