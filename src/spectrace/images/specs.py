"""The small language in which perturbations are written."""

from __future__ import annotations

import re

from spectrace.errors import UsageError
from spectrace.images.registry import Choice, Range, Scalar, Value

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_STEP = re.compile(
    r"\s*(?P<name>[a-z][a-z0-9-]*)\s*(?:\((?P<parameters>[^()]*)\))?\s*(?:@\s*(?P<probability>[^\s+]+))?\s*"
)
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_INTEGER = re.compile(r"[+-]?\d+")
_EXAMPLE = "write them like 'resize(scale=0.5, kernel=lanczos) + jpeg(quality=60..95)@0.5'"

Step = tuple[str, tuple[tuple[str, Value], ...], float]


def split_spec(spec: str) -> list[Step]:
    """Splits a spec into (name, parameters, probability) for each step; names and values are not judged.

    Raises:
        UsageError: the spec does not follow the language.

    Example:
        >>> split_spec("flip@0.5 + jpeg(quality=60..95)")
        [('flip', (), 0.5), ('jpeg', (('quality', Range(low=60, high=95)),), 1.0)]
    """
    steps: list[Step] = []
    position = 0
    while True:
        match = _STEP.match(spec, position)
        if match is None:
            raise UsageError(f"cannot read a perturbation in {spec!r} at {spec[position:]!r}: {_EXAMPLE}")
        steps.append(
            (match["name"], _parameters(match["parameters"], spec), _probability(match["probability"], spec))
        )
        position = match.end()
        if position == len(spec):
            return steps
        if spec[position] != "+":
            raise UsageError(f"cannot read {spec[position:]!r} in the perturbation {spec!r}: {_EXAMPLE}")
        position += 1


def _parameters(text: str | None, spec: str) -> tuple[tuple[str, Value], ...]:
    if text is None or not text.strip():
        return ()
    parameters = []
    for item in text.split(","):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (key and equals and value):
            raise UsageError(f"cannot read {item.strip()!r} in the perturbation {spec!r}: give name=value")
        parameters.append((key, _value(value)))
    return tuple(parameters)


def _value(text: str) -> Value:
    if "|" in text:
        return Choice(tuple(_scalar(option.strip()) for option in text.split("|")))
    between = _RANGE.fullmatch(text)
    if between is not None:
        return Range(_number(between[1]), _number(between[2]))
    return _scalar(text)


def _scalar(text: str) -> Scalar:
    return _number(text) if re.fullmatch(_NUMBER, text) else text


def _number(text: str) -> int | float:
    return int(text) if _INTEGER.fullmatch(text) else float(text)


def _probability(text: str | None, spec: str) -> float:
    if text is None:
        return 1.0
    if not re.fullmatch(_NUMBER, text):
        raise UsageError(f"cannot read the probability {text!r} in {spec!r}: give a number between 0 and 1")
    return float(text)
