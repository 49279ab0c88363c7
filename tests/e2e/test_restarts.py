"""Processes die and come back; executions and viewers complete without anyone's help."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from executor.bridge import Bridge
from tests.e2e.graphs import NODES, begin, chain, finish, lines, tool, working
from tests.e2e.viewers import Crowd, crowd, follow, followed
from tests.support.processes import Program, Stack, stack

pytestmark = pytest.mark.node

QUICK = {"reconnectionDelay": 10, "reconnectionDelayMax": 50}


async def watched(runroom: Stack, execution_id: str) -> tuple[list[Crowd], Program]:
    """Stock viewers of every kind, subscribed; and the script that any user could write."""
    plain = {"executions": [execution_id]}
    polling = {**plain, "options": {"transports": ["polling"]}}
    crowds = [
        await crowd(runroom, "node", [plain, plain, polling]),
        await crowd(runroom, "python", [plain, plain], python=True),
    ]
    script = await follow(runroom, "script", execution_id)
    for each in crowds:
        await each.subscribed()
    return crowds, script


async def complete(
    runroom: Stack, execution_id: str, crowds: list[Crowd], script: Program
) -> list[dict]:
    """Wait for all viewers, check them, and give the execution's events."""
    await asyncio.gather(*(each.program.ended() for each in crowds))
    histories = await runroom.histories(execution_id)
    for each in crowds:
        await each.complete(histories)
    await followed(runroom, script, execution_id)
    assert (await runroom.snapshot(execution_id))["status"] == "completed"
    return histories[execution_id]


@pytest.mark.parametrize("kind", ["SIGKILL", "SIGTERM"])
async def test_the_server_restarts_in_the_middle(tmp_path: Path, kind: str) -> None:
    async with stack(tmp_path) as runroom:
        server = await runroom.server()
        await runroom.executor()
        execution_id = await runroom.execute(working(seconds=1.5, logs=60))
        crowds, script = await watched(runroom, execution_id)
        await script.printed('"nodeId":"second","status":"running"')
        if kind == "SIGKILL":
            await server.kill()
        else:
            assert await server.stop(seconds=5) == 0
        await server.start()
        events = await complete(runroom, execution_id, crowds, script)
        assert {event["attempt"] for event in events} == {1}, "the claim was lost"
        for viewer in range(3):
            assert len(crowds[0].notes(viewer, "subscribed")) >= 2


async def test_the_server_is_killed_again_and_again_while_events_flow(tmp_path: Path) -> None:
    """Whatever is half done in that moment: numbered, sent, stored, acknowledged, shown."""
    luck = random.Random(2)
    async with stack(tmp_path) as runroom, asyncio.TaskGroup() as group:
        server = await runroom.server()
        token = await runroom.token("executor")
        async with Bridge(runroom.url, token, backoff=(0.05, 0.2)) as bridge:
            run = await bridge.start("busy", nodes=NODES)
            await begin(run)
            viewers = [
                {"executions": [run.execution_id], "options": {**options, **QUICK}}
                for options in [{}, {"transports": ["websocket"]}, {"transports": ["polling"]}] * 2
            ]
            watching = await crowd(runroom, "node", viewers)
            await watching.subscribed()
            flow = group.create_task(lines(run, 5_000, per_second=1_000))
            while not flow.done():
                await asyncio.sleep(luck.uniform(0.3, 1.0))
                await server.kill()
                await server.start()
                await runroom.ready(server)
            await finish(run)
            histories = await runroom.histories(run.execution_id)
            assert len(histories[run.execution_id]) == run.last
            await watching.complete(histories)


async def test_an_executor_dies_and_another_takes_over(tmp_path: Path) -> None:
    async with stack(tmp_path, BFF_LEASE_SECONDS=1) as runroom:
        await runroom.server()
        first = await runroom.executor("first")
        execution_id = await runroom.execute(working(seconds=1.0, logs=20))
        crowds, script = await watched(runroom, execution_id)
        await script.printed('"nodeId":"second","status":"running"')
        await first.kill()
        second = await runroom.executor("second")
        events = await complete(runroom, execution_id, crowds, script)
        attempts = [event["attempt"] for event in events]
        assert attempts == sorted(attempts) and set(attempts) == {1, 2}
        assert (await runroom.snapshot(execution_id))["executor"] is None
        again = [
            event["nodeId"]
            for event in events
            if event["type"] == "nodeStatus" and event["attempt"] == 2
        ]
        assert "first" not in again, "a node that was done was done again"
        assert second.returncode is None


async def test_an_executor_that_stops_hands_over(tmp_path: Path) -> None:
    async with stack(tmp_path) as runroom:
        await runroom.server()
        first = await runroom.executor("first")
        execution_id = await runroom.execute(
            chain("Waits", tool("one", "delay", seconds=0), tool("two", "delay", seconds=2.5))
        )
        crowds, script = await watched(runroom, execution_id)
        await script.printed('"nodeId":"two","status":"running"')
        assert await first.stop() == 0
        await runroom.executor("second")
        # long before the lease would run out
        async with asyncio.timeout(10):
            events = await complete(runroom, execution_id, crowds, script)
        assert {event["attempt"] for event in events} == {1, 2}
