"""`simulate`: its luck is seeded, its timing and its log look like work."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from contract.errors import Invalid
from executor.nodes.context import Context
from executor.nodes.errors import ToolError
from executor.nodes.registry import Tool
from executor.nodes.tools.simulate import simulate


async def outcome(context: Context, **arguments: Any) -> str:
    try:
        return str(await simulate(context, 0.001, **arguments))
    except ToolError as error:
        return str(error)


async def test_a_seed_gives_the_same_outcome_again() -> None:
    context = Context(node_id="a")
    first = [await outcome(context, failure_rate=0.5, seed=n) for n in range(20)]
    again = [await outcome(context, failure_rate=0.5, seed=n) for n in range(20)]
    assert first == again
    assert 1 < sum("simulated failure" in each for each in first) < 19


async def test_each_node_item_and_try_has_its_own_luck() -> None:
    contexts = [
        Context(node_id="a"),
        Context(node_id="b"),
        Context(node_id="a", item=0),
        Context(node_id="a", item=1),
        Context(node_id="a", try_=2),
    ]
    assert len({await outcome(context, seed=1) for context in contexts}) == len(contexts)


async def test_a_retry_with_the_same_seed_can_succeed() -> None:
    tries = [
        await outcome(Context(node_id="web", try_=n), failure_rate=0.5, seed=10)
        for n in range(1, 6)
    ]
    assert "simulated failure" in tries[0]
    assert any("simulated failure" not in each for each in tries)


async def test_without_a_seed_luck_is_luck() -> None:
    assert len({await outcome(Context()) for _ in range(10)}) > 1


async def test_work_takes_about_as_long_as_said_and_shows_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reports: list[float] = []
    context = Context(progress=lambda percent, message=None: reports.append(percent))
    loop = asyncio.get_running_loop()
    started = loop.time()
    with caplog.at_level(logging.INFO, "runroom.node"):
        result = await simulate(context, 0.2, seed=3, logs=5)
    assert loop.time() - started >= 0.2 * 0.8 - 0.01
    assert 0.16 <= float(str(result["seconds"])) <= 0.24
    assert set(result) == {"itemsCollected", "itemsAccepted", "result", "seconds"}
    assert len(caplog.records) == 5
    assert reports == sorted(reports)
    assert len(reports) == 5


async def test_a_rate_of_one_always_fails_and_of_none_never() -> None:
    for seed in range(10):
        assert "simulated failure" in await outcome(Context(), failure_rate=1, seed=seed)
        assert "simulated failure" not in await outcome(Context(), failure_rate=0, seed=seed)


@pytest.mark.parametrize(
    "arguments",
    [{"failureRate": 1.5}, {"failureRate": float("nan")}, {"seconds": -1}, {"logs": -1}],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match='tool "simulate"'):
        Tool.of(simulate).bind(arguments, Context())
