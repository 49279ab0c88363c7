"""Alarms ring once, in time, in order, and all of them cost one timer."""

from __future__ import annotations

import asyncio

from bff.alarms import Alarms


def timers() -> int:
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return sum(not handle.cancelled() for handle in scheduled)


async def test_each_rings_once_and_not_before_its_time() -> None:
    loop = asyncio.get_running_loop()
    rung: dict[int, float] = {}

    def ring(key: int) -> None:
        assert key not in rung
        rung[key] = loop.time()

    alarms = Alarms(lambda: 0.05, ring)
    set_at = {}
    for key in range(5):
        alarms.set(key)
        set_at[key] = loop.time()
        await asyncio.sleep(0.01)
    alarms.set(1)  # again: later than the others
    set_at[1] = loop.time()
    alarms.drop(3)
    alarms.drop(3)
    async with asyncio.timeout(5):
        while len(alarms):
            await asyncio.sleep(0.005)
    assert list(rung) == [0, 2, 4, 1]
    assert all(rung[key] - set_at[key] >= 0.049 for key in rung)


async def test_many_cost_one_timer_and_none_cost_none() -> None:
    before = timers()
    alarms: Alarms[int] = Alarms(lambda: 10, lambda _: None)
    for key in range(1_000):
        alarms.set(key)
    assert timers() == before + 1
    alarms.close()
    assert timers() == before


async def test_an_alarm_may_set_itself_again() -> None:
    rung = []

    def ring(key: str) -> None:
        rung.append(key)
        alarms.set(key)

    alarms: Alarms[str] = Alarms(lambda: 0.01, ring)
    alarms.set("a")
    async with asyncio.timeout(5):
        while len(rung) < 3:
            await asyncio.sleep(0.005)
    alarms.close()
