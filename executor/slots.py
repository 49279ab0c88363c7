"""How many nodes may run at once in this process, and who goes first."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

Rank = tuple[int, str]
"""(−priority, time of creation): the smaller goes first; equals in order of their asking."""


def rank(priority: int, created_at: str) -> Rank:
    """Highest priority first, then the oldest execution."""
    return (-priority, created_at)


class Slots:
    """`limit` slots shared by all executions of the process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = limit
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []
        self._number = count()

    @property
    def taken(self) -> int:
        return self.limit - self._free

    async def take(self, who: Rank) -> None:
        """Wait for a slot; it is the caller's until `give`."""
        if self._free:
            # whoever waits is woken as soon as a slot is free, so nobody is overtaken here
            self._free -= 1
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (who, next(self._number), granted))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """Return a slot; the first in rank gets it."""
        while self._waiting:
            granted = heapq.heappop(self._waiting)[2]
            if not granted.done():
                granted.set_result(None)
                return
        self._free += 1

    @asynccontextmanager
    async def slot(self, who: Rank) -> AsyncIterator[None]:
        await self.take(who)
        try:
            yield
        finally:
            self.give()
