"""The cases that `scripts.fold_vectors` writes: events by hand, and by hand how they end.

`ends` names members of the last state by path (`nodes.a.tries`); every implementation is
held to these as well, so that a mistake in the fold that wrote the files is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

EXECUTION = "exec-1"
TRIGGER = {"id": "start", "kind": "trigger"}
TOOL = {"tool": "delay", "arguments": {"seconds": 1}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One vector.

    Attributes:
        ends: values in the last state by path.
        refused: `{seq, event, code}`: after `seq` events, `event` must not fold.
    """

    name: str
    about: str
    record: dict[str, Any]
    events: list[dict[str, Any]]
    ends: dict[str, Any]
    refused: list[dict[str, Any]] = field(default_factory=list)


def record(*nodes: dict[str, Any], edges: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """A record; an edge is written `a b`."""
    pairs = [edge.split() for edge in edges]
    return {
        "executionId": EXECUTION,
        "workflowId": "wf-1",
        "workflowName": "Digest",
        "graph": {
            "nodes": list(nodes),
            "edges": [{"source": source, "target": target} for source, target in pairs],
        },
        "owner": "ada",
        "createdAt": time(0),
        **more,
    }


def tool(node_id: str, **more: Any) -> dict[str, Any]:
    return {"id": node_id, "kind": "tool", "config": TOOL, **more}


def time(milliseconds: int) -> str:
    return f"2026-01-31T12:00:{milliseconds // 1000:02}.{milliseconds % 1000:03}Z"


def numbered(*payloads: dict[str, Any], attempt: int = 1, after: int = 0) -> list[dict[str, Any]]:
    """Events of one attempt from `after + 1` on, a quarter of a second apart."""
    return [
        {
            "executionId": EXECUTION,
            "seq": seq,
            "attempt": attempt,
            "timestamp": time(seq * 250),
            **payload,
        }
        for seq, payload in enumerate(payloads, after + 1)
    ]


def status(word: str, **more: Any) -> dict[str, Any]:
    return {"type": "status", "status": word, **more}


def node(node_id: str, word: str, **more: Any) -> dict[str, Any]:
    return {"type": "nodeStatus", "nodeId": node_id, "status": word, **more}


def log(number: int, message: str, *, level: str = "info", **more: Any) -> dict[str, Any]:
    line = {"id": f"log-{number}", "level": level, "message": message, "createdAt": time(number)}
    return {"type": "log", "log": {**line, **more}}


def progress(percent: int, **more: Any) -> dict[str, Any]:
    return {"type": "progress", "progress": percent, **more}


def result(value: Any) -> dict[str, Any]:
    return {"type": "result", "result": value}


def error(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": text, **more}


def refused(seq: int, code: str, event: dict[str, Any], /, **over: Any) -> dict[str, Any]:
    """`event` as the next one after `seq`, unless `over` says otherwise."""
    return {"seq": seq, "code": code, "event": numbered(event, after=seq)[0] | over}


CASES = [
    Case(
        name="success",
        about="A chain that completes: durations measured or given, logs counted, the end sealed.",
        record=record(
            {**TRIGGER, "name": "Start"},
            tool("read", name="Read files"),
            {"id": "out", "kind": "output"},
            edges=["start read", "read out"],
            input={"path": "docs"},
            priority=7,
        ),
        events=numbered(
            status("running"),
            node("start", "running", **{"try": 1}),
            node("start", "completed", output={"path": "docs"}, durationMs=0.4, **{"try": 1}),
            progress(33),
            node("read", "running"),
            log(1, "3 files\r\n\u2028💥", nodeId="read", metadata={"files": 3}),
            node("read", "completed", output=["a", "b", "c"], message="3 files"),
            progress(66),
            node("out", "running"),
            node("out", "completed", output=["a", "b", "c"], durationMs=12),
            progress(100),
            log(2, "done", level="warning"),
            result(["a", "b", "c"]),
            status("completed", logCount=2),
        ),
        ends={
            "status": "completed",
            "seq": 14,
            "attempt": 1,
            "progress": 100,
            "logCount": 2,
            "startedAt": time(250),
            "endedAt": time(3500),
            "result": ["a", "b", "c"],
            "error": None,
            "priority": 7,
            "nodes.start.durationMs": 0.4,
            "nodes.read.durationMs": 500,
            "nodes.read.name": "Read files",
            "nodes.read.message": "3 files",
            "nodes.read.tries": 1,
            "nodes.out.durationMs": 12,
            "nodes.out.name": "out",
            "nodes.out.progress": 100,
        },
        refused=[
            refused(14, "sealed", log(3, "late")),
            refused(14, "sealed", status("running"), attempt=2),
            refused(0, "invalid", status("completed")),
            refused(1, "invalid", status("running")),
            refused(2, "gap", log(3, "early"), seq=4),
            refused(2, "gap", log(3, "again"), seq=2),
        ],
    ),
    Case(
        name="retries",
        about="A node is tried three times: each try starts its progress and message afresh.",
        record=record(TRIGGER, tool("call", retry={"attempts": 3}), edges=["start call"]),
        events=numbered(
            status("running"),
            node("call", "running", **{"try": 1}),
            progress(0, nodeId="call", nodeProgress=40.5, message="page 2"),
            node("call", "running", message="timed out, trying again", **{"try": 2}),
            progress(0, nodeId="call", nodeProgress=10),
            node("call", "running"),
            node("call", "completed", output=0, **{"try": 3}),
        ),
        ends={
            "status": "running",
            "nodes.call.status": "completed",
            "nodes.call.tries": 3,
            "nodes.call.progress": 100,
            "nodes.call.message": None,
            "nodes.call.output": 0,
            "nodes.call.startedAt": time(500),
            "nodes.call.durationMs": 1250,
        },
        refused=[
            refused(7, "invalid", node("call", "running")),
            refused(7, "invalid", node("call", "completed", reused=True)),
        ],
    ),
    Case(
        name="skipped",
        about="A branch whose condition does not hold is skipped: its output is null.",
        record=record(TRIGGER, tool("yes"), tool("no"), edges=["start yes", "start no"]),
        events=numbered(
            status("running"),
            node("start", "running"),
            node("start", "completed", output=True),
            node("no", "skipped", message="its condition does not hold"),
            progress(66),
        ),
        ends={
            "progress": 66,
            "nodes.no.status": "skipped",
            "nodes.no.output": None,
            "nodes.no.startedAt": None,
            "nodes.no.endedAt": time(1000),
            "nodes.no.durationMs": None,
            "nodes.no.tries": 0,
            "nodes.no.progress": 0,
            "nodes.yes.status": "pending",
        },
        refused=[
            refused(5, "invalid", node("no", "running")),
            refused(5, "invalid", node("yes", "failed")),
            refused(5, "invalid", node("yes", "completed")),
        ],
    ),
    Case(
        name="cancelled",
        about="A cancel takes the running and the pending node with it.",
        record=record(TRIGGER, tool("slow"), tool("next"), edges=["start slow", "slow next"]),
        events=numbered(
            status("running"),
            node("slow", "running"),
            progress(0, nodeId="slow", nodeProgress=25, message="1 of 4"),
            node("slow", "cancelled", message="cancelled by ada"),
            node("next", "cancelled"),
            status("cancelled", logCount=0),
        ),
        ends={
            "status": "cancelled",
            "endedAt": time(1500),
            "nodes.slow.status": "cancelled",
            "nodes.slow.progress": 25,
            "nodes.slow.durationMs": 500,
            "nodes.next.status": "cancelled",
            "nodes.next.startedAt": None,
            "nodes.start.status": "pending",
        },
        refused=[refused(6, "sealed", node("start", "running"))],
    ),
    Case(
        name="cancelled-while-pending",
        about="An execution that nobody began: pending → cancelled, never started.",
        record=record(TRIGGER),
        events=numbered(node("start", "cancelled"), status("cancelled", logCount=0)),
        ends={"status": "cancelled", "startedAt": None, "endedAt": time(500), "attempt": 1},
        refused=[refused(0, "invalid", status("failed"))],
    ),
    Case(
        name="reused",
        about="A retry from a node: the ones before it take over their outputs without running.",
        record=record(TRIGGER, tool("a"), tool("b"), edges=["start a", "a b"], retryOf="exec-0"),
        events=numbered(
            status("running"),
            node("start", "completed", output={"x": 1}, reused=True),
            node("a", "completed", output=None, durationMs=80, reused=True),
            node("b", "running"),
        ),
        ends={
            "retryOf": "exec-0",
            "nodes.start.status": "completed",
            "nodes.start.startedAt": None,
            "nodes.start.durationMs": None,
            "nodes.start.progress": 100,
            "nodes.start.tries": 0,
            "nodes.a.durationMs": 80,
            "nodes.b.status": "running",
        },
        refused=[refused(1, "invalid", node("start", "completed", output=1, reused=False))],
    ),
    Case(
        name="new-attempt",
        about="The executor is lost: attempt 2 takes over, and attempt 4 takes over from it.",
        record=record(TRIGGER, tool("work"), edges=["start work"]),
        events=[
            *numbered(
                status("running"),
                node("start", "running"),
                node("start", "completed", output=1),
                node("work", "running"),
            ),
            *numbered(
                status("running"), log(1, "resumed"), node("work", "running"), attempt=2, after=4
            ),
            *numbered(
                log(2, "resumed again"),
                node("work", "running"),
                node("work", "completed", output=2),
                attempt=4,
                after=7,
            ),
        ],
        ends={
            "attempt": 4,
            "seq": 10,
            "status": "running",
            "startedAt": time(250),
            "logCount": 2,
            "nodes.work.tries": 3,
            "nodes.work.startedAt": time(1000),
            "nodes.work.output": 2,
        },
        refused=[
            refused(7, "fenced", log(9, "I am back")),
            refused(7, "fenced", log(9, "with an old number"), seq=2),
            refused(8, "invalid", status("running"), attempt=4),
        ],
    ),
    Case(
        name="unregistered-nodes",
        about="An outside run: nodes appear with their first event, whatever their names.",
        record=record(input=None, workflowName="Nightly"),
        events=numbered(
            status("running"),
            node("__proto__", "running", message="first seen"),
            progress(10, nodeId="constructor", nodeProgress=5),
            progress(20, nodeId="silent"),
            log(1, "a log makes no node", nodeId="unheard"),
            node("__proto__", "completed", output={"__proto__": {"polluted": True}}),
            node("constructor", "skipped"),
        ),
        ends={
            "progress": 20,
            "nodes.__proto__.status": "completed",
            "nodes.__proto__.name": "__proto__",
            "nodes.__proto__.kind": None,
            "nodes.constructor.status": "skipped",
            "nodes.constructor.progress": 5,
            "nodes.silent": None,
            "nodes.unheard": None,
        },
    ),
    Case(
        name="previews",
        about="Large values travel as previews; the fold keeps them as they come.",
        record=record(
            TRIGGER,
            input={
                "$preview": '"aaa',
                "$size": 70000,
                "$ref": f"/api/executions/{EXECUTION}/input",
            },
        ),
        events=numbered(
            status("running"),
            node("start", "running"),
            node(
                "start",
                "completed",
                output={
                    "$preview": '{"text":"é€💥',
                    "$size": 99999,
                    "$ref": f"/api/executions/{EXECUTION}/nodes/start/output",
                },
            ),
            result(
                {"$preview": "[1,", "$size": 65537, "$ref": f"/api/executions/{EXECUTION}/result"}
            ),
        ),
        ends={
            "input.$size": 70000,
            "nodes.start.output.$preview": '{"text":"é€💥',
            "result.$ref": f"/api/executions/{EXECUTION}/result",
        },
    ),
    Case(
        name="node-progress",
        about="A node's own progress and message; one that comes after its end changes no node.",
        record=record(TRIGGER, tool("each"), edges=["start each"]),
        events=numbered(
            status("running"),
            node("each", "running", message="starting"),
            progress(50, nodeId="each", nodeProgress=33.3, message="1 of 3"),
            progress(50, nodeId="each", message="2 of 3"),
            progress(50, nodeId="each", nodeProgress=66),
            progress(50, message="no node, so it is nobody's"),
            node("each", "completed", output=[1, 2, 3]),
            progress(49, nodeId="each", nodeProgress=70, message="late"),
        ),
        ends={
            "progress": 49,
            "nodes.each.progress": 100,
            "nodes.each.message": None,
            "nodes.each.status": "completed",
            "nodes.start.progress": 0,
        },
    ),
    Case(
        name="failure",
        about="A node fails after its last try; what ran is cancelled, what waited is skipped.",
        record=record(
            TRIGGER, tool("bad"), tool("beside"), tool("after"), edges=["start bad", "bad after"]
        ),
        events=numbered(
            status("running"),
            node("bad", "running"),
            node("beside", "running"),
            log(1, "Traceback …", level="error", nodeId="bad"),
            node("bad", "failed", error="no such file", message="gave up"),
            progress(25),
            node("beside", "cancelled"),
            node("after", "skipped"),
            node("start", "cancelled"),
            progress(100),
            error("no such file", nodeId="bad"),
            status("failed", logCount=1),
        ),
        ends={
            "status": "failed",
            "error": "no such file",
            "result": None,
            "progress": 100,
            "endedAt": time(3000),
            "logCount": 1,
            "nodes.bad.status": "failed",
            "nodes.bad.error": "no such file",
            "nodes.bad.message": "gave up",
            "nodes.bad.progress": 0,
            "nodes.beside.status": "cancelled",
            "nodes.after.status": "skipped",
        },
        refused=[refused(12, "sealed", error("once more"))],
    ),
    Case(
        name="several-outputs",
        about="With several output nodes the result is an object by node id; null is a result too.",
        record=record(
            TRIGGER,
            {"id": "left", "kind": "output"},
            {"id": "right", "kind": "output"},
            edges=["start left", "start right"],
        ),
        events=numbered(
            status("running"),
            node("left", "running"),
            node("left", "completed", output={"n": 1.5, "none": None}),
            node("right", "running"),
            node("right", "completed"),
            result({"left": {"n": 1.5, "none": None}, "right": None}),
            status("completed", logCount=0),
        ),
        ends={
            "status": "completed",
            "result.left.n": 1.5,
            "result.right": None,
            "nodes.right.output": None,
            "nodes.left.output.none": None,
        },
    ),
    Case(
        name="clocks",
        about="Timestamps are normalised, and a clock that jumps back makes no negative duration.",
        record=record(TRIGGER, createdAt="2026-01-31T13:00:00+01:00"),
        events=[
            numbered(node("start", "running"))[0] | {"timestamp": "2026-01-31T12:00:05Z"},
            numbered(node("start", "completed"), after=1)[0]
            | {"timestamp": "2026-01-31T12:00:04.999999Z"},
        ],
        ends={
            "createdAt": time(0),
            "startedAt": None,
            "nodes.start.startedAt": time(5000),
            "nodes.start.endedAt": time(4999),
            "nodes.start.durationMs": 0,
        },
    ),
]
