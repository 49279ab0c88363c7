"""Stand-ins for what is around the engine: a journal, a bridge, small graphs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from contract.errors import Fenced, RunroomError
from contract.events import AnyEvent, encode, parse_events
from contract.execution import ExecutionState, Graph, Record, fold, initial
from contract.messages import Claimed
from contract.states import NodeStatus
from contract.values import Json, now
from executor.schedule import Move


def graph_of(edges: str, kinds: dict[str, str] | None = None) -> Graph:
    """A graph from "a>b b>c?when d": edges, conditions and single nodes, split by spaces."""
    nodes: dict[str, dict[str, Any]] = {}
    made: list[dict[str, Any]] = []
    for word in edges.split():
        pair, _, when = word.partition("?")
        ends = pair.split(">")
        for node_id in ends:
            nodes[node_id] = {"id": node_id, "kind": (kinds or {}).get(node_id, "trigger")}
        if len(ends) > 1:
            made.append({"source": ends[0], "target": ends[1], "when": when or None})
    return Graph.model_validate({"nodes": list(nodes.values()), "edges": made})


def record_of(graph: Graph, input: Json = None) -> Record:
    return Record(
        execution_id="e1",
        workflow_id="w1",
        workflow_name="a workflow",
        graph=graph,
        input=input,
        owner="somebody",
        created_at="2026-01-01T00:00:00.000Z",
    )


class TypedEvents:
    """Moves of a schedule as events, folded: an illegal one raises at once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.record = record_of(graph)
        self.events: list[AnyEvent] = []
        self.moved: list[str] = []
        self._attempt = 1
        self._state = initial(self.record)
        self._put(type="status", status="running")

    def move(self, move: Move) -> None:
        self.moved.append(move.node_id)
        self._put(
            type="nodeStatus",
            nodeId=move.node_id,
            status=move.status.value,
            output=move.output,
            error=move.error,
            reused=move.reused,
        )

    def statuses(self) -> dict[str, NodeStatus]:
        return {node_id: node.status for node_id, node in self._state.nodes.items()}

    def restart(self, state: ExecutionState) -> None:
        """A new attempt goes on from `state`."""
        self._state, self._attempt = state, self._attempt + 1
        self.moved.clear()
        self._put(type="status", status="running")

    def _put(self, **raw: Json) -> None:
        raw.update(seq=self._state.seq + 1, timestamp=now())
        event = parse_events([raw], "e1", self._attempt)[0]
        self._state = fold(self._state, [event])
        self.events.append(event)


class FakeJournal:
    """Keeps what is put, as the server would: parsed, encoded and folded."""

    def __init__(self, claimed: Claimed) -> None:
        self.execution_id = claimed.execution_id
        self.attempt = claimed.attempt
        self.events: list[AnyEvent] = []
        self.refused: list[str] = []
        self.state = ExecutionState.model_validate(claimed.state)
        self.changed = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.lost = False
        self.released = self.closed = False
        self.on_put: Callable[[AnyEvent], None] | None = None

    def put(self, type: str, **payload: Json) -> None:
        if self.lost:
            raise Fenced("another attempt has begun")
        raw = {"type": type, "seq": self.state.seq + 1, "timestamp": now(), **payload}
        try:
            event = parse_events([raw], self.execution_id, self.attempt)[0]
            encode(event)
            self.state = fold(self.state, [event])
        except RunroomError:
            self.refused.append(type)
            raise
        self.events.append(event)
        self.changed.set()
        if self.on_put is not None:
            self.on_put(event)

    async def room(self) -> None:
        await self.open.wait()
        if self.lost:
            raise Fenced("another attempt has begun")

    async def drained(self) -> None:
        await self.room()

    async def release(self) -> None:
        self.released = True

    async def close(self) -> None:
        self.closed = True

    # what tests ask

    async def until(self, holds: Callable[[AnyEvent], bool]) -> AnyEvent:
        """The first event, already there or to come, that is as wanted."""
        seen = 0
        while True:
            for event in self.events[seen:]:
                if holds(event):
                    return event
            seen = len(self.events)
            self.changed.clear()
            await self.changed.wait()

    async def until_running(self, node_id: str) -> None:
        await self.until(
            lambda e: e.type == "nodeStatus" and (e.node_id, e.status) == (node_id, "running")
        )

    def told(self) -> list[str]:
        """The events in short, without progress and logs."""
        short = []
        for event in self.events:
            if event.type == "nodeStatus":
                short.append(f"{event.node_id} {event.status}")
            elif event.type in ("status", "result", "error"):
                value = getattr(event, event.type)
                short.append(f"{event.type} {value}")
        return short

    @property
    def log_count(self) -> int | None:
        """What the last event says, which is the terminal status."""
        last = self.events[-1]
        assert last.type == "status"
        return last.log_count

    def logs(self, node_id: str | None = None) -> list[tuple[str, str]]:
        """(level, message) of the log lines, of one node or of all."""
        lines = [e.log for e in self.events if e.type == "log"]
        return [(x.level, x.message) for x in lines if node_id is None or x.node_id == node_id]


def claim_of(
    nodes: list[dict[str, Any]],
    edges: str = "",
    *,
    input: Json = None,
    execution_id: str = "e1",
    state: ExecutionState | None = None,
    priority: int = 0,
) -> Claimed:
    """A claim as the server sends it; `edges` as in `graph_of`, `nodes` in the wire's form."""
    ends = [word.partition("?") for word in edges.split()]
    wired = [
        {"source": pair.split(">")[0], "target": pair.split(">")[1], "when": when or None}
        for pair, _, when in ends
    ]
    graph = Graph.model_validate({"nodes": nodes, "edges": wired})
    record = record_of(graph, input).model_copy(update={"execution_id": execution_id})
    state = state or initial(record)
    return Claimed(
        execution_id=execution_id,
        attempt=state.attempt + 1,
        head=state.seq,
        workflow={"id": "w1", "name": "a workflow", **graph.to_wire()},
        input=input,
        priority=priority,
        state=state.to_wire(),
    )
