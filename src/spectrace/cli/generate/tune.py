"""``spectrace generate tune``: a generator against a detector."""

from __future__ import annotations

from pathlib import Path

import click

from spectrace.cli.training import Shown, require_training

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(name="tune")
@click.argument("generator", type=_FOLDER)
@click.argument("detector", type=_FOLDER)
@click.option("-o", "--out", type=_FOLDER, required=True, help="Folder of the tuned generator.")
@click.option("--steps", type=click.IntRange(min=1), default=300, show_default=True)
@click.option(
    "--weight",
    type=click.FloatRange(min=0.0),
    default=0.1,
    show_default=True,
    help="Of the distance to the old samples, in nats per grey level.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    generator: Path, detector: Path, out: Path, steps: int, weight: float, seed: int, quiet: bool
) -> int:
    """Tune a trained GENERATOR so that a trained DETECTOR takes its samples for photographs.

    Both are folders of runs, of 'spectrace generate train' and 'spectrace train'. The detector stays as it
    is; the samples stay close to what the same noise gave before. Use it to find out what your detector
    misses before somebody else does. A run that was stopped goes on. The tuned generator's path is printed
    to stdout.
    """
    require_training("Tunings")
    from spectrace.generators.tuning import TuningRecipe, tune_generator  # noqa: PLC0415

    recipe = TuningRecipe(steps=steps, weight=weight, seed=seed)
    click.echo(tune_generator(generator, detector, out, recipe, progress=None if quiet else Shown()))
    return 0
