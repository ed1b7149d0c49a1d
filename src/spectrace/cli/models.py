"""``spectrace models``: what is installed."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME|FILE]...")
@click.option("--json", "as_json", is_flag=True, help="The whole cards as a JSON array.")
def command(names: tuple[str, ...], as_json: bool) -> int:
    """Show installed models, or those named, with their cards."""
    import msgspec  # noqa: PLC0415

    from spectrace.detectors.runtime import Model, find_model, installed_models  # noqa: PLC0415

    paths = [find_model(name) for name in names] if names else list(installed_models().values())
    cards = [(path, Model(path).card) for path in paths]
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(card) for _, card in cards], indent=2))
        return 0
    for path, card in cards:
        thresholds = card.thresholds
        click.echo(f"{card.name}  {card.title}")
        click.echo(f"  file        {path} ({path.stat().st_size / 1e6:.1f} MB), {card.licence}")
        click.echo(f"  classes     {', '.join(card.classes)}")
        click.echo(f"  tiles       {card.tile_size} px, at most {card.tiles} a picture, {card.pooling}")
        for branch in card.branches:
            click.echo(
                f"  branch      {branch.name}: {branch.weight:.3f} x logit, {branch.kind}, {branch.title}"
            )
        if card.families:
            click.echo(
                f"  families    {', '.join(card.families)}; named from {card.families_threshold:.0%} on"
            )
        click.echo(
            f"  generated   score >= {thresholds.generated:+.2f}{_rate(thresholds.false_positive_rate)}"
        )
        click.echo(f"  camera      score <= {thresholds.camera:+.2f}{_rate(thresholds.miss_rate)}")
        click.echo(
            f"  limits      shortest side {card.limits.min_side} px, "
            f"JPEG quality {card.limits.min_jpeg_quality}"
        )
        if card.description:
            click.echo(f"  {card.description}")
    return 0


def _rate(rate: float | None) -> str:
    return "" if rate is None else f" (wrong for {rate:.1%} of the calibration pictures)"
