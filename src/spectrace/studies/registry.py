"""The list of studies, and an experiment: a study with settings, from its TOML file to its results file."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from spectrace.errors import RecipeError
from spectrace.evaluation.environment import Environment
from spectrace.learning.progress import Progress, Silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_S = TypeVar("_S", bound=msgspec.Struct)

Result = dict[str, Any]
"""Plain JSON values."""


@dataclass(frozen=True)
class Context:
    """What a study runs in.

    Attributes:
        folder: working folder; finished parts that are found there are used again.
        progress: is told what happens.
        workers: processes that read pictures, for each training.
        jobs: trainings at a time, each in a process of its own.
        shared: folder of what studies have in common, trained generators and detectors; by default
            ``folder``.
    """

    folder: Path
    progress: Progress = field(default_factory=Silent)
    workers: int = 2
    jobs: int = 1
    shared: Path | None = None

    @property
    def generators(self) -> Path:
        """Where trained generators lie."""
        return (self.shared or self.folder) / "generators"

    @property
    def trainings(self) -> Path:
        """Where trained detectors lie."""
        return (self.shared or self.folder) / "trainings"


@dataclass(frozen=True)
class _Study:
    settings: type[msgspec.Struct]
    run: Callable[[Any, Context], Result]
    figure: Callable[[Result], Figure] | None


_STUDIES: dict[str, _Study] = {}


def register_study(
    name: str, settings: type[_S], *, figure: Callable[[Result], Figure] | None = None
) -> Callable[[Callable[[_S, Context], Result]], Callable[[_S, Context], Result]]:
    """Register ``run(settings, context) -> result`` under a name.

    Args:
        name: as in the experiment's ``study``.
        settings: a frozen Struct that forbids unknown fields and has defaults.
        figure: draws a result.

    Raises:
        ValueError: when the name is taken.
    """

    def register(run: Callable[[_S, Context], Result]) -> Callable[[_S, Context], Result]:
        if name in _STUDIES:
            raise ValueError(f"two studies are registered as {name!r}: give one of them another name")
        _STUDIES[name] = _Study(settings, run, figure)
        return run

    return register


def study_names() -> list[str]:
    """The names of all studies, sorted."""
    return sorted(_STUDIES)


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A study with its settings: one TOML file, one results file, one figure.

    Attributes:
        study: a registered name.
        title: of the table or figure that it makes.
        settings: of the study.
        quick: settings that replace those for a quick try.
    """

    study: str
    title: str
    settings: dict[str, Any] = {}
    quick: dict[str, Any] = {}

    @classmethod
    def read(cls, path: Path) -> Experiment:
        """Read and check an experiment.

        Raises:
            RecipeError: no such file, bad TOML, an unknown study, unknown or bad settings.
        """
        try:
            experiment = msgspec.convert(tomllib.loads(path.read_text("utf-8")), cls)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise RecipeError(f"{path} is no experiment ({error}): give a TOML file with a study") from error
        for quick in (False, True):
            try:
                experiment.chosen(quick=quick)
            except RecipeError as error:
                raise RecipeError(f"{path}: {error}") from error
        return experiment

    def chosen(self, *, quick: bool) -> msgspec.Struct:
        """The settings to run with.

        Raises:
            RecipeError: an unknown study, or settings that it does not take.

        Example:
            >>> Experiment(study="nothing", title="Nothing").chosen(quick=False)
            Traceback (most recent call last):
            spectrace.errors.RecipeError: study is 'nothing', known are: ...
        """
        if self.study not in _STUDIES:
            raise RecipeError(f"study is {self.study!r}, known are: {', '.join(study_names())}")
        try:
            return msgspec.convert(
                self.settings | (self.quick if quick else {}), _STUDIES[self.study].settings
            )
        except msgspec.ValidationError as error:
            raise RecipeError(f"settings: {error}") from error

    def run(self, context: Context, *, quick: bool = False) -> Result:
        """Run the study.

        Returns:
            What the results file holds: title, study, settings, seconds, environment and ``result``.
        """
        settings = self.chosen(quick=quick)
        started = time.monotonic()
        context.folder.mkdir(parents=True, exist_ok=True)
        result = _STUDIES[self.study].run(settings, context)
        return {
            "title": self.title,
            "study": self.study,
            "quick": quick,
            "settings": msgspec.to_builtins(settings),
            "seconds": round(time.monotonic() - started, 1),
            "environment": {
                **msgspec.to_builtins(Environment.here()),
                "torch": metadata.version("torch"),
            },
            "result": result,
        }

    def write(self, results: Result, folder: Path, name: str) -> list[Path]:
        """Write ``NAME.json`` and, where the study draws one, ``NAME.png``.

        Returns:
            The files written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / f"{name}.json"]
        written[0].write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        draw = _STUDIES[self.study].figure
        if draw is not None:
            written.append(folder / f"{name}.png")
            draw(results["result"]).savefig(written[1], dpi=120, bbox_inches="tight")
        return written
