"""Numbers that options take."""

from __future__ import annotations

import math
from typing import Any

import click


class _Positive(click.FloatRange):
    """Above zero and finite: ``float`` reads ``nan`` and ``inf`` too, which no option can use."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


POSITIVE = _Positive()
