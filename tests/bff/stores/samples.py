"""Executions, events and appends for the store's tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bff.stores.base import Append, EventStore, Execution, StoredEvent, StoredWorkflow, Summary
from contract.events import encode, parse_event
from contract.execution import Graph, Record
from contract.states import ExecutionStatus
from contract.workflow import Edge, Node, Workflow

RUNNING = Summary(status=ExecutionStatus.RUNNING, started_at="2026-01-31T12:00:01.000Z")
COMPLETED = Summary(
    status=ExecutionStatus.COMPLETED,
    progress=100,
    started_at="2026-01-31T12:00:01.000Z",
    ended_at="2026-01-31T12:00:09.000Z",
)


def time_at(second: int) -> str:
    """A wire time, later for a larger number."""
    return f"2026-01-31T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"


def execution(
    execution_id: str,
    *,
    created: int = 0,
    priority: int = 0,
    owner: str = "ada",
    workflow_id: str = "digest",
    tenant: str = "default",
    **members: Any,
) -> Execution:
    """A new execution with a small graph."""
    record = Record(
        execution_id=execution_id,
        workflow_id=workflow_id,
        workflow_name="Digest — été",
        graph=Graph(
            nodes=(
                Node(id="start", kind="trigger"),
                Node(id="count", kind="tool", config={"tool": "text.stats", "n": [1, 2.5, None]}),
            ),
            edges=(Edge(source="start", target="count", when="input.go"),),
        ),
        input={"go": True, "name": "Zoë"},
        owner=owner,
        priority=priority,
        created_at=time_at(created),
    )
    return Execution(record=record, tenant=tenant, **members)


def log(
    execution_id: str,
    seq: int,
    message: str = "a line",
    *,
    level: str = "info",
    node_id: str | None = None,
) -> StoredEvent:
    """A `log` event as it is stored."""
    event = parse_event(
        {
            "type": "log",
            "executionId": execution_id,
            "attempt": 1,
            "seq": seq,
            "timestamp": time_at(seq % 80_000),
            "log": {
                "id": f"{execution_id}:{seq}",
                "nodeId": node_id,
                "level": level,
                "message": message,
                "createdAt": time_at(seq % 80_000),
            },
        }
    )
    return StoredEvent(seq, "log", encode(event))


def some(seq: int, kind: str = "progress", size: int = 0) -> StoredEvent:
    """An event whose payload is about `size` bytes."""
    return StoredEvent(seq, kind, b'{"seq":%d,"x":"%s"}' % (seq, b"x" * size))


def appending(
    execution_id: str,
    head: int,
    count: int = 1,
    *,
    attempt: int = 0,
    events: list[StoredEvent] | None = None,
    summary: Summary = RUNNING,
    values: Mapping[str, bytes] | None = None,
) -> Append:
    """An append of `count` events after `head`, or of the given ones."""
    return Append(
        execution_id=execution_id,
        attempt=attempt,
        head=head,
        events=events or [log(execution_id, head + number) for number in range(1, count + 1)],
        numbering="executor",
        summary=summary,
        values=values or {},
    )


async def made(store: EventStore, *execution_ids: str, **members: Any) -> None:
    """Create executions, each a second younger than the one before."""
    for number, execution_id in enumerate(execution_ids):
        await store.create(execution(execution_id, created=number, **members))


def workflow(workflow_id: str, *, created: int = 0, tenant: str = "default") -> StoredWorkflow:
    """A stored workflow of one node."""
    return StoredWorkflow(
        id=workflow_id,
        tenant=tenant,
        owner="ada",
        workflow=Workflow(
            name=f"Workflow {workflow_id} ✓",
            nodes=(Node(id="start", kind="trigger", requires=("gpu",)),),
        ),
        created_at=time_at(created),
        updated_at=time_at(created),
    )
