"""The local engine: processes that each have a detector of one thread, and a parent that alone writes.

Each worker has a pipe of its own: a lock shared among them could be held by one that is killed. A worker
whose pipe ends has died; what it had not answered is given to another one, picture by picture from then on:
so a picture that kills its worker is found.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path
from typing import Any

from spectrace.detectors.detection import Detection
from spectrace.errors import SpectraceError, UsageError
from spectrace.scan.chunks import Chunk
from spectrace.scan.digests import Digests
from spectrace.scan.items import Item
from spectrace.scan.scoring import Deliver, Row, Scoring, score_batch

_STRIKES = 2  # deaths of a worker that had nothing else in its hands
_FAILED_STARTS = 3
_SEND_EVERY = 0.25  # seconds
_LOOK_EVERY = 0.05
_PATIENCE = 5.0


@dataclass(eq=False)
class _Task:
    """A chunk on its way: how many of its rows have come, and what happened meanwhile."""

    chunk: Chunk
    done: int = 0
    careful: bool = False
    strikes: Counter[int] = field(default_factory=Counter)

    @property
    def left(self) -> list[Item]:
        return self.chunk.items[self.done :]


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection
    ready: bool = False
    task: _Task | None = None


def run(
    scoring: Scoring,
    model: str,
    chunks: Iterator[Chunk | None],
    deliver: Deliver,
    *,
    workers: int,
    digests: Path | None = None,
) -> None:
    """Score chunks in processes.

    Args:
        scoring: how.
        model: ``id@version``, for the rows of pictures that no worker survives.
        chunks: work as it comes; None while there is none yet.
        deliver: called in this thread with a chunk, the number of its first item that the rows are of, and
            the rows: in the order of the items, each item once.
        workers: number of processes.
        digests: of what is scored already, to leave duplicates out.

    Raises:
        SpectraceError: what a worker met that concerns the whole scan; or workers do not start.
    """
    _Pool(scoring, model, deliver, workers, digests).run(chunks)


class _Pool:
    def __init__(
        self, scoring: Scoring, model: str, deliver: Deliver, workers: int, digests: Path | None
    ) -> None:
        self._scoring = scoring
        self._model = model
        self._deliver = deliver
        self._wanted = workers
        self._digests = digests
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._waiting: deque[_Task] = deque()
        self._ended = False
        self._failed_starts = 0

    def run(self, chunks: Iterator[Chunk | None]) -> None:
        try:
            while True:
                self._hand_out(chunks)
                if self._ended and not self._waiting and all(one.task is None for one in self._workers):
                    return
                self._listen()
        finally:
            self._stop()

    def _hand_out(self, chunks: Iterator[Chunk | None]) -> None:
        """Give each idle worker its next task, and start as many workers as there is work for."""
        idle = [worker for worker in self._workers if worker.ready and worker.task is None]
        starting = sum(not worker.ready for worker in self._workers)
        room = len(idle) + starting + self._wanted - len(self._workers)
        while not self._ended and len(self._waiting) < room:
            try:
                chunk = next(chunks)
            except StopIteration:
                self._ended = True
                break
            if chunk is None:
                break
            self._waiting.append(_Task(chunk))
        for worker, _ in zip(idle, list(self._waiting), strict=False):
            self._give(worker, self._waiting.popleft())
        for _ in range(min(len(self._waiting) - starting, self._wanted - len(self._workers))):
            self._start()

    def _give(self, worker: _Worker, task: _Task) -> None:
        worker.task = task
        with suppress(OSError):  # of one that has died: its pipe's end says so at once
            worker.connection.send((task.left, task.careful))

    def _listen(self) -> None:
        by_pipe: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers}
        for pipe in wait(list(by_pipe), timeout=_LOOK_EVERY):
            worker = by_pipe[pipe]
            try:
                kind, content = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker)
                continue
            if kind == "ready":
                worker.ready, self._failed_starts = True, 0
            elif kind == "failed":
                raise SpectraceError(content)
            elif worker.task is not None:
                self._receive(worker.task, content)
                if not worker.task.left:
                    worker.task = None

    def _receive(self, task: _Task, rows: list[Row]) -> None:
        self._deliver(task.chunk, task.done, rows)
        task.done += len(rows)

    def _bury(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(_PATIENCE)
        task, code = worker.task, worker.process.exitcode
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts == _FAILED_STARTS:
                raise UsageError(
                    f"{_FAILED_STARTS} workers ended while they started (exit code {code}): is there memory "
                    "for them? Try --workers 1"
                )
        if task is None:
            return
        if task.careful:
            task.strikes[task.done] += 1
            if task.strikes[task.done] == _STRIKES:
                name = task.left[0].name
                error = (
                    f"{name} ended the process that read it, {_STRIKES} times (exit code {code}): "
                    "leave it out, or lower --max-megapixels"
                )
                self._receive(task, [Detection(path=name, model=self._model, error=error).to_dict()])
        task.careful = True
        if task.left:
            self._waiting.append(task)

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_work,
            args=(theirs, self._scoring, self._digests),
            name="spectrace-scan",
            daemon=True,
        )
        with _interrupts_held():
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))

    def _stop(self) -> None:
        # Their pipes' end asks idle workers to go; busy ones hold nothing that is worth waiting for.
        for worker in self._workers:
            worker.connection.close()
            if worker.task is not None or not worker.ready:
                worker.process.kill()
        for worker in self._workers:
            worker.process.join(_PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _work(connection: Connection, scoring: Scoring, digests: Path | None) -> None:
    """What a worker does: all that it is given, until its pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for systems that mask no signals
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        detector = scoring.detector()
        known = None if digests is None else Digests(digests).known
        connection.send(("ready", None))
        while True:
            items, careful = connection.recv()
            if careful:
                for item in items:
                    # Sent before the next one is touched: a death is then that picture's.
                    rows = list(score_batch(detector, [item], column=scoring.column, known=known))
                    connection.send(("rows", rows))
                continue
            _send_rows(connection, score_batch(detector, items, column=scoring.column, known=known))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except SpectraceError as error:
        connection.send(("failed", str(error)))


def _send_rows(connection: Connection, rows: Iterator[Row]) -> None:
    waiting: list[Row] = []
    sent = time.monotonic()
    for row in rows:
        waiting.append(row)
        if time.monotonic() - sent > _SEND_EVERY:
            connection.send(("rows", waiting))
            waiting, sent = [], time.monotonic()
    if waiting:
        connection.send(("rows", waiting))


def _end_with_parent() -> None:
    """A worker may wait for a network when its parent is killed: nobody wants its answer any more."""
    parent = parent_process()
    assert parent is not None, "a worker is started by one"
    parent.join()
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal: what is started here never sees it, we do afterwards."""
    came: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number)) if in_main else None
    mask = None
    if hasattr(signal, "pthread_sigmask"):
        # multiprocessing's own helper, started first, takes its mask away.
        resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if in_main:
            signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)
