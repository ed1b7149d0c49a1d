from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from spectrace.detectors.card import METADATA_KEY, Calibration, Card
from spectrace.detectors.runtime import Model
from spectrace.learning import export
from spectrace.learning.export import card_of, export_onnx, replace_card
from spectrace.learning.loop import train
from spectrace.learning.network import DetectorNetwork
from spectrace.learning.networks import build_network
from spectrace.learning.representations import Standardiser, build_representation

CASES = [
    *((network, "log-dct", 1e-12, 1) for network in ("block-spectrum", "frank-cnn", "linear")),
    ("linear", "log-dct", 1.0, 5),
    ("linear", "log-dct", 0.1, 1),
    ("frank-cnn", "pixels", 1.0, 5),
]


def detector(
    network: str, representation: str, epsilon: float, outputs: int, tiles: np.ndarray
) -> DetectorNetwork:
    torch.manual_seed(0)
    built = build_representation(representation, tiles.shape[-1], epsilon)
    if built.needs_fit:
        fit = Standardiser(built)
        fit.update(torch.from_numpy(tiles))
        fit.finish()
    module = DetectorNetwork(built, build_network(network, outputs, tiles.shape[-1]))
    for weight in module.network.weights():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.01)
    return module.eval()


@pytest.mark.parametrize(("network", "representation", "epsilon", "outputs"), CASES)
def test_onnx_agrees_with_torch_on_real_and_flat_tiles(
    real_tiles, tmp_path, network, representation, epsilon, outputs
):
    module = detector(network, representation, epsilon, outputs, real_tiles[:-3])
    classes = ["camera", "generated"] if outputs == 1 else ["camera", "a", "b", "c", "d"]
    export_onnx(
        module, Card(id="demo", version="1", title="t", tile_size=128, classes=classes), tmp_path / "m.onnx"
    )
    with torch.inference_mode():
        expected = module(torch.from_numpy(real_tiles)).numpy()
    model = Model(tmp_path / "m.onnx")
    logits = model.logits(real_tiles)
    assert logits.dtype == np.float32
    assert logits.shape == ((len(real_tiles), 1, 1) if outputs == 1 else (len(real_tiles), outputs, 1, 1))
    assert np.isfinite(logits).all()
    assert np.abs(logits[:-3]).mean() > 0.01
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)
    for count in (1, 3, 17):
        np.testing.assert_allclose(model.logits(real_tiles[:count]), logits[:count], rtol=0, atol=1e-4)


@pytest.mark.parametrize("network", ["resnet18-layer1-slim", "xception-block2"])
def test_onnx_agrees_with_torch_on_whole_pictures_of_any_size(photographs, tmp_path, network):
    torch.manual_seed(0)
    built = build_network(network, 1, 64)
    for layer in built.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    module = DetectorNetwork(build_representation("pixels", 64, 1.0), built).eval()
    card = Card(
        id="demo",
        version="1",
        title="t",
        tile_size=64,
        stride=built.patches.stride,
        receptive_field=built.patches.size,
        patch_start=built.patches.start,
        any_size=True,
    )
    export_onnx(module, card, tmp_path / "m.onnx")
    model = Model(tmp_path / "m.onnx")
    for name, height, width in (
        ("coffee", 64, 64),
        ("china", 65, 130),
        ("chelsea", 300, 451),
        ("astronaut", 127, 512),
    ):
        pixels = photographs[name][:height, :width]
        with torch.inference_mode():
            expected = module(torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()))[0].numpy()
        found = model.patch_logits(pixels)
        assert np.abs(found).mean() > 0.01
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_file_is_one_and_keeps_its_secrets(tmp_path):
    module = detector("linear", "log-dct", 1e-12, 1, np.zeros((2, 3, 16, 16), np.uint8))
    card = Card(id="demo", version="1", title="t", tile_size=16)
    export_onnx(module, card, tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    model = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [entry.key for entry in model.metadata_props] == [METADATA_KEY]
    assert [value.name for value in model.graph.input] == ["tiles"]
    assert [value.name for value in model.graph.output] == ["logits"]
    # The exporter notes stack traces with the paths of the machine.
    assert b"site-packages" not in (tmp_path / "m.onnx").read_bytes()
    assert b".py" not in (tmp_path / "m.onnx").read_bytes()


def test_the_logs_epsilon_is_not_optimised_away(tmp_path):
    # torch's ONNX optimiser takes + 1e-12 for + 0; then a flat tile has a logarithm of 0.
    module = detector("linear", "log-dct", 1e-12, 1, np.zeros((2, 3, 16, 16), np.uint8))
    torch.nn.init.constant_(module.network.dense.weight, 1.0)
    module.representation.standardise(np.zeros((3, 16, 16)), np.ones((3, 16, 16)))
    export_onnx(module, Card(id="demo", version="1", title="t", tile_size=16), tmp_path / "m.onnx")
    logits = Model(tmp_path / "m.onnx").logits(np.zeros((1, 3, 16, 16), np.uint8))
    assert logits.item() == pytest.approx(3 * 256 * np.log(1e-12), rel=1e-5)


def test_another_card(tmp_path, real_tiles):
    module = detector("linear", "pixels", 1.0, 1, real_tiles)
    card = Card(id="demo", version="1", title="t", tile_size=128)
    path = tmp_path / "m.onnx"
    export_onnx(module, card, path)
    before = Model(path).logits(real_tiles[:4])
    calibrated = Card(
        id="demo", version="2", title="t", tile_size=128, calibration=Calibration(2.0, 1.0, "platt")
    )
    replace_card(path, calibrated)
    assert Model(path).card == calibrated
    np.testing.assert_array_equal(Model(path).logits(real_tiles[:4]), before)


def test_card_of_a_training(pictures, recipe_of, tmp_path):
    recipe = recipe_of(epochs=1)
    trained = train(recipe, pictures, tmp_path, seed=4, workers=0)
    card = card_of(recipe, trained, pictures, 4)
    assert Card.from_json(card.to_json()) == card
    assert (card.id, card.tile_size, card.receptive_field, card.stride) == ("small", 16, 16, 16)
    assert card.classes == ["camera", "generated"]
    assert card.calibration == Calibration()
    assert card.training["manifest"] == pictures.digest()
    assert card.training["seed"] == 4
    # Enough to train again, nothing of this machine.
    assert card.training["recipe"]["penalties"] == {"l1": 0.0, "l2": 0.01}
    assert "made.csv" not in card.to_json()


@pytest.mark.parametrize("network", ["block-spectrum", "frank-cnn", "linear"])
def test_a_graph_is_traced_once_for_all_weights(network, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 256, (4, 3, 64, 64)).astype(np.uint8)
    card = Card(id="a", version="1", title="a", tile_size=64)
    first, second = (detector(network, "log-dct", 1.0, 1, tiles) for _ in range(2))
    with torch.no_grad():
        for weight in second.parameters():
            weight.mul_(1.5).add_(0.01)
    export_onnx(first, card, tmp_path / "first.onnx")
    monkeypatch.setattr(export, "to_onnx", lambda *_, **__: pytest.fail("traced again"))
    export_onnx(second, card, tmp_path / "second.onnx")
    with torch.inference_mode():
        wanted = second(torch.from_numpy(tiles)).numpy()
    found = Model(tmp_path / "second.onnx").logits(tiles)
    assert np.abs(found - wanted).max() < 1e-3
    assert np.abs(Model(tmp_path / "first.onnx").logits(tiles) - wanted).max() > 1e-2
