"""What Hypothesis draws: JSON values, legal histories of an execution, graphs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import strategies as st

from contract.events import AnyEvent, parse_event
from contract.execution import Graph, Record
from contract.states import EXECUTION_MOVES, NODE_MOVES, ExecutionStatus, NodeStatus
from contract.workflow import KINDS, Edge, Node

EXECUTION = "exec-1"
TIME = "2026-01-31T12:00:00.000Z"
TIMES = [TIME, "2026-01-31T11:59:59.999Z", "2026-01-31T12:00:01.500Z", "2027-03-01T00:00:00.000Z"]
ODD_TEXTS = [
    "",
    "\u2028\u2029",
    "a\r\nb",
    "\x00\x7f",
    "💥",
    "__proto__",
    "constructor",
    "</script>",
]

texts = st.text(max_size=20) | st.sampled_from(ODD_TEXTS)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
times = st.sampled_from(TIMES)


class History(NamedTuple):
    """A legal sequence of events, and where the tables say that it leads."""

    record: Record
    events: list[AnyEvent]
    status: ExecutionStatus
    nodes: dict[str, NodeStatus]
    attempt: int


@st.composite
def records(draw: st.DrawFn) -> Record:
    ids = draw(st.lists(st.sampled_from(["a", "b", "__proto__", "c:1", "d"]), unique=True))
    nodes = [
        Node(id=i, kind=draw(st.sampled_from(KINDS)), name=draw(texts | st.none())) for i in ids
    ]
    edges = [Edge(source=s, target=t) for s, t in pairwise(ids)]
    return Record(
        execution_id=EXECUTION,
        workflow_id="w",
        workflow_name=draw(texts),
        graph=Graph(nodes=tuple(nodes), edges=tuple(edges)),
        input=draw(json_values),
        owner="ada",
        priority=draw(st.integers(0, 9)),
        retry_of=draw(st.none() | st.just("exec-0")),
        created_at=TIME,
    )


@st.composite
def payloads(draw: st.DrawFn, node_ids: list[str]) -> dict[str, Any]:
    """An event that moves nothing: log, progress, result or error."""
    node_id = draw(st.none() | st.sampled_from(node_ids))
    match draw(st.sampled_from(["log", "progress", "result", "error"])):
        case "log":
            line = {
                "id": draw(st.text(min_size=1, max_size=5)),
                "nodeId": node_id,
                "level": draw(st.sampled_from(["info", "warning", "error"])),
                "message": draw(texts),
                "metadata": draw(json_values),
                "createdAt": draw(times),
            }
            return {"type": "log", "log": line}
        case "progress":
            return {
                "type": "progress",
                "progress": draw(st.integers(0, 100)),
                "nodeId": node_id,
                "nodeProgress": draw(st.none() | st.floats(0, 100) | st.integers(0, 100)),
                "message": draw(st.none() | texts),
            }
        case "result":
            return {"type": "result", "result": draw(json_values)}
        case _:
            return {"type": "error", "error": draw(texts), "nodeId": node_id}


@st.composite
def node_payloads(draw: st.DrawFn, node_id: str, status: NodeStatus) -> dict[str, Any]:
    """A `nodeStatus` with any of its optional members."""
    return {
        "type": "nodeStatus",
        "nodeId": node_id,
        "status": status.value,
        "output": draw(json_values),
        "error": draw(st.none() | texts),
        "message": draw(st.none() | texts),
        "durationMs": draw(st.none() | st.integers(0, 10**6) | st.floats(0, 10**6)),
        "try": draw(st.none() | st.integers(1, 9)),
    }


def event(payload: dict[str, Any], seq: int, attempt: int, time: str = TIME) -> AnyEvent:
    """The payload as an event of the one execution that these strategies make."""
    return parse_event(
        {"executionId": EXECUTION, "seq": seq, "attempt": attempt, "timestamp": time, **payload}
    )


@st.composite
def histories(draw: st.DrawFn, *, max_events: int = 15, ended: bool | None = None) -> History:
    """Walk the tables at random: moves, new tries, new attempts and everything between.

    Args:
        ended: whether the last event is a terminal status; None leaves it open.
    """
    record = draw(records())
    ids = [node.id for node in record.graph.nodes] + ["unregistered"]
    nodes: dict[str, NodeStatus] = {}
    status, attempt = ExecutionStatus.PENDING, draw(st.integers(1, 3))
    events: list[AnyEvent] = []

    def add(payload: dict[str, Any]) -> None:
        events.append(event(payload, len(events) + 1, attempt, draw(times)))

    def move(to: ExecutionStatus) -> None:
        nonlocal status
        status = to
        add({"type": "status", "status": to.value, "logCount": draw(st.none() | st.just(3))})

    for _ in range(draw(st.integers(0, max_events))):
        match draw(st.sampled_from(["node", "node", "say", "say", "start", "takeover"])):
            case "node":
                node_id = draw(st.sampled_from(ids))
                now = nodes.get(node_id, NodeStatus.PENDING)
                if NODE_MOVES[now]:
                    to = nodes[node_id] = draw(st.sampled_from(sorted(NODE_MOVES[now])))
                    payload = draw(node_payloads(node_id, to))
                    if (now, to) == (NodeStatus.PENDING, NodeStatus.COMPLETED):
                        payload["reused"] = True
                    add(payload)
            case "start" if status is ExecutionStatus.PENDING:
                move(ExecutionStatus.RUNNING)
            case "takeover" if events:
                attempt += draw(st.integers(1, 2))
                if status is ExecutionStatus.RUNNING and draw(st.booleans()):
                    move(ExecutionStatus.RUNNING)
            case _:
                add(draw(payloads(ids)))
    if ended or (ended is None and draw(st.booleans())):
        ways = [to for to in sorted(EXECUTION_MOVES[status]) if not EXECUTION_MOVES[to]]
        move(draw(st.sampled_from(ways)))
    return History(record, events, status, nodes, events[-1].attempt if events else 0)


class Dag(NamedTuple):
    """An acyclic graph: every edge leads from an earlier to a later id of `order`."""

    order: list[str]
    nodes: list[Node]
    edges: list[Edge]


@st.composite
def dags(draw: st.DrawFn, *, min_nodes: int = 1) -> Dag:
    order = [f"n{number}" for number in range(draw(st.integers(min_nodes, 12)))]
    pairs = [(s, t) for at, s in enumerate(order) for t in order[at + 1 :]]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    nodes = [Node(id=order[0], kind="trigger"), *(Node(id=i, kind="output") for i in order[1:])]
    edges = [Edge(source=source, target=target) for source, target in chosen]
    return Dag(order, draw(st.permutations(nodes)), edges)
