"""What the frames of a clip say together."""

from __future__ import annotations

import hashlib
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrace.detectors.card import Card, Thresholds
from spectrace.detectors.clips import detect_clip, judge_clip, video_reasons
from spectrace.detectors.detection import Detection
from spectrace.detectors.detector import Detector
from spectrace.images.video_reader import opencv

CUTS = Thresholds(generated=2.0, camera=-2.0)
CARD = Card(id="demo", version="1", title="", tile_size=8, thresholds=CUTS, results={"video": {}})


def rows(*scores: float, reasons: tuple[str, ...] = ()) -> list[Detection]:
    return [Detection(path=None, model="demo@1", score=score, reasons=list(reasons)) for score in scores]


@pytest.mark.parametrize(
    ("scores", "verdict", "codes"),
    [
        ((3.0, 4.0, 5.0), "generated", []),
        ((-3.0, -4.0, -5.0), "camera", []),
        ((0.0, 1.0, 5.0), "inconclusive", ["between-thresholds"]),
        # A black frame does not turn a clip round.
        ((3.0, 3.0, 3.0, 3.0, -99.0), "generated", []),
        # A quarter of the frames does.
        ((3.0, 3.0, 3.0, -3.0), "inconclusive", ["frames-disagree"]),
        ((3.0, 3.0, -3.0, -3.0), "inconclusive", ["between-thresholds", "frames-disagree"]),
        ((2.0,), "generated", []),
    ],
)
def test_verdicts(scores, verdict, codes):
    judged = judge_clip(rows(*scores), CARD)
    assert judged.verdict == verdict
    assert [reason.partition(":")[0] for reason in judged.reasons] == codes
    assert judged.score == median(scores)


def test_reasons_that_all_frames_share_hold_for_the_clip():
    small = "too-small: the shortest side is 4 px, this model needs 8 px"
    judged = judge_clip([Detection(path=None, model="demo@1", reasons=[small])] * 2, CARD)
    assert (judged.score, judged.verdict, judged.reasons) == (None, "inconclusive", [small])
    assert judge_clip([*rows(3.0, reasons=(small,)), *rows(3.0)], CARD).reasons == []


def test_a_clip_is_unstable_when_most_of_its_frames_are():
    unstable = rows(3.0, 3.1, reasons=("unstable: the score +3.00 becomes +1.00 after jpeg(quality=90)",))
    assert judge_clip([*unstable, *rows(3.0, 3.0)], CARD).verdict == "generated"
    judged = judge_clip([*unstable, *rows(3.0)], CARD)
    assert judged.reasons == ["unstable: 2 of 3 frames change their verdict after a mild re-encoding"]


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=40))
def test_a_verdict_has_half_of_the_frames_behind_it(scores):
    judged = judge_clip(rows(*scores), CARD)
    if judged.verdict == "generated":
        assert 2 * sum(score >= CUTS.generated for score in scores) >= len(scores)
    if judged.verdict == "camera":
        assert 2 * sum(score <= CUTS.camera for score in scores) >= len(scores)


def test_only_a_model_measured_on_video_gives_verdicts():
    assert video_reasons(CARD) == []
    assert video_reasons(Card(id="demo", version="1", title="", tile_size=8))[0].startswith("video: ")


@pytest.fixture
def write_clip(tmp_path):
    cv2 = pytest.importorskip("cv2")
    opencv()

    def write(levels, size=(48, 32), name="clip.mp4"):
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 25.0, size)
        for level in levels:
            writer.write(np.full((size[1], size[0], 3), level, np.uint8))
        writer.release()
        return path

    return write


def test_rows_of_a_clip(write_clip, toy_model):
    detector = Detector.load(toy_model(thresholds=CUTS, results={"video": {}}))
    path = write_clip([200] * 50)
    seen = []
    found = list(detect_clip(detector, path, count=5, visit=lambda picture, row: seen.append((picture, row))))
    assert [row.path for row in found] == [
        *(f"{path}#t={seconds}" for seconds in ("0.200", "0.600", "1.000", "1.400", "1.800")),
        str(path),
    ]
    assert [row.format for row in found] == ["MP4 frame"] * 5 + ["MP4"]
    assert {row.verdict for row in found} == {"generated"}
    assert {row.sha256 for row in found} == {hashlib.sha256(path.read_bytes()).hexdigest()}
    assert found[-1].score == median(row.score for row in found[:-1]) == pytest.approx(72, abs=4)
    assert found[-1].tiles == sum(row.tiles for row in found[:-1]) == 5 * 6
    assert found[-1].provenance is not None
    assert (found[-1].width, found[-1].height) == (48, 32)
    assert len(seen) == 5
    assert all(row.evidence is not None and picture.pixels.shape == (32, 48, 3) for picture, row in seen)


def test_frames_of_a_model_that_never_saw_video_are_inconclusive(write_clip, toy_model):
    detector = Detector.load(toy_model(thresholds=CUTS))
    found = list(detect_clip(detector, write_clip([200] * 4)))
    assert {row.verdict for row in found} == {"inconclusive"}
    assert all(row.reasons[0].startswith("video: ") for row in found)
    assert found[-1].score == pytest.approx(72, abs=4)


def test_small_frames_have_a_reason_and_no_score(write_clip, toy_model):
    detector = Detector.load(toy_model(results={"video": {}}))
    found = list(detect_clip(detector, write_clip([200] * 2, size=(48, 8))))
    assert [row.score for row in found] == [None] * 3
    assert all(row.reasons[0].startswith("too-small") for row in found)


@pytest.mark.parametrize("workers", [1, 3])
def test_order_does_not_hang_on_the_threads(write_clip, toy_model, workers):
    detector = Detector.load(toy_model(results={"video": {}}))
    found = list(detect_clip(detector, write_clip(range(10, 250, 10)), count=24, workers=workers))
    scores = [row.score for row in found[:-1]]
    assert scores == sorted(scores)
    assert len(scores) == 24


def test_a_clip_that_cannot_be_read_is_one_row(tmp_path, toy_model):
    pytest.importorskip("cv2")
    (tmp_path / "clip.mp4").write_bytes(b"nothing")
    (row,) = detect_clip(Detector.load(toy_model()), tmp_path / "clip.mp4")
    assert row.path == str(tmp_path / "clip.mp4")
    assert "is not a video" in row.error
    assert row.verdict is None


def test_stopping_early_leaves_no_thread_behind(write_clip, toy_model):
    import threading

    before = threading.active_count()
    found = detect_clip(Detector.load(toy_model()), write_clip([100] * 60), count=50)
    next(found)
    found.close()
    assert threading.active_count() == before
