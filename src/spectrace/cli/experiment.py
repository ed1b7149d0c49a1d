"""``spectrace experiment``: make one table or figure again."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import click

from spectrace.cli.training import Shown, require_training
from spectrace.errors import UsageError

FOLDER = Path("experiments")
RESULTS = Path("results")
RUNS = Path("runs")


@click.command()
@click.argument("name", required=False)
@click.option("--list", "listing", is_flag=True, help="Show the experiments and which of them have results.")
@click.option("--quick", is_flag=True, help="A quick try with smaller settings; results go to --work.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the results [results]."
)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help="Working folder; finished parts in it are used again [runs/experiments/NAME].",
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Trainings at a time.")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Processes that read pictures, for each training.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    name: str | None,
    listing: bool,
    quick: bool,
    out: Path | None,
    work: Path | None,
    jobs: int,
    workers: int,
    quiet: bool,
) -> int:
    """Make one table or figure again, as experiments/NAME.toml (or a TOML file of your own) says.

    Writes NAME.json with settings, seeds, data digests, versions, time and hardware, and NAME.png. The paths
    are printed to stdout. Trainings that a killed run finished are not repeated.
    """
    if listing:
        _list()
        return 0
    if name is None:
        raise UsageError("no experiment named: give one of those that --list shows, or a TOML file")
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise UsageError(f"no experiment {name}: {path} is not there; --list shows those in {FOLDER}/")
    require_training("Experiments")
    from spectrace.learning.progress import Silent  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.studies import Context, Experiment  # noqa: PLC0415

    experiment = Experiment.read(path)
    label = f"{path.stem}-quick" if quick else path.stem
    folder = work or RUNS / "experiments" / label
    progress = Silent() if quiet else Shown()
    context = Context(folder, progress, workers, jobs, shared=None if quick else RUNS)
    results = experiment.run(context, quick=quick)
    # A quick try proves nothing: it must not take the place of a result that documents are built from.
    target = out or (folder if quick else RESULTS)
    for written in experiment.write(results, target, path.stem):
        click.echo(written)
    return 0


def _list() -> None:
    found = sorted(FOLDER.glob("*.toml"))
    if not found:
        raise UsageError(f"no experiments in {FOLDER.absolute()}: run this in a clone of Spectrace")
    for path in found:
        title = tomllib.loads(path.read_text("utf-8")).get("title", "")
        results = RESULTS / f"{path.stem}.json"
        seconds = json.loads(results.read_text("utf-8")).get("seconds") if results.is_file() else None
        state = "no results" if seconds is None else f"{seconds / 60:.1f} min"
        click.echo(f"{path.stem:<24}{state:<12}{title}")
