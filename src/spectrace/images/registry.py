"""The registry of perturbations: what each operation is called and which values its parameters take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrace.errors import UsageError

Scalar = int | float | str
Function = Callable[..., NDArray[np.uint8]]


@dataclass(frozen=True)
class Range:
    """A value drawn uniformly between two numbers, both included."""

    low: int | float
    high: int | float

    def __str__(self) -> str:
        """As in a spec."""
        return f"{self.low}..{self.high}"


@dataclass(frozen=True)
class Choice:
    """A value drawn from a few, each as likely as the other."""

    options: tuple[Scalar, ...]

    def __str__(self) -> str:
        """As in a spec."""
        return "|".join(map(str, self.options))


Value = Scalar | Range | Choice


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation.

    Args:
        name: as in a spec.
        kind: ``int``, ``float`` or ``word``.
        low: least number that makes sense.
        high: largest number that makes sense.
        above_low: whether ``low`` itself is excluded.
        words: the words that are known, for the kind ``word``.
        default: taken when the spec does not give the parameter; ``None`` means it must.
    """

    name: str
    kind: Literal["int", "float", "word"]
    low: float = -math.inf
    high: float = math.inf
    above_low: bool = False
    words: tuple[str, ...] = ()
    default: Scalar | None = None

    def __str__(self) -> str:
        """What the parameter takes, for messages."""
        if self.kind == "word":
            return f"{self.name}={'|'.join(self.words)}"
        lead = "above " if self.above_low else ""
        return f"{self.name}={lead}{self.low:g} to {self.high:g}"

    def check(self, value: Value) -> Value:
        """Returns the value in the parameter's own type, or raises UsageError."""
        if isinstance(value, Choice):
            return Choice(tuple(self._scalar(option) for option in value.options))
        if isinstance(value, Range):
            low, high = self._scalar(value.low), self._scalar(value.high)
            if isinstance(low, str) or isinstance(high, str) or low > high:
                raise UsageError(f"{self.name}={value} is no range: give two numbers, the lower one first")
            return Range(low, high)
        return self._scalar(value)

    def draw(self, value: Value, rng: np.random.Generator) -> Scalar:
        """One concrete value; draws from ``rng`` only where there is a choice."""
        if isinstance(value, Choice):
            return value.options[int(rng.integers(len(value.options)))]
        if isinstance(value, Range):
            if self.kind == "int":
                return int(rng.integers(int(value.low), int(value.high), endpoint=True))
            return float(rng.uniform(value.low, value.high))
        return value

    def _scalar(self, value: Scalar) -> Scalar:
        if self.kind == "word":
            fits = value in self.words
        elif (
            isinstance(value, str) or not math.isfinite(value) or (self.kind == "int" and value != int(value))
        ):
            fits = False
        else:
            fits = (self.low < value if self.above_low else self.low <= value) and value <= self.high
        if not fits:
            raise UsageError(f"{self.name}={value} makes no sense: give {self}")
        return int(value) if self.kind == "int" else value


@dataclass(frozen=True)
class Operation:
    """A registered operation: ``function(pixels, rng, **parameters) -> pixels``."""

    name: str
    parameters: tuple[Parameter, ...]
    function: Function

    def __str__(self) -> str:
        """The operation as a spec would write it, for messages."""
        values = ", ".join(map(str, self.parameters))
        return f"{self.name}({values})" if values else self.name


_OPERATIONS: dict[str, Operation] = {}


def register(name: str, *parameters: Parameter) -> Callable[[Function], Function]:
    """Registers a function under an explicit id.

    Args:
        name: the id, as in a spec; it must be new.
        parameters: what the function takes by keyword besides ``pixels`` and ``rng``.

    Returns:
        A decorator that leaves the function as it is.

    Raises:
        UsageError: the id is taken.
    """

    def enter(function: Function) -> Function:
        if name in _OPERATIONS:
            raise UsageError(f"a perturbation called {name!r} is registered already: choose another id")
        _OPERATIONS[name] = Operation(name, parameters, function)
        return function

    return enter


def names() -> list[str]:
    """The registered names, sorted.

    Example:
        >>> from spectrace.images import perturbations
        >>> perturbations.names()[:4]
        ['blur', 'crop-resize', 'flip', 'gamma']
    """
    return sorted(_OPERATIONS)


def operation(name: str) -> Operation:
    """The operation of that name, or UsageError with the known ones."""
    try:
        return _OPERATIONS[name]
    except KeyError:
        raise UsageError(
            f"no perturbation is called {name!r}: the known ones are {', '.join(names())}"
        ) from None


def check(name: str, given: Sequence[tuple[str, Value]]) -> tuple[tuple[str, Value], ...]:
    """Checks the parameters of an operation and puts them in its own order."""
    step = operation(name)
    values: dict[str, Value] = {}
    known = {parameter.name: parameter for parameter in step.parameters}
    for key, value in given:
        if key not in known:
            raise UsageError(f"{name} has no parameter {key!r}: it is {step}")
        if key in values:
            raise UsageError(f"{name} is given {key} twice: give it once")
        values[key] = known[key].check(value)
    for parameter in step.parameters:
        if parameter.default is None and parameter.name not in values:
            raise UsageError(f"{name} needs {parameter.name}: give {step}")
    return tuple((key, values[key]) for key in known if key in values)
