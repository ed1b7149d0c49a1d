from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spectrace.detectors.patches import PatchGrid
from spectrace.learning.networks import build_network, network_ids
from spectrace.learning.networks.blocks import Inception, Residual
from spectrace.learning.receptive_field import Reach, receptive_field

with torch.device("meta"):
    PATCH_NETWORKS = [name for name in network_ids() if build_network(name, 1, 128).any_size]
SMALL = ["xception-block1", "xception-block2", "resnet18-layer1", "resnet18-layer1-slim"]


def skeleton(identity: str, channels: int) -> nn.Module:
    """The network's own layers and paths, every one of them ``channels`` wide."""
    with torch.device("meta"):
        network = build_network(identity, 1, 128)
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.Conv2d):
            thin = nn.Conv2d(
                channels,
                channels,
                layer.kernel_size,
                layer.stride,
                layer.padding,
                groups=channels if layer.groups > 1 else 1,
                bias=layer.bias is not None,
            )
        elif isinstance(layer, nn.BatchNorm2d):
            thin = nn.BatchNorm2d(channels)
        else:
            continue
        network.set_submodule(name, thin)
    return network.eval()


def transparent(network: nn.Module) -> nn.Module:
    """Everything positive and linear, so that no pixel hides behind a ReLU, a maximum or a cancellation."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1.0 / layer.weight[0].numel())
        elif isinstance(layer, nn.BatchNorm2d | nn.ReLU):
            network.set_submodule(name, nn.Identity())
        elif isinstance(layer, nn.MaxPool2d):
            network.set_submodule(name, nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding))
    return network.double()


def seen(network: nn.Module, inputs: torch.Tensor, row: int, column: int) -> torch.Tensor:
    """Which pixels have a gradient: bool [H, W]."""
    (gradient,) = torch.autograd.grad(network(inputs)[:, :, row, column].sum(), inputs)
    return (gradient != 0).any(0).any(0)


def inside(rectangle: tuple[int, int, int, int], height: int, width: int) -> torch.Tensor:
    top, left, bottom, right = rectangle
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def check_patches(network: nn.Module, height: int, width: int) -> None:
    """Corners, borders and the middle."""
    inputs = torch.ones(1, 1, height, width, dtype=torch.float64, requires_grad=True)
    rows, columns = network(inputs).shape[2:]
    reach = receptive_field(network.features)
    assert (rows, columns) == (reach.count(height), reach.count(width))
    for row in {0, 1, rows // 2, rows - 1}:
        for column in {0, columns // 2, columns - 1}:
            rectangle = network.patches.rectangle(row, column, height, width)
            expected = inside(rectangle, height, width)
            assert torch.equal(seen(network, inputs, row, column), expected), (row, column)


@pytest.mark.parametrize("identity", PATCH_NETWORKS)
def test_a_patch_is_exactly_the_pixels_with_a_gradient(identity):
    network = transparent(skeleton(identity, 1))
    grid = network.patches
    # Down, the middle patch is whole; across, every patch is cut off. Odd: see the next test.
    height, width = (grid.size + 8 * grid.stride) | 1, (grid.size // 2 + 2 * grid.stride + 7) | 1
    check_patches(network, height, width)
    check_patches(network, width, height + 2)


def test_xception_never_sees_the_last_line_of_an_even_side():
    # Its first convolution has stride 2, kernel 3 and no padding.
    network = transparent(skeleton("xception-block1", 1))
    inputs = torch.ones(1, 1, 64, 49, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(inputs).sum(), inputs)
    assert torch.equal(gradient[0, 0] != 0, inside((0, 0, 63, 49), 64, 49))
    check_patches(transparent(skeleton("resnet18-layer1", 1)), 64, 50)


@pytest.mark.parametrize("identity", SMALL)
def test_real_weights_see_the_same_patch(identity):
    torch.manual_seed(0)
    network = build_network(identity, 1, 128).eval()
    grid = network.patches
    height, width = (grid.size + 4 * grid.stride) | 1, (grid.size + 7 * grid.stride) | 1
    for row, column in ((0, 0), (3, 4)):
        found = torch.zeros(height, width, dtype=torch.bool)
        for _ in range(8):
            found |= seen(network, torch.randn(1, 3, height, width, requires_grad=True), row, column)
        assert torch.equal(found, inside(grid.rectangle(row, column, height, width), height, width))


def crop_agrees(network: nn.Module, picture: torch.Tensor, box: tuple[int, int, int, int]) -> int:
    """Compare the logits of a picture and its crop for every patch inside the crop; how many there were."""
    grid, (top, left, bottom, right) = network.patches, box
    with torch.inference_mode():
        whole, part = network(picture), network(picture[:, :, top:bottom, left:right])
    inner = []
    for start, end, count, length in (
        (top, bottom, part.shape[2], picture.shape[2]),
        (left, right, part.shape[3], picture.shape[3]),
    ):
        first = start + grid.start + torch.arange(count) * grid.stride
        # Where the crop ends with the picture, both are padded alike.
        after = (first >= start) if start else torch.ones(count, dtype=torch.bool)
        before = (first + grid.size <= end) if end < length else torch.ones(count, dtype=torch.bool)
        inner.append((after & before).nonzero()[:, 0])
    rows, columns = inner
    down, across = top // grid.stride, left // grid.stride
    torch.testing.assert_close(
        part[:, :, rows][..., columns],
        whole[:, :, rows + down][..., columns + across],
        rtol=1e-5,
        atol=1e-5,
    )
    return len(rows) * len(columns)


def boxes(grid: PatchGrid, height: int, width: int) -> list[tuple[int, int, int, int]]:
    step = grid.stride
    return [
        (step, 2 * step, height - 3, width - 1),
        (0, 0, height - step, width - 2 * step - 3),
        (2 * step, step, height, width),
        (0, 3 * step, height - 5, width),
    ]


@pytest.mark.parametrize("identity", PATCH_NETWORKS)
def test_a_crop_gives_the_same_logits_for_the_patches_inside(identity):
    torch.manual_seed(0)
    network = skeleton(identity, 3)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.2)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, mean=0.2)
    grid = network.patches
    height, width = grid.size + 6 * grid.stride + 2, grid.size + 7 * grid.stride + 1
    picture = torch.rand(1, 3, height, width) * 2 - 1
    assert network(picture).std() > 1e-3
    for box in boxes(grid, height, width):
        assert crop_agrees(network, picture, box) >= 4


@pytest.mark.parametrize("identity", SMALL)
def test_a_crop_gives_the_same_logits_with_real_widths(identity):
    torch.manual_seed(0)
    network = build_network(identity, 2, 128).eval()
    picture = torch.rand(2, 3, 121, 148) * 2 - 1
    for box in boxes(network.patches, 121, 148):
        assert crop_agrees(network, picture, box) >= 4


@st.composite
def layers(draw) -> nn.Module:
    kernel, stride = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    dilation = draw(st.integers(1, 3))
    if draw(st.booleans()):
        return nn.AvgPool2d(kernel, stride, draw(st.integers(0, kernel // 2)))
    padding = draw(st.integers(0, dilation * (kernel - 1) // 2))
    return nn.Conv2d(1, 1, kernel, stride, padding, dilation)


@given(st.lists(layers(), min_size=1, max_size=4), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_chain_of_layers(chain, length):
    module = transparent(nn.Sequential(*chain))
    reach = receptive_field(module)
    count = reach.count(length)
    assert reach.count(reach.shortest) == 1
    assert reach.count(reach.shortest - 1) == 0
    if count < 1:
        with pytest.raises(RuntimeError):
            module(torch.ones(1, 1, length, length, dtype=torch.float64))
        return
    inputs = torch.ones(1, 1, length, length, dtype=torch.float64, requires_grad=True)
    assert module(inputs).shape == (1, 1, count, count)
    for index in range(count):
        first = reach.grid.start + index * reach.stride
        if first < 0 or first + reach.grid.size > length:
            continue
        lines = seen(module, inputs, index, index).any(0).nonzero()
        assert (int(lines.min()), int(lines.max())) == (first, first + reach.grid.size - 1)


def test_a_max_pooling_counts_like_a_convolution():
    for kernel, stride, padding, dilation in ((3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 1, 2)):
        pooling = nn.MaxPool2d(kernel, stride, padding, dilation)
        assert receptive_field(pooling) == receptive_field(nn.Conv2d(1, 1, kernel, stride, padding, dilation))


def test_branches_see_what_any_of_them_sees():
    small, large = nn.Conv2d(4, 4, 1, 2), nn.Conv2d(4, 4, 5, 2, 2)
    for module in (Residual(small, large), Residual(large, small), Inception(small, large)):
        assert receptive_field(module).grid == PatchGrid(size=5, stride=2, start=-2)
        assert module(torch.zeros(1, 4, 8, 8)).shape[2:] == (4, 4)


def test_branches_that_do_not_align():
    with pytest.raises(ValueError, match="different grids"):
        receptive_field(Residual(nn.Conv2d(4, 4, 3), nn.Identity()))


@pytest.mark.parametrize(
    "module",
    [nn.Conv2d(1, 1, (3, 1)), nn.Conv2d(1, 1, 3, padding="same"), nn.MaxPool2d((2, 1))],
    ids=["kernel", "padding", "pooling"],
)
def test_oblong_windows_are_refused(module):
    with pytest.raises(ValueError, match="square windows"):
        receptive_field(module)


@pytest.mark.parametrize(
    "module", [nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")]
)
def test_borders_that_reach_elsewhere_are_refused(module):
    with pytest.raises(ValueError, match="take floor and zeros"):
        receptive_field(module)


@pytest.mark.parametrize("module", [nn.ConvTranspose2d(1, 1, 2), nn.Linear(4, 4), nn.AdaptiveAvgPool2d(1)])
def test_an_unknown_module_is_named(module):
    with pytest.raises(TypeError, match=rf"{type(module).__name__} is not known"):
        receptive_field(nn.Sequential(nn.ReLU(), module))


def test_nothing_sees_one_pixel():
    assert receptive_field(nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())) == Reach()
    assert Reach().grid == PatchGrid(size=1, stride=1, start=0)
