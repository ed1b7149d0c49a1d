"""Detectors merged into one file: the sum, its parts, patch grids, and what cannot be merged."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest

from spectrace.detectors.card import METADATA_KEY, Calibration, OperatingLimits
from spectrace.detectors.detector import Detector
from spectrace.detectors.metadata import read_metadata
from spectrace.detectors.patches import PatchGrid
from spectrace.detectors.runtime import Model
from spectrace.errors import ModelError, UsageError
from spectrace.learning.fusion import fuse


@pytest.fixture
def tiles(photographs) -> np.ndarray:
    """uint8 [20, 3, 16, 16]: more than one batch."""
    picture = photographs["coffee"]
    return np.stack([picture[16 * n : 16 * n + 16, :16].transpose(2, 0, 1) for n in range(20)])


def test_logits_are_the_weighed_sum_and_branches_its_parts(toy_model, patch_model, tiles, tmp_path):
    models = [toy_model(), patch_model(), toy_model(id="other")]
    weights, means, bias = (0.5, 2.0, 0.0), (10.0, -1.0, 3.0), 0.25
    card = fuse(models, weights, means, bias, tmp_path / "deeper" / "fused.onnx", title="All of them")
    outputs = Model(tmp_path / "deeper" / "fused.onnx").run(tiles)
    parts = [
        weight * (Model(path).logits(tiles) - mean)
        for path, weight, mean in zip(models, weights, means, strict=True)
    ]
    assert parts[1].shape == (20, 4, 4)
    np.testing.assert_allclose(outputs.logits, bias + sum(parts), atol=1e-3)
    np.testing.assert_allclose(
        outputs.branches, np.stack([part.mean(axis=(1, 2)) for part in parts], axis=1), atol=1e-3
    )
    np.testing.assert_allclose(
        bias + outputs.branches.sum(axis=1), outputs.logits.mean(axis=(1, 2)), atol=1e-3
    )
    assert outputs.families.shape == (20, 0)
    assert [branch.name for branch in card.branches] == ["toy", "patches", "other"]
    assert card == Model(tmp_path / "deeper" / "fused.onnx").card
    # Patches keep their places; the fusion takes whole tiles.
    assert (card.patches, card.any_size) == (PatchGrid(7, 4, -3), False)
    assert (card.kind, card.title) == ("fusion", "All of them")


def test_of_two_grids_the_finer_keeps_its_places(patch_model, tiles, tmp_path):
    fine, coarse = patch_model(id="fine", last_stride=1), patch_model(id="coarse", seed=1)
    card = fuse([coarse, fine], [1.0, 1.0], [0.0, 0.0], 0.0, tmp_path / "fused.onnx")
    expected = Model(fine).logits(tiles) + Model(coarse).logits(tiles).mean(axis=(1, 2), keepdims=True)
    assert expected.shape == (20, 8, 8)
    np.testing.assert_allclose(Model(tmp_path / "fused.onnx").logits(tiles), expected, atol=1e-3)
    assert card.patches == PatchGrid(7, 2, -3)


def test_small_convolutional_branches_see_the_larger_tiles(toy_model, patch_model, photographs, tmp_path):
    models = [toy_model(tile_size=32), patch_model()]
    card = fuse(models, [1.0, 1.0], [0.0, 0.0], 0.0, tmp_path / "fused.onnx")
    assert (card.tile_size, card.limits.min_side) == (32, 32)
    picture = photographs["chelsea"][:64, :96]
    outputs = Detector.load(tmp_path / "fused.onnx").detect(picture).evidence
    assert (outputs.extent, outputs.logits.shape) == ((32, 32), (6, 8, 8))


def test_families_are_the_mean_over_patches(fusion_model, tiles):
    model = Model(fusion_model(families_threshold=0.8))
    assert model.card.families == ["none", "gan-lattice", "latent-decoder"]
    assert model.card.families_threshold == 0.8
    bright = tiles.mean(axis=(1, 2, 3)) - 128.0
    np.testing.assert_allclose(
        model.run(tiles).families, np.stack([0 * bright, bright, -bright], 1), atol=1e-3
    )


def test_what_the_cards_of_the_branches_say(toy_model, patch_model, tmp_path):
    models = [
        toy_model(
            calibration=Calibration(3.0, 1.0, "platt"),
            stability=["jpeg(quality=90)"],
            limits=OperatingLimits(64, 40),
            training={"digest": "abc"},
        ),
        patch_model(
            stability=["jpeg(quality=90)", "webp(quality=90)"], limits=OperatingLimits(16, 70), tiles=9
        ),
    ]
    card = fuse(
        models, [1.0, 1.0], [0.0, 0.0], 0.0, tmp_path / "fused.onnx", training={"fit": {"split": "val"}}
    )
    assert card.calibration == Calibration()
    assert card.limits == OperatingLimits(64, 70)
    assert card.stability == ["jpeg(quality=90)", "webp(quality=90)"]
    assert card.tiles == 64
    assert card.licence == "Apache-2.0"
    assert card.training["branches"]["toy"]["training"] == {"digest": "abc"}
    assert len(card.training["branches"]["patches"]["sha256"]) == 64
    assert card.training["fit"] == {"split": "val"}


def test_a_fusion_can_be_a_branch(fusion_model, toy_model, tiles, tmp_path):
    inner = fusion_model()
    fuse([inner, toy_model(id="more")], [2.0, 1.0], [0.0, 0.0], 0.0, tmp_path / "outer.onnx")
    outputs = Model(tmp_path / "outer.onnx").run(tiles)
    np.testing.assert_allclose(outputs.branches[:, 0], 2 * Model(inner).logits(tiles).mean((1, 2)), atol=1e-3)


def test_the_file_is_valid_onnx_with_one_card(fusion_model):
    path = fusion_model()
    onnx.checker.check_model(onnx.load(path), full_check=True)
    assert list(read_metadata(path.read_bytes())) == [METADATA_KEY]
    assert not list(path.parent.glob("*.part"))


def test_branches_of_older_and_newer_operators(toy_model, tiles, tmp_path):
    old, new = toy_model(id="old"), toy_model(id="new")
    model = onnx.version_converter.convert_version(onnx.load(new), 20)
    onnx.save(model, new)
    fuse([old, new], [1.0, 1.0], [0.0, 0.0], 0.0, tmp_path / "fused.onnx")
    np.testing.assert_allclose(
        Model(tmp_path / "fused.onnx").logits(tiles), 2 * Model(old).logits(tiles), atol=1e-3
    )


def test_what_cannot_be_merged(toy_model, patch_model, family_model, tmp_path):
    output = tmp_path / "fused.onnx"
    for models, weights, error, words in (
        ([], [], UsageError, "at least one model"),
        ([toy_model()], [1.0, 2.0], UsageError, "wanted one of each"),
        ([toy_model()], [-1.0], UsageError, "none below 0"),
        ([toy_model()], [float("nan")], UsageError, "finite"),
        ([toy_model(), toy_model()], [1.0, 1.0], ModelError, "distinct names"),
        ([toy_model(), toy_model(id="b", tile_size=32)], [1.0, 1.0], ModelError, "toy@1 16, b@1 32"),
        ([toy_model(), patch_model(tile_size=32)], [1.0, 1.0], ModelError, "one size for all"),
        ([family_model()], [1.0], ModelError, "families@1 tells camera, gan-lattice, latent-decoder apart"),
    ):
        with pytest.raises(error, match=words):
            fuse(models, weights, [0.0] * len(weights), 0.0, output)
    with pytest.raises(ModelError, match="families want an attribution model"):
        fuse([toy_model()], [1.0], [0.0], 0.0, output, families=patch_model())
    assert not output.exists()


def test_no_torch_is_needed():
    code = "import sys, spectrace.learning.fusion; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
