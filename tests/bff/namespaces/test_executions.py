"""Namespace `/executions`: subscriptions, tokens and presence, on a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ormsgpack
import pytest

from bff.namespaces import executions
from contract.events import parse_event
from contract.execution import ExecutionState, Record, fold, initial
from contract.messages import VIEWERS
from tests.support.engine import Client, Polling, WebSocket, upgrade, websocket
from tests.support.live import Live, live, log, logs, node, status


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as made:
        yield made


class Writer:
    """Runs an execution by hand."""

    def __init__(self, house: Live) -> None:
        self.house = house
        self.head = 0

    async def start(self) -> Writer:
        self.id = await self.house.execute()
        self.client = await self.house.executor()
        self.attempt = (await self.client.call("claim", {"max": 1}))["executions"][0]["attempt"]
        await self.send(status(1, "running"))
        return self

    async def send(self, *events: dict[str, Any]) -> None:
        batch = {"executionId": self.id, "attempt": self.attempt, "events": list(events)}
        answer = await self.client.call("events", batch)
        assert answer["ok"], answer
        self.head = answer["head"]

    async def lines(self, count: int, size: int = 10) -> None:
        await self.send(*logs(self.head + 1, self.head + count, size))


@pytest.fixture
async def run(house: Live) -> Writer:
    return await Writer(house).start()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("form", [{}, {"batch": True}, {"binary": True}], ids=str)
async def test_all_events_once_in_order_however_one_joins(
    house: Live, run: Writer, transport: str, form: dict[str, bool]
) -> None:
    await run.lines(500)
    early = await house.viewer(transport=transport)
    asked = {"executionId": run.id, **form}
    answer = await early.call("subscribe", asked)
    assert (answer["ok"], answer["executionId"], answer["head"]) == (True, run.id, 501)
    assert answer["state"]["seq"] == 501 and answer["state"]["status"] == "running"
    writing = asyncio.create_task(_write(run, 20))
    middle = await house.viewer(transport=transport)
    await middle.call("subscribe", {**asked, "after": 300})
    assert len(await early.logged(1_501)) == 1_501
    assert len(await middle.logged(1_501, after=300)) == 1_201
    await writing
    await run.send(status(1_502, "completed"))
    late = await house.viewer(transport=transport)
    await late.call("subscribe", run.id)
    seen = await late.logged(1_502)
    page = await house.http("GET", f"/api/executions/{run.id}/events?limit=1000")
    assert [{"type": kind, **payload} for kind, payload in seen[:1000]] == page["events"]


async def _write(run: Writer, batches: int) -> None:
    for _ in range(batches):
        await run.lines(50)


async def test_events_are_collected_for_as_long_as_the_setting_says(tmp_path: Path) -> None:
    async with live(tmp_path, coalesce_ms=300) as house:
        run = await Writer(house).start()
        viewer = await house.viewer()
        await viewer.call("subscribe", {"executionId": run.id, "after": 1, "batch": True})
        sizes: list[int] = []
        for _ in range(5):
            await run.lines(1)
        while sum(sizes) < 5:
            name, payload = await viewer.next_event()
            if name == "batch":
                sizes.append(len(payload["events"]))
        assert sizes == [1, 4]


async def test_events_folded_over_the_record_are_the_snapshot(house: Live, run: Writer) -> None:
    await run.send(
        node(2, "start", "running"),
        node(3, "start", "completed", output={"x": 1}, durationMs=5),
        log(4),
        node(5, "work", "running", **{"try": 1}),
    )
    page = await house.http("GET", f"/api/executions/{run.id}/events")
    record = Record.model_validate(page["execution"])
    folded = fold(initial(record), map(parse_event, page["events"]))
    snapshot = ExecutionState.model_validate(await house.http("GET", f"/api/executions/{run.id}"))
    assert snapshot.executor is not None and snapshot.executor.executor_id == "one"
    assert folded == snapshot.model_copy(update={"executor": None})
    assert page["head"] == snapshot.seq == 5


async def test_acknowledgement_comes_before_the_events(house: Live, run: Writer) -> None:
    await run.lines(100)
    for transport in ("websocket", "polling"):
        viewer = await house.viewer(transport=transport)
        await viewer.call("subscribe", run.id)
        assert viewer.events == []


async def test_ahead_resets_and_replays_from_one(house: Live, run: Writer) -> None:
    viewer = await house.viewer()
    answer = await viewer.call("subscribe", {"executionId": run.id, "after": 99})
    assert answer["head"] == 1
    reset = {"executionId": run.id, "reason": "ahead", "head": 1}
    assert await viewer.next_event() == ("reset", reset)
    assert len(await viewer.logged(1)) == 1


async def test_a_second_subscribe_replaces_the_first(house: Live, run: Writer) -> None:
    await run.lines(9)
    viewer = await house.viewer()
    await viewer.call("subscribe", run.id)
    await viewer.logged(10)
    await viewer.call("subscribe", {"executionId": run.id, "after": 8})
    assert [payload["seq"] for _, payload in await viewer.logged(10, after=8)] == [9, 10]
    await run.lines(1)
    assert [payload["seq"] for _, payload in await viewer.logged(11, after=10)] == [11]
    assert (await house.http("GET", "/api/stats"))["subscriptions"] == 1


async def test_unsubscribe_ends_the_stream(house: Live, run: Writer) -> None:
    viewer = await house.viewer()
    await viewer.call("subscribe", run.id)
    await viewer.logged(1)
    assert await viewer.call("unsubscribe", run.id) == {"ok": True, "executionId": run.id}
    await run.lines(5)
    viewer.events = []
    assert (await viewer.call("ping", 1))["echo"] == 1
    assert [kind for kind, _ in viewer.events if kind != "presence"] == []


@pytest.mark.parametrize(
    "argument",
    [None, 5, [], {}, {"executionId": 5}, {"executionId": "x y"}, {"executionId": "a", "after": -1},
     {"executionId": "a", "after": "1"}, {"executionId": "a", "unknown": 1}, ""],
)  # fmt: skip
async def test_a_bad_subscribe_says_what_is_wrong(house: Live, argument: Any) -> None:
    viewer = await house.viewer()
    answer = await viewer.call("subscribe", argument)
    assert (answer["ok"], answer["error"]["code"]) == (False, "invalid_request")
    assert answer["error"]["message"]
    assert (await viewer.call("ping"))["ok"]


async def test_unknown_and_forbidden_answer_alike(house: Live, run: Writer) -> None:
    stranger = await house.viewer(tenant="elsewhere")
    limited = await house.viewer(executions=["ex_other"])
    viewer = await house.viewer()
    missing = await viewer.call("subscribe", "ex_none")
    assert missing["error"]["code"] == "not_found"
    for client in (stranger, limited):
        assert await client.call("subscribe", run.id) == missing


async def test_too_many_subscriptions(
    house: Live, run: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executions, "MAX_SUBSCRIPTIONS", 2)
    viewer = await house.viewer()
    ids = [await house.execute() for _ in range(3)]
    for execution_id in ids[:2]:
        assert (await viewer.call("subscribe", execution_id))["ok"]
    answer = await viewer.call("subscribe", ids[2])
    assert answer["error"]["code"] == "too_many_subscriptions"
    assert (await viewer.call("subscribe", ids[0]))["ok"], "one that it has is replaced"
    await viewer.call("unsubscribe", ids[0])
    assert (await viewer.call("subscribe", ids[2]))["ok"]


async def test_a_refused_subscribe_without_a_callback_arrives_as_error(house: Live) -> None:
    viewer = await house.viewer()
    await viewer.emit("subscribe", "ex_none")
    name, payload = await viewer.next_event()
    assert (name, payload["executionId"], payload["code"]) == ("error", "ex_none", "not_found")
    assert payload["error"] and "seq" not in payload


async def test_a_subscribe_without_a_callback_works(house: Live, run: Writer) -> None:
    viewer = await house.viewer()
    await viewer.emit("subscribe", run.id)
    assert len(await viewer.logged(1)) == 1


async def test_a_state_over_256_kib_is_left_out(house: Live, run: Writer) -> None:
    seq = 2
    for number in range(6):
        name = f"n{number}"
        output = {"text": "x" * 60_000}
        await run.send(node(seq, name, "running"), node(seq + 1, name, "completed", output=output))
        seq += 2
    viewer = await house.viewer()
    answer = await viewer.call("subscribe", {"executionId": run.id, "after": 13})
    assert (answer["head"], answer["state"]) == (13, None)


@pytest.mark.parametrize("batch", [{}, {"batch": False}, {"batch": True}], ids=str)
async def test_binary_brings_batches_as_messagepack_whatever_batch_says(
    house: Live, run: Writer, batch: dict[str, bool]
) -> None:
    viewer = await house.viewer()
    await viewer.call("subscribe", {"executionId": run.id, "binary": True, **batch})
    texts = [await viewer.wire.receive()]
    while isinstance(packet := await viewer.wire.receive(), str):
        texts.append(packet)
    assert texts[-1] == '451-/executions,["batch",{"_placeholder":true,"num":0}]'
    assert all('"presence"' in text for text in texts[:-1]), "which stays an event of its own"
    page = await house.http("GET", f"/api/executions/{run.id}/events")
    ((kind, payload),) = ormsgpack.unpackb(packet)["events"]
    assert {"type": kind, **payload} == page["events"][0]


async def test_binary_goes_on_in_order_across_an_upgrade(house: Live, run: Writer) -> None:
    viewer = await house.viewer(transport="polling")
    assert isinstance(viewer.wire, Polling)
    await viewer.call("subscribe", {"executionId": run.id, "binary": True})
    writing = asyncio.create_task(_write(run, 40))
    seen = await viewer.logged(201)
    probe = await upgrade(house.session, viewer.wire)
    while "6" not in (packets := await viewer.wire.poll()):
        viewer.wire._packets += packets
    viewer.wire._packets += packets[: packets.index("6")]
    while viewer.wire._packets:
        viewer.events.append(await viewer._next())
    await probe.send("5")
    viewer.wire = probe
    seen += await viewer.logged(2_001, after=len(seen))
    await writing
    assert [event["seq"] for _, event in seen] == list(range(1, 2_002))


async def test_ping_echoes(house: Live) -> None:
    viewer = await house.viewer()
    for echo in (None, 1, {"a": [1]}, "x"):
        answer = await viewer.call("ping", echo)
        assert answer["echo"] == echo and answer["serverTime"].endswith("Z")


@pytest.mark.parametrize(
    ("auth", "code"),
    [(None, "token_missing"), ({}, "token_missing"), ({"token": ""}, "token_missing"),
     ({"token": "x"}, "token_invalid"), ({"token": 5}, "token_invalid"), ([], "token_missing")],
)  # fmt: skip
async def test_connect_without_a_good_token_is_refused(house: Live, auth: Any, code: str) -> None:
    client = Client(await websocket(house.session, house.server.url), VIEWERS)
    kind, answer = await client.connect(auth)
    assert (kind, answer["message"], answer["data"]["code"]) == ("4", "unauthorized", code)


async def test_expired_and_executor_tokens_are_refused(house: Live) -> None:
    client = Client(await websocket(house.session, house.server.url), VIEWERS)
    _, answer = await client.connect({"token": house.token(ttl=-60)})
    assert answer["data"]["code"] == "token_expired"
    _, answer = await client.connect({"token": house.token("executor")})
    assert answer["data"]["code"] == "forbidden"
    kind, _ = await client.connect({"token": house.token()})
    assert kind == "0", "a refusal leaves the connection usable"


async def test_exp_required_and_end_of_token_closes_the_connection(
    house: Live, run: Writer
) -> None:
    for transport in ("websocket", "polling"):
        viewer = await house.viewer(transport=transport, ttl=1)
        started = time.monotonic()
        await viewer.call("subscribe", run.id)
        name, payload = await viewer.next_event()
        while name != "auth":
            name, payload = await viewer.next_event()
        assert payload == {"code": "token_expired"}
        assert 0.5 < time.monotonic() - started < 3
        if isinstance(viewer.wire, WebSocket):
            assert await viewer.wire.closed() == 1008
        else:
            assert isinstance(viewer.wire, Polling)
            with pytest.raises(ConnectionError):
                for _ in range(3):
                    await viewer.wire.poll()


async def test_refresh_lets_a_connection_live_on(house: Live, run: Writer) -> None:
    viewer = await house.viewer(ttl=1)
    await viewer.call("subscribe", run.id)
    answer = await viewer.call("refresh", {"token": house.token("viewer", ttl=600)})
    assert answer["ok"] and answer["expiresAt"].endswith("Z")
    await asyncio.sleep(1.2)
    await run.lines(1)
    assert len(await viewer.logged(2)) == 2
    for bad in ({"token": "x"}, {}, None, {"token": house.token("viewer", sub="other")}):
        assert not (await viewer.call("refresh", bad))["ok"]
    assert (await viewer.call("ping"))["ok"]


async def test_presence_counts_people_not_tabs(house: Live, run: Writer) -> None:
    tabs = [await house.viewer(sub="ann", name="Ann") for _ in range(3)]
    bob = await house.viewer(sub="bob", name="Bob")
    for client in (*tabs, bob):
        await client.call("subscribe", {"executionId": run.id, "after": 1})
    both = [{"id": "ann", "name": "Ann", "count": 3}, {"id": "bob", "name": "Bob", "count": 1}]
    await _presence(bob, both)
    for tab in tabs[:2]:
        assert isinstance(tab.wire, WebSocket)
        await tab.wire.socket.close()
    await _presence(bob, [{**both[0], "count": 1}, both[1]])
    await tabs[2].call("unsubscribe", run.id)
    await _presence(bob, both[1:])


async def _presence(client: Client, viewers: list[dict[str, Any]]) -> None:
    async with asyncio.timeout(5):
        while True:
            name, payload = await client.next_event()
            if name == "presence" and payload["viewers"] == viewers:
                assert payload["count"] == len(viewers)
                return


async def test_presence_comes_at_most_once_a_second(house: Live, run: Writer) -> None:
    watcher = await house.viewer(sub="w")
    await watcher.call("subscribe", {"executionId": run.id, "after": 1})
    started = time.monotonic()
    for number in range(20):
        client = await house.viewer(sub=f"v{number}")
        await client.call("subscribe", {"executionId": run.id, "after": 1})
    heard = 0
    while True:
        name, payload = await watcher.next_event()
        heard += name == "presence"
        if name == "presence" and payload["count"] == 21:
            break
    assert heard <= 2 + (time.monotonic() - started)


async def test_viewers_are_told_when_an_executor_is_lost_and_found(tmp_path: Path) -> None:
    async with live(tmp_path, lease_seconds=0.4) as house:
        run = await Writer(house).start()
        viewer = await house.viewer()
        await viewer.call("subscribe", {"executionId": run.id, "after": 1})
        heard: list[str] = []
        while "lost" not in heard:
            name, payload = await viewer.next_event()
            if name == "executor":
                assert payload["executorId"] == "one"
                heard.append(payload["state"])
        state = await house.http("GET", f"/api/executions/{run.id}")
        assert (state["status"], state["executor"]["state"]) == ("running", "lost")
        await run.lines(1)
        while heard[-1] != "alive":
            name, payload = await viewer.next_event()
            if name == "executor":
                heard.append(payload["state"])


async def test_a_slow_viewer_costs_bounded_memory_and_ends_complete(
    house: Live, run: Writer
) -> None:
    viewer = await house.viewer(sub="slow")
    await viewer.call("subscribe", run.id)
    await viewer.logged(1)
    outlet = next(
        one.outlet for one in house.server.viewers._viewers.values() if one.principal.sub == "slow"
    )
    worst = 0
    for _ in range(60):
        await run.lines(50, size=2_000)
        worst = max(worst, outlet.backlog)
    assert worst < 1_000_000
    assert len(await viewer.logged(3_001, after=1)) == 3_000


async def test_nothing_is_left_of_viewers_that_are_gone(house: Live, run: Writer) -> None:
    viewers = [await house.viewer(sub=f"v{n}") for n in range(10)]
    for viewer in viewers:
        await viewer.call("subscribe", run.id)
    for viewer in viewers:
        assert isinstance(viewer.wire, WebSocket)
        await viewer.wire.socket.close()
    async with asyncio.timeout(5):
        while len(house.server.viewers) or len(house.server.rooms):
            await asyncio.sleep(0.01)
    assert house.server.watchers._tabs == {} and house.server.watchers._timers == {}


def _held() -> tuple[int, int]:
    """Timers that will ring, but for those of the test's own client, and tasks."""
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    rings = [repr(handle._callback) for handle in scheduled if not handle.cancelled()]
    timers = sum("aiohttp.helpers.TimeoutHandle" not in one for one in rings)
    return timers, len(asyncio.all_tasks())


async def test_idle_viewers_cost_neither_timers_nor_tasks(house: Live, run: Writer) -> None:
    async def watch() -> None:
        viewer = await house.viewer()
        assert (await viewer.call("subscribe", run.id))["ok"]
        assert len(await viewer.logged(1)) == 1

    async def settle() -> tuple[int, int]:
        while run.id in house.server.watchers._timers:  # presence is about to be told
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        return _held()

    await watch()
    timers, tasks = await settle()
    for _ in range(30):
        await watch()
    timers_then, tasks_then = await settle()
    assert timers_then <= timers
    assert tasks_then <= tasks
