"""Rooms: every member gets every event once, in order, whatever races with its joining."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from bff.forms import BATCH, SINGLE, Form
from bff.outlet import Frame
from bff.rooms import FRAME_BYTES, HIGH_WATER_BYTES, Rooms
from bff.stores.base import Commit, StoredEvent

ID = "ex_1"


def event(seq: int, size: int = 0) -> StoredEvent:
    payload = {"executionId": ID, "seq": seq, "log": {"message": "x" * size}}
    return StoredEvent(seq, "log", orjson.dumps(payload))


def seqs(frames: Sequence[Frame]) -> list[int]:
    found = []
    for frame in frames:
        for packet in frame.packets:
            name, payload = orjson.loads(packet[len("42/executions,") :])
            events = payload["events"] if name == "batch" else [(name, payload)]
            found += [logged["seq"] for kind, logged in events if kind == "log"]
    return found


class MemoryStore:
    """The parts of an EventStore that rooms use; reads take a seeded number of turns."""

    def __init__(self, seed: int = 0) -> None:
        self.events: list[StoredEvent] = []
        self.reads = 0
        self._random = random.Random(seed)

    async def turns(self) -> None:
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)

    async def read(self, execution_id: str, after: int, *, max_bytes: int) -> list[StoredEvent]:
        self.reads += 1
        await self.turns()
        page = self.events[after : after + self._random.randint(1, 5)]
        await self.turns()  # what is read here may be old by the time it arrives
        return page

    async def heads(self, execution_ids: Sequence[str]) -> dict[str, int]:
        return {execution_id: len(self.events) for execution_id in execution_ids}


class MemoryOutlet:
    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.backlog = 0
        self.turn = asyncio.Lock()
        self.may_drain = asyncio.Event()
        self.may_drain.set()

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)

    async def drained(self) -> None:
        await self.may_drain.wait()


def rooms_of(store: MemoryStore, **options: Any) -> Rooms:
    return Rooms(store, **options)  # type: ignore[arg-type]


async def settled(outlet: MemoryOutlet, head: int, pause: float = 0.02) -> None:
    async with asyncio.timeout(10):
        while len(seqs(outlet.frames)) < head:
            await asyncio.sleep(0.001)
    await asyncio.sleep(pause)


@pytest.mark.parametrize("seed", range(40))
async def test_join_while_events_flow_repeats_and_loses_nothing(seed: int) -> None:
    chance = random.Random(seed)
    store = MemoryStore(seed)
    async with rooms_of(store, coalesce_ms=chance.choice([0, 1, 5])) as rooms:
        watching: list[tuple[MemoryOutlet, int]] = []

        async def join_some() -> None:
            for _ in range(12):
                outlet, after = MemoryOutlet(), chance.randint(0, len(store.events))
                form: Form = chance.choice([SINGLE, BATCH])
                rooms.join(ID, outlet, form, after)  # type: ignore[arg-type]
                watching.append((outlet, after))
                for _ in range(chance.randrange(6)):
                    await asyncio.sleep(0)

        async def append_some() -> None:
            for _ in range(60):
                count = chance.randint(1, 4)
                new = [event(len(store.events) + 1 + n) for n in range(count)]
                store.events += new
                await store.turns()  # durable, and readable, before it is published
                rooms.publish(Commit(ID, new))
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)

        await asyncio.gather(join_some(), append_some())
        head = len(store.events)
        for outlet, after in watching:
            await settled(outlet, head - after, pause=0)
        await asyncio.sleep(0.02)  # whatever should not come has its chance
        for outlet, after in watching:
            assert seqs(outlet.frames) == list(range(after + 1, head + 1))


async def test_commits_that_were_not_published_are_found_by_the_head_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bff.rooms.HEAD_CHECK_SECONDS", 0.01)
    store = MemoryStore()
    async with rooms_of(store) as rooms:
        outlet = MemoryOutlet()
        rooms.join(ID, outlet, SINGLE, 0)  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        store.events += [event(1), event(2)]
        await settled(outlet, 2)
        assert seqs(outlet.frames) == [1, 2]


async def test_lost_repeated_and_reordered_commits_are_mended_from_the_store() -> None:
    store = MemoryStore()
    async with rooms_of(store) as rooms:
        outlet = MemoryOutlet()
        rooms.join(ID, outlet, SINGLE, 0)  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        store.events += [event(n) for n in range(1, 11)]
        for first, last in ((3, 4), (3, 4), (9, 10), (1, 2), (5, 6)):
            rooms.publish(Commit(ID, store.events[first - 1 : last]))
            await asyncio.sleep(0)
        await settled(outlet, 10)
        assert seqs(outlet.frames) == list(range(1, 11))


async def test_slow_member_leaves_the_live_room_and_comes_back_complete() -> None:
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=0) as rooms:
        slow, quick = MemoryOutlet(), MemoryOutlet()
        for outlet in (slow, quick):
            rooms.join(ID, outlet, SINGLE, 0)  # type: ignore[arg-type]
        await asyncio.sleep(0.01)

        def append() -> None:
            store.events.append(event(len(store.events) + 1))
            rooms.publish(Commit(ID, store.events[-1:]))

        append()
        slow.backlog = HIGH_WATER_BYTES + 1
        slow.may_drain.clear()
        for _ in range(50):
            append()
            await asyncio.sleep(0)
        assert seqs(slow.frames) == [1], "nothing is written to a member over the mark"
        assert seqs(quick.frames) == list(range(1, 52)), "nobody else waits for it"
        slow.backlog = 0
        slow.may_drain.set()
        await settled(slow, 51)
        append()
        await settled(slow, 52)
        assert seqs(slow.frames) == list(range(1, 53))


async def test_each_form_is_encoded_once_for_all_members() -> None:
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=0) as rooms:
        outlets = [MemoryOutlet() for _ in range(6)]
        for index, outlet in enumerate(outlets):
            rooms.join(ID, outlet, SINGLE if index % 2 else BATCH, 0)  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        store.events.append(event(1))
        rooms.publish(Commit(ID, store.events))
        assert len({id(outlet.frames[-1]) for outlet in outlets}) == 2


async def test_first_event_goes_at_once_and_the_next_ones_together() -> None:
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=20) as rooms:
        outlet = MemoryOutlet()
        rooms.join(ID, outlet, SINGLE, 0)  # type: ignore[arg-type]
        await asyncio.sleep(0.03)
        for seq in range(1, 6):
            store.events.append(event(seq))
            rooms.publish(Commit(ID, store.events[-1:]))
        assert seqs(outlet.frames) == [1]
        await settled(outlet, 5)
        assert [len(frame.packets) for frame in outlet.frames] == [1, 4]


async def test_a_room_writes_when_it_holds_64_kib() -> None:
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=10_000) as rooms:
        outlet = MemoryOutlet()
        rooms.join(ID, outlet, SINGLE, 0)  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        store.events += [event(1), *(event(n, 20_000) for n in range(2, 12))]
        rooms.publish(Commit(ID, store.events[:1]))
        rooms.publish(Commit(ID, store.events[1:]))
        assert len(seqs(outlet.frames)) == 9, "1 at once, then two frames of 4"
        assert all(frame.size < FRAME_BYTES + 21_000 for frame in outlet.frames)


async def test_room_is_gone_with_its_last_member_and_takes_its_tasks_along() -> None:
    store = MemoryStore()
    async with rooms_of(store) as rooms:
        before = len(asyncio.all_tasks())
        stalled = MemoryOutlet()
        stalled.may_drain.clear()
        members = [
            (outlet, rooms.join(ID, outlet, SINGLE, 0))  # type: ignore[arg-type]
            for outlet in (stalled, MemoryOutlet())
        ]
        await asyncio.sleep(0.01)
        assert (len(rooms), rooms.subscriptions()) == (1, 2)
        for _, member in members:
            rooms.leave(ID, member)
        await asyncio.sleep(0)
        assert (len(rooms), rooms.subscriptions()) == (0, 0)
        assert len(asyncio.all_tasks()) == before


async def test_a_member_that_left_gets_nothing_more() -> None:
    store = MemoryStore()
    async with rooms_of(store) as rooms:
        outlet = MemoryOutlet()
        member = rooms.join(ID, outlet, SINGLE, 0)  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        rooms.leave(ID, member)
        rooms.publish(Commit(ID, [event(1)]))
        rooms.announce(ID, "presence", {})
        await asyncio.sleep(0.01)
        assert outlet.frames == []


async def test_announcements_reach_those_catching_up_but_not_the_overfull() -> None:
    store = MemoryStore()
    async with rooms_of(store) as rooms:
        behind, full = MemoryOutlet(), MemoryOutlet()
        behind.may_drain.clear()
        full.backlog = HIGH_WATER_BYTES + 1
        for outlet in (behind, full):
            rooms.join(ID, outlet, SINGLE, 0)  # type: ignore[arg-type]
        rooms.announce(ID, "presence", {"count": 1})
        assert [frame.packets for frame in behind.frames] == [
            (b'42/executions,["presence",{"count":1}]',)
        ]
        assert full.frames == []
