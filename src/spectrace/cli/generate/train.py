"""``spectrace generate train``: a small generator from photographs."""

from __future__ import annotations

from pathlib import Path

import click

from spectrace.cli.generate.photographs import photograph_paths
from spectrace.cli.training import Shown, require_training

_AUTO = click.IntRange(min=0)


@click.command(name="train")
@click.argument("family")
@click.argument("photographs", nargs=-1, required=True)
@click.option("--upsampler", default="", help="transposed, nearest, bilinear, ... [the family's own].")
@click.option("--size", type=click.IntRange(min=16), default=64, show_default=True, help="Side in pixels.")
@click.option("--width", type=_AUTO, default=0, help="Channels at full size [the family's own].")
@click.option("--batch", type=_AUTO, default=0, help="Photographs a step [the family's own].")
@click.option("--steps", type=_AUTO, default=0, help="Of training [the family's own].")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--split", default="train", show_default=True, help="Of a manifest.")
@click.option("--source", "sources", multiple=True, help="Of a manifest; repeat for several [all].")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run [runs/generators/FAMILY-UPSAMPLER-DIGEST].",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    *,
    family: str,
    photographs: tuple[str, ...],
    upsampler: str,
    size: int,
    width: int,
    batch: int,
    steps: int,
    seed: int,
    split: str,
    sources: tuple[str, ...],
    out: Path | None,
    quiet: bool,
) -> int:
    """Train a generator of a FAMILY (see `spectrace generate families`) on PHOTOGRAPHS.

    PHOTOGRAPHS are folders, files, quoted globs, @list.txt, or one manifest, of which the real pictures are
    taken. They are cut to a square and scaled down; an autoencoder sees random pieces at native resolution.

    The run's folder gets generator.onnx, grid.png (samples), log.jsonl (losses) and a checkpoint. A training
    that was stopped goes on where it was, to the same result. The generator's path is printed to stdout.
    """
    require_training("Generators")
    from spectrace.generators.families import wants_pieces  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.generators.photographs import Photographs  # noqa: PLC0415
    from spectrace.generators.recipe import GeneratorRecipe  # noqa: PLC0415
    from spectrace.generators.training import run_folder, train_generator  # noqa: PLC0415

    recipe = GeneratorRecipe(
        family=family, upsampler=upsampler, size=size, width=width, batch=batch, steps=steps, seed=seed
    )
    pieces = wants_pieces(recipe)  # a bad recipe is refused before anything is read
    progress = None if quiet else Shown()
    read = Photographs.read(
        photograph_paths(photographs, split, sources, quiet=quiet),
        size,
        pieces=pieces,
        on_problem=progress.say if progress else lambda _: None,
    )
    folder = out or run_folder(recipe, read)
    click.echo(train_generator(recipe, read, folder, progress=progress))
    return 0
