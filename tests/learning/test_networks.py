from __future__ import annotations

import pytest
import torch

from spectrace.errors import RecipeError
from spectrace.learning.networks import Network, build_network, network_ids, register_network


def parameters(network: Network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("outputs", "count"), [(5, 169_961), (1, 38_885)])
def test_small_cnn_has_the_published_parameter_counts(outputs, count):
    assert parameters(build_network("frank-cnn", outputs, 128)) == count


def test_linear_is_one_dense_layer():
    assert parameters(build_network("linear", 5, 128)) == 5 * (3 * 128 * 128 + 1)


@pytest.mark.parametrize("identity", network_ids())
@pytest.mark.parametrize("outputs", [1, 4])
def test_every_registered_network_keeps_the_contract(identity, outputs):
    network = build_network(identity, outputs, 128).eval()
    inputs = torch.randn(3, 3, 128, 128)
    logits = network(inputs)
    assert logits.dtype == torch.float32
    assert logits.shape[:2] == (3, outputs)
    assert 1 <= network.patches.stride <= network.patches.size
    # One tile's answer does not depend on its neighbours in the batch.
    torch.testing.assert_close(network(inputs[1:2]), logits[1:2], rtol=1e-4, atol=1e-5)
    assert all(weight.ndim > 1 for weight in network.weights())


@pytest.mark.parametrize("identity", network_ids())
def test_every_parameter_learns(identity):
    torch.manual_seed(0)
    network = build_network(identity, 1, 128)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-3)
    for _ in range(2):
        optimiser.zero_grad()
        network(torch.randn(4, 3, 128, 128)).square().mean().add(
            network(torch.randn(2, 3, 128, 128)).sum()
        ).backward()
        optimiser.step()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert any(bool((parameter.grad != 0).any()) for parameter in network.parameters())


def test_unknown_network_lists_the_known():
    with pytest.raises(RecipeError, match=r"'resnet'.*frank-cnn, linear"):
        build_network("resnet", 1, 128)


def test_tile_that_cannot_be_halved_twice():
    with pytest.raises(RecipeError, match="multiple of 4"):
        build_network("frank-cnn", 1, 126)


def test_an_id_is_taken_once():
    with pytest.raises(ValueError, match="'frank-cnn'"):
        register_network("frank-cnn")(lambda outputs, tile: Network())
