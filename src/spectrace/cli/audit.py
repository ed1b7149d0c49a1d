"""``spectrace audit``: what formats tell of the class before anybody looks at the pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli.progress import progress

if TYPE_CHECKING:
    from spectrace.corpora.manifest import Manifest
    from spectrace.evaluation.audit.equalise import Chain, Equalised
    from spectrace.evaluation.audit.findings import Audit

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_SHOWN = 20


@click.command()
@click.argument("folders", nargs=-1, type=_FOLDER, metavar="[REAL GENERATED]")
@click.option("-m", "--manifest", "manifest_path", type=_FILE, help="Labelled pictures: .csv or .parquet.")
@click.option("-s", "--split", help="Rows of the manifest to audit [all but unseen].")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all chance.")
@click.option("--workers", type=click.IntRange(min=1), help="Pictures at a time [one a processor].")
@click.option("-o", "--out", type=_FILE, help="Write what was found (JSON).")
@click.option("--report", type=_FILE, help="Write a page to look at (HTML).")
@click.option(
    "--fix", type=click.Path(file_okay=False, path_type=Path), help="Write an equalised copy, and audit it."
)
@click.option(
    "--side", type=click.IntRange(min=16), default=128, show_default=True, help="Of the copies, in pixels."
)
@click.option(
    "--jpeg",
    nargs=2,
    type=click.IntRange(1, 100),
    metavar="LOW HIGH",
    help="Put the copies through JPEG of random quality.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON instead of a table.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    *,
    folders: tuple[Path, ...],
    manifest_path: Path | None,
    split: str | None,
    seed: int,
    workers: int | None,
    out: Path | None,
    report: Path | None,
    fix: Path | None,
    side: int,
    jpeg: tuple[int, int] | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say how well file formats, JPEG's traces and resampling traces tell real from generated pictures.

    The pictures come from two folders, or from a manifest. --fix writes a copy in which both classes went
    through the same random cut and resize, without metadata, and audits that as well.

    Exit codes: 0 no leak was found (with --fix: in the copy), 1 a leak, 2 wrong usage, 3 some pictures were
    not read (they are listed), 130 interrupted; --fix goes on where it stopped.
    """
    from spectrace.evaluation.audit.equalise import Chain, equalise  # noqa: PLC0415  (heavy)
    from spectrace.evaluation.audit.findings import Verdict, audit  # noqa: PLC0415

    chain = Chain(side=side, quality=jpeg, seed=seed)
    rows = _rows(folders, manifest_path, split, quiet=quiet)
    with progress("auditing", len(rows), quiet=quiet) as step:
        before = audit(rows, split=None, seed=seed, workers=workers, visit=step)
    after, done = None, None
    if fix is not None:
        with progress("equalising", len(rows), quiet=quiet) as step:
            copy, done = equalise(rows, fix, chain, workers=workers, visit=step)
        with progress("auditing the copy", len(copy), quiet=quiet) as step:
            after = audit(copy, seed=seed, workers=workers, visit=step)
    encoded = _encoded(before, after)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(encoded)
    if report is not None:
        from spectrace.explain.audit_page import audit_page  # noqa: PLC0415

        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(audit_page(before, after, done), "utf-8")
    if as_json:
        click.echo(encoded.decode(), nl=False)
    else:
        _show(before)
        if fix is not None and after is not None and done is not None:
            _show_copy(before, after, done, fix, chain)
    if before.unreadable:
        _list([f"{one.path}: {one.message}" for one in before.unreadable], quiet=quiet)
        return 3
    return 1 if (after or before).verdict is Verdict.LEAK else 0


def _rows(folders: tuple[Path, ...], path: Path | None, split: str | None, *, quiet: bool) -> Manifest:
    from spectrace.corpora.manifest import Manifest  # noqa: PLC0415
    from spectrace.corpora.splits import FORBIDDEN_SPLIT  # noqa: PLC0415
    from spectrace.errors import ManifestError, UsageError  # noqa: PLC0415

    if (len(folders) == 2) == (path is not None) or len(folders) not in (0, 2):
        raise UsageError("wanted two folders, REAL and GENERATED, or --manifest FILE: give one or the other")
    if path is None:
        if split is not None:
            raise UsageError("folders have no splits: leave --split out, or build a manifest of them")
        return Manifest.from_folders(real=folders[0], generated=folders[1], shares={"": 1.0})
    manifest = Manifest.read(path)
    splits = {row.split for row in manifest}
    if split is not None and split not in splits:
        known = ", ".join(sorted(name or "(none)" for name in splits))
        raise ManifestError(f"no picture has the split {split!r}: {path} has {known}")
    if split is None and FORBIDDEN_SPLIT in splits and not quiet:
        click.echo(f"spectrace: the split {FORBIDDEN_SPLIT} is left out: name it to audit it", err=True)
    chosen = {split} if split is not None else splits - {FORBIDDEN_SPLIT}
    return manifest.select(split=chosen).require_both_labels()


def _encoded(before: Audit, after: Audit | None) -> bytes:
    import msgspec  # noqa: PLC0415

    return msgspec.json.format(msgspec.json.encode({"audit": before, "copy": after})) + b"\n"


def _show(audit: Audit) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from spectrace.cli.rows import printable  # noqa: PLC0415
    from spectrace.evaluation.audit import wording  # noqa: PLC0415

    click.echo(
        f"{audit.real:,} real pictures of {audit.real_sources} sources, "
        f"{audit.generated:,} generated of {audit.generated_sources}\n"
    )
    table = Table(box=None, pad_edge=False)
    for name in ("traits", "AUROC", "on new sources", ""):
        table.add_column(name, overflow="fold")
    for part in audit.parts:
        new = wording.estimate(part.new_sources) if part.new_sources else ""
        table.add_row(wording.NAMES[part.kind], wording.figure(part), new, part.verdict.value)
    # Names are plain text: no markup, no emoji; a file or a pipe has no width.
    width = None if sys.stdout.isatty() else 160
    Console(markup=False, emoji=False, highlight=False, width=width).print(table)
    click.echo(f"\n{wording.headline(audit)}")
    for sentence in (*wording.findings(audit), *wording.advice(audit)):
        click.echo(f"  {printable(sentence)}")


def _show_copy(before: Audit, after: Audit, done: Equalised, out: Path, chain: Chain) -> None:
    from spectrace.evaluation.audit import wording  # noqa: PLC0415
    from spectrace.evaluation.audit.equalise import MANIFEST  # noqa: PLC0415

    click.echo(f"\n{out / MANIFEST}: {len(done.written):,} equalised pictures")
    if done.too_small:
        click.echo(
            f"  {len(done.too_small):,} left out: below {chain.least_side} pixels a side "
            "(whichever class; equalised.json lists them)"
        )
        sources = sorted({one.source for one in done.too_small} - {one.source for one in done.written})
        if sources:
            click.echo(f"  sources without any copy: {', '.join(sources)}")
    for sentence in wording.comparison(before, after):
        click.echo(f"  {sentence}")
    click.echo(f"  {wording.headline(after)}")


def _list(lines: list[str], *, quiet: bool) -> None:
    from spectrace.cli.rows import printable  # noqa: PLC0415

    if quiet:
        return
    for line in lines[:_SHOWN]:
        click.echo(f"spectrace: {printable(line)}", err=True)
    if len(lines) > _SHOWN:
        click.echo(f"spectrace: ... and {len(lines) - _SHOWN:,} more; --json lists all", err=True)
