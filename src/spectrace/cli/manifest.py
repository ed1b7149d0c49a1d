"""``spectrace manifest``: build a manifest of labelled pictures, or check one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli.progress import progress

if TYPE_CHECKING:
    from spectrace.corpora.check import Findings
    from spectrace.corpora.manifest import Manifest

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_SHOWN = 20


@click.group(name="manifest")
def command() -> None:
    """Build or check a manifest: a table of pictures with their labels, splits and sources."""


@command.command()
@click.option("-r", "--real", type=_FOLDER, multiple=True, required=True, help="Folder of camera pictures.")
@click.option(
    "-g", "--generated", type=_FOLDER, multiple=True, required=True, help="Folder of generated pictures."
)
@click.option("-o", "--out", type=_FILE, required=True, help="The manifest to write: .csv or .parquet.")
@click.option("--val-share", type=float, default=0.125, show_default=True, help="Share of the split val.")
@click.option("--test-share", type=float, default=0.0, show_default=True, help="Share of the split test.")
@click.option(
    "--keep-stems-together",
    is_flag=True,
    help="Split by file name without suffix: a photograph and what was made from it stay together.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def build(
    *,
    real: tuple[Path, ...],
    generated: tuple[Path, ...],
    out: Path,
    val_share: float,
    test_share: float,
    keep_stems_together: bool,
    quiet: bool,
) -> int:
    """Label the pictures of folders and split them by a hash of their contents.

    --real and --generated may be given several times. Folders inside a given folder name the sources and
    generators. Adding pictures later moves none from one split to another.
    """
    from spectrace.corpora.manifest import Manifest  # noqa: PLC0415  (only when it runs)
    from spectrace.corpora.splits import shares_of  # noqa: PLC0415
    from spectrace.corpora.tables import format_of  # noqa: PLC0415

    format_of(out)  # refused before a million files are read
    shares = shares_of(val_share, test_share)
    with progress("reading", None, quiet=quiet) as step:
        manifest = Manifest.from_folders(
            real=real,
            generated=generated,
            root=out.parent,
            shares=shares,
            keep_stems_together=keep_stems_together,
            visit=lambda _: step(),
        )
    manifest.write(out)
    _written(out, manifest)
    return 0


@command.command()
@click.argument("root", type=_FOLDER)
@click.option("-o", "--out", type=_FILE, required=True, help="The manifest to write: .csv or .parquet.")
@click.option("--compression", default="c23", show_default=True, help="c0, c23 or c40.")
@click.option("--splits", type=_FOLDER, help="Folder of the official train.json, val.json and test.json.")
@click.option("--frames", type=click.IntRange(min=1), help="At most so many of a video, evenly spread [all].")
def faceforensics(*, root: Path, out: Path, compression: str, splits: Path | None, frames: int | None) -> int:
    """List the extracted frames of FaceForensics++ below ROOT, with masks and official splits.

    Exit codes: 0 all parts are there, 2 wrong usage, 3 some are missing (each is named on stderr).
    """
    from spectrace.corpora.faceforensics import read_faceforensics  # noqa: PLC0415
    from spectrace.corpora.tables import format_of  # noqa: PLC0415

    format_of(out)
    missing: list[str] = []
    manifest = read_faceforensics(
        root,
        compression=compression,
        splits=splits,
        frames=frames,
        base=out.parent,
        on_problem=missing.append,
    )
    manifest.write(out)
    _told(missing)
    _written(out, manifest)
    return 3 if missing else 0


@command.command("crop-faces")
@click.argument("path", metavar="MANIFEST", type=click.Path(path_type=Path))
@click.argument("landmarks", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to."
)
@click.option("--size", type=int, default=256, show_default=True, help="Side of the crops in pixels.")
@click.option(
    "--margin",
    type=float,
    default=0.3,
    show_default=True,
    help="Room around the face, as a share of its box.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def crop_faces(*, path: Path, landmarks: Path, out: Path, size: int, margin: float, quiet: bool) -> int:
    """Cut aligned faces by the five points that the JSON file LANDMARKS gives for every original frame.

    A manipulation is cut by its original's points. Writes pictures, masks and manifest.csv.

    Exit codes: 0 all are cut, 2 wrong usage, 3 some are left out (said on stderr).
    """
    from spectrace.corpora import faces  # noqa: PLC0415
    from spectrace.corpora.manifest import Manifest  # noqa: PLC0415

    manifest = Manifest.read(path)
    points = faces.read_landmarks(landmarks)
    left_out: list[str] = []
    with progress("cropping", len(manifest), quiet=quiet) as step:
        cropped = faces.crop_faces(
            manifest,
            points,
            out,
            size,
            margin=margin,
            on_problem=left_out.append,
            visit=lambda _: step(),
        )
    _told(left_out)
    _written(out / "manifest.csv", cropped)
    return 3 if left_out else 0


@command.command()
@click.argument("path", metavar="MANIFEST", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything that was found, as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def check(path: Path, *, as_json: bool, quiet: bool) -> int:
    """Decode every picture and count them by split, label, generator and source.

    Lists files that are missing, unreadable or not the ones that were listed, and equal files in two
    splits or under both labels.

    Exit codes: 0 all is well, 1 something contradicts, 2 wrong usage, 3 pictures missing or unreadable.
    """
    from spectrace.corpora.check import check_manifest  # noqa: PLC0415
    from spectrace.corpora.manifest import Manifest  # noqa: PLC0415

    manifest = Manifest.read(path)
    with progress("checking", len(manifest), quiet=quiet) as step:
        findings = check_manifest(manifest, workers=os.cpu_count() or 1, visit=lambda _: step())
    if as_json:
        import msgspec  # noqa: PLC0415

        # ASCII escapes carry file names that are not valid Unicode.
        click.echo(json.dumps(msgspec.to_builtins(findings), indent=2))
    else:
        _show(findings)
    if not findings.complete:
        return 3
    return 0 if findings.clean else 1


def _written(out: Path, manifest: Manifest) -> None:
    counts = manifest.count("split", "label")
    parts = ", ".join(f"{counts[split, label]} {split}/{label}" for split, label in sorted(counts))
    click.echo(f"{out}: {len(manifest)} pictures ({parts}), digest {manifest.digest()[:16]}")


def _told(problems: list[str]) -> None:
    from spectrace.cli.rows import printable  # noqa: PLC0415

    for problem in problems:
        click.echo(printable(problem), err=True)


def _show(findings: Findings) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for name in ("split", "label", "generator", "source"):
        table.add_column(name, overflow="fold")
    table.add_column("pictures", justify="right")
    for group in findings.groups:
        table.add_row(group.split, group.label, group.generator, group.source, f"{group.pictures:,}")
    # Names in a manifest are plain text: no markup, no emoji; a file or a pipe has no width.
    width = None if sys.stdout.isatty() else 200
    Console(markup=False, emoji=False, highlight=False, width=width).print(table)
    click.echo(f"\n{findings.pictures:,} pictures, digest {findings.digest[:16]}")
    _list("missing", findings.missing)
    _list("unreadable", [f"{found.path} ({found.problem}: {found.message})" for found in findings.unreadable])
    _list("not the file that was listed (its sha256 differs)", findings.changed)
    for title, copies in (
        ("equal files in more than one split", findings.across_splits),
        ("equal files under both labels", findings.across_labels),
    ):
        _list(title, [f"{', '.join(found.paths)} ({', '.join(found.values)})" for found in copies])
    if findings.copies:
        click.echo(f"{findings.copies:,} pictures are copies of another one")
    if findings.complete and findings.clean:
        click.echo("every picture is there, readable, in one split and under one label")


def _list(title: str, lines: list[str]) -> None:
    from spectrace.cli.rows import printable  # noqa: PLC0415

    if not lines:
        return
    click.echo(f"{len(lines):,} {title}:")
    for line in lines[:_SHOWN]:
        click.echo(f"  {printable(line)}")
    if len(lines) > _SHOWN:
        click.echo(f"  ... and {len(lines) - _SHOWN:,} more; --json lists all")
