"""Many executions, many viewers, real processes: every viewer complete."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from contract.events import parse_event
from contract.execution import Record, fold, initial
from contract.states import EXECUTION_TERMINAL
from tests.e2e.graphs import twenty
from tests.e2e.viewers import crowd
from tests.support.processes import Stack, stack

EXECUTIONS = 100
EACH = 8
"""Executions that a viewer has subscribed to."""


def watching(viewer: int, executions: list[str]) -> list[str]:
    """The viewer's executions: neighbours share some, and each execution has four viewers."""
    first = viewer * EACH // 4 * 2
    return [executions[(first + n) % EXECUTIONS] for n in range(EACH)]


@pytest.mark.node
async def test_a_hundred_executions_with_fifty_viewers(tmp_path: Path) -> None:
    async with stack(tmp_path, seconds=100, WORKER_CONCURRENCY=50) as runroom:
        await runroom.server()
        executions = await asyncio.gather(
            *(runroom.execute(twenty(number)) for number in range(EXECUTIONS))
        )
        viewers: list[dict[str, Any]] = [
            {"executions": watching(viewer, executions)} for viewer in range(50)
        ]
        for viewer in viewers[10:20]:
            viewer["options"] = {"transports": ["websocket"]}
        viewers[20]["options"] = {"transports": ["polling"]}
        # some from the start, some in the middle
        crowds = [
            await crowd(runroom, "node", viewers[:15]),
            await crowd(runroom, "python", viewers[15:20], python=True),
        ]
        for early in crowds:
            await early.subscribed()
        await runroom.executor()
        crowds += [
            await crowd(runroom, "node-late", viewers[20:45]),
            await crowd(runroom, "python-late", viewers[45:], python=True),
        ]
        await asyncio.gather(*(each.program.ended() for each in crowds))
        records, histories = {}, {}
        for execution_id in executions:
            records[execution_id], histories[execution_id] = await runroom.history(execution_id)
        for each in crowds:
            await each.complete(histories)
        for execution_id in executions:
            await check(runroom, records[execution_id], histories[execution_id])


async def check(runroom: Stack, record: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """The execution has ended, its log has no gap, and folded it is the snapshot."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [e["type"] for e in events if e.get("status") in EXECUTION_TERMINAL][-1] == "status"
    state = fold(initial(Record.model_validate(record)), map(parse_event, events))
    snapshot = await runroom.snapshot(record["executionId"])
    assert snapshot == state.to_wire()
    assert snapshot["status"] == "completed"
    assert (snapshot["progress"], len(snapshot["nodes"])) == (100, 20)
    assert {node["status"] for node in snapshot["nodes"].values()} == {"completed"}
