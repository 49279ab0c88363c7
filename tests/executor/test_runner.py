"""The runner against a fake bridge: what it claims, cancels, drops and gives back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from contract.errors import NotFound, Unauthorized, Unavailable
from contract.messages import Claimed
from contract.values import Json
from executor.runner import Runner
from tests.executor.conftest import MakeEngine
from tests.executor.fakes import FakeJournal, claim_of
from tests.executor.test_engine import TRIGGER, node


class FakeBridge:
    """Gives the claims that it was handed, and keeps the journals."""

    def __init__(self) -> None:
        self.on_work: Callable[[], None] | None = None
        self.on_cancel: Callable[[str, int], None] | None = None
        self.on_lost: Callable[[str], None] | None = None
        self.waiting: list[Claimed] = []
        self.asked: list[int] = []
        self.trouble: list[Exception] = []
        self.runs: dict[str, FakeJournal] = {}
        self.connected = asyncio.Event()
        self.connected.set()
        self.changed = asyncio.Condition()
        self._claims: dict[str, Claimed] = {}

    async def claim(self, max: int) -> list[Claimed]:
        async with self.changed:
            self.asked.append(max)
            self.changed.notify_all()
        await self.connected.wait()
        if self.trouble:
            raise self.trouble.pop(0)
        given, self.waiting = self.waiting[:max], self.waiting[max:]
        self._claims.update((c.execution_id, c) for c in given)
        return given

    def open(
        self, execution_id: str, attempt: int, head: int, *, log_count: int | None = None
    ) -> FakeJournal:
        journal = FakeJournal(self._claims[execution_id])
        assert (journal.attempt, journal.state.seq) == (attempt, head)
        self.runs[execution_id] = journal
        return journal

    async def output(self, execution_id: str, node_id: str) -> Json:
        raise NotFound("none")

    def work(self) -> None:
        assert self.on_work is not None
        self.on_work()

    def cancel(self, execution_id: str, attempt: int) -> None:
        assert self.on_cancel is not None
        self.on_cancel(execution_id, attempt)

    def lose(self, execution_id: str) -> None:
        assert self.on_lost is not None
        self.on_lost(execution_id)

    async def until_asked(self, times: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.asked) >= times)

    async def journal(self, execution_id: str) -> FakeJournal:
        while execution_id not in self.runs:
            await asyncio.sleep(0.001)
        return self.runs[execution_id]


@pytest.fixture
async def bridge() -> FakeBridge:
    return FakeBridge()


Started = Callable[..., Any]


@pytest.fixture
async def started(bridge: FakeBridge, make_engine: MakeEngine) -> AsyncIterator[Started]:
    tasks: list[tuple[Runner, asyncio.Task[None]]] = []

    def start(capacity: int = 2, poll: float = 60.0) -> tuple[Runner, asyncio.Task[None]]:
        runner = Runner(bridge, make_engine(), capacity=capacity, poll=poll, release_timeout=0.2)
        tasks.append((runner, asyncio.create_task(runner.run())))
        return tasks[-1]

    yield start
    for runner, task in tasks:
        runner.stop()
        with contextlib.suppress(Exception):
            await task


def quick(execution_id: str) -> Claimed:
    return claim_of([TRIGGER], execution_id=execution_id)


def endless(execution_id: str) -> Claimed:
    return claim_of([TRIGGER, node("a", "forever")], "in>a", execution_id=execution_id)


async def test_carries_out_what_it_claims(bridge: FakeBridge, started: Started) -> None:
    bridge.waiting = [quick(f"e{i}") for i in range(7)]
    started(capacity=2)
    async with asyncio.timeout(5):
        while not (len(bridge.runs) == 7 and all(j.closed for j in bridge.runs.values())):
            await asyncio.sleep(0.001)
    assert {j.state.status for j in bridge.runs.values()} == {"completed"}
    assert not any(j.released for j in bridge.runs.values())
    assert max(bridge.asked) == 2


async def test_claims_no_more_than_its_capacity(bridge: FakeBridge, started: Started) -> None:
    bridge.waiting = [endless(f"e{i}") for i in range(5)]
    runner, _ = started(capacity=3)
    for name in ("e0", "e1", "e2"):
        await (await bridge.journal(name)).until_running("a")
    bridge.work()
    await asyncio.sleep(0.01)
    assert runner.running == 3
    assert bridge.asked == [3]
    bridge.cancel("e1", 1)
    await bridge.journal("e3")
    assert bridge.asked == [3, 1]


async def test_word_of_work_is_followed_at_once(bridge: FakeBridge, started: Started) -> None:
    started(poll=60)
    await bridge.until_asked(1)
    bridge.waiting = [quick("e1")]
    bridge.work()
    async with asyncio.timeout(2):
        await bridge.journal("e1")


async def test_asks_by_itself_now_and_then(bridge: FakeBridge, started: Started) -> None:
    started(poll=0.01)
    async with asyncio.timeout(2):
        await bridge.until_asked(4)


async def test_trouble_with_a_claim_is_not_the_end(bridge: FakeBridge, started: Started) -> None:
    bridge.trouble = [Unavailable("not now")]
    bridge.waiting = [quick("e1")]
    started(poll=0.01)
    async with asyncio.timeout(2):
        await bridge.journal("e1")


async def test_a_refusal_is(bridge: FakeBridge, started: Started) -> None:
    bridge.trouble = [Unauthorized("no such token")]
    _, task = started()
    with pytest.raises(Unauthorized):
        await task


async def test_cancel_reaches_only_its_attempt(bridge: FakeBridge, started: Started) -> None:
    bridge.waiting = [endless("e1")]
    started()
    journal = await bridge.journal("e1")
    await journal.until_running("a")
    bridge.cancel("e1", 7)
    bridge.cancel("unknown", 1)
    await asyncio.sleep(0.01)
    assert journal.state.status == "running"
    bridge.cancel("e1", 1)
    await journal.until(lambda e: e.type == "status" and e.status == "cancelled")
    while not journal.closed:
        await asyncio.sleep(0)


async def test_lost_work_is_dropped_quietly(bridge: FakeBridge, started: Started) -> None:
    bridge.waiting = [endless("e1")]
    runner, _ = started()
    journal = await bridge.journal("e1")
    await journal.until_running("a")
    before = list(journal.events)
    bridge.lose("e1")
    bridge.lose("unknown")
    while runner.running:
        await asyncio.sleep(0)
    assert journal.events == before
    assert not journal.released and not journal.closed


async def test_what_the_engine_cannot_carry_out_is_not_taken_up_again(
    bridge: FakeBridge,
    make_engine: MakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        execution_id, number = "e1", 1

        async def run(self) -> None:
            raise KeyError("a bug")

    engine = make_engine()
    monkeypatch.setattr(engine, "attempt", lambda *_: Broken())
    bridge.waiting = [quick("e1")]
    runner = Runner(bridge, engine, capacity=1, poll=60)
    task = asyncio.create_task(runner.run())
    journal = await bridge.journal("e1")
    async with asyncio.timeout(2):
        while runner.running:
            await asyncio.sleep(0)
    assert journal.closed and not journal.released
    runner.stop()
    await task
    assert "execution e1: the engine failed" in caplog.text


async def test_a_new_attempt_replaces_the_lost_one(bridge: FakeBridge, started: Started) -> None:
    bridge.waiting = [endless("e1")]
    runner, _ = started()
    first = await bridge.journal("e1")
    await first.until_running("a")
    bridge.waiting = [claim_of([TRIGGER, node("a", "forever")], "in>a", state=first.state)]
    bridge.work()
    while bridge.runs["e1"] is first:
        await asyncio.sleep(0)
    second = bridge.runs["e1"]
    await second.until_running("a")
    assert second.attempt == 2 and runner.running == 1
    assert not first.released
    bridge.cancel("e1", 2)
    await second.until(lambda e: e.type == "status" and e.status == "cancelled")


async def test_a_stop_gives_everything_back(bridge: FakeBridge, started: Started) -> None:
    bridge.waiting = [endless("e1"), endless("e2")]
    runner, task = started()
    journals = [await bridge.journal("e1"), await bridge.journal("e2")]
    for journal in journals:
        await journal.until_running("a")
    before = [list(j.events) for j in journals]
    runner.stop()
    await task
    assert [j.released for j in journals] == [True, True]
    assert [j.events for j in journals] == before
    assert runner.running == 0


async def test_a_stop_does_not_wait_for_a_connection(bridge: FakeBridge, started: Started) -> None:
    bridge.connected.clear()
    runner, task = started()
    await bridge.until_asked(1)
    runner.stop()
    async with asyncio.timeout(1):
        await task


async def test_a_stop_does_not_wait_for_ever_for_a_release(
    bridge: FakeBridge, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.waiting = [endless("e1")]
    runner, task = started()
    journal = await bridge.journal("e1")
    await journal.until_running("a")
    monkeypatch.setattr(journal, "release", asyncio.Event().wait)
    runner.stop()
    async with asyncio.timeout(2):
        await task
