"""Rows that many ask for at once, read together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Lookups(Generic[Row]):
    """Reads by id: one read at a time, the next one for all who asked meanwhile.

    A read begins after everybody whom it answers has asked, so nobody gets a row older
    than the question.

    Args:
        read: the rows of those ids that exist.
    """

    def __init__(self, read: Callable[[Collection[str]], Awaitable[Mapping[str, Row]]]) -> None:
        self._read = read
        self._turn = asyncio.Lock()
        self._asked: set[str] = set()
        self._answer: asyncio.Task[Mapping[str, Row]] | None = None

    async def get(self, id: str) -> Row | None:
        """The row, or None if there is none; raises what the read raises."""
        self._asked.add(id)
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_task(self._next())
            self._answer.add_done_callback(_look)
        # shared by all who wait; one that goes away does not stop it for the others
        return (await asyncio.shield(self._answer)).get(id)

    async def _next(self) -> Mapping[str, Row]:
        async with self._turn:
            asked, self._asked, self._answer = self._asked, set(), None
            return await self._read(asked)


def _look(answer: asyncio.Task[Mapping[str, Row]]) -> None:
    """Those who waited may all be gone, and then nobody else looks at its error."""
    if not answer.cancelled():
        answer.exception()
