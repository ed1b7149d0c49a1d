"""``spectrace spectrum``: what sets of pictures have in common in their spectra."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli.progress import progress
from spectrace.errors import UsageError

if TYPE_CHECKING:
    from spectrace.spectra.fingerprint_report import FingerprintReport
    from spectrace.spectra.fingerprints import Colour
    from spectrace.spectra.known import KnownFile
    from spectrace.spectra.survey import Skipped, Survey

_SHOWN = 20
_SIZE = 256


@click.command()
@click.argument("sets", nargs=-1, required=True, metavar="[NAME=]FOLDER...")
@click.option("--reference", metavar="[NAME=]FOLDER", help="Compare every set with this one.")
@click.option(
    "--size",
    type=int,
    help="Side of the crops in pixels.  [default: 256; with --report the largest up to 256 that nine in ten "
    "pictures of both sets allow]",
)
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
@click.option(
    "--report",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page on what a generator leaves: one set of samples, --reference its photographs.",
)
@click.option(
    "--known",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Compare with the known fingerprints of this file too.",
)
@click.option("--save-known", metavar="NAME", help="Add what the samples leave to the file of --known.")
@click.option("--json", "as_json", is_flag=True, help="Print what spectra.json holds.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes [one a processor].")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    *,
    sets: tuple[str, ...],
    reference: str | None,
    size: int | None,
    limit: int | None,
    grey: bool,
    out: Path,
    page: Path | None,
    known: Path | None,
    save_known: str | None,
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

    With --report, one HTML page says what a generator leaves: whether its samples differ from photographs
    beyond chance, at which frequencies, which known fingerprint that is near to, and what to try.

    Exit codes: 0 done, 2 wrong usage, 3 some pictures missing or unreadable (the rest is done).
    """
    from spectrace.images.sources import expand  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.spectra.fingerprints import Fingerprint  # noqa: PLC0415
    from spectrace.spectra.survey import survey, thinned  # noqa: PLC0415
    from spectrace.spectra.writing import write_spectra  # noqa: PLC0415

    colour: Colour = "grey" if grey else "rgb"
    if size is not None:
        Fingerprint.empty(size, colour)  # a size that makes no sense is refused before anything is read
    files = _known(page, known, save_known, reference, sets, size)
    named = _named([*sets, *([reference] if reference is not None else [])])
    problems: dict[str, list[str]] = {name: [] for name in named}
    paths = {
        name: thinned(list(expand([source], problems[name].append)), limit) for name, source in named.items()
    }
    side = size or (_SIZE if page is None else _common_size(paths))
    out.mkdir(parents=True, exist_ok=True)
    surveys: dict[str, Survey] = {}
    unreadable = False
    for name in named:
        with progress(name, len(paths[name]), quiet=quiet) as step:
            found = survey(paths[name], size=side, colour=colour, workers=workers, visit=lambda _: step())
        unreadable |= bool(problems[name]) or any(skipped.unreadable for skipped in found.skipped)
        if not quiet:
            _warn(problems[name], found.skipped)
        if found.fingerprint.count:
            surveys[name] = found
        elif not quiet:
            click.echo(f"{name}: no picture could be used, the set is left out", err=True)
    reference_name = list(named)[-1] if reference is not None else None
    if not surveys or (reference_name is not None and reference_name not in surveys):
        what = "the reference" if surveys else "any set"
        raise UsageError(f"no picture of {what} could be used: wanted pictures of {side}x{side} or more")
    report = None
    if page is not None:
        report = _report(surveys, files, page, chosen=size is None, save=(known, save_known))
    numbers = write_spectra(surveys, named, reference_name, out, report)
    if as_json:
        click.echo(json.dumps(numbers, indent=2))
    else:
        click.echo(_table(surveys, out, len(numbers["figures"])))
        if report is not None:
            from spectrace.explain.fingerprint_wording import headline  # noqa: PLC0415

            click.echo(f"{report.samples} against {report.photographs}: {headline(report)}; page in {page}")
    return 3 if unreadable else 0


def _known(
    page: Path | None,
    known: Path | None,
    save: str | None,
    reference: str | None,
    sets: tuple[str, ...],
    size: int | None,
) -> list[KnownFile]:
    """The files to compare with; what makes no sense together is refused before anything is read."""
    if page is None:
        if known is not None or save is not None:
            raise UsageError("--known and --save-known belong to --report: name a page to write")
        return []
    if reference is None or len(sets) != 1:
        raise UsageError(
            f"--report with {len(sets)} sets and {'a' if reference else 'no'} reference: wanted one set of "
            "samples and --reference with photographs"
        )
    if save is not None and known is None:
        raise UsageError("--save-known without --known: name the file to add to, it need not exist")
    from spectrace.spectra.coarse import TILE  # noqa: PLC0415
    from spectrace.spectra.known import read_known, shipped_known  # noqa: PLC0415

    if size is not None and size < TILE:
        raise UsageError(f"crops of {size} pixels: --report wants {TILE} pixels or more")
    files = [shipped_known()]
    if known is not None and (save is None or known.exists()):
        files.append(read_known(known))
    return files


def _common_size(paths: dict[str, list[Path]]) -> int:
    from spectrace.spectra.sizing import common_size  # noqa: PLC0415

    return common_size(list(paths.values()))


def _report(
    surveys: dict[str, Survey],
    files: list[KnownFile],
    page: Path,
    *,
    chosen: bool,
    save: tuple[Path | None, str | None],
) -> FingerprintReport:
    """Compare, write the page and add to the file of known fingerprints where that is wanted."""
    from spectrace.explain.fingerprint_page import fingerprint_page  # noqa: PLC0415
    from spectrace.spectra.fingerprint_report import Outcome, fingerprint_report  # noqa: PLC0415
    from spectrace.spectra.known import KnownFile, KnownFingerprint  # noqa: PLC0415

    if len(surveys) < 2:
        raise UsageError("no picture of the samples could be used: a page needs samples and photographs")
    (name, samples), (reference, photographs) = surveys.items()
    size = samples.fingerprint.size
    if photographs.fingerprint.count < 2:
        raise UsageError("one photograph could be used: --report wants two or more to compare with")
    report = fingerprint_report(samples, photographs, files, names=(name, reference))
    entries = {entry.name: entry for file in files for entry in file.fingerprints}
    how = "the largest multiple of 8 that nine in ten pictures allow, 256 at most" if chosen else "as asked"
    crop = f"The middle {size} × {size} pixels of each picture ({how}), at native resolution."
    html = fingerprint_page(report, samples, photographs, entries[report.matches[0].name], crop=crop)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(html, encoding="utf-8")
    path, title = save
    if path is not None and title is not None:
        if report.outcome is not Outcome.TRACES:
            click.echo(f"{title} is not saved: nothing was found that it leaves", err=True)
            return report
        entry = KnownFingerprint(
            name=title,
            family=title,
            about=f"{name} against {reference}, {size} px",
            samples=report.counts[0],
            photographs=report.counts[1],
            difference=report.difference_db,
        )
        (files[1] if len(files) > 1 else KnownFile()).with_entry(entry).write(path)
    return report


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
