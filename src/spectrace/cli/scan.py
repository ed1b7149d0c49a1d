"""``spectrace scan``: collections of any size to Parquet, resumable."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spectrace.cli.numbers import POSITIVE
from spectrace.cli.rows import printable

if TYPE_CHECKING:
    from spectrace.scan.run import Engine, Progress
    from spectrace.scan.summary import Summary

_INTERRUPTED = 130


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of this scan: results, state and summary.",
)
@click.option("--model", metavar="NAME|FILE", help="An installed model or an .onnx file [the shipped one].")
@click.option("--column", help="Of tables: with paths, addresses or pictures [path].")
@click.option("--once", is_flag=True, help="Score files of the same bytes once; each has its row.")
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Who works."
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes, or Ray actors at most [one a processor]."
)
@click.option("--gpu", is_flag=True, help="Run the network on CUDA devices (needs onnxruntime-gpu).")
@click.option("--tiles", type=click.IntRange(min=1), help="Score at most this many tiles a picture.")
@click.option("--dense", is_flag=True, help="Score every tile of every picture.")
@click.option("--max-megapixels", type=POSITIVE, help="Refuse larger pictures [120].")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever was found.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    sources: tuple[str, ...],
    out: Path,
    model: str | None,
    column: str | None,
    once: bool,
    engine: Engine,
    workers: int | None,
    gpu: bool,
    tiles: int | None,
    dense: bool,
    max_megapixels: float | None,
    exit_zero: bool,
    quiet: bool,
) -> int:
    """Scan big collections to Parquet; go on where an earlier run stopped.

    SOURCE is a file, a folder, a quoted glob, @list.txt, an address (s3://bucket/folder and whatever else
    fsspec reads), or a table (.csv, .parquet) of paths or of pictures. However a scan is interrupted, the
    same command goes on with it: each picture has one row at the end.

    Exit codes: 0 nothing generated found, 1 something found, 2 wrong usage, 3 some inputs missing or
    unreadable, 130 interrupted (the same command goes on).
    """
    from spectrace.images.decode import Limits  # noqa: PLC0415  (heavy: only when it runs)
    from spectrace.scan.run import scan  # noqa: PLC0415

    pixels = Limits().pixels if max_megapixels is None else int(max_megapixels * 1e6)
    problems: list[str] = []

    def say(line: str) -> None:
        if not quiet:
            click.echo(f"spectrace: {printable(line)}", err=True)

    def problem(line: str) -> None:
        problems.append(line)
        say(line)

    try:
        with _progress(quiet=quiet) as step:
            summary = scan(
                sources,
                out,
                model=model,
                tiles=tiles,
                dense=dense,
                max_pixels=pixels,
                column=column,
                once=once,
                engine=engine,
                workers=workers,
                gpu=gpu,
                on_progress=step,
                on_problem=problem,
                on_note=say,
            )
    except KeyboardInterrupt:
        kept = printable(str(out))
        click.echo(f"interrupted: what is done is kept in {kept}, the same command goes on", err=True)
        return _INTERRUPTED
    click.echo(_closing(summary, out))
    if exit_zero:
        return 0
    if summary.errors or problems:
        return 3
    return 1 if summary.verdicts["generated"] else 0


def _closing(summary: Summary, out: Path) -> str:
    counts = [f"{summary.verdicts[name]:,} {name}" for name in ("generated", "camera", "inconclusive")]
    if summary.errors:
        counts.append(f"{summary.errors.total():,} not read")
    if summary.duplicates:
        counts.append(f"{summary.duplicates:,} of them duplicates")
    return (
        f"{summary.pictures:,} picture{'' if summary.pictures == 1 else 's'}: {', '.join(counts)}\n"
        f"rows: {printable(str(out / 'rows'))}\nsummary: {printable(str(out / 'summary.html'))}"
    )


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar with rate and time left, on a terminal only; the total grows while the sources are listed."""
    if quiet or not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console  # noqa: PLC0415  (slow to import: only on a terminal)
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    class Counts(ProgressColumn):
        def render(self, task: Task) -> Text:
            total = f"{task.total or 0:,.0f}{'' if task.fields['complete'] else '+'}"
            rate = f" {task.speed:,.0f}/s" if task.speed else ""
            return Text(f"{task.completed:,.0f}/{total}{rate}")

    columns = (TextColumn("scan"), BarColumn(), Counts(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:

        def step(progress: Progress) -> None:
            total = progress.listed or None
            # The bar begins at what earlier runs did: only what is done now has a rate.
            if not bars.task_ids:
                bars.add_task("", total=total, completed=progress.done, complete=progress.complete)
            bars.update(bars.task_ids[0], total=total, completed=progress.done, complete=progress.complete)

        yield step
