"""The snapshot of an execution and the pure fold that makes it from events.

`fold(initial(record), events)` is the only way to a state: the server's snapshot, a
resuming executor's start and a replay are this same function over (a prefix of) the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from contract.errors import Fenced, Gap, Invalid, Sealed
from contract.events import AnyEvent, Error, Log, NodeStatus, Progress, Result, Status
from contract.states import (
    EXECUTION_TERMINAL,
    NODE_TERMINAL,
    ExecutionStatus,
    move_execution,
    move_node,
)
from contract.states import NodeStatus as NodeStatusWord
from contract.values import Id, Json, Model, Timestamp, parse_time
from contract.workflow import Edge, Kind, Node


class Graph(Model):
    """The nodes and edges that an execution was made with."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


class Record(Model):
    """What was fixed when the execution was made; the fold's start."""

    execution_id: Id
    workflow_id: Id
    workflow_name: str
    graph: Graph
    input: Json = None
    owner: str
    priority: int = 0
    retry_of: Id | None = None
    created_at: Timestamp


class NodeState(Model):
    """One node as the events so far have left it."""

    node_id: Id
    name: str
    kind: Kind | None = None
    status: NodeStatusWord = NodeStatusWord.PENDING
    progress: float = 0
    message: str | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    duration_ms: float | int | None = None
    tries: int = 0
    output: Json = None
    error: str | None = None


class ExecutorState(Model):
    """Who holds the execution; from the lease, not from the log."""

    executor_id: str
    state: Literal["alive", "lost"]
    last_seen_at: Timestamp | None = None


class ExecutionState(Model):
    """The snapshot: everything a viewer needs to show an execution at `seq`."""

    execution_id: Id
    workflow_id: Id
    workflow_name: str
    status: ExecutionStatus = ExecutionStatus.PENDING
    attempt: int = 0
    seq: int = 0
    priority: int = 0
    progress: int = 0
    created_at: Timestamp
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    owner: str
    input: Json = None
    result: Json = None
    error: str | None = None
    log_count: int = 0
    retry_of: Id | None = None
    nodes: dict[str, NodeState]
    graph: Graph
    executor: ExecutorState | None = None

    @property
    def terminal(self) -> bool:
        """The log is sealed: no event can follow."""
        return self.status in EXECUTION_TERMINAL


def initial(record: Record) -> ExecutionState:
    """The state before the first event: everything pending, seq 0."""
    return ExecutionState(
        **{name: getattr(record, name) for name in Record.model_fields},
        nodes={
            node.id: NodeState(node_id=node.id, name=node.name or node.id, kind=node.kind)
            for node in record.graph.nodes
        },
    )


def apply(state: ExecutionState, event: AnyEvent) -> ExecutionState:
    """The state after one event.

    Raises:
        Gap: the event's seq is not the next.
        Fenced: its attempt is older than one already seen.
        Sealed: the execution has ended.
        IllegalMove: the tables in `contract.states` do not have the move.
    """
    return fold(state, (event,))


def fold(state: ExecutionState, events: Iterable[AnyEvent]) -> ExecutionState:
    """The state after all events, or none of them: an error changes nothing.

    Raises:
        As `apply`.
    """
    draft = _Draft(state)
    for event in events:
        draft.apply(event)
    return draft.finish()


class _Draft:
    """Collects the changes of many events, so that a fold copies the state once."""

    def __init__(self, state: ExecutionState) -> None:
        self._state = state
        self._changes: dict[str, Any] = {}
        self._nodes: dict[str, NodeState] | None = None
        self._seq = state.seq
        self._attempt = state.attempt
        self._status = state.status
        self._logs = state.log_count

    def apply(self, event: AnyEvent) -> None:
        if event.execution_id != self._state.execution_id:
            raise Invalid(f"the event is of execution {event.execution_id}")
        if event.attempt < self._attempt:
            raise Fenced(f"attempt {event.attempt} is over; attempt {self._attempt} has begun")
        if self._status in EXECUTION_TERMINAL:
            raise Sealed(f"the execution is {self._status}: its log is sealed")
        if event.seq != self._seq + 1:
            raise Gap(f"seq {event.seq} does not follow {self._seq}", head=self._seq)
        if isinstance(event, Log):
            self._logs += 1
        elif isinstance(event, NodeStatus):
            self._node_status(event)
        elif isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, Status):
            self._execution_status(event)
        elif isinstance(event, Result):
            self._changes["result"] = event.result
        elif isinstance(event, Error):
            self._changes["error"] = event.error
        self._seq = event.seq
        self._attempt = event.attempt

    def finish(self) -> ExecutionState:
        if self._seq == self._state.seq:
            return self._state
        self._changes.update(
            seq=self._seq, attempt=self._attempt, status=self._status, log_count=self._logs
        )
        if self._nodes is not None:
            self._changes["nodes"] = self._nodes
        return self._state.model_copy(update=self._changes)

    def _execution_status(self, event: Status) -> None:
        new_attempt = event.attempt > self._attempt
        self._status = move_execution(self._status, event.status, new_attempt=new_attempt)
        started = self._changes.get("started_at", self._state.started_at)
        if event.status is ExecutionStatus.RUNNING and started is None:
            self._changes["started_at"] = event.timestamp
        if event.status in EXECUTION_TERMINAL:
            self._changes["ended_at"] = event.timestamp

    def _node(self, node_id: str) -> NodeState:
        nodes = self._state.nodes if self._nodes is None else self._nodes
        # an outside run's nodes may appear with their first event
        return nodes.get(node_id) or NodeState(node_id=node_id, name=node_id)

    def _set(self, node: NodeState, changes: dict[str, Any]) -> None:
        if self._nodes is None:
            self._nodes = dict(self._state.nodes)
        self._nodes[node.node_id] = node.model_copy(update=changes)

    def _node_status(self, event: NodeStatus) -> None:
        node = self._node(event.node_id)
        status = move_node(node.node_id, node.status, event.status, reused=bool(event.reused))
        changes: dict[str, Any] = {"status": status, "message": event.message}
        if status is NodeStatusWord.RUNNING:
            changes["tries"] = event.try_ or node.tries + 1
            changes["started_at"] = node.started_at or event.timestamp
            changes["progress"] = 0
        elif event.try_ is not None:
            changes["tries"] = event.try_
        if status in NODE_TERMINAL:
            changes["ended_at"] = event.timestamp
            changes["duration_ms"] = _duration(node, event)
            changes["error"] = event.error
            changes["output"] = event.output
            if status is NodeStatusWord.COMPLETED:
                changes["progress"] = 100
        self._set(node, changes)

    def _progress(self, event: Progress) -> None:
        self._changes["progress"] = event.progress
        if event.node_id is None:
            return
        node = self._node(event.node_id)
        if node.status in NODE_TERMINAL:
            # a late report, say of a thread whose result was given up
            return
        changes: dict[str, Any] = {}
        if event.node_progress is not None:
            changes["progress"] = event.node_progress
        if event.message is not None:
            changes["message"] = event.message
        if changes:
            self._set(node, changes)


def _duration(node: NodeState, event: NodeStatus) -> float | int | None:
    if event.duration_ms is not None or node.started_at is None:
        return event.duration_ms
    passed = parse_time(event.timestamp) - parse_time(node.started_at)
    return max(0, round(passed.total_seconds() * 1000))
