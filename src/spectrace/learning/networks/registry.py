"""The one list of networks, by explicit id."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from spectrace.detectors.patches import PatchGrid
from spectrace.errors import RecipeError


class Network(nn.Module):
    """What every network is: represented tiles in, one logit a patch and output out.

    ``forward`` takes float32 ``[N, 3, S, S]`` (a representation's output) and gives float32
    ``[N, outputs, h, w]``; whole-tile networks have ``h = w = 1``.

    Attributes:
        patches: which pixels each output sees.
        any_size: whether the network is fully convolutional: it then takes inputs of any height and width,
            and each output depends on its own patch alone.
    """

    patches: PatchGrid
    any_size: bool = False

    def weights(self) -> list[Tensor]:
        """The weights a penalty shrinks: every parameter but biases and normalisations.

        Example:
            >>> [tuple(weight.shape) for weight in build_network("linear", 1, 8).weights()]
            [(1, 192)]
        """
        return [parameter for parameter in self.parameters() if parameter.ndim > 1]


def whole_tile(tile: int) -> PatchGrid:
    """The single patch of a network whose output sees the whole tile."""
    return PatchGrid(size=tile, stride=tile)


_Build = Callable[[int, int], Network]
_BUILDERS: dict[str, _Build] = {}
_SUMMARIES: dict[str, str] = {}


def register_network(identity: str, summary: str = "") -> Callable[[_Build], _Build]:
    """Register a builder ``(outputs, tile size) -> Network`` under an id.

    Args:
        identity: lower-case, unique.
        summary: what it is, in a few words.

    Raises:
        ValueError: when the id is taken.

    Example:
        >>> register_network("linear")(lambda outputs, tile: Network())
        Traceback (most recent call last):
        ValueError: two networks are registered as 'linear': give one of them another id
    """

    def register(build: _Build) -> _Build:
        if identity in _BUILDERS:
            raise ValueError(f"two networks are registered as {identity!r}: give one of them another id")
        _BUILDERS[identity] = build
        _SUMMARIES[identity] = summary
        return build

    return register


def network_ids() -> list[str]:
    """The ids of all networks, sorted.

    Example:
        >>> {"frank-cnn", "linear"} <= set(network_ids())
        True
    """
    return sorted(_BUILDERS)


def network_summary(identity: str) -> str:
    """What a registered network is, in a few words; empty if it did not say.

    Example:
        >>> network_summary("linear")
        'one dense layer over the tile'
    """
    return _SUMMARIES[identity]


def build_network(identity: str, outputs: int, tile: int) -> Network:
    """Build a fresh network for tiles of ``tile`` pixels; weights come from torch's global generator.

    Args:
        identity: a registered id.
        outputs: 1 for a binary detector, the number of classes for attribution.
        tile: side of a tile in pixels.

    Raises:
        RecipeError: for an unknown id.

    Example:
        >>> sum(p.numel() for p in build_network("frank-cnn", 1, 128).parameters())
        38885
    """
    if identity not in _BUILDERS:
        raise RecipeError(f"network.id is {identity!r}, known are: {', '.join(network_ids())}")
    return _BUILDERS[identity](outputs, tile)
