"""Namespace `/executor`: claims and the rules of `events`, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contract.messages import EXECUTORS
from tests.support.engine import Client, Polling, websocket
from tests.support.live import Live, live, log, logs, node, status


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as made:
        yield made


class Held:
    """An execution claimed by a raw executor."""

    def __init__(self, client: Client, claimed: dict[str, Any]) -> None:
        self.client = client
        self.id: str = claimed["executionId"]
        self.attempt: int = claimed["attempt"]

    async def send(self, *events: dict[str, Any], **changes: Any) -> Any:
        batch = {"executionId": self.id, "attempt": self.attempt, "events": list(events)}
        return await self.client.call("events", {**batch, **changes})


async def claimed(house: Live, executor_id: str = "one") -> Held:
    await house.execute()
    client = await house.executor(executor_id)
    answer = await client.call("claim", {"max": 1})
    return Held(client, answer["executions"][0])


async def events_of(house: Live, execution_id: str) -> list[dict[str, Any]]:
    page = await house.http("GET", f"/api/executions/{execution_id}/events")
    return list(page["events"])


async def test_claim_gives_all_that_is_needed_by_priority_then_age(house: Live) -> None:
    first = await house.execute(input={"a": 1})
    second = await house.execute()
    urgent = await house.execute(priority=9)
    client = await house.executor()
    answer = await client.call("claim", {"max": 2})
    assert answer["ok"] and answer["leaseMs"] == 15_000
    assert [one["executionId"] for one in answer["executions"]] == [urgent, first]
    one = answer["executions"][1]
    assert (one["attempt"], one["head"], one["priority"], one["input"]) == (1, 0, 0, {"a": 1})
    assert [made["id"] for made in one["workflow"]["nodes"]] == ["start", "work", "end"]
    assert one["state"]["status"] == "pending"
    assert (await client.call("claim", {"max": 9}))["executions"][0]["executionId"] == second
    assert (await client.call("claim", {"max": 9}))["executions"] == []


async def test_two_executors_never_get_the_same(house: Live) -> None:
    made = {await house.execute() for _ in range(20)}
    clients = [await house.executor(str(n)) for n in range(4)]
    answers = await asyncio.gather(*(one.call("claim", {"max": 8}) for one in clients))
    got = [one["executionId"] for answer in answers for one in answer["executions"]]
    assert sorted(got) == sorted(made)


async def test_executors_see_only_their_tenants_work(house: Live) -> None:
    await house.execute()
    other = await house.executor("two", tenant="elsewhere")
    assert (await other.call("claim", {"max": 5}))["executions"] == []


async def test_events_are_acknowledged_with_the_head_and_kept(house: Live) -> None:
    held = await claimed(house)
    answer = await held.send(status(1, "running"), log(2), log(3))
    assert answer == {"ok": True, "head": 3}
    kept = await events_of(house, held.id)
    assert [event["seq"] for event in kept] == [1, 2, 3]
    assert kept[1]["log"]["message"] == "line" and kept[1]["attempt"] == 1


REFUSED: dict[str, tuple[list[Any], dict[str, Any], str, str]] = {
    "not an object": ([1], {}, "invalid", "events[0]"),
    "unknown type": ([{**log(4), "type": "x"}], {}, "invalid", "events[0].type"),
    "no seq": ([{**log(4), "seq": None}], {}, "invalid", "events[0].seq"),
    "seq is text": ([{**log(4), "seq": "4"}], {}, "invalid", "events[0].seq"),
    "second is bad": ([log(4), {**log(5), "timestamp": "x"}], {}, "invalid", "events[1].timestamp"),
    "unknown member": ([{**log(4), "colour": 1}], {}, "invalid", "events[0].colour"),
    "another execution": ([{**log(4), "executionId": "x"}], {}, "invalid", "executionId"),
    "hole inside": ([log(4), log(6)], {}, "invalid", "events[1].seq"),
    "no such execution": ([log(4)], {"executionId": "nope"}, "not_found", "nope"),
    "malformed and unknown": ([1], {"executionId": "nope"}, "invalid", "events[0]"),
    "old attempt": ([log(4)], {"attempt": 0}, "invalid", "attempt"),
    "future attempt": ([log(4)], {"attempt": 2}, "invalid", "attempt"),
    "gap": ([log(5)], {}, "gap", "head"),
    "other content": ([log(2, "changed")], {}, "conflict", "seq 2"),
    "overlap with other content": ([log(3, "no"), log(4)], {}, "conflict", "seq 3"),
    "illegal move": ([node(4, "work", "completed")], {}, "invalid", "pending → completed"),
    "illegal second": ([log(4), status(5, "pending")], {}, "invalid", "events[1]"),
    "after the end": ([status(4, "failed"), log(5)], {}, "sealed", "sealed"),
    "events is no list": ([], {"events": {}}, "invalid", "events"),
    "no attempt": ([], {"attempt": None}, "invalid", "attempt"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refused_batch_stores_nothing(house: Live, name: str) -> None:
    events, changes, code, words = REFUSED[name]
    held = await claimed(house)
    await held.send(status(1, "running"), log(2), log(3))
    answer = await held.send(*events, **changes)
    assert (answer["ok"], answer["error"]["code"]) == (False, code)
    assert words in answer["error"]["message"]
    if code == "gap":
        assert answer["error"]["head"] == 3
    assert len(await events_of(house, held.id)) == 3
    assert (await held.send(log(4)))["head"] == 4, "the next good batch is taken"


async def test_repeats_are_acknowledged_and_stored_once(house: Live) -> None:
    held = await claimed(house)
    events = [status(1, "running"), *logs(2, 10)]
    assert (await held.send(*events))["head"] == 10
    assert (await held.send(*events))["head"] == 10
    assert (await held.send(*events[3:], log(11)))["head"] == 11
    assert len(await events_of(house, held.id)) == 11


async def test_a_batch_of_nothing_is_acknowledged(house: Live) -> None:
    held = await claimed(house)
    assert await held.send() == {"ok": True, "head": 0}


async def test_sealed_after_the_terminal_status_but_repeats_are_still_acknowledged(
    house: Live,
) -> None:
    held = await claimed(house)
    events = [status(1, "running"), status(2, "completed")]
    assert (await held.send(*events))["head"] == 2
    assert (await held.send(*events))["head"] == 2
    answer = await held.send(log(3))
    assert answer["error"]["code"] == "sealed"


async def test_fenced_once_another_attempt_has_begun(house: Live) -> None:
    held = await claimed(house)
    await held.send(status(1, "running"))
    await held.client.call("release", {"executionId": held.id, "attempt": 1})
    other = await house.executor("two")
    claim = await other.call("claim", {"max": 1})
    assert claim["executions"][0]["attempt"] == 2 and claim["executions"][0]["head"] == 1
    answer = await held.send(log(2))
    assert answer["error"]["code"] == "fenced"
    answer = await held.send(log(2), executionId=held.id, attempt=2)
    assert answer["error"]["code"] == "fenced", "an attempt is its holder's alone"
    assert (await held.client.call("heartbeat", {"executions": [
        {"executionId": held.id, "attempt": 1}]}))["lost"] == [held.id]  # fmt: skip
    again = Held(other, claim["executions"][0])
    assert (await again.send(status(2, "running"), log(3)))["head"] == 3


async def test_order_of_batches_is_the_order_of_sending(house: Live) -> None:
    held = await claimed(house)
    await held.send(status(1, "running"))
    first = 2
    numbers = []
    for number in range(1_000, 1_050):
        batch = {"executionId": held.id, "attempt": 1, "events": logs(first, first + 9)}
        first += 10
        numbers.append(number)
        await held.client.emit_with(number, "events", batch)
    heads = [(await held.client.acknowledged(number))["head"] for number in numbers]
    assert heads == list(range(11, 511, 10))


async def test_large_outputs_travel_as_previews_and_are_kept_whole(house: Live) -> None:
    held = await claimed(house)
    big = {"text": "ä" * 60_000}
    answer = await held.send(
        status(1, "running"), node(2, "start", "running"), node(3, "start", "completed", output=big)
    )
    assert answer["ok"]
    shown = (await events_of(house, held.id))[2]["output"]
    assert shown["$size"] > 120_000 and len(shown["$preview"].encode()) <= 2048
    assert await house.http("GET", shown["$ref"]) == big
    state = await house.http("GET", f"/api/executions/{held.id}")
    assert state["nodes"]["start"]["output"] == shown
    asked = {"executionId": held.id, "nodeId": "start"}
    assert (await held.client.call("output", asked)) == {"ok": True, "output": big}
    missing = await held.client.call("output", {**asked, "nodeId": "work"})
    assert missing["error"]["code"] == "not_found"
    resent = await held.send(node(3, "start", "completed", output={"text": "ö" * 60_000}))
    assert resent["error"]["code"] == "conflict"


async def test_an_event_over_a_million_bytes_is_refused(house: Live) -> None:
    held = await claimed(house)
    answer = await held.send(status(1, "running"), log(2, "x" * 1_000_000))
    assert answer["error"]["code"] == "invalid" and "1,000,000" in answer["error"]["message"]
    assert await events_of(house, held.id) == []


async def test_messages_of_four_mebibytes_pass_and_longer_ones_close(house: Live) -> None:
    held = await claimed(house)
    await held.send(status(1, "running"))
    answer = await held.send(*[log(seq, "y" * 90_000) for seq in range(2, 45)])
    assert answer == {"ok": True, "head": 44}
    await held.client.emit("heartbeat", {"executions": [], "junk": "z" * 4_500_000})
    assert await held.client.wire.closed() == 1009  # type: ignore[union-attr]


async def test_single_events_are_numbered_by_the_server(house: Live) -> None:
    held = await claimed(house)
    call = held.client.call
    base = {"executionId": held.id}
    assert await call("status", {**base, "status": "running"}) == {"ok": True, "seq": 1}
    line = {"level": "info", "message": "hello"}
    assert await call("log", {**base, "log": line, "attempt": 1}) == {"ok": True, "seq": 2}
    assert await call("log", {**base, "log": line}) == {"ok": True, "seq": 3}
    assert await call("progress", {**base, "progress": 50}) == {"ok": True, "seq": 4}
    numbered = await held.send(log(5))
    assert numbered["error"]["code"] == "invalid" and "without seq" in numbered["error"]["message"]
    bad = await call("nodeStatus", {**base, "nodeId": "work", "status": "cooking"})
    assert bad["error"]["code"] == "invalid"
    assert await call("status", {**base, "status": "failed"}) == {"ok": True, "seq": 5}
    kept = await events_of(house, held.id)
    assert [event["type"] for event in kept] == ["status", "log", "log", "progress", "status"]
    assert kept[4]["logCount"] == 2
    assert kept[1]["log"]["id"] != kept[2]["log"]["id"] and kept[1]["log"]["createdAt"]


async def test_a_first_batch_decides_that_the_executor_numbers(house: Live) -> None:
    held = await claimed(house)
    await held.send(status(1, "running"))
    answer = await held.client.call("progress", {"executionId": held.id, "progress": 5})
    assert answer["error"]["code"] == "invalid" and "with seq" in answer["error"]["message"]
    single = {**log(2), "executionId": held.id}
    assert await held.client.call("log", {k: v for k, v in single.items() if k != "type"}) == {
        "ok": True,
        "seq": 2,
    }


async def test_nothing_is_shown_before_it_is_durable_and_all_of_it_after(house: Live) -> None:
    held = await claimed(house)
    viewer = await house.viewer()
    assert (await viewer.call("subscribe", held.id))["head"] == 0
    await held.send(status(1, "running"), *logs(2, 50))
    seen = await viewer.logged(50)
    kept = await events_of(house, held.id)
    assert [{"type": kind, **payload} for kind, payload in seen] == kept


async def test_an_executor_may_reconnect_and_go_on(house: Live) -> None:
    held = await claimed(house)
    await held.send(status(1, "running"))
    again = await house.executor("one")
    held.client = again
    assert (await held.send(log(2)))["head"] == 2


async def test_register_makes_a_claimed_run_of_its_own(house: Live) -> None:
    client = await house.executor()
    asked = {"executionId": "nightly-1", "workflowId": "nightly", "nodes": [{"id": "extract"}]}
    answer = await client.call("register", asked)
    assert {k: answer[k] for k in ("ok", "executionId", "attempt", "head")} == {
        "ok": True, "executionId": "nightly-1", "attempt": 1, "head": 0,
    }  # fmt: skip
    run = Held(client, {"executionId": "nightly-1", "attempt": 1})
    await run.send(status(1, "running"), node(2, "extract", "running"), node(3, "load", "running"))
    again = await client.call("register", asked)
    assert (again["attempt"], again["head"]) == (1, 3)
    state = await house.http("GET", "/api/executions/nightly-1")
    assert {name: one["status"] for name, one in state["nodes"].items()} == {
        "extract": "running", "load": "running",
    }  # fmt: skip
    assert state["workflowName"] == "nightly"
    other = await house.executor("two")
    assert (await other.call("claim", {"max": 5}))["executions"] == []
    assert (await other.call("register", asked))["error"]["code"] == "conflict"


async def test_register_names_what_is_wrong_with_a_graph(house: Live) -> None:
    client = await house.executor()
    graph = {"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "b"}]}
    answer = await client.call("register", {"workflowId": "w", **graph})
    assert (
        answer["error"]["code"] == "invalid" and '"b" is not a node' in answer["error"]["message"]
    )


async def test_release_offers_the_execution_to_others_at_once(house: Live) -> None:
    held = await claimed(house)
    other = await house.executor("two")
    assert (await other.call("claim", {"max": 1}))["executions"] == []
    released = {"executionId": held.id, "attempt": 1}
    assert (await other.call("release", released))["error"]["code"] == "fenced"
    assert await held.client.call("release", released) == {"ok": True}
    assert await other.next_event() == ("work", {})
    answer = await other.call("claim", {"max": 1})
    assert answer["executions"][0]["attempt"] == 2


async def test_work_is_announced_when_there_is_some(house: Live) -> None:
    client = await house.executor()
    await house.execute()
    assert await client.next_event() == ("work", {})


async def test_cancel_reaches_the_holder_and_comes_again_with_heartbeats(house: Live) -> None:
    held = await claimed(house)
    await held.send(status(1, "running"))
    await house.http("POST", f"/api/executions/{held.id}/cancel")
    assert await held.client.next_event() == ("cancel", {"executionId": held.id, "attempt": 1})
    beat = {"executions": [{"executionId": held.id, "attempt": 1}]}
    answer = await held.client.call("heartbeat", beat)
    assert (answer["lost"], answer["cancel"]) == ([], [held.id])


async def test_cancel_while_pending_ends_it_without_an_executor(house: Live) -> None:
    execution_id = await house.execute()
    await house.http("POST", f"/api/executions/{execution_id}/cancel")
    state = await house.http("GET", f"/api/executions/{execution_id}")
    assert state["status"] == "cancelled"
    assert {one["status"] for one in state["nodes"].values()} == {"cancelled"}
    client = await house.executor()
    assert (await client.call("claim", {"max": 1}))["executions"] == []


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_only_executors_may_connect(house: Live, role: str) -> None:
    client = Client(await websocket(house.session, house.server.url), EXECUTORS)
    kind, answer = await client.connect({"token": house.token(role), "executorId": "x"})
    assert (kind, answer["message"], answer["data"]["code"]) == ("4", "unauthorized", "forbidden")


async def test_websocket_required(house: Live) -> None:
    client = Client(await Polling(house.session, house.server.url).open(), EXECUTORS)
    kind, answer = await client.connect({"token": house.token("executor"), "executorId": "x"})
    assert (kind, answer["data"]["code"]) == ("4", "websocket_required")


@pytest.mark.parametrize("auth", [{}, {"executorId": "a b"}, {"executorId": "x", "capacity": "2"}])
async def test_bad_credentials_say_what_is_wrong(house: Live, auth: dict[str, Any]) -> None:
    client = Client(await websocket(house.session, house.server.url), EXECUTORS)
    kind, answer = await client.connect({"token": house.token("executor"), **auth})
    assert (kind, answer["message"]) == ("4", "invalid_request")
    assert "executorId" in answer["data"]["message"] or "capacity" in answer["data"]["message"]
