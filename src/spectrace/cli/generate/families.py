"""``spectrace generate families``: what can be trained."""

from __future__ import annotations

import click

from spectrace.cli.training import require_training


@click.command(name="families")
def command() -> int:
    """List the families of generators with their defaults at 64 pixels, and the upsamplers."""
    require_training("Generators")
    from spectrace.generators.families import (  # noqa: PLC0415  (heavy: only when it runs)
        family_names,
        family_summary,
        resolve,
    )
    from spectrace.generators.recipe import GeneratorRecipe  # noqa: PLC0415
    from spectrace.generators.upsamplers import UPSAMPLERS  # noqa: PLC0415

    for name in family_names():
        recipe = resolve(GeneratorRecipe(family=name))
        defaults = f"{recipe.steps} steps of {recipe.batch}, width {recipe.width}"
        click.echo(f"{name:<14}{recipe.upsampler or '-':<15}{defaults:<32}{family_summary(name)}")
    click.echo(f"upsamplers: {', '.join(UPSAMPLERS)}")
    return 0
