"""Which pixels an output sees, by arithmetic: kernels, strides and paddings composed layer by layer.

Along an axis, every layer here is linear: output ``i`` sees the inputs ``stride * i + first`` to
``stride * i + last``, and ``length`` inputs give ``(length + slack) // stride`` outputs. Such layers compose,
so four integers describe a whole network.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Protocol, runtime_checkable

import msgspec
from torch import nn

from spectrace.detectors.patches import PatchGrid

_POINTWISE = (nn.BatchNorm2d, nn.Dropout, nn.Identity, nn.LeakyReLU, nn.ReLU)


@runtime_checkable
class Branching(Protocol):
    """A module whose branches all take its input, and whose output sees what any of them sees."""

    def branches(self) -> Iterable[nn.Module]:
        """The modules that work side by side."""


class Reach(msgspec.Struct, frozen=True):
    """What the outputs of a module see of its input, along either axis. Padding is not cut off.

    Attributes:
        stride: distance of neighbouring outputs in pixels.
        first: first pixel that output 0 sees; negative where the module pads.
        last: last pixel that output 0 sees.
        slack: ``length`` pixels give ``(length + slack) // stride`` outputs.

    Example:
        >>> Reach(stride=2, last=2, slack=-1).then(Reach(last=2, slack=-2))
        Reach(stride=2, first=0, last=6, slack=-5)
    """

    stride: int = 1
    first: int = 0
    last: int = 0
    slack: int = 0

    def then(self, following: Reach) -> Reach:
        """The reach of this module and, on its output, another."""
        return Reach(
            stride=self.stride * following.stride,
            first=self.stride * following.first + self.first,
            last=self.stride * following.last + self.last,
            # (((length + a) // s) + b) // t is (length + a + s * b) // (s * t).
            slack=self.slack + self.stride * following.slack,
        )

    def beside(self, other: Reach) -> Reach:
        """The reach of two modules on the same input, whose outputs are added or stacked.

        Raises:
            ValueError: when their outputs do not lie on one grid.
        """
        if (self.stride, self.slack) != (other.stride, other.slack):
            raise ValueError(f"branches have outputs on different grids, {self} and {other}: align them")
        return Reach(self.stride, min(self.first, other.first), max(self.last, other.last), self.slack)

    def count(self, length: int) -> int:
        """Number of outputs along an axis of ``length`` pixels; below 1, the input is too small.

        Example:
            >>> Reach(stride=2, last=2, slack=-1).count(9)
            4
        """
        return (length + self.slack) // self.stride

    @property
    def shortest(self) -> int:
        """The shortest input that gives an output."""
        return self.stride - self.slack

    @property
    def grid(self) -> PatchGrid:
        """The same as a grid of patches."""
        return PatchGrid(size=self.last - self.first + 1, stride=self.stride, start=self.first)


def receptive_field(module: nn.Module) -> Reach:
    """What the outputs of a module see of its input.

    Sequences compose, :class:`Branching` modules see the union of their branches; convolutions and poolings
    count by kernel, stride, padding and dilation; everything that acts on each place alone counts nothing.
    The answer is the theoretical receptive field (Araujo et al., *Computing receptive fields of convolutional
    neural networks*, Distill 2019): every pixel in it can matter if no dilation leaves gaps.

    Args:
        module: any tree of the modules above.

    Raises:
        TypeError: for a module whose reach is not known.
        ValueError: for one that treats rows and columns differently, or whose branches do not align.

    Example:
        >>> receptive_field(nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))).grid
        PatchGrid(size=11, stride=4, start=-5)
    """
    if isinstance(module, nn.Sequential):
        return reduce(Reach.then, map(receptive_field, module), Reach())
    if isinstance(module, Branching):
        return reduce(Reach.beside, map(receptive_field, module.branches()))
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return _window(module)
    if isinstance(module, _POINTWISE):
        return Reach()
    raise TypeError(f"the receptive field of {type(module).__name__} is not known: build it of known modules")


def _window(module: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) -> Reach:
    if getattr(module, "ceil_mode", False) or getattr(module, "padding_mode", "zeros") != "zeros":
        raise ValueError(f"{module} rounds up or mirrors its border: take floor and zeros")
    kernel, stride, padding = (
        _side(module, value) for value in (module.kernel_size, module.stride, module.padding)
    )
    beyond = (kernel - 1) * (1 if isinstance(module, nn.AvgPool2d) else _side(module, module.dilation))
    return Reach(
        stride=stride, first=-padding, last=beyond - padding, slack=2 * padding - beyond - 1 + stride
    )


def _side(module: nn.Module, value: int | tuple[int, ...] | str) -> int:
    sides = set(value) if isinstance(value, tuple) else {value}
    side = sides.pop()
    if sides or not isinstance(side, int):
        raise ValueError(f"{module} is not the same along rows and columns: take square windows")
    return side
