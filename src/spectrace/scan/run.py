"""A scan from its sources to its summary: what engines share."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import msgspec

from spectrace.detectors.runtime import find_model
from spectrace.detectors.schema import schema
from spectrace.errors import SpectraceError, UsageError
from spectrace.images.decode import Limits
from spectrace.images.reading import escaped
from spectrace.scan.chunks import Chunk, Lister, Listing
from spectrace.scan.digests import Digests
from spectrace.scan.folder import ScanFolder, Settings
from spectrace.scan.items import is_address, refuse_password
from spectrace.scan.listing import list_items
from spectrace.scan.page import scan_page, thumbnails
from spectrace.scan.scoring import Row, Scoring
from spectrace.scan.summary import Summary, summarise
from spectrace.threads import available_processors

Engine = Literal["local", "ray"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is.

    Attributes:
        done: pictures with a result, those of earlier runs among them.
        listed: pictures that the sources are known to mean.
        complete: whether the sources are listed to their end.
    """

    done: int
    listed: int
    complete: bool


def scan(
    sources: Sequence[str],
    out: Path,
    *,
    model: str | Path | None = None,
    tiles: int | None = None,
    dense: bool = False,
    max_pixels: int = Limits().pixels,
    column: str | None = None,
    once: bool = False,
    engine: Engine = "local",
    workers: int | None = None,
    gpu: bool = False,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_problem: Callable[[str], None] = lambda line: None,
    on_note: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Score every picture that the sources mean, and go on where an earlier run stopped.

    Results are in ``out/rows``, a Parquet data set: one row a picture, with the keys of a detection's row and
    ``duplicate_of``. However often the process is killed and started again, every picture has one row at the
    end. Pictures that are new since the last run are scored too. Memory is bounded whatever the number of
    pictures. With processes, call it below ``if __name__ == "__main__":``.

    Args:
        sources: as for :func:`spectrace.scan.listing.list_items`.
        out: folder of this scan.
        model: an installed model or a file; None for the shipped one.
        tiles: as for :class:`~spectrace.detectors.detector.Detector`.
        dense: as for it.
        max_pixels: refuse larger pictures.
        column: of tables, with paths or with pictures.
        once: score the same bytes once; each of their paths has its row.
        engine: ``local`` (processes) or ``ray`` (Ray Data).
        workers: processes, or actors at most; None takes one a processor.
        gpu: run the network on CUDA devices; with ``ray`` one an actor.
        on_progress: called as results come.
        on_problem: called with a line where a source means nothing.
        on_note: called with a line that is worth knowing.

    Returns:
        What is in all of the rows, in figures; ``out/summary.html`` shows it.

    Raises:
        UsageError: a source cannot be listed, or ``out`` holds something else.
        SpectraceError: ``out`` cannot be read or written, or every worker ended.
        ModelError: there is no such model, or no GPU to use.
        ManifestError: a table cannot be read.
        MissingDependencyError: an optional package is missing.
    """
    if engine not in get_args(Engine):
        raise UsageError(f"unknown engine {engine!r}: wanted one of {', '.join(get_args(Engine))}")
    schema()  # a missing pyarrow is told before anything is begun
    for source in sources:
        refuse_password(source)
    path = str(find_model(model).resolve())
    scoring = Scoring(model=path, tiles=tiles, dense=dense, pixels=max_pixels, column=column, gpu=gpu)
    # What is wrong with a model is told before any worker starts. A cluster may have GPUs that are not here.
    card = msgspec.structs.replace(scoring, gpu=gpu and engine == "local").detector().card
    wanted = Settings(
        sources=[escaped(source) for source in sources],
        folder=None if all(map(_stands_alone, sources)) else escaped(os.getcwd()),  # noqa: PTH109
        column=column,
        once=once,
        model=card.name,
        model_sha256=hashlib.sha256(Path(scoring.model).read_bytes()).hexdigest(),
        tiles=tiles,
        dense=dense,
        max_pixels=max_pixels,
    )
    with _broken_state_told(out), closing(ScanFolder(out, wanted)) as folder:
        lister = Lister(folder.listing, list_items(sources, on_problem, column, but=out))
        job = _Job(folder, lister, on_progress)
        lister.start()
        try:
            digests = folder.digests if once else None
            if engine == "local":
                from spectrace.scan import local  # noqa: PLC0415

                local.run(
                    scoring,
                    card.name,
                    job.pending(),
                    job.deliver,
                    workers=workers or available_processors(),
                    digests=digests,
                )
            else:
                from spectrace.scan import cluster  # noqa: PLC0415

                lister.join()
                ready = (chunk for chunk in job.pending() if chunk is not None)
                cluster.run(scoring, ready, job.deliver, workers=workers, digests=digests)
        finally:
            lister.stop()
            job.close()
        if job.was_complete and lister.added:
            on_note(
                f"new since {out} was begun, and scored too: {lister.added:,}. The others keep their rows; "
                f"to score all again, name another --out or delete {out}"
            )
        summary = summarise(folder)
        shown = thumbnails(folder, summary.strongest)
        folder.write_page(scan_page(summary, folder.settings, card, shown))
        return summary


class _Job:
    """What is to be done, what is done, and rows of chunks that are neither."""

    def __init__(self, folder: ScanFolder, lister: Lister, on_progress: Callable[[Progress], None]) -> None:
        self._folder = folder
        self._lister = lister
        self._on_progress = on_progress
        self._listing = Listing(folder.listing)
        self._digests = Digests(folder.digests) if folder.settings.once else None
        self._parts = frozenset(folder.parts())
        self._unfinished: dict[int, list[Row]] = {}
        if max(self._parts, default=-1) >= self._listing.chunks:
            raise UsageError(
                f"{folder.rows} holds results that {folder.listing.name} does not know: put the listing back "
                "that was there, or name another --out"
            )
        self.was_complete = self._listing.complete and self._listing.items > 0
        done = sum(size for chunk, size in self._listing.sizes() if chunk in self._parts)
        self._progress = Progress(done, self._listing.items, complete=False)

    def close(self) -> None:
        self._listing.close()
        if self._digests is not None:
            self._digests.close()

    def pending(self) -> Iterator[Chunk | None]:
        """Chunks without a part, as they are listed; None while the lister has more to come.

        Raises:
            Exception: what stopped the lister.
        """
        following = 0
        while True:
            ended = not self._lister.is_alive()
            for chunk in range(following, self._listing.chunks):
                following = chunk + 1
                if chunk not in self._parts:
                    yield self._listing.chunk(chunk)
            self._step(0)
            if ended:
                if self._lister.error is not None:
                    raise self._lister.error
                return
            yield None

    def deliver(self, chunk: Chunk, start: int, rows: list[Row]) -> None:
        """Take rows of a chunk; when all have come, they are written."""
        if self._digests is not None:
            rows = self._digests.settle(rows)
        gathered = self._unfinished.setdefault(chunk.id, [])
        assert len(gathered) == start, "rows come in order, each once"
        gathered += rows
        if len(gathered) == len(chunk.items):
            self._folder.write_part(chunk.id, self._unfinished.pop(chunk.id))
        self._step(len(rows))

    def _step(self, rows: int) -> None:
        complete = not self._lister.is_alive()
        self._progress = Progress(self._progress.done + rows, self._listing.items, complete)
        self._on_progress(self._progress)


@contextmanager
def _broken_state_told(out: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise SpectraceError(
            f"state in {out} cannot be read or written ({error}): see to it, then the same command goes on"
        ) from error


def _stands_alone(source: str) -> bool:
    """Whether a source means the same from any folder."""
    return is_address(source) or Path(source).is_absolute()
