"""The detector on real pictures, with a toy model whose answer can be computed by hand."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from spectrace.detectors.card import Calibration, Thresholds
from spectrace.detectors.detector import Detector
from spectrace.detectors.runtime import Model
from spectrace.errors import ImageError, ModelError, UsageError

GREY = np.full((64, 64, 3), 138, np.uint8)
CUTS = Thresholds(generated=4.0, camera=-4.0)


def test_the_score_is_the_calibrated_mean_logit(toy_model):
    detector = Detector.load(toy_model(calibration=Calibration(0.5, -1.0, "platt"), thresholds=CUTS))
    detection = detector.detect(GREY)
    assert detection.score == pytest.approx(0.5 * 10 - 1.0)  # mean 138 is 10 above the toy's centre
    assert detection.verdict == "generated"
    assert detection.tiles == 16
    assert detection.probability == pytest.approx(1 / (1 + np.exp(-4.0)))


def test_every_way_to_give_a_picture_agrees(toy_model, tmp_path, photographs):
    detector = Detector.load(toy_model())
    image = Image.fromarray(photographs["chelsea"])
    path = tmp_path / "cat.png"
    image.save(path)
    scores = [
        detector.detect(source).score
        for source in (
            path,
            str(path),
            path.read_bytes(),
            io.BytesIO(path.read_bytes()),
            image,
            np.asarray(image),
        )
    ]
    assert len(set(scores)) == 1


def test_evidence_names_the_tiles(toy_model, photographs):
    picture = photographs["coffee"]
    evidence = Detector.load(toy_model(), tiles=5).detect(picture).evidence
    assert evidence is not None
    assert 1 <= len(evidence.corners) <= 5
    for (top, left), logit in zip(evidence.corners, evidence.logits, strict=True):
        tile = picture[top : top + 16, left : left + 16]
        assert logit.item() == pytest.approx(tile.mean() - 128.0, abs=1e-3)


def test_dense_scores_the_whole_picture(toy_model, photographs):
    picture = photographs["astronaut"]  # 512 x 512: 32 x 32 tiles of 16
    detection = Detector.load(toy_model(), dense=True).detect(picture)
    assert detection.tiles == 1024
    assert detection.score == pytest.approx(picture.mean() - 128.0, abs=1e-2)


def test_smaller_than_a_tile_is_inconclusive_without_a_score(toy_model):
    detection = Detector.load(toy_model()).detect(np.zeros((1, 1, 3), np.uint8))
    assert (detection.score, detection.verdict, detection.tiles) == (None, "inconclusive", 0)
    assert detection.reasons == ["too-small: the shortest side is 1 px, this model needs 16 px"]


def test_an_unstable_verdict_is_withdrawn(toy_model):
    # Gamma darkens the grey from 10 above the centre to far below it.
    path = toy_model(thresholds=CUTS, stability=["gamma(gamma=2.0)"])
    detection = Detector.load(path).detect(GREY)
    assert detection.verdict == "inconclusive"
    assert detection.reasons[0].startswith("unstable: the score +10.00 becomes -")


def test_stability_checks_keep_the_size(toy_model):
    detector = Detector.load(toy_model(thresholds=CUTS, stability=["resize(scale=0.5, kernel=bilinear)"]))
    with pytest.raises(ModelError, match="changes the picture's size"):
        detector.detect(GREY)


def test_stability_of_more_tiles_than_an_encoder_takes_at_once(toy_model, photographs):
    wide = np.tile(photographs["astronaut"], (1, 3, 1))  # 3,072 tiles of 16: 49,152 rows of pixels
    path = toy_model(thresholds=Thresholds(generated=-50.0, camera=-60.0), stability=["webp(quality=90)"])
    detection = Detector.load(path, dense=True).detect(wide)
    assert (detection.verdict, detection.tiles) == ("generated", 3072)


def test_many_in_order_with_broken_ones_as_rows(toy_model, tmp_path):
    paths = []
    for number in range(20):
        path = tmp_path / f"{number:02}.png"
        if number % 5 == 2:
            path.write_bytes(b"this is no picture")
        else:
            Image.fromarray(GREY).save(path)
        paths.append(path)
    rows = list(Detector.load(toy_model()).detect_many([*paths, tmp_path / "missing.png"], workers=3))
    assert [row.path for row in rows] == [str(path) for path in [*paths, tmp_path / "missing.png"]]
    broken = [number for number, row in enumerate(rows) if row.error]
    assert broken == [2, 7, 12, 17, 20]
    assert all(row.verdict is None and row.score is None for row in rows if row.error)


def test_many_takes_sources_lazily(toy_model):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield GREY

    rows = Detector.load(toy_model()).detect_many(endless(), workers=2)
    for _ in range(3):
        next(rows)
    rows.close()
    assert taken < 20


def test_visit_sees_every_readable_picture(toy_model, tmp_path):
    seen = []
    lock = threading.Lock()

    def visit(picture, detection):
        with lock:
            seen.append((picture.pixels.shape, detection.verdict))

    list(Detector.load(toy_model()).detect_many([GREY, b"junk", GREY], visit=visit))
    assert [shape for shape, _ in seen] == [(64, 64, 3)] * 2


def test_one_broken_picture_raises(toy_model):
    with pytest.raises(ImageError):
        Detector.load(toy_model()).detect(b"")


def test_models_that_do_not_fit(toy_model, tmp_path):
    with pytest.raises(ModelError, match="tells camera, a, b apart"):
        Detector.load(toy_model(classes=["camera", "a", "b"]))
    with pytest.raises(UsageError, match="0 tiles"):
        Detector.load(toy_model(), tiles=0)
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"junk")
    with pytest.raises(ModelError, match="cannot be loaded as an ONNX model"):
        Detector.load(junk)
    with pytest.raises(ModelError, match="no model 'nowhere'"):
        Detector.load("nowhere")


def test_onnx_without_a_card_is_refused(toy_model, tmp_path):
    import onnx

    path = toy_model()
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match="holds no Spectrace card"):
        Detector.load(path)


def test_tiles_of_the_wrong_kind_are_refused(toy_model):
    model = Model(toy_model())
    assert model.logits(np.zeros((0, 3, 16, 16), np.uint8)).shape == (0, 1, 1)
    for wrong in (
        np.zeros((1, 3, 8, 8), np.uint8),
        np.zeros((1, 3, 16, 16), np.float32),
        np.zeros((3, 16, 16), np.uint8),
    ):
        with pytest.raises(UsageError, match=r"wanted uint8 \[N, 3, 16, 16\]"):
            model.logits(wrong)


def test_batches_do_not_change_the_answer(toy_model):
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 256, (50, 3, 16, 16), dtype=np.uint8)
    logits = Model(toy_model()).logits(tiles)
    np.testing.assert_allclose(logits[:, 0, 0], tiles.mean(axis=(1, 2, 3)) - 128.0, atol=1e-3)
