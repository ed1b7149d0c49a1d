"""``spectrace fuse``: weights from labelled pictures, one file, branches that can be switched off."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from spectrace.corpora.manifest import Manifest
from spectrace.detectors.runtime import Model
from spectrace.errors import UsageError
from spectrace.learning.fusion import out_of_fold_logits


@pytest.fixture
def albums(tmp_path):
    """Two cameras and two generators, pictures of one brightness each: N(123, 10) and N(133, 10)."""
    rng = np.random.default_rng(0)
    for label, centre in (("real", 123), ("generated", 133)):
        for source in ("one", "two"):
            folder = tmp_path / label / source
            folder.mkdir(parents=True)
            for number in range(40):
                grey = np.full((16, 16, 3), round(rng.normal(centre, 10)), np.uint8)
                Image.fromarray(grey).save(folder / f"{number}.png")
    return "--real", tmp_path / "real", "--generated", tmp_path / "generated", "--condition", "identity"


def test_weights_are_fitted_and_branches_named(
    spectrace, toy_model, patch_model, family_model, albums, tmp_path
):
    output = tmp_path / "deeper" / "fused.onnx"
    models = (toy_model(), patch_model(seed=2))
    result = spectrace(
        *("fuse", *models, *albums, "--output", output, "--name", "light", "--name", "texture"),
        *("--families", family_model(), "--families-threshold", "0.7", "--id", "both", "--title", "Both"),
    )
    assert result.code == 0, result.err
    card = Model(output).card
    assert (card.name, card.title, card.kind) == ("both@1", "Both", "fusion")
    assert (card.families[0], card.families_threshold) == ("none", 0.7)
    light = card.branches[0]
    # N(123, 10) against N(133, 10): log-likelihood ratio 0.1 x (brightness - 128).
    assert light.name == "light"
    assert light.weight == pytest.approx(0.1, abs=0.04)
    assert light.mean == pytest.approx(0.0, abs=3.0)
    assert card.training["fusion"]["pictures"] == 160
    assert card.training["fusion"]["conditions"] == ["identity"]
    lines = result.out.splitlines()
    assert lines[1].split()[:2] == ["light", f"{light.weight:.4f}"]
    assert "on sources outside of the fit" in lines[3]
    shown = spectrace("models", output).out
    assert f"branch      light: {light.weight:.3f} x logit, frequency, A toy" in shown
    assert "families    none, gan-lattice, latent-decoder; named from 70% on" in shown


def test_a_branch_that_is_turned_round_is_left_out(spectrace, toy_model, albums, tmp_path):
    import onnx

    turned = toy_model(id="turned")
    model = onnx.load(turned)
    next(node for node in model.graph.node if node.op_type == "Sub").input[:] = ["centre", "mean"]
    onnx.save(model, turned)
    output = tmp_path / "fused.onnx"
    result = spectrace("fuse", toy_model(), turned, *albums, "--output", output)
    assert result.code == 0, result.err
    assert [branch.name for branch in Model(output).card.branches] == ["toy"]
    assert "left out" in result.out
    output.unlink()
    result = spectrace("fuse", turned, *albums, "--output", output)
    assert (result.code, output.exists()) == (2, False)
    assert "no branch tells generated pictures from real ones" in result.err


def test_detect_evaluate_and_calibrate_without_a_branch(spectrace, fusion_model, albums, tmp_path):
    path = fusion_model()
    picture = tmp_path / "real" / "one" / "0.png"
    rows = {
        without: json.loads(spectrace("detect", picture, "--model", path, "--json", *without).out)[0]
        for without in ((), ("--without", "patches"), ("--without", "toy"))
    }
    whole, light, texture = rows.values()
    assert set(whole["branches"]) == {"toy", "patches"}
    assert set(light["branches"]) == {"toy"}
    assert whole["score"] - light["score"] == pytest.approx(whole["branches"]["patches"], abs=2e-4)
    assert whole["score"] - texture["score"] == pytest.approx(whole["branches"]["toy"], abs=2e-4)
    assert texture["model"] == "fusion@1 without toy"
    measured = json.loads(spectrace("evaluate", path, *albums[:4], "--without", "toy", "--json").out)
    assert measured["evaluations"][0]["model"] == "fusion@1 without toy"
    for verb in ("detect", "evaluate"):
        pictures = (picture, "--model", path) if verb == "detect" else (path, *albums[:4])
        result = spectrace(verb, *pictures, "--without", "patchs")
        assert (result.code, len(result.err.splitlines())) == (2, 1)
        assert "fusion@1 has no branch 'patchs': its branches are toy, patches" in result.err
    assert spectrace("calibrate", path, *albums).code == 0
    assert Model(path).card.calibration.method == "platt"
    assert len(Model(path).card.branches) == 2


def test_out_of_fold_logits_are_those_of_the_folds_own_branches(toy_model, patch_model, albums):
    manifest = Manifest.from_folders(real=albums[1], generated=albums[3], shares={"": 1.0})
    halves = [
        Manifest([row for row in manifest if row.path.split("/")[-2] == name], manifest.root)
        for name in ("one", "two")
    ]
    folds = [((toy_model(id=str(fold)), patch_model(seed=fold)), half) for fold, half in enumerate(halves)]
    scored = out_of_fold_logits(folds, ["identity", "gamma(gamma=2.0)"])
    assert scored.logits.shape == (320, 2)
    assert len(set(scored.pictures.tolist())) == 160
    for number, fold in ((3, 0), (85, 1)):
        half = folds[fold][1]
        with Image.open(half.locate(half.rows[number - 80 * fold])) as image:
            tile = np.asarray(image).transpose(2, 0, 1)[None]
        found = scored.logits[(scored.pictures == number) & (scored.conditions == 0)][0]
        expected = [Model(path).logits(tile).mean() for path in folds[fold][0]]
        np.testing.assert_allclose(found, expected, atol=1e-3)
    with pytest.raises(UsageError, match="as many in each"):
        out_of_fold_logits([*folds, (folds[0][0][:1], halves[0])], ["identity"])


def test_refusals(spectrace, toy_model, family_model, albums, tmp_path):
    output = tmp_path / "fused.onnx"
    manifest = tmp_path / "manifest.csv"
    Manifest.from_folders(real=albums[1], generated=albums[3], shares={"unseen": 1.0}).write(manifest)
    for arguments, words in (
        ((toy_model(), toy_model(), *albums), "tell them apart with --name"),
        ((toy_model(), *albums, "--name", "a", "--name", "b"), "2 names for 1 models"),
        ((toy_model(), "nowhere", *albums), "no model 'nowhere'"),
        ((family_model(), *albums), "branches tell camera from generated"),
        ((toy_model(), "--manifest", manifest, "--split", "unseen"), "kept for the last measurement"),
        ((toy_model(), *albums[:4], "--condition", "bake()"), "bake"),
    ):
        result = spectrace("fuse", *arguments, "--output", output)
        assert (result.code, result.out) == (2, "")
        assert words in result.err
        assert not output.exists()


def test_only_onnx_is_missing(spectrace, toy_model, albums, tmp_path, monkeypatch):
    model = toy_model()
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = spectrace("fuse", model, *albums, "--output", tmp_path / "fused.onnx")
    assert (result.code, "pip install 'spectrace[train]'" in result.err) == (2, True)
