"""The bridge against a real server that drops, delays, refuses, vanishes and comes back."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest
from engineio import base_client

from contract.errors import (
    Conflict,
    ErrorCode,
    Fenced,
    Gap,
    Invalid,
    NotFound,
    RunroomError,
    Sealed,
)
from executor.bridge import Bridge, Run
from executor.journal import Journal
from tests.executor.fake_server import FakeServer

QUICK = (0.01, 0.05)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


def bridge_to(server: FakeServer, token: Any = "token", **options: Any) -> Bridge:
    return Bridge(server.url, token, **{"executor_id": "mine", "backoff": QUICK, **options})


def stored(server: FakeServer, run: Run) -> list[dict[str, Any]]:
    return list(server.executions[run.execution_id]["events"])


def script(*steps: Any, event: str = "events") -> Callable[[str, dict[str, Any]], Any]:
    """Misbehave so, message after message of this event; then behave."""
    left = deque(steps)

    def next_step(name: str, argument: dict[str, Any]) -> Any:
        return left.popleft() if name == event and left else None

    return next_step


async def test_leaving_waits_until_everything_is_durable(server: FakeServer) -> None:
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow", nodes=[{"id": "a", "kind": "tool"}])
        journal: Journal = run
        journal.put("status", status="running")
        await run.node_status("a", "running", try_=1)
        await run.progress(50, node_id="a", node_progress=12.5)
        await run.log("hello", node_id="a", metadata={"n": 1})
        await run.node_status("a", "completed", output=[1], duration_ms=3)
        await run.result(None)
        await run.status("completed")
    events = stored(server, run)
    assert [event["seq"] for event in events] == list(range(1, 8))
    assert [event["type"] for event in events] == [
        "status", "nodeStatus", "progress", "log", "nodeStatus", "result", "status",
    ]  # fmt: skip
    assert events[3]["log"]["metadata"] == {"n": 1}
    assert events[4]["output"] == [1]
    assert events[5]["result"] is None
    assert events[6]["logCount"] == 1
    assert server.auths == [{"executorId": "mine", "capacity": 1, "offers": [], "token": "token"}]


async def test_nothing_of_ours_is_left_behind(server: FakeServer) -> None:
    before = asyncio.all_tasks()
    known = list(base_client.connected_clients)
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow")
        await run.log("hello")
    mine = {task for task in asyncio.all_tasks() - before if "FakeServer" not in repr(task)}
    assert not [task for task in mine if "executor/" in repr(task)]
    assert base_client.connected_clients == known


async def test_events_of_a_moment_share_a_message(server: FakeServer) -> None:
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow")
        for number in range(500):
            run.put("log", log={"level": "info", "message": str(number)})
        await run.drained()
        assert [name for name, _ in server.calls].count("events") == 1
        assert [event["log"]["message"] for event in stored(server, run)] == [
            str(number) for number in range(500)
        ]


async def test_random_drops_lose_repeat_and_reorder_nothing(server: FakeServer) -> None:
    chance = random.Random(20)
    faults = ["drop-before", "drop-after", "silent", {"code": "unavailable", "retryAfterMs": 1}]
    dropped = 0

    def misbehave(event: str, argument: dict[str, Any]) -> Any:
        nonlocal dropped
        if event != "events" or chance.random() > 0.4:
            return None
        dropped += 1
        return chance.choice(faults)

    server.misbehave = misbehave
    async with bridge_to(server, answer_timeout=0.1) as bridge:
        runs = [await bridge.start("my-flow") for _ in range(2)]
        for number in range(1000):
            for run in runs:
                await run.log(str(number))
            if number % 25 == 0:
                await run.drained()
    for run in runs:
        events = stored(server, run)
        assert [event["seq"] for event in events] == list(range(1, 1001))
        assert [event["log"]["message"] for event in events] == [str(n) for n in range(1000)]
    assert dropped > 20


async def test_a_server_that_vanishes_finds_everything_when_it_is_back(
    server: FakeServer,
) -> None:
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow")
        await run.log("before")
        await run.drained()
        await server.vanish()
        for number in range(100):
            await run.log(f"meanwhile {number}")
        await server.come()
        await run.log("after")
        await run.drained()
        assert [event["seq"] for event in stored(server, run)] == list(range(1, 103))


async def test_resets_while_puts_go_on(server: FakeServer) -> None:
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow")
        for number in range(300):
            run.put("log", log={"level": "info", "message": str(number)})
            if number % 50 == 25:
                for sid in server.sids():
                    server.abort(sid)
            await asyncio.sleep(0)
        await run.drained()
        assert [event["log"]["message"] for event in stored(server, run)] == [
            str(number) for number in range(300)
        ]


async def test_a_silent_server_is_left_and_asked_again(server: FakeServer) -> None:
    server.misbehave = script("silent")
    async with bridge_to(server, answer_timeout=0.1) as bridge:
        run = await bridge.start("my-flow")
        await run.log("hello")
        await run.drained()
    assert len(server.auths) == 2
    assert len(stored(server, run)) == 1


async def test_a_lost_answer_is_noticed_at_once(server: FakeServer) -> None:
    server.misbehave = script("drop-after")
    async with bridge_to(server, answer_timeout=60.0) as bridge:
        run = await bridge.start("my-flow")
        began = time.monotonic()
        await run.log("hello")
        await run.drained()
        assert time.monotonic() - began < 5
    assert len(stored(server, run)) == 1


@pytest.mark.parametrize("code", ["unavailable", "rate_limited"])
async def test_waits_as_told_and_sends_again(server: FakeServer, code: str) -> None:
    server.misbehave = script({"code": code, "message": "not now", "retryAfterMs": 100})
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow")
        began = time.monotonic()
        await run.log("hello")
        await run.drained()
        assert time.monotonic() - began >= 0.1
    assert len(server.auths) == 1
    assert len(stored(server, run)) == 1


async def test_after_a_gap_it_goes_on_from_the_servers_head(server: FakeServer) -> None:
    def first_three_only(event: str, argument: dict[str, Any]) -> Any:
        if event != "events":
            return None
        kept = server.executions[argument["executionId"]]
        kept["events"], kept["head"] = argument["events"][:3], 3
        server.misbehave = lambda event, argument: None
        return {"code": "gap", "message": "a hole", "head": 3}

    server.misbehave = first_three_only
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow")
        for _ in range(10):
            run.put("log", log={"level": "info", "message": "m"})
        await run.drained()
    assert [event["seq"] for event in stored(server, run)] == list(range(1, 11))
    sent = [argument["events"] for name, argument in server.calls if name == "events"]
    assert [batch[0]["seq"] for batch in sent] == [1, 4]


async def test_a_server_that_forgot_what_it_acknowledged_fails_the_run(
    server: FakeServer,
) -> None:
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow")
        await run.log("one")
        await run.log("two")
        await run.drained()
        kept = server.executions[run.execution_id]
        kept["events"], kept["head"] = kept["events"][:1], 1
        await run.log("three")
        with pytest.raises(Gap, match=r"head is 1, but the events up to 2"):
            await run.drained()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("conflict", Conflict),
        ("invalid", Invalid),
        ("sealed", Sealed),
        ("not_found", NotFound),
        ("something_new", RunroomError),
    ],
)
async def test_a_refusal_fails_this_run_and_no_other(
    server: FakeServer, code: str, kind: type[RunroomError], caplog: pytest.LogCaptureFixture
) -> None:
    server.misbehave = script({"code": code, "message": "it does not fit"})
    async with bridge_to(server, outbox_bytes=2_000) as bridge:
        bad = await bridge.start("my-flow")
        good = await bridge.start("my-flow")
        await bad.log("x" * 3_000)
        waiting = asyncio.create_task(bad.room())
        with pytest.raises(kind, match="it does not fit"):
            await bad.drained()
        with pytest.raises(kind):
            await waiting
        with pytest.raises(kind):
            bad.put("status", status="running")
        with pytest.raises(kind):
            await bad.log("more")
        await good.log("fine")
        await good.drained()
        assert len(stored(server, good)) == 1
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in logged] == ["executor.run"]


async def test_a_fenced_run_is_lost_once(server: FakeServer) -> None:
    lost: list[str] = []
    async with bridge_to(server, on_lost=lost.append) as bridge:
        run = await bridge.start("my-flow")
        server.executions[run.execution_id]["attempt"] = 2
        await run.log("too late")
        with pytest.raises(Fenced):
            await run.drained()
        with pytest.raises(Fenced):
            run.put("status", status="running")
    assert lost == [run.execution_id]
    assert stored(server, run) == []


async def test_heartbeats_name_all_open_runs_and_tell_what_became_of_them(
    server: FakeServer,
) -> None:
    server.lease_ms = 60
    lost, cancelled = asyncio.Event(), asyncio.Event()
    told: list[Any] = []

    def on_lost(execution_id: str) -> None:
        told.append(("lost", execution_id))
        lost.set()

    def on_cancel(execution_id: str, attempt: int) -> None:
        told.append(("cancel", execution_id, attempt))
        cancelled.set()

    for name in ("a", "b", "c"):
        server.offer(name)
    async with bridge_to(server, on_lost=on_lost, on_cancel=on_cancel) as bridge:
        runs = {
            each.execution_id: bridge.open(each.execution_id, each.attempt, each.head)
            for each in await bridge.claim(10)
        }
        await server.until(lambda: _beats(server)[-1:] == [["a", "b", "c"]])
        server.lost.add("a")
        server.cancel.add("b")
        await asyncio.wait_for(asyncio.gather(lost.wait(), cancelled.wait()), 5)
        seen = len(_beats(server))
        await server.until(lambda: len(_beats(server)) >= seen + 3)
        assert told == [("lost", "a"), ("cancel", "b", 1)]
        assert runs["b"].cancelling
        assert _beats(server)[-1] == ["b", "c"]
        with pytest.raises(Fenced):
            await runs["a"].drained()
        runs["c"].put("status", status="cancelled")
        await runs["c"].close()
        seen = len(_beats(server))
        await server.until(lambda: len(_beats(server)) >= seen + 2)
        assert _beats(server)[-1] == ["b"]


def _beats(server: FakeServer) -> list[list[str]]:
    beats = [argument for name, argument in server.calls if name == "heartbeat"]
    return [[each["executionId"] for each in beat["executions"]] for beat in beats]


async def test_a_reconnect_beats_at_once_and_asks_for_work(server: FakeServer) -> None:
    work = asyncio.Event()
    async with bridge_to(server, on_work=work.set) as bridge:
        await bridge.start("my-flow", execution_id="x")
        seen = len(_beats(server))
        work.clear()
        await server.vanish()
        await server.come()
        # the lease is 15 s: without the hurry, the next would come after five
        async with asyncio.timeout(3):
            await server.until(lambda: len(_beats(server)) > seen)
            await work.wait()


async def test_whoever_holds_a_lease_is_back_before_it_runs_out(server: FakeServer) -> None:
    server.lease_ms = 300
    async with bridge_to(server, backoff=(60.0, 60.0)) as bridge:
        await bridge.claim(1)  # the answer tells the lease
        run = await bridge.start("my-flow")
        await server.vanish()
        await run.log("while it is away")
        await server.come()
        async with asyncio.timeout(10):
            await run.drained()
        assert len(stored(server, run)) == 1


async def test_a_run_that_has_ended_is_not_lost_by_a_late_heartbeat(server: FakeServer) -> None:
    server.lease_ms = 30
    lost: list[str] = []
    server.offer("a")
    server.lost.add("a")
    async with bridge_to(server, on_lost=lost.append) as bridge:
        (each,) = await bridge.claim(1)
        server.misbehave = script(0.2)
        run = bridge.open(each.execution_id, each.attempt, each.head)
        run.put("status", status="cancelled")
        await run.close()
    assert lost == []
    assert len(stored(server, run)) == 1


async def test_the_servers_word_reaches_the_hooks_whatever_they_do(server: FakeServer) -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()

    def on_work() -> None:
        heard.put_nowait("work")
        raise ValueError("a hook's own trouble")

    async with bridge_to(server, on_work=on_work) as bridge:
        bridge.on_cancel = lambda *names: heard.put_nowait(names)
        await bridge.connected()
        assert await heard.get() == "work"
        await server.emit("work", {})
        assert await heard.get() == "work"
        await server.emit("cancel", {"executionId": "not-open-yet", "attempt": 1})
        assert await heard.get() == ("not-open-yet", 1)


async def test_claim_release_and_output(server: FakeServer) -> None:
    server.offer("a")
    async with bridge_to(server) as bridge:
        (each,) = await bridge.claim(5)
        run = bridge.open(each.execution_id, each.attempt, each.head)
        assert bridge.open(each.execution_id, each.attempt, each.head) is run
        await run.node_status("n", "running")
        await run.node_status("n", "completed", output={"big": "value"})
        await run.drained()
        assert await bridge.output("a", "n") == {"big": "value"}
        with pytest.raises(NotFound):
            await bridge.output("a", "other")
        run.put("log", log={"level": "info", "message": "last"})
        await run.release()
        assert server.executions["a"]["head"] == 3
        with pytest.raises(Sealed):
            run.put("log", log={"level": "info", "message": "no more"})
        (again,) = await bridge.claim(5)
        assert (again.attempt, again.head) == (2, 3)
        second = bridge.open("a", 2, 3)
        await second.log("resumed")
        await second.drained()
        assert stored(server, second)[-1]["seq"] == 4
        assert await bridge.claim(5) == []


def asked(server: FakeServer) -> list[str]:
    """What was asked of the server, heartbeats aside."""
    return [name for name, _ in server.calls if name != "heartbeat"]


async def test_a_claim_whose_answer_is_lost_is_asked_again(server: FakeServer) -> None:
    server.misbehave = script("drop-before", event="claim")
    server.offer("a")
    async with bridge_to(server) as bridge:
        assert [each.execution_id for each in await bridge.claim(1)] == ["a"]
    assert asked(server) == ["claim", "claim"]


async def test_what_a_cancelled_claim_brings_is_released(server: FakeServer) -> None:
    server.misbehave = script(0.1, event="claim")
    server.offer("a")
    async with bridge_to(server) as bridge:
        claim = asyncio.create_task(bridge.claim(1))
        await server.until(lambda: asked(server))
        claim.cancel()
    assert asked(server) == ["claim", "release"]
    assert server.executions["a"]["holder"] is None


async def test_start_again_resumes_after_the_head(server: FakeServer) -> None:
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow", execution_id="x")
        await run.log("one")
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow", execution_id="x")
        assert run.head == 1
        await run.log("two")
        await run.status("cancelled")
        with pytest.raises(Sealed):
            await run.log("three")
    assert [event["seq"] for event in stored(server, run)] == [1, 2, 3]
    # how many lines came before is not known here
    assert "logCount" not in stored(server, run)[-1]
    async with bridge_to(server, executor_id="other") as bridge:
        with pytest.raises(Conflict):
            await bridge.start("my-flow", execution_id="x")


async def test_asking_again_to_start_makes_no_second_run(server: FakeServer) -> None:
    server.misbehave = script("drop-after", event="register")
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow")
    assert list(server.executions) == [run.execution_id]


async def test_what_is_not_json_is_refused_before_it_is_sent(server: FakeServer) -> None:
    async with bridge_to(server) as bridge:
        with pytest.raises(Invalid, match="register"):
            await bridge.start("my-flow", nodes=[{"id": "a", "config": {"x": float("nan")}}])
    assert server.calls == []


async def test_the_bound_holds_callers_back_until_it_is_acknowledged(server: FakeServer) -> None:
    async with bridge_to(server, outbox_bytes=20_000) as bridge:
        run = await bridge.start("my-flow")
        await server.vanish()
        written = 0

        async def write() -> None:
            nonlocal written
            for _ in range(100):
                await run.log("x" * 1_000)
                written += 1

        writing = asyncio.create_task(write())
        for _ in range(50):
            await asyncio.sleep(0)
        assert 10 < written < 20
        assert not writing.done()
        await server.come()
        await writing
        await run.drained()
    assert len(stored(server, run)) == 100


async def test_folded_lines_are_counted_and_nothing_else_is_lost(server: FakeServer) -> None:
    async with bridge_to(server, outbox_bytes=5_000, fold_logs=True) as bridge:
        run = await bridge.start("my-flow")
        await server.vanish()
        for _ in range(100):
            await run.log("x" * 1_000)
        run.put("nodeStatus", nodeId="a", status="running")
        for _ in range(10):
            await run.log("x" * 1_000)
        await server.come()
        await run.drained()
        run.put("status", status="cancelled")
    events = stored(server, run)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    logs = [event["log"] for event in events if event["type"] == "log"]
    whole = [log for log in logs if "metadata" not in log]
    left_out = sum(log["metadata"]["leftOut"] for log in logs if "metadata" in log)
    assert len(whole) + left_out == 110
    assert len(logs) == len(whole) + 1
    assert "nodeStatus" in [event["type"] for event in events]
    assert events[-1]["logCount"] == len(logs)


async def test_many_runs_share_the_connection_by_turns(server: FakeServer) -> None:
    server.misbehave = lambda event, argument: 0.02 if event == "events" else None
    async with bridge_to(server) as bridge:
        runs = [await bridge.start("my-flow") for _ in range(30)]
        for run in runs:
            run.put("log", log={"level": "info", "message": "m"})
        await asyncio.gather(*(run.drained() for run in runs))
    assert 4 <= server.most_in_flight <= 9  # eight with events, and a heartbeat
    assert all(len(stored(server, run)) == 1 for run in runs)


@pytest.mark.parametrize("code", ["token_invalid", "token_expired", "forbidden"])
async def test_a_refused_fixed_token_is_said_at_once(server: FakeServer, code: str) -> None:
    server.refuse = lambda token: {"code": code}
    up = asyncio.Event()
    async with bridge_to(server, on_work=up.set) as bridge:
        with pytest.raises(RunroomError) as caught:
            await bridge.connected()
        assert caught.value.code == ErrorCode(code)
        with pytest.raises(RunroomError):
            await bridge.start("my-flow")
        # never given up: should the server take it after all, all is well
        server.refuse = lambda token: None
        await asyncio.wait_for(up.wait(), 5)
        await bridge.connected()


async def test_a_callable_is_asked_for_a_fresh_token_until_one_is_taken(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    made = 0

    async def token() -> str:
        nonlocal made
        made += 1
        if made == 2:
            raise OSError("the issuer is away")
        return f"token-{made}"

    server.refuse = lambda token: None if token == "token-4" else {"code": "token_expired"}
    async with bridge_to(server, token) as bridge:
        await asyncio.wait_for(bridge.connected(), 5)
    assert [auth["token"] for auth in server.auths] == ["token-1", "token-3", "token-4"]
    assert "token-1" not in caplog.text
    assert any("token_expired" in record.message for record in caplog.records)


async def test_a_fresh_token_is_handed_over_before_the_old_one_ends(server: FakeServer) -> None:
    made: list[str] = []

    def token() -> str:
        left = 2 if not made else 3600
        key = "a key of at least thirty-two bytes"
        made.append(jwt.encode({"sub": "me", "exp": time.time() + left}, key))
        return made[-1]

    async with bridge_to(server, token) as bridge:
        await bridge.connected()
        async with asyncio.timeout(5):
            await server.until(lambda: any(name == "refresh" for name, _ in server.calls))
    assert [a["token"] for name, a in server.calls if name == "refresh"] == made[1:]
    assert len(server.auths) == 1


async def test_leaving_without_a_server_takes_no_time(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with bridge_to(server) as bridge:
        run = await bridge.start("my-flow")
        connection = await bridge._link.connection()
        await server.vanish()
        await asyncio.wait_for(connection.ended.wait(), 5)
        await run.log("never sent")
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert "1 events not acknowledged" in caplog.text


async def test_leaving_waits_no_longer_than_it_may(server: FakeServer) -> None:
    server.misbehave = lambda event, argument: "silent" if event == "events" else None
    began = time.monotonic()
    async with bridge_to(server, close_timeout=0.2) as bridge:
        run = await bridge.start("my-flow")
        await run.log("never answered")
    assert 0.2 <= time.monotonic() - began < 4


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match=r"http://127\.0\.0\.1:3001"):
        Bridge("localhost:3001", "token")
