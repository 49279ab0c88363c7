"""The stock client of Node.js sees every event of an execution once, in order, unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from executor.bridge import Bridge, Run
from tests.e2e.graphs import NODES, begin, chain, finish, lines, tool, working
from tests.e2e.viewers import crowd, follow, followed
from tests.support.processes import Stack, stack

pytestmark = pytest.mark.node

WEBSOCKET = {"transports": ["websocket"]}
POLLING = {"transports": ["polling"]}
QUICK = {"reconnectionDelay": 10, "reconnectionDelayMax": 50}


@asynccontextmanager
async def writing(folder: Path) -> AsyncIterator[tuple[Stack, Run]]:
    """A server, and an execution that the test writes itself, at its own pace.

    In less time than a forgotten poll takes to end by itself.
    """
    async with stack(folder, seconds=40) as runroom:
        await runroom.server()
        async with Bridge(runroom.url, await runroom.token("executor")) as bridge:
            yield runroom, await bridge.start("by-hand", nodes=NODES)


async def test_one_that_subscribes_at_the_start_sees_an_execution_live(tmp_path: Path) -> None:
    async with stack(tmp_path) as runroom:
        await runroom.server()
        execution_id = await runroom.execute(working(seconds=0.3, logs=5))
        viewer = await follow(runroom, "viewer", execution_id)
        await runroom.executor()
        await followed(runroom, viewer, execution_id)
        assert (await runroom.snapshot(execution_id))["status"] == "completed"


async def test_one_that_subscribes_in_the_middle(tmp_path: Path) -> None:
    async with writing(tmp_path) as (runroom, run):
        await begin(run)
        await lines(run, 100)
        await run.drained()
        whole = await follow(runroom, "whole", run.execution_id)
        rest = await follow(runroom, "rest", run.execution_id, after=50)
        await asyncio.gather(whole.printed('"seq":102'), rest.printed('"seq":102'))
        await lines(run, 100)
        await finish(run)
        await followed(runroom, whole, run.execution_id)
        await followed(runroom, rest, run.execution_id, after=50)


async def test_one_that_subscribes_after_the_end(tmp_path: Path) -> None:
    async with writing(tmp_path) as (runroom, run):
        await begin(run)
        await lines(run, 2_500, per_second=100_000)
        await finish(run)
        whole = await follow(runroom, "whole", run.execution_id)
        rest = await follow(runroom, "rest", run.execution_id, after=run.last - 1)
        await followed(runroom, whole, run.execution_id)
        await followed(runroom, rest, run.execution_id, after=run.last - 1)


@pytest.mark.parametrize(
    ("options", "transport"),
    [({}, "websocket"), (WEBSOCKET, "websocket"), (POLLING, "polling")],
    ids=["default", "websocket", "polling"],
)
async def test_the_transports(tmp_path: Path, options: dict[str, Any], transport: str) -> None:
    async with writing(tmp_path) as (runroom, run):
        one = {"executions": [run.execution_id], "options": options}
        viewers = await crowd(runroom, "viewers", [one, {**one, "bare": True}, one])
        await begin(run)
        await viewers.subscribed()
        await lines(run, 500)
        await finish(run)
        await viewers.complete(await runroom.histories(run.execution_id))
        for viewer in range(3):
            first = "websocket" if options == WEBSOCKET else "polling"
            assert [note["transport"] for note in viewers.notes(viewer, "opened")] == [first]
            assert [note["transport"] for note in viewers.notes(viewer, "done")] == [transport]


async def test_one_that_drops_its_connection_at_random(tmp_path: Path) -> None:
    async with writing(tmp_path) as (runroom, run):
        viewers = [
            {
                "executions": [run.execution_id],
                "options": {**options, **QUICK},
                "drops": {"seed": seed, "least": 20, "most": 400},
            }
            for seed, options in enumerate([{}, WEBSOCKET, POLLING] * 2)
        ]
        droppers = await crowd(runroom, "droppers", viewers)
        await begin(run)
        await droppers.subscribed()
        await lines(run, 1_500, per_second=400)
        await finish(run)
        await droppers.complete(await runroom.histories(run.execution_id))
        for viewer in range(len(viewers)):
            assert len(droppers.notes(viewer, "dropped")) >= 5


async def test_a_failure_and_a_cancel_end_a_viewer_too(tmp_path: Path) -> None:
    async with stack(tmp_path) as runroom:
        await runroom.server()
        await runroom.executor()
        failing = await runroom.execute(chain("Fails", tool("break", "fail", message="broken")))
        slow = await runroom.execute(chain("Slow", tool("wait", "delay", seconds=600)))
        seen = {id: await follow(runroom, f"viewer-{id}", id) for id in (failing, slow)}
        await seen[slow].printed('"nodeId":"wait","status":"running"')
        await runroom.post(f"/api/executions/{slow}/cancel", None)
        for execution_id, viewer in seen.items():
            await followed(runroom, viewer, execution_id)
        assert '"type":"error"' in seen[failing].out
        assert (await runroom.snapshot(failing))["status"] == "failed"
        assert (await runroom.snapshot(slow))["status"] == "cancelled"
