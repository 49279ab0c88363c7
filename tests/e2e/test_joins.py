"""Stock clients join an execution while 1,000 events a second flow."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from executor.bridge import Bridge
from tests.e2e.graphs import NODES, begin, finish, lines
from tests.e2e.proxy import long_way
from tests.e2e.viewers import crowd
from tests.support.processes import stack

pytestmark = pytest.mark.node

JOINS = 5
EVENTS = 6_000


def rate(events: list[dict[str, Any]]) -> float:
    """Events a second, by their own timestamps."""
    first, last = (datetime.fromisoformat(events[i]["timestamp"]) for i in (0, -1))
    return len(events) / (last - first).total_seconds()


async def test_default_options_upgrade_in_the_middle(tmp_path: Path) -> None:
    async with stack(tmp_path) as runroom, asyncio.TaskGroup() as group:
        await runroom.server()
        async with (
            Bridge(runroom.url, await runroom.token("executor")) as bridge,
            long_way(runroom.port, latency=0.04, upgrade=0.6) as slow_url,
        ):
            run = await bridge.start("busy", nodes=NODES)
            await begin(run)
            flow = group.create_task(lines(run, EVENTS, per_second=1_000))
            asked = [{"executions": [run.execution_id]}] * JOINS
            near = await crowd(runroom, "near", asked)
            far = await crowd(runroom, "far", asked, url=slow_url)
            await flow
            await finish(run)
            histories = await runroom.histories(run.execution_id)
            await near.complete(histories)
            await far.complete(histories)
            for viewers in (near, far):
                for viewer in range(JOINS):
                    assert [note["transport"] for note in viewers.notes(viewer, "opened")] == [
                        "polling"
                    ]
                    (subscribed,) = viewers.notes(viewer, "subscribed")
                    assert 0 < subscribed["head"] < EVENTS, "it did not join in the middle"
                    (done,) = viewers.notes(viewer, "done")
                    assert done["transport"] == "websocket"
            for viewer in range(JOINS):
                (upgraded,) = far.notes(viewer, "upgraded")
                assert 0 < upgraded["events"] < EVENTS, "it did not upgrade while in the room"
            assert rate(histories[run.execution_id]) > 700


async def test_leaving_and_joining_again_and_again(tmp_path: Path) -> None:
    async with stack(tmp_path) as runroom:
        await runroom.server()
        async with Bridge(runroom.url, await runroom.token("executor")) as bridge:
            run = await bridge.start("busy", nodes=NODES)
            await begin(run)
            viewers = [
                {"executions": [run.execution_id], "rejoins": {"seed": n, "least": 0, "most": 20}}
                for n in range(JOINS)
            ]
            watching = await crowd(runroom, "watching", viewers)
            await watching.subscribed()
            await lines(run, 4_000, per_second=1_000)
            await finish(run)
            await watching.complete(await runroom.histories(run.execution_id))
            for viewer in range(JOINS):
                assert len(watching.notes(viewer, "subscribed")) > 50


@pytest.mark.parametrize("form", [{"batch": True}, {"binary": True}], ids=str)
async def test_batches_by_polling_by_websocket_and_across_the_upgrade(
    tmp_path: Path, form: dict[str, bool]
) -> None:
    async with stack(tmp_path) as runroom, asyncio.TaskGroup() as group:
        await runroom.server()
        async with (
            Bridge(runroom.url, await runroom.token("executor")) as bridge,
            long_way(runroom.port, latency=0.02, upgrade=0.6) as slow_url,
        ):
            run = await bridge.start("busy", nodes=NODES)
            await begin(run)
            flow = group.create_task(lines(run, 3_000, per_second=1_000))
            transports = [{"transports": [name]} for name in ("polling", "websocket")]
            asked = [
                {"executions": [run.execution_id], "form": form, "options": options}
                for options in (*transports, {})
            ]
            near = await crowd(runroom, "near", asked)
            far = await crowd(runroom, "far", asked, url=slow_url)
            await flow
            await finish(run)
            histories = await runroom.histories(run.execution_id)
            await near.complete(histories)
            await far.complete(histories)
            (upgraded,) = far.notes(2, "upgraded")
            assert 0 < upgraded["events"] < 3_000, "it did not upgrade while in the room"
