"""Requests: what they take, what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from contract.errors import Invalid, InvalidRequest
from contract.messages import (
    MAX_BATCH_EVENTS,
    Claim,
    Claimed,
    Events,
    Execute,
    ExecuteWorkflow,
    ExecutorPresence,
    Heartbeat,
    Presence,
    Register,
    Reset,
    Retry,
    Subscribe,
)
from contract.values import MAX_INT, Model, parse

GOOD: list[tuple[type[Model], dict[str, Any], dict[str, Any]]] = [
    (Subscribe, {"executionId": "a"}, {"after": 0, "batch": False, "binary": False}),
    (Subscribe, {"executionId": "a", "after": MAX_INT, "batch": True}, {"after": MAX_INT}),
    (Subscribe, {"executionId": "a", "after": None, "batch": None}, {"after": 0, "batch": False}),
    (Claim, {}, {"max": 1}),
    (Events, {"executionId": "a", "attempt": 1, "events": [1]}, {"events": [1]}),
    (Heartbeat, {"executions": [{"executionId": "a", "attempt": 2}]}, {}),
    (Heartbeat, {}, {"executions": []}),
    (Register, {"workflowId": "w", "executionId": None, "nodes": None}, {"nodes": []}),
    (Execute, {"input": {"a": [None]}, "priority": None}, {"input": {"a": [None]}, "priority": 0}),
    (ExecuteWorkflow, {"useRealtime": None}, {"use_realtime": True, "nodes": None}),
    (Retry, {"fromNode": "a.b:c-d_e"}, {"from_node": "a.b:c-d_e"}),
]


@pytest.mark.parametrize(("model", "raw", "expected"), GOOD)
def test_requests_parse(model: type[Model], raw: dict[str, Any], expected: dict[str, Any]) -> None:
    parsed = parse(model, raw)
    assert {name: getattr(parsed, name) for name in expected} == expected


BAD: list[tuple[type[Model], Any, str]] = [
    (Subscribe, {}, "executionId: is missing"),
    (Subscribe, {"executionId": None}, "executionId: is missing"),
    (Subscribe, {"executionId": "a\n"}, "executionId: "),
    (Subscribe, {"executionId": "a" * 129}, "executionId: "),
    (Subscribe, {"executionId": "ä"}, "executionId: "),
    (Subscribe, {"executionId": ""}, "executionId: "),
    (Subscribe, {"executionId": "a", "after": -1}, "after: "),
    (Subscribe, {"executionId": "a", "after": True}, "after: "),
    (Subscribe, {"executionId": "a", "after": "5"}, "after: "),
    (Subscribe, {"executionId": "a", "after": 1.5}, "after: "),
    (Subscribe, {"executionId": "a", "after": MAX_INT + 1}, "after: "),
    (Subscribe, {"executionId": "a", "batch": 1}, "batch: "),
    (Subscribe, {"executionId": "a", "x": 1}, "x: is not a known member"),
    (Subscribe, {"executionId": "a", "\ud800": 1}, "input should be a valid string"),
    (Subscribe, [], "must be an object"),
    (Subscribe, "a", "must be an object"),
    (Claim, {"max": 0}, "max: "),
    (Claim, {"max": True}, "max: "),
    (Events, {"executionId": "a", "attempt": 0, "events": []}, "attempt: "),
    (Events, {"executionId": "a", "attempt": 1, "events": {}}, "events: "),
    (Events, {"executionId": "a", "attempt": 1, "events": [0] * (MAX_BATCH_EVENTS + 1)}, "events"),
    (Heartbeat, {"executions": [{"executionId": "a", "attempt": "1"}]}, "executions[0].attempt: "),
    (Execute, {"priority": 10}, "priority: "),
    (Execute, {"input": float("nan")}, "input: holds NaN"),
]


@pytest.mark.parametrize(("model", "raw", "expected"), BAD)
def test_bad_requests_name_the_member(model: type[Model], raw: Any, expected: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(model, raw, InvalidRequest)
    assert str(caught.value).startswith(expected)
    with pytest.raises(Invalid):
        parse(model, raw)


def test_unlogged_events_have_the_wires_names() -> None:
    seen = {"executionId": "a", "count": 1, "viewers": [{"id": "u", "name": "U", "count": 2}]}
    assert parse(Presence, seen).to_wire() == seen
    lost = {"executionId": "a", "executorId": "e", "state": "lost"}
    assert parse(ExecutorPresence, lost).to_wire() == lost
    gone = {"executionId": "a", "reason": "deleted", "head": None}
    assert parse(Reset, gone).to_wire() == gone
    claimed = {
        "executionId": "a",
        "attempt": 1,
        "head": 0,
        "workflow": {"nodes": []},
        "input": None,
        "priority": 0,
        "state": {},
        "reuse": ["a"],
    }
    assert parse(Claimed, claimed).to_wire() == claimed
