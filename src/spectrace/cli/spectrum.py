"""``spectrace spectrum``: what sets of pictures have in common in their spectra."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli.progress import progress
from spectrace.errors import UsageError

if TYPE_CHECKING:
    from spectrace.spectra.fingerprints import Colour
    from spectrace.spectra.survey import Skipped, Survey

_SHOWN = 20


@click.command()
@click.argument("sets", nargs=-1, required=True, metavar="[NAME=]FOLDER...")
@click.option("--reference", metavar="[NAME=]FOLDER", help="Compare every set with this one.")
@click.option("--size", type=int, default=256, show_default=True, help="Side of the crops in pixels.")
@click.option("--limit", type=click.IntRange(min=1), help="Read at most this many pictures a set.")
@click.option("--grey/--rgb", default=True, help="Luma only, or each colour channel.  [default: grey]")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("spectra"),
    show_default=True,
    help="Folder for figures, fingerprints and spectra.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what spectra.json holds.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes [one a processor].")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    *,
    sets: tuple[str, ...],
    reference: str | None,
    size: int,
    limit: int | None,
    grey: bool,
    out: Path,
    as_json: bool,
    workers: int | None,
    quiet: bool,
) -> int:
    """Mean spectra of folders, their differences and upsampling peaks.

    Each FOLDER (or file, quoted glob, @list.txt) is one set, named after the folder or as NAME=FOLDER says.
    Every picture gives its middle at native resolution; pictures that are smaller, or cannot be read, are
    listed and left out.

    Writes one figure of mean spectra a set, one of differences a set with --reference, the radial and
    diagonal profiles of all sets, the fingerprints as .npz, and the numbers as spectra.json.

    Exit codes: 0 done, 2 wrong usage, 3 some pictures missing or unreadable (the rest is done).
    """
    from spectrace.images.sources import expand  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.spectra.fingerprints import Fingerprint  # noqa: PLC0415
    from spectrace.spectra.survey import survey, thinned  # noqa: PLC0415
    from spectrace.spectra.writing import write_spectra  # noqa: PLC0415

    colour: Colour = "grey" if grey else "rgb"
    Fingerprint.empty(size, colour)  # a size that makes no sense is refused before anything is read
    named = _named([*sets, *([reference] if reference is not None else [])])
    out.mkdir(parents=True, exist_ok=True)
    surveys: dict[str, Survey] = {}
    unreadable = False
    for name, source in named.items():
        problems: list[str] = []
        paths = thinned(list(expand([source], problems.append)), limit)
        with progress(name, len(paths), quiet=quiet) as step:
            found = survey(paths, size=size, colour=colour, workers=workers, visit=lambda _: step())
        unreadable = unreadable or bool(problems) or any(skipped.unreadable for skipped in found.skipped)
        if not quiet:
            _warn(problems, found.skipped)
        if found.fingerprint.count:
            surveys[name] = found
        elif not quiet:
            click.echo(f"{name}: no picture could be used, the set is left out", err=True)
    reference_name = list(named)[-1] if reference is not None else None
    if not surveys or (reference_name is not None and reference_name not in surveys):
        what = "the reference" if surveys else "any set"
        raise UsageError(f"no picture of {what} could be used: wanted pictures of {size}x{size} or more")
    report = write_spectra(surveys, named, reference_name, out)
    click.echo(json.dumps(report, indent=2) if as_json else _table(surveys, out, len(report["figures"])))
    return 3 if unreadable else 0


def _named(sources: list[str]) -> dict[str, str]:
    """Name of each set to its source; equal names are numbered."""
    result: dict[str, str] = {}
    for source in sources:
        name, separator, folder = source.partition("=")
        if not separator or not name or Path(source).exists():
            folder = source
            name = Path(source.lstrip("@")).resolve().name or source
        unique, number = name, 2
        while unique in result:
            unique, number = f"{name}-{number}", number + 1
        result[unique] = folder
    return result


def _warn(problems: list[str], skipped: tuple[Skipped, ...]) -> None:
    lines = problems + [entry.reason for entry in skipped]
    for line in lines[:_SHOWN]:
        click.echo(f"left out: {line}", err=True)
    if len(lines) > _SHOWN:
        click.echo(f"left out: {len(lines) - _SHOWN} more (all are in spectra.json)", err=True)


def _table(surveys: dict[str, Survey], out: Path, figures: int) -> str:
    lines = []
    for name, found in surveys.items():
        census = found.census
        left_out = f" ({len(found.skipped)} left out)" if found.skipped else ""
        prints = ", ".join(f"period {factor} px in {count}" for factor, count in census.factors.items())
        grids = f"; JPEG in {census.jpeg}" if census.jpeg else ""
        factor = census.likely_factor
        verdict = f"likely upsampled by {factor}" if factor else "no common upsampling print"
        lines.append(
            f"{name}: {census.pictures} pictures{left_out}; {verdict}; prints: {prints or 'none'}{grids}"
        )
    return "\n".join([*lines, f"{figures} figures and spectra.json in {out}"])
