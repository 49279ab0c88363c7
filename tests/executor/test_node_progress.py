"""A node's progress: clamped, and not told too often."""

from __future__ import annotations

import asyncio
import math

from executor.node_progress import EVERY, NodeProgress

Told = list[tuple[float, str | None]]


async def test_the_first_at_once_the_latest_later() -> None:
    told: Told = []
    moments: list[float] = []
    last = asyncio.Event()

    def tell(percent: float, message: str | None) -> None:
        told.append((percent, message))
        moments.append(asyncio.get_running_loop().time())
        if percent == 49:
            last.set()

    progress = NodeProgress(tell)
    for percent in range(50):
        progress.report(percent, str(percent))
    assert told == [(0, "0")]
    await last.wait()
    assert told == [(0, "0"), (49, "49")]
    assert moments[1] - moments[0] >= EVERY * 0.9
    progress.close()


async def test_odd_values() -> None:
    told: Told = []
    progress = NodeProgress(lambda percent, message: told.append((percent, message)))
    for odd in (math.nan, math.inf, "50", None):
        progress.report(odd)  # type: ignore[arg-type]
    assert told == []
    progress.report(250, "x" * 5_000)
    assert told == [(100, "x" * 2_000)]
    progress.close()


async def test_items_are_averaged() -> None:
    told: Told = []
    progress = NodeProgress(lambda percent, message: told.append((percent, message)))
    progress.expect(4)
    progress.item_done(1)
    assert told == [(25, "1 of 4")]
    progress.report_item(0, 50)
    progress.item_done(2)
    progress._catch_up()
    assert told[-1] == (62.5, "2 of 4")
    progress.close()


async def test_nothing_after_the_end() -> None:
    told: Told = []
    progress = NodeProgress(lambda percent, message: told.append((percent, message)))
    progress.report(1)
    progress.report(2)
    progress.close()
    progress.report(3)
    await asyncio.sleep(EVERY * 1.5)
    assert told == [(1, None)]
