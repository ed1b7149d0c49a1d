"""Threads that look at pictures: a fixed number, and a bounded number of requests that wait for one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
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
        wait_seconds: for a job's turn to come.
        work_seconds: for a job from then on, so that those before it cannot make it late.
    """

    def __init__(self, workers: int, waiting: int, wait_seconds: float, work_seconds: float) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="spectrace")
        self._free = asyncio.Semaphore(workers)
        self._most_waiting = waiting
        self._wait_seconds = wait_seconds
        self._work_seconds = work_seconds
        self.waiting = 0
        self.working = 0

    async def run(self, job: Job[T]) -> T:
        """Wait for a thread, then for the job.

        A thread cannot be stopped from outside: a job that is late, or whose waiting was cancelled, keeps
        its thread until it ends, and is told through its event.

        Args:
            job: the work.

        Raises:
            RefusedError: 429 when too many wait or the wait is too long, 422 when the job is too slow.
        """
        await self._wait_for_turn()
        stop = threading.Event()
        self.working += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, job, stop)
        future.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._work_seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            raise TooSlowError(self._work_seconds) from None
        finally:
            stop.set()

    def close(self) -> None:
        """Begin no more jobs."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _wait_for_turn(self) -> None:
        if self._free.locked() and self.waiting >= self._most_waiting:
            raise busy(f"{self.waiting} requests wait already, the limit: try again shortly")
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise busy(
                f"the request's turn did not come in {self._wait_seconds:g} s: try again later"
            ) from None
        finally:
            self.waiting -= 1

    def _ended(self, future: asyncio.Future[T]) -> None:
        self.working -= 1
        self._free.release()
        if not future.cancelled():
            future.exception()  # looked at, or asyncio complains when nobody waits any more
