"""Lookups: nobody gets a row that is older than the question, and few reads serve many."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from bff.stores.sqlite.lookups import Lookups
from contract.errors import Unavailable


class Table:
    """Rows that change, and a read that is held until it is let go."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.reads: list[set[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def read(self, ids: Collection[str]) -> dict[str, int]:
        self.reads.append(set(ids))
        found = {id: self.rows[id] for id in ids if id in self.rows}
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return found


async def test_who_asks_during_a_read_waits_for_the_next_one_which_is_for_all() -> None:
    table = Table()
    lookups = Lookups(table.read)
    table.open.clear()
    first = asyncio.create_task(lookups.get("a"))
    while not table.reads:
        await asyncio.sleep(0)
    table.rows["a"] = 1  # after the read has looked
    later = [asyncio.create_task(lookups.get(id)) for id in ("a", "b", "a", "c")]
    await asyncio.sleep(0)
    table.open.set()
    assert await first is None
    assert await asyncio.gather(*later) == [1, None, 1, None]
    assert table.reads == [{"a"}, {"a", "b", "c"}]


async def test_one_that_goes_away_does_not_take_the_others_row() -> None:
    table = Table()
    table.rows["a"] = 1
    lookups = Lookups(table.read)
    table.open.clear()
    gone, stays = (asyncio.create_task(lookups.get("a")) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    table.open.set()
    assert await stays == 1
    assert gone.cancelled()


async def test_an_error_is_for_those_who_asked_and_the_next_read_is_tried() -> None:
    table = Table()
    lookups = Lookups(table.read)
    table.error = Unavailable("no")
    answers = await asyncio.gather(lookups.get("a"), lookups.get("b"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    table.error, table.rows["a"] = None, 1
    assert await lookups.get("a") == 1
    with pytest.raises(TimeoutError):
        table.open.clear()
        async with asyncio.timeout(0.01):
            await lookups.get("a")
    table.open.set()
    assert await lookups.get("a") == 1
