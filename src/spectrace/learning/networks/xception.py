"""Xception (Chollet 2017, arXiv 1610.02357): truncated after a block, with the depth controls, and full.

Chai et al. 2020 (arXiv 2008.10588) cut it early and let each place answer for its own patch.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from torch import nn

from spectrace.learning.networks.blocks import Residual, convolution, separable, shortcut
from spectrace.learning.networks.heads import PatchNetwork, PooledNetwork
from spectrace.learning.networks.registry import Network, register_network

STEM = (32, 64)
BLOCKS = ((64, 128, 128), (128, 256, 256), (256, 728, 728), *[(728,) * 4] * 8, (728, 728, 1024))
"""Channels into each block and behind each of its separable convolutions, blocks 1 to 12."""
POOLED = (1, 2, 3, 12)
"""The blocks that end in a max-pooling of stride 2."""
LAST_TURNED = 5
"""The last block of the depth controls."""
WIDE = 9.125
"""How much wider the wide control is: its parameters come within 0.2 % of the deep control's."""


def features(blocks: int, *, turned: range = range(0), scale: float = 1.0) -> nn.Sequential:
    """The stem and the first blocks of Xception.

    Args:
        blocks: how many blocks, 0 to 12.
        turned: numbers of blocks that follow with 1x1 kernels and without pooling: more depth over the same
            pixels.
        scale: factor on the number of channels everywhere, rounded.

    Example:
        >>> from spectrace.learning.receptive_field import receptive_field
        >>> receptive_field(features(2)).grid
        PatchGrid(size=43, stride=8, start=-18)
        >>> receptive_field(features(2, turned=range(3, 6))).grid
        PatchGrid(size=43, stride=8, start=-18)
    """
    first, second = _scaled(STEM, scale)
    layers = [*convolution(3, first, 3, 2), nn.ReLU(), *convolution(first, second, 3), nn.ReLU()]
    for number in range(1, blocks + 1):
        # The stem ends in a ReLU of its own.
        layers.append(
            _block(
                _scaled(BLOCKS[number - 1], scale),
                kernel=3,
                stride=2 if number in POOLED else 1,
                activated=number == 1,
            )
        )
    layers += [_block(_scaled(BLOCKS[number - 1], scale), kernel=1, stride=1) for number in turned]
    return nn.Sequential(*layers)


def _block(widths: list[int], *, kernel: int, stride: int, activated: bool = False) -> Residual:
    main: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(widths)):
        if number or not activated:
            main.append(nn.ReLU())
        main += separable(inputs, outputs, kernel)
    if stride > 1:
        main.append(nn.MaxPool2d(3, stride, 1))
    return Residual(nn.Sequential(*main), shortcut(widths[0], widths[-1], stride))


def _scaled(widths: tuple[int, ...], scale: float) -> list[int]:
    return [round(width * scale) for width in widths]


def truncated(blocks: int, outputs: int, tile: int) -> Network:
    """Xception cut behind a block, one logit a patch (Chai et al. 2020).

    Example:
        >>> truncated(1, 2, 128).patches
        PatchGrid(size=19, stride=4, start=-6)
    """
    return PatchNetwork(f"xception-block{blocks}", features(blocks), BLOCKS[blocks - 1][-1], outputs, tile)


def deep(blocks: int, outputs: int, tile: int) -> Network:
    """Depth control: the patches of an early cut, seen by about as many layers as a later cut has.

    The idea is Chai et al.'s: turn the 3x3 kernels of later blocks into 1x1, so that depth grows and the
    receptive field does not. Which blocks follow (up to block 5, without their pooling) is our choice.

    Example:
        >>> deep(2, 2, 128).patches == truncated(2, 2, 128).patches
        True
    """
    body = features(blocks, turned=range(blocks + 1, LAST_TURNED + 1))
    return PatchNetwork(f"xception-block{blocks}-deep", body, BLOCKS[LAST_TURNED - 1][-1], outputs, tile)


def wide(outputs: int, tile: int) -> Network:
    """Width control: block 1 alone, every layer 9.125 times as wide, to the deep control's parameters.

    That depth should be told apart from the number of parameters is Chai et al.'s idea; the factor is ours.

    Example:
        >>> wide(2, 128).patches == truncated(1, 2, 128).patches
        True
    """
    width = round(BLOCKS[0][-1] * WIDE)
    return PatchNetwork("xception-block1-wide", features(1, scale=WIDE), width, outputs, tile)


def full(outputs: int, tile: int) -> Network:
    """All of Xception: twelve blocks, separable convolutions to 1536 and 2048, mean, dense layer."""
    body = [
        *features(12),
        *separable(1024, 1536, 3),
        nn.ReLU(),
        *separable(1536, 2048, 3),
        nn.ReLU(),
    ]
    return PooledNetwork("xception", nn.Sequential(*body), 2048, outputs, tile)


for _blocks in range(1, len(BLOCKS) + 1):
    register_network(f"xception-block{_blocks}", f"Xception cut behind block {_blocks}")(
        partial(truncated, _blocks)
    )
for _blocks in (1, 2):
    register_network(
        f"xception-block{_blocks}-deep",
        f"depth control: block {_blocks} of Xception, then blocks up to {LAST_TURNED} with 1x1 kernels",
    )(partial(deep, _blocks))
register_network("xception-block1-wide", f"width control: block 1 of Xception, {WIDE:g} times as wide")(wide)
register_network("xception", "the full Xception, pooled")(full)
