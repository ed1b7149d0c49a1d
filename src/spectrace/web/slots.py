"""Threads that look at pictures: a fixed number, and a bounded number of requests that wait for one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from spectrace.web.refusals import RefusedError, busy

T = TypeVar("T")
Job = Callable[[threading.Event], T]
"""Work for a thread; once the event is set nobody waits for it any more."""


class TooSlowError(RefusedError):
    """The work was begun and did not end in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            422,
            "too-slow",
            f"the answer was not ready in {seconds:g} s, the limit: send fewer or smaller pictures at a time",
        )


class Slots:
    """Runs jobs in threads.

    A request that is still arriving, or whose answer is being sent, takes no thread.

    Args:
        workers: threads.
        waiting: jobs that may wait for one.
        seconds: for each job, waiting included.
    """

    def __init__(self, workers: int, waiting: int, seconds: float) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="spectrace")
        self._free = asyncio.Semaphore(workers)
        self._most_waiting = waiting
        self._seconds = seconds
        self.waiting = 0
        self.working = 0

    async def run(self, job: Job[T], still_wanted: Callable[[], Awaitable[bool]]) -> T:
        """Wait for a thread, then for the job.

        A thread cannot be stopped from outside: a job that is late keeps its thread until it ends, and is
        told through its event.

        Args:
            job: the work.
            still_wanted: asked when the job's turn has come.

        Raises:
            RefusedError: 429 when too many wait or the wait is too long, 422 when the job is too slow, 400
                when it is no longer wanted.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        await self._wait_for_turn(end)
        if not await still_wanted():
            self._free.release()
            raise RefusedError(400, "incomplete", "the client left before its turn came")
        stop = threading.Event()
        self.working += 1
        future = loop.run_in_executor(self._pool, job, stop)
        future.add_done_callback(self._ended)
        try:
            async with asyncio.timeout_at(end):
                return await asyncio.shield(future)
        except TimeoutError:
            raise TooSlowError(self._seconds) from None
        finally:
            stop.set()

    def close(self) -> None:
        """Begin no more jobs."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _wait_for_turn(self, end: float) -> None:
        if self._free.locked() and self.waiting >= self._most_waiting:
            raise busy(f"{self.waiting} requests wait already, the limit: try again shortly")
        self.waiting += 1
        try:
            async with asyncio.timeout_at(end):
                await self._free.acquire()
        except TimeoutError:
            raise busy(f"the request's turn did not come in {self._seconds:g} s: try again later") from None
        finally:
            self.waiting -= 1

    def _ended(self, future: asyncio.Future[T]) -> None:
        self.working -= 1
        self._free.release()
        if not future.cancelled():
            future.exception()  # looked at, or asyncio complains when nobody waits any more
