from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spectrace.detectors.card import Card
from spectrace.detectors.patches import PatchGrid
from spectrace.detectors.runtime import Model
from spectrace.errors import RecipeError
from spectrace.learning.export import export_onnx
from spectrace.learning.network import DetectorNetwork
from spectrace.learning.networks import Network, build_network, network_ids, register_network
from spectrace.learning.networks.npr import NeighbourResidual
from spectrace.learning.networks.registry import network_summary
from spectrace.learning.networks.safe import DiagonalBand
from spectrace.learning.networks.table import network_table
from spectrace.learning.representations import Pixels

ROOT = Path(__file__).resolve().parents[2]


def outline(identity: str, outputs: int, tile: int) -> Network:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return build_network(identity, outputs, tile)


def parameters(network: Network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def small_tile(identity: str) -> int:
    """The smallest usual tile that the network takes."""
    for tile in (16, 32, 64):
        try:
            outline(identity, 1, tile)
        except RecipeError:
            continue
        return tile
    return 128


def as_trained(network: Network, tile: int) -> Network:
    """Batch normalisations as after a training: scales, shifts and statistics that are not 0 and 1."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.2)
            layer.momentum = 0.5
    with torch.no_grad():
        for _ in range(4):
            network.train()(torch.rand(4, 3, tile, tile) * 2 - 1)
    for weight in network.weights():
        if not weight.any():
            nn.init.normal_(weight, std=0.01)
    return network.eval()


@pytest.mark.parametrize(("outputs", "count"), [(5, 169_961), (1, 38_885)])
def test_small_cnn_has_the_published_parameter_counts(outputs, count):
    assert parameters(build_network("frank-cnn", outputs, 128)) == count


def test_linear_is_one_dense_layer():
    assert parameters(build_network("linear", 5, 128)) == 5 * (3 * 128 * 128 + 1)


@pytest.mark.parametrize(
    ("identity", "size", "stride", "count"),
    [
        # Chai et al. 2020, with their two outputs.
        ("xception-block1", 19, 4, 55_010),
        ("xception-block2", 43, 8, 191_330),
        ("xception-block3", 91, 16, 1_108_218),
        ("xception-block4", 187, 16, 2_722_194),
        ("xception-block5", 283, 16, 4_336_170),
        ("resnet18-layer1", 43, 4, 157_634),
        # By hand: each further block of three convolutions adds 3 * 2 * 16 pixels, block 12 2 * 2 * 16 + 2 * 16.
        ("xception-block11", 283 + 6 * 96, 16, 4_336_170 + 6 * 1_613_976),
        ("xception-block12", 283 + 7 * 96, 32, 16_060_202),
        ("resnet18-layer4", 435, 32, 11_177_538),
        # Ours.
        ("xception-block1-deep", 19, 4, 4_290_282),
        ("xception-block1-wide", 19, 4, 4_297_950),
        ("xception-block2-deep", 43, 8, 4_293_354),
        ("resnet18-layer1-slim", 43, 4, 41_954),
    ],
)
def test_truncated_networks_have_the_published_patches_and_parameters(identity, size, stride, count):
    network = outline(identity, 2, 128)
    assert network.any_size
    assert (network.patches.size, network.patches.stride) == (size, stride)
    assert parameters(network) == count


@pytest.mark.parametrize(
    ("identity", "outputs", "tile", "count"),
    [
        ("xception", 2, 128, 20_811_050),
        ("resnet18", 2, 128, 11_177_538),
        ("mesoinception4", 1, 256, 28_615),
        ("cnndetection", 1, 128, 23_510_081),
        ("npr", 1, 128, 1_437_761),
        ("safe", 1, 128, 1_437_761),
    ],
)
def test_full_networks_have_the_published_parameters(identity, outputs, tile, count):
    network = outline(identity, outputs, tile)
    assert not network.any_size
    assert network.patches == PatchGrid(size=tile, stride=tile)
    assert parameters(network) == count


def test_mesoinception_counts_without_moving_averages():
    network = build_network("mesoinception4", 1, 256)
    averages = [values for name, values in network.named_buffers() if "running" in name]
    assert sum(values.numel() for values in averages) == 110


@pytest.mark.parametrize("blocks", [1, 2])
def test_depth_controls_see_the_patches_of_the_cut_they_deepen(blocks):
    cut, deep = (outline(f"xception-block{blocks}{end}", 1, 128) for end in ("", "-deep"))
    assert deep.patches == cut.patches
    layers = [sum(isinstance(layer, nn.Conv2d) for layer in network.modules()) for network in (cut, deep)]
    assert layers[1] > 2 * layers[0]
    assert not any(isinstance(layer, nn.MaxPool2d) for layer in list(deep.features)[6 + blocks].modules())


@pytest.mark.parametrize("identity", network_ids())
@pytest.mark.parametrize("outputs", [1, 4])
def test_every_registered_network_keeps_the_contract(identity, outputs):
    tile = small_tile(identity)
    network = build_network(identity, outputs, tile).eval()
    inputs = torch.randn(3, 3, tile, tile)
    with torch.inference_mode():
        logits = network(inputs)
        # One tile's answer does not depend on its neighbours in the batch.
        torch.testing.assert_close(network(inputs[1:2]), logits[1:2], rtol=1e-4, atol=1e-5)
    assert logits.dtype == torch.float32
    assert logits.shape[:2] == (3, outputs)
    assert 1 <= network.patches.stride <= network.patches.size
    assert all(weight.ndim > 1 for weight in network.weights())
    if not network.any_size:
        places = (tile - network.patches.size) // network.patches.stride + 1
        assert logits.shape[2:] == (places, places)
        assert network.patches.start == 0


@pytest.mark.parametrize("identity", network_ids())
def test_every_parameter_learns(identity):
    torch.manual_seed(0)
    tile = small_tile(identity)
    network = build_network(identity, 1, tile)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(2):
        optimiser.zero_grad()
        logits = network(torch.randn(8, 3, tile, tile))
        (logits.square().mean() + logits.sum()).backward()
        optimiser.step()
    still = [name for name, parameter in network.named_parameters() if torch.equal(parameter, before[name])]
    assert not still


@pytest.mark.parametrize(
    "identity",
    # Every operation that any network uses; a cut further down repeats the same blocks.
    [
        "mesoinception4",
        "npr",
        "resnet18",
        "resnet18-layer1-slim",
        "safe",
        "xception-block1",
        "xception-block2-deep",
    ],
)
def test_onnx_agrees_with_torch(identity, tmp_path):
    torch.manual_seed(0)
    module = DetectorNetwork(Pixels(), as_trained(build_network(identity, 1, 64), 64)).eval()
    export_onnx(module, Card(id="demo", version="1", title="t", tile_size=64), tmp_path / "m.onnx")
    tiles = np.random.default_rng(0).integers(0, 256, (5, 3, 64, 64), np.uint8)
    with torch.inference_mode():
        expected = module(torch.from_numpy(tiles)).numpy()
    assert expected.std() > 1e-3
    model = Model(tmp_path / "m.onnx")
    for count in (5, 1):
        np.testing.assert_allclose(model.logits(tiles[:count]), expected[:count], rtol=0, atol=1e-4)


def test_fresh_weights_keep_the_scale_of_the_signal():
    torch.manual_seed(0)
    for identity in ("xception-block5", "resnet18-layer4", "resnet18-layer1-slim"):
        logits = build_network(identity, 1, 64).train()(torch.rand(4, 3, 64, 64) * 2 - 1)
        assert 1e-2 < float(logits.detach().std()) < 10.0, identity


def test_neighbour_residual_is_the_difference_to_the_square():
    inputs = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    expected = inputs - inputs[:, :, ::2, ::2].repeat(2, 2).repeat(2, 3)
    np.testing.assert_array_equal(NeighbourResidual()(torch.from_numpy(inputs)).numpy(), expected)
    # Nothing is left of a picture that was upsampled by repetition, on the grid.
    assert not NeighbourResidual()(torch.from_numpy(inputs.repeat(2, 2).repeat(2, 3))).any()


def test_diagonal_band_is_haars():
    inputs = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    high = np.zeros((4, 8))
    high[np.arange(4), np.arange(0, 8, 2)] = 1 / np.sqrt(2)
    high[np.arange(4), np.arange(1, 8, 2)] = -1 / np.sqrt(2)
    band = high @ inputs @ high.T
    found = DiagonalBand()(torch.from_numpy(inputs)).numpy()
    assert found.shape == inputs.shape
    # Twofold bilinear interpolation: 3/4 of the nearest coefficient and 1/4 of the next, the border repeated.
    weights = np.zeros((8, 4))
    for place in range(8):
        near, far = place // 2, place // 2 + (1 if place % 2 else -1)
        weights[place, near] += 0.75
        weights[place, np.clip(far, 0, 3)] += 0.25
    np.testing.assert_allclose(found, weights @ band @ weights.T, atol=1e-5)
    slope = torch.arange(16.0).reshape(1, 1, 1, 16).expand(1, 1, 16, 16)
    assert not DiagonalBand()(slope).any()


def test_unknown_network_lists_the_known():
    with pytest.raises(RecipeError, match=r"'resnet'.*frank-cnn, linear"):
        build_network("resnet", 1, 128)


@pytest.mark.parametrize(
    ("identity", "tile", "message"),
    [
        ("frank-cnn", 126, "multiple of 4: take 124"),
        ("mesoinception4", 100, "multiple of 32: take 96"),
        ("npr", 127, "multiple of 2: take 126"),
        ("safe", 1, "multiple of 2: take 2"),
        ("xception-block1", 6, "needs 7 pixels or more"),
        ("xception", 5, "needs 7 pixels or more"),
    ],
)
def test_tiles_that_a_network_cannot_take(identity, tile, message):
    with pytest.raises(RecipeError, match=f"tile is {tile}, {identity} needs .*"):
        build_network(identity, 1, tile)
    with pytest.raises(RecipeError, match=message):
        build_network(identity, 1, tile)


@pytest.mark.parametrize("identity", ["xception-block1", "xception-block3", "xception"])
def test_the_smallest_tile_gives_an_answer(identity):
    assert build_network(identity, 1, 7).eval()(torch.zeros(1, 3, 7, 7)).shape == (1, 1, 1, 1)


def test_an_id_is_taken_once():
    with pytest.raises(ValueError, match="'frank-cnn'"):
        register_network("frank-cnn")(lambda outputs, tile: Network())


def test_every_network_says_what_it_is():
    assert all(network_summary(identity) for identity in network_ids())


def test_the_document_holds_the_table():
    text = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- networks -->\n\n(.*?)\n\n<!-- end -->", text, re.DOTALL)
    assert table == network_table(), "put the text of spectrace.learning.networks.table.network_table() there"
