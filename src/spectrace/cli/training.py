"""What verbs that train have in common: the packages they need, and progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from spectrace.errors import MissingDependencyError

if TYPE_CHECKING:
    from rich.console import Console


def require_training(what: str) -> None:
    """Ask for the training packages now: the export at the end of long work would miss them too late.

    Raises:
        MissingDependencyError: one of them is not installed.
    """
    require_packages(what, "torch", "onnx", "onnxscript")


def require_packages(what: str, *packages: str) -> None:
    """Ask for packages of ``spectrace[train]``.

    Raises:
        MissingDependencyError: one of them is not installed.
    """
    for package in packages:
        if find_spec(package) is None:
            raise MissingDependencyError(what, package, "train")


class Shown:
    """Progress on stderr: lines always, a bar on a terminal only."""

    def __init__(self) -> None:
        self._console: Console | None = None
        if sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415

            self._console = Console(stderr=True, highlight=False)

    def say(self, line: str) -> None:
        """Show one line."""
        click.echo(line, err=True)

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar while a task goes on."""
        if self._console is None:
            yield lambda _: None
            return
        from rich.progress import Progress  # noqa: PLC0415

        with Progress(console=self._console, transient=True) as bar:
            identity = bar.add_task(name, total=total)
            yield lambda done: bar.advance(identity, done)
