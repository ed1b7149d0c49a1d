"""What a long work tells its user; how it is shown is the caller's business."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Receives lines, and tasks with a known length."""

    def say(self, line: str) -> None:
        """Take one line for people."""

    def task(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a task; the function given is called with how much was done since."""


class Silent:
    """Shows nothing.

    Example:
        >>> with Silent().task("epoch 1", 10) as advance:
        ...     advance(1)
    """

    def say(self, line: str) -> None:
        """Ignore a line."""

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Ignore a task."""
        yield lambda _: None
