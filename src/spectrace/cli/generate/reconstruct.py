"""``spectrace generate reconstruct``: photographs and their reconstructions, aligned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli.generate.photographs import MANIFESTS
from spectrace.cli.progress import progress
from spectrace.cli.training import require_training
from spectrace.errors import UsageError

if TYPE_CHECKING:
    from spectrace.corpora.manifest import Manifest

_UNREADABLE = 3


@click.command(name="reconstruct")
@click.argument("autoencoder", type=click.Path(path_type=Path))
@click.argument("photographs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder.")
@click.option(
    "--format",
    "file_format",
    default="keep",
    show_default=True,
    help="Of both sides: keep (the photograph's own), png, or jpeg(quality=90).",
)
@click.option(
    "--scale",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Scale photographs down first, which removes most of what JPEG left in them.",
)
@click.option(
    "--window", type=click.IntRange(min=64), default=1024, show_default=True, help="Pixels a side at most."
)
@click.option(
    "--windows", type=click.IntRange(min=1), default=1, show_default=True, help="Of each photograph."
)
@click.option(
    "--per-source", type=click.IntRange(min=0), default=0, help="Photographs of each source and split [all]."
)
@click.option("--rest", is_flag=True, help="List the manifest's other pictures, too, where they are.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def command(
    *,
    autoencoder: Path,
    photographs: tuple[Path, ...],
    out: Path,
    file_format: str,
    scale: float,
    window: int,
    windows: int,
    per_source: int,
    rest: bool,
    quiet: bool,
) -> int:
    """Write PHOTOGRAPHS and what AUTOENCODER makes of them as aligned pairs, with a manifest.

    AUTOENCODER is a file or run of Spectrace's small one, or the folder with the weights of the FLUX.2 tiny
    one. PHOTOGRAPHS are folders, or one manifest, of which the real pictures are taken, but never those of
    the split unseen.

    Both sides of a pair get the same content, size, format, quantisation and block grid. With png or
    jpeg(...) at --scale 1, photographs that were JPEG before keep traces of it that their reconstructions
    lose. Pictures that are there already are kept. The manifest's path is printed to stdout.
    """
    require_training("Autoencoders")
    from spectrace.generators.aligned import MANIFEST  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.generators.autoencoders import load_autoencoder  # noqa: PLC0415
    from spectrace.generators.pairs import chosen, write_pairs  # noqa: PLC0415

    reconstructor = load_autoencoder(autoencoder)
    manifest = _manifest(photographs)
    problems: list[str] = []
    with progress("photographs", len(chosen(manifest, per_source)), quiet=quiet) as step:
        write_pairs(
            manifest,
            out,
            [reconstructor],
            file_format=file_format,
            scale=scale,
            window=window,
            windows=windows,
            per_source=per_source,
            rest=rest,
            on_problem=problems.append,
            visit=step,
        )
    for problem in problems:
        click.echo(problem, err=True)
    click.echo(out / MANIFEST)
    return _UNREADABLE if problems else 0


def _manifest(given: tuple[Path, ...]) -> Manifest:
    from spectrace.corpora.folders import rows_from_folders  # noqa: PLC0415
    from spectrace.corpora.manifest import Manifest  # noqa: PLC0415

    if not any(path.suffix in MANIFESTS for path in given):
        return Manifest(rows_from_folders(given, "real", root=Path.cwd()), Path.cwd())
    if len(given) > 1:
        raise UsageError("a manifest and something else: wanted one manifest, or folders")
    return Manifest.read(given[0])
