"""Fully convolutional detectors: one pass over a whole picture, in blocks, on tiles: the same patches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrace.detectors import runtime
from spectrace.detectors.card import Calibration, Thresholds
from spectrace.detectors.detector import Detector
from spectrace.detectors.patches import PatchGrid, blocks
from spectrace.detectors.runtime import Model
from spectrace.errors import UsageError
from spectrace.explain.heatmap import score_map


@st.composite
def padded(draw):
    """Networks pad by half of what a patch sees at most."""
    size = draw(st.integers(1, 60))
    return PatchGrid(
        size=size, stride=draw(st.sampled_from([1, 2, 4, 8])), start=-draw(st.integers(0, (size - 1) // 2))
    )


@given(padded(), st.integers(1, 500), st.integers(1, 100))
def test_blocks_keep_every_patch_once_and_all_that_it_sees(grid, length, side):
    # A network of this geometry has so many outputs on an axis, whatever happens beyond the end.
    def outputs(pixels):
        return max(0, (pixels - 1) // grid.stride + 1)

    kept = []
    for block in blocks(grid, length, side):
        first = block.pixels.start
        assert first % grid.stride == 0
        assert 0 <= first < block.pixels.stop <= length
        inside = range(outputs(block.pixels.stop - first))[block.outputs]
        for local in inside:
            begin = grid.start + local * grid.stride
            # Cut off only where the picture itself ends.
            assert begin >= 0 or first == 0
            assert begin + grid.size <= block.pixels.stop - first or block.pixels.stop == length
            kept.append(first // grid.stride + local)
    assert kept == list(range(outputs(length)))


@pytest.mark.parametrize("size", [(16, 16), (17, 40), (64, 64), (123, 211), (300, 31)])
@pytest.mark.parametrize("block", [16, 50, 512])
def test_blocks_give_the_answer_of_a_single_pass(patch_model, monkeypatch, size, block):
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    model = Model(patch_model())
    single = model.logits(pixels.transpose(2, 0, 1)[None])[0]
    monkeypatch.setattr(runtime, "_BLOCK", block)
    np.testing.assert_allclose(model.patch_logits(pixels), single, atol=1e-4)


def test_tiles_and_the_whole_picture_agree_on_patches_inside_a_tile(patch_model, photographs):
    pixels = photographs["coffee"][:120, :200]
    path = patch_model()
    whole = Detector.load(path, dense=True).detect(pixels).evidence
    tiles = Detector.load(path, tiles=3).detect(pixels).evidence
    assert whole.extent == pixels.shape[:2]
    assert whole.logits.shape == (1, 30, 50)
    assert tiles.extent == (16, 16)
    assert tiles.logits.shape == (3, 4, 4)
    compared = 0
    for (top, left), logits in zip(tiles.corners, tiles.logits, strict=True):
        for (row, column), logit in np.ndenumerate(logits):
            first = tiles.patches.start + np.array([row, column]) * tiles.patches.stride
            if first.min() >= 0 and first.max() + tiles.patches.size <= 16:
                np.testing.assert_allclose(
                    logit, whole.logits[0, top // 4 + row, left // 4 + column], atol=1e-4
                )
                compared += 1
    assert compared == 3 * 3 * 3


def test_pictures_within_the_bound_are_seen_whole(patch_model, photographs):
    detector = Detector.load(patch_model(tiles=8))
    inside = detector.detect(photographs["coffee"][:32, :64])
    assert (inside.tiles, inside.evidence.extent) == (1, (32, 64))
    beyond = detector.detect(photographs["coffee"][:32, :72])
    assert (beyond.tiles, beyond.evidence.extent) == (8, (16, 16))


def test_every_pixel_of_a_dense_heatmap_has_the_score_of_its_patch(patch_model, photographs):
    pixels = photographs["chelsea"][:50, :70]
    evidence = Detector.load(patch_model(), dense=True).detect(pixels).evidence
    shown = score_map(evidence, 50, 70)
    assert not np.isnan(shown).any()
    # Patch i is centred on pixel 4 i.
    assert shown[0, 0] == evidence.scores[0, 0, 0]
    assert shown[20, 33] == evidence.scores[0, 5, 8]
    assert len(np.unique(shown)) == evidence.scores.size


def test_heatmap_and_verdict_agree(patch_model, photographs):
    calibration = Calibration(slope=0.7, intercept=-0.4, method="platt")
    detector = Detector.load(patch_model(calibration=calibration), dense=True)
    for pixels in photographs.values():
        detection = detector.detect(pixels[:200, :240])
        # The score is the mean of what the heatmap shows, patch by patch.
        assert detection.evidence.scores.mean() == pytest.approx(detection.score, abs=1e-4)
        assert (detection.score >= 0) == (detection.verdict == "generated")


def test_whole_pictures_are_checked_for_stability(patch_model, photographs):
    path = patch_model(stability=["noise(std=40)"], thresholds=Thresholds(generated=-1e9, camera=-2e9))
    assert Detector.load(path).detect(photographs["coffee"]).verdict == "generated"
    shaky = patch_model(stability=["gamma(gamma=9)"], thresholds=Thresholds(generated=0.5, camera=-0.5))
    detection = Detector.load(shaky).detect(np.full((64, 64, 3), 128, np.uint8))
    assert detection.reasons[0].startswith("unstable")


def test_smaller_than_a_tile_has_no_score(patch_model):
    detection = Detector.load(patch_model(), dense=True).detect(np.zeros((15, 80, 3), np.uint8))
    assert (detection.score, detection.verdict) == (None, "inconclusive")


@pytest.mark.parametrize(
    "pixels", [np.zeros((8, 8, 3), np.uint8), np.zeros((20, 20), np.uint8), np.zeros((20, 20, 3))]
)
def test_what_is_no_picture_is_refused(patch_model, pixels):
    with pytest.raises(UsageError, match="wanted uint8"):
        Model(patch_model()).patch_logits(pixels)


def test_tile_models_take_no_whole_pictures(toy_model):
    with pytest.raises(UsageError, match="takes tiles of 16 pixels"):
        Model(toy_model()).patch_logits(np.zeros((20, 20, 3), np.uint8))
