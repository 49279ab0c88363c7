"""Slots: never more than the limit, the first in rank next, none lost."""

from __future__ import annotations

import asyncio

import pytest

from executor.slots import Slots, rank


async def test_rank_then_arrival() -> None:
    slots, order = Slots(1), []

    async def work(name: str, priority: int, created_at: str) -> None:
        await slots.take(rank(priority, created_at))
        order.append(name)
        slots.give()

    await slots.take(rank(0, ""))
    waiting = [("young", 5, "2"), ("low", 1, "0"), ("old", 5, "1"), ("old too", 5, "1")]
    tasks = [asyncio.create_task(work(*each)) for each in waiting]
    await asyncio.sleep(0)
    slots.give()
    await asyncio.gather(*tasks)
    assert order == ["old", "old too", "young", "low"]
    assert slots.taken == 0


@pytest.mark.parametrize("granted", [False, True])
async def test_a_cancelled_waiter_loses_no_slot(granted: bool) -> None:
    slots = Slots(1)
    await slots.take(rank(0, ""))
    task = asyncio.create_task(slots.take(rank(0, "")))
    await asyncio.sleep(0)
    if granted:
        slots.give()  # the slot is the task's, but it has not run yet
    task.cancel()
    await asyncio.wait({task})
    if not granted:
        slots.give()
    assert slots.taken == 0
    await slots.take(rank(0, ""))
    assert slots.taken == 1
