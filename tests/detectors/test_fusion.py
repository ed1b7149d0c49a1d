"""Fusions at work: branches switched off, their shares, the family of traces, and clips."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spectrace.detectors.calibration import METHODS
from spectrace.detectors.card import Branch, Calibration, Card, Thresholds
from spectrace.detectors.clips import detect_clip
from spectrace.detectors.detector import Detector
from spectrace.detectors.fusion import branch_shares, switch_off
from spectrace.detectors.pooling import POOLINGS, pool
from spectrace.detectors.runtime import Model, Outputs
from spectrace.errors import ModelError, UsageError

PLATT = Calibration(0.5, -1.0, "platt")
ALWAYS = Thresholds(generated=-1e6, camera=-2e6)


def grey(level: int) -> np.ndarray:
    return np.full((64, 48, 3), level, np.uint8)


def test_shares_and_a_constant_add_up_to_the_score(fusion_model, photographs):
    detector = Detector.load(fusion_model(calibration=PLATT))
    for picture in photographs.values():
        found = detector.detect(picture)
        # Slope times bias, and intercept: what is left when no branch knows anything.
        assert found.score == pytest.approx(sum(found.branches.values()) + 0.5 * 0.25 - 1.0, abs=1e-3)
    assert list(found.branches) == ["toy", "patches"]
    assert detector.detect(grey(148)).branches["toy"] == pytest.approx(0.5 * 0.5 * (20 - 10))


def test_a_branch_that_is_switched_off_knows_nothing(fusion_model, photographs):
    path = fusion_model(calibration=PLATT)
    picture = photographs["chelsea"]
    whole = Detector.load(path).detect(picture)
    without = Detector.load(path, without=("patches",))
    found = without.detect(picture)
    assert found.score == pytest.approx(whole.score - whole.branches["patches"], abs=1e-4)
    assert found.branches == {"toy": pytest.approx(whole.branches["toy"], abs=1e-4)}
    assert found.model == without.card.name == "fusion@1 without patches"
    assert [branch.name for branch in without.card.branches] == ["toy"]
    # The places of the other branches' patches stay as they are, a tile's patches all lose the same.
    lost = whole.evidence.logits - found.evidence.logits
    np.testing.assert_allclose(np.ptp(lost, axis=(1, 2)), 0.0, atol=1e-4)
    assert np.ptp(found.evidence.logits, axis=(1, 2)).max() > 0.1


def test_the_patches_left_alone_are_those_of_their_own_detector(fusion_model, patch_model, photographs):
    found = Detector.load(fusion_model(), without=("toy",), tiles=4).detect(photographs["coffee"]).evidence
    tiles = np.stack(
        [photographs["coffee"][y : y + 16, x : x + 16].transpose(2, 0, 1) for y, x in found.corners]
    )
    expected = 0.25 + 2.0 * (Model(patch_model()).logits(tiles) - 1.0)
    np.testing.assert_allclose(found.logits, expected, atol=1e-3)


def test_stability_checks_are_without_the_branch_too(fusion_model):
    path = fusion_model(
        calibration=PLATT,
        thresholds=Thresholds(generated=-10.0, camera=-12.0),
        stability=["gamma(gamma=3.0)"],
    )
    found = Detector.load(path, without=("patches",)).detect(grey(128))
    assert found.reasons[0].startswith("unstable")
    # The toy alone, on the grey that gamma makes of it.
    darker = round(255 * (128 / 255) ** 3)
    rescored = dict(found.evidence.rescored)
    assert rescored["gamma(gamma=3.0)"] == pytest.approx(0.5 * (0.25 + 0.5 * (darker - 138)) - 1.0, abs=0.3)


def test_wrong_names_are_one_clear_line(fusion_model, toy_model):
    path = fusion_model()
    for wrong, words in (
        (("pathces",), "fusion@1 has no branch 'pathces': its branches are toy, patches"),
        (("toy", "patches"), "all branches of fusion@1 are switched off"),
    ):
        with pytest.raises(UsageError, match=words):
            Detector.load(path, without=wrong)
    with pytest.raises(UsageError, match="toy@1 has no branch 'patches': it is no fusion"):
        Detector.load(toy_model(), without=("patches",))


@pytest.mark.parametrize(
    ("level", "family", "sure"),
    [
        (132, "gan-lattice", 1 / (1 + np.exp(-4) + np.exp(-8))),
        (124, "latent-decoder", 1 / (1 + np.exp(-4) + np.exp(-8))),
        # All three alike: below the threshold.
        (128, None, None),
    ],
)
def test_the_family_of_traces(fusion_model, level, family, sure):
    found = Detector.load(fusion_model(thresholds=ALWAYS)).detect(grey(level))
    assert found.family == family
    assert found.family_probability == (sure and pytest.approx(sure))


def test_no_family_of_camera_pictures_and_none_is_no_family(fusion_model):
    path = fusion_model(thresholds=Thresholds(generated=2e6, camera=1e6))
    found = Detector.load(path).detect(grey(132))
    assert (found.verdict, found.family) == ("camera", None)
    card = msgspec.structs.replace(
        Model(path).card, thresholds=ALWAYS, families=["gan-lattice", "none", "latent-decoder"]
    )
    found = Detector(Model(path), card=card).detect(grey(132))
    assert (found.verdict, found.family, found.family_probability) == ("generated", None, None)


def test_rows_hold_what_was_found(fusion_model, toy_model):
    row = Detector.load(fusion_model(thresholds=ALWAYS)).detect(grey(132)).to_dict()
    assert set(row["branches"]) == {"toy", "patches"}
    assert (row["family"], row["family_probability"]) == ("gan-lattice", 0.9817)
    plain = Detector.load(toy_model()).detect(grey(132)).to_dict()
    assert (plain["branches"], plain["family"], plain["family_probability"]) == ({}, None, None)
    small = Detector.load(fusion_model()).detect(np.zeros((4, 4, 3), np.uint8)).to_dict()
    assert (small["branches"], small["family"]) == ({}, None)


@given(
    hnp.arrays(np.float32, (3, 2, 2), elements=st.floats(-8, 8, width=32)),
    hnp.arrays(np.float32, (3, 2), elements=st.floats(-8, 8, width=32)),
    st.sampled_from(sorted(POOLINGS)),
    st.sampled_from(sorted(METHODS)),
)
def test_a_share_is_what_switching_off_takes_away(logits, added, pooling, method):
    branches = [Branch(name, name, "patch", weight=1.0, mean=0.0) for name in ("a", "b")]
    card = Card(id="demo", version="1", title="", tile_size=8, pooling=pooling, branches=branches)
    calibration = METHODS[method](np.linspace(-3, 3, 40), np.arange(40) % 3 > 0, np.full(40, 1 / 40))
    outputs = Outputs(logits, added, np.zeros((3, 0), np.float32))

    def score_of(values):
        return float(calibration.apply(pool(values, pooling)))

    shares = branch_shares(outputs, card, score_of)
    for number, name in enumerate("ab"):
        left = switch_off(outputs, np.arange(2) != number)
        assert left.branches.shape == (3, 1)
        assert shares[name] == pytest.approx(score_of(logits) - score_of(left.logits), abs=1e-5)


def test_a_card_of_another_network_is_refused(fusion_model, toy_model):
    branches = [Branch("a", "A", "patch", weight=1.0, mean=0.0)]
    for path in (fusion_model(families=None), toy_model()):
        model = Model(path)
        card = msgspec.structs.replace(model.card, branches=branches, families=["none", "a"])
        model.card = card
        with pytest.raises(ModelError, match="the card has"):
            Detector(model).detect(grey(1))


def test_bad_cards():
    same = [Branch("a", "A", "patch", weight=1.0, mean=0.0)] * 2
    for fields, words in (
        ({"branches": same}, "distinct names"),
        ({"families": ["none"]}, "two or more distinct names"),
        ({"families": ["none", "none"]}, "two or more distinct names"),
    ):
        with pytest.raises(ModelError, match=words):
            Card(id="demo", version="1", title="", tile_size=8, **fields)
    text = Card(id="demo", version="1", title="", tile_size=8, branches=same[:1]).to_json()
    assert Card.from_json(text).branches == same[:1]
    with pytest.raises(ModelError, match="not a Spectrace card"):
        Card.from_json(text.replace('"weight":1.0', '"weight":-1.0'))


def test_the_clip_of_a_fusion(fusion_model, tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (48, 32))
    for level in (100, 140, 200):
        writer.write(np.full((32, 48, 3), level, np.uint8))
    writer.release()
    detector = Detector.load(fusion_model(calibration=PLATT, results={"video": {}}), without=("patches",))
    *frames, clip = detect_clip(detector, path, count=3)
    assert [len(frame.branches) for frame in frames] == [1, 1, 1]
    assert clip.branches == {"toy": sorted(frame.branches["toy"] for frame in frames)[1]}
