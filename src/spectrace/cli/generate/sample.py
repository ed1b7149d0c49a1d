"""``spectrace generate sample``: pictures of a trained generator."""

from __future__ import annotations

from pathlib import Path

import click

from spectrace.cli.progress import progress


@click.command(name="sample")
@click.argument("generator", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("-n", "--count", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(*, generator: Path, out: Path, count: int, seed: int, quiet: bool) -> int:
    """Write samples of GENERATOR (generator.onnx, or the folder of its run) into the folder OUT as PNG.

    Sample number n depends on the seed and n alone; those that are there already are kept. Needs no torch.
    """
    from spectrace.generators.sampler import Sampler, write_samples  # noqa: PLC0415  (heavy: when it runs)

    sampler = Sampler(generator)
    with progress("samples", count, quiet=quiet) as step:
        write_samples(sampler, out, count, seed, visit=step)
    click.echo(out)
    return 0
