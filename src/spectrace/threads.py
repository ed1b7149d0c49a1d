"""Several things at a time, answers in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(function: Callable[[T], R], items: Iterable[T], workers: int | None = None) -> Generator[R]:
    """Call a function on each item in threads; answers come in the order of the items.

    Items are taken as they are needed, so memory is bounded by the number of workers. What is still waiting
    when the caller stops, or when an answer is an error, is not begun.

    Args:
        function: safe to call in several threads.
        items: any number.
        workers: threads; None takes one a processor.

    Example:
        >>> list(in_order(str.upper, ["a", "b", "c"], workers=2))
        ['A', 'B', 'C']
    """
    workers = workers or available_processors()
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="spectrace") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def available_processors() -> int:
    """Processors this process may use, which a container or ``taskset`` may have bounded.

    Example:
        >>> available_processors() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
