"""The best few of a stream, in the memory of those few."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Strongest(Generic[T]):
    """Keeps the strongest items of a stream of any length; of equal ones the first that came.

    Args:
        limit: how many to keep, at least 1.

    Example:
        >>> best = Strongest[str](2)
        >>> for name, strength in (("a", 1.0), ("b", 3.0), ("c", 3.0), ("d", 2.0)):
        ...     if best.admits(strength):
        ...         best.add(strength, name)
        >>> best.ranked()
        ['b', 'c']
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._arrived = 0
        # The arrival number settles ties, so items are never compared.
        self._heap: list[tuple[float, int, T]] = []

    def admits(self, strength: float) -> bool:
        """Whether an item of that strength would be kept now: nothing need be made of one that would not."""
        return len(self._heap) < self._limit or strength > self._heap[0][0]

    def add(self, strength: float, item: T) -> None:
        """Offer an item."""
        self._arrived += 1
        entry = (strength, -self._arrived, item)
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def ranked(self) -> list[T]:
        """What was kept, the strongest first."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]
