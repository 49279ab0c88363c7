"""`delay` and `fail`."""

from __future__ import annotations

import asyncio

import pytest

from contract.errors import Invalid
from executor.nodes.context import Context
from executor.nodes.errors import ToolError
from executor.nodes.registry import Tool
from executor.nodes.tools.delay import delay, fail


async def test_a_delay_lasts_as_long_as_it_says() -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await delay(0.05, Context()) == {"seconds": 0.05}
    assert loop.time() - started >= 0.049


async def test_a_delay_reports_progress() -> None:
    reports: list[float] = []
    await delay(1.0, Context(progress=lambda percent, message=None: reports.append(percent)))
    assert reports == [50.0]


async def test_a_delay_can_be_cancelled() -> None:
    task = asyncio.create_task(delay(3600, Context()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 10**9, None, "soon"])
def test_an_impossible_delay_is_refused(seconds: object) -> None:
    with pytest.raises(Invalid, match='tool "delay": argument "seconds"'):
        Tool.of(delay).bind({"seconds": seconds}, Context())


def test_fail_fails_with_its_message() -> None:
    with pytest.raises(ToolError, match=r"^out of paper$"):
        fail("out of paper")
