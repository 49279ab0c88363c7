"""The outbox numbers, encodes once, trims, folds; the budget lets callers in by turns."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import orjson
import pytest

from contract.errors import Conflict, Fenced, Invalid
from contract.events import encode, parse_events
from executor.outbox import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Budget, Outbox


def line(message: str = "hello") -> dict[str, Any]:
    return {"log": {"level": "info", "message": message}}


def make(limit: int = 1_000_000, head: int = 0) -> tuple[Outbox, Budget]:
    budget = Budget(limit)
    return Outbox("exec-1", 2, head, budget), budget


def decoded(batch: list[bytes]) -> list[dict[str, Any]]:
    return [orjson.loads(data) for data in batch]


def test_numbers_in_order_of_calls_from_the_head_on() -> None:
    outbox, _ = make(head=7)
    outbox.put("status", {"status": "running"})
    outbox.put("log", line())
    outbox.put("nodeStatus", {"nodeId": "a", "status": "running", "try": 1, "output": None})
    events = decoded(outbox.batch())
    assert [(event["type"], event["seq"]) for event in events] == [
        ("status", 8),
        ("log", 9),
        ("nodeStatus", 10),
    ]
    assert events[1]["log"]["id"] == "exec-1:9"
    assert events[1]["log"]["createdAt"] == events[1]["timestamp"]
    assert events[2]["try"] == 1
    assert "output" not in events[2]


def test_sends_the_very_bytes_that_the_server_will_store() -> None:
    outbox, _ = make()
    outbox.put("nodeStatus", {"nodeId": "a", "status": "completed", "output": {"x": [1.5]}})
    (data,) = outbox.batch()
    (parsed,) = parse_events([orjson.loads(data)], "exec-1", 2)
    assert data == b'{"type":"nodeStatus",' + encode(parsed)[1:]


def test_a_result_of_null_is_a_result() -> None:
    outbox, _ = make()
    outbox.put("result", {"result": None})
    assert decoded(outbox.batch())[0]["result"] is None


@pytest.mark.parametrize(
    ("type", "payload", "names"),
    [
        ("nodeStatus", {"nodeId": "a", "status": "completed", "output": math.nan}, "output"),
        ("nodeStatus", {"nodeId": "a", "status": "completed", "output": {1, 2}}, "output"),
        ("result", {"result": {"deep": [math.inf]}}, "result"),
        ("log", {"log": {"level": "info", "message": "m", "metadata": math.nan}}, "metadata"),
        ("log", {"log": {"level": "loud", "message": "m"}}, "level"),
        ("log", {"log": {"level": "info", "message": "\ud800"}}, "message"),
        ("log", line("x" * 1_000_001), "1000000"),
        ("log", line("x" * 999_990), "1,000,000"),
        ("nodeStatus", {"nodeId": "a b", "status": "running"}, "nodeId"),
        ("nodeStatus", {"nodeId": "a", "status": "resting"}, "status"),
        ("status", {"status": "running", "mood": "good"}, "mood"),
        ("progress", {"progress": 101}, "progress"),
        ("weather", {}, "type"),
    ],
)
def test_refuses_what_the_server_would_refuse_and_uses_no_number(
    type: str, payload: dict[str, Any], names: str
) -> None:
    outbox, budget = make()
    with pytest.raises(Invalid, match=names):
        outbox.put(type, payload)
    assert outbox.last == 0
    assert budget.used == 0
    outbox.put("status", {"status": "running"})
    assert outbox.last == 1


def test_a_batch_holds_at_most_so_many_events() -> None:
    outbox, _ = make()
    for _ in range(MAX_BATCH_EVENTS + 5):
        outbox.put("log", line())
    assert len(outbox.batch()) == MAX_BATCH_EVENTS
    outbox.acknowledge(MAX_BATCH_EVENTS)
    assert [event["seq"] for event in decoded(outbox.batch())] == list(range(1001, 1006))


def test_a_batch_holds_at_most_so_many_bytes_but_always_one_event() -> None:
    outbox, _ = make(limit=10_000_000)
    outbox.put("log", line("x" * 900_000))
    outbox.put("log", line("x" * 300_000))
    outbox.put("log", line("x" * 300_000))
    assert len(outbox.batch()) == 1
    outbox.acknowledge(1)
    (only,) = outbox.batch()
    assert len(only) < MAX_BATCH_BYTES


async def test_acknowledged_events_are_forgotten_and_the_rest_stays_the_same() -> None:
    outbox, budget = make()
    for number in range(5):
        outbox.put("log", line(str(number)))
    before = outbox.batch()
    outbox.acknowledge(3)
    outbox.acknowledge(2)
    assert outbox.head == 3
    assert outbox.batch() == before[3:]
    assert budget.used == sum(map(len, before[3:]))
    outbox.acknowledge(5)
    assert outbox.batch() == []
    assert budget.used == 0


async def test_a_head_beyond_the_last_event_is_somebody_elses_work() -> None:
    outbox, _ = make()
    outbox.put("log", line())
    with pytest.raises(Conflict, match="another program"):
        outbox.acknowledge(2)


async def test_at_the_bound_log_lines_are_folded_and_nothing_else() -> None:
    outbox, budget = make(limit=300)
    for number in range(10):
        outbox.put("log", line(f"{number:0200d}"), fold=True)
    outbox.put("nodeStatus", {"nodeId": "a", "status": "running"}, fold=True)
    outbox.put("log", line("late"), fold=True)
    events = decoded(outbox.batch())
    assert [event["seq"] for event in events] == [1, 2, 3, 4][: len(events)]
    kept = [event for event in events if event["type"] == "log" and "metadata" not in event["log"]]
    (marker,) = [event for event in events if event["type"] == "log" and event not in kept]
    assert marker["log"]["metadata"] == {"leftOut": 11 - len(kept)}
    assert f"{11 - len(kept)} log lines were left out" in marker["log"]["message"]
    assert marker["log"]["level"] == "warning"
    assert [event["type"] for event in events][-1] == "nodeStatus"
    assert outbox.logs == len(kept) + 1
    assert outbox.left_out == 11 - len(kept) - 1
    assert outbox.batch() == [orjson.dumps(event) for event in events]
    outbox.acknowledge(outbox.last)
    assert budget.used == 0


async def test_a_marker_that_was_sent_counts_no_more() -> None:
    outbox, _ = make(limit=1)
    outbox.put("status", {"status": "running"}, fold=True)
    outbox.put("log", line(), fold=True)
    first = outbox.batch()
    outbox.put("log", line(), fold=True)
    outbox.put("log", line(), fold=True)
    assert outbox.batch()[:2] == first
    counts = [event["log"]["metadata"]["leftOut"] for event in decoded(outbox.batch())[1:]]
    assert counts == [1, 2]


async def test_room_is_given_in_turn_one_at_a_time() -> None:
    budget = Budget(100)
    budget.take(100)
    order: list[str] = []

    async def enter(name: str, size: int) -> None:
        await budget.room(name)
        order.append(name)
        budget.take(size)

    tasks = [asyncio.create_task(enter(name, 60)) for name in "abc"]
    await asyncio.sleep(0)
    assert order == []
    budget.give(100)
    await asyncio.wait(tasks[:2])
    assert order == ["a", "b"]
    # what a and b put has used up the room: c waits on
    assert not tasks[2].done()
    assert budget.used == 120
    budget.give(60)
    await tasks[2]
    assert order == ["a", "b", "c"]


async def test_room_asked_for_later_does_not_pass_those_who_wait() -> None:
    budget = Budget(100)
    budget.take(100)
    order: list[str] = []

    async def enter(name: str) -> None:
        await budget.room(name)
        order.append(name)

    first = asyncio.create_task(enter("first"))
    await asyncio.sleep(0)
    gone = asyncio.create_task(enter("gone"))
    await asyncio.sleep(0)
    gone.cancel()
    budget.give(50)
    last = asyncio.create_task(enter("last"))
    await asyncio.gather(first, last)
    assert order == ["first", "last"]


async def test_the_dismissed_stop_waiting() -> None:
    budget = Budget(100)
    budget.take(100)
    waiting = asyncio.create_task(budget.room("mine"))
    other = asyncio.create_task(budget.room("other"))
    await asyncio.sleep(0)
    budget.dismiss("mine", Fenced("over"))
    with pytest.raises(Fenced):
        await waiting
    assert not other.done()
    budget.give(100)
    await other
