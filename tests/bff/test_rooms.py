"""Rooms: every member gets every event once, in order, whatever races with its joining."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from bff.forms import BATCH, SINGLE, Form
from bff.rooms import FRAME_BYTES, HIGH_WATER_BYTES
from bff.stores.base import Commit, StoredEvent
from tests.bff.memory import ID, MemoryOutlet, MemoryStore, event, rooms_of, seqs


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
                rooms.join(ID, outlet, form, after)
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
        rooms.join(ID, outlet, SINGLE, 0)
        await asyncio.sleep(0.01)
        store.events += [event(1), event(2)]
        await settled(outlet, 2)
        assert seqs(outlet.frames) == [1, 2]


async def test_lost_repeated_and_reordered_commits_are_mended_from_the_store() -> None:
    store = MemoryStore()
    async with rooms_of(store) as rooms:
        outlet = MemoryOutlet()
        rooms.join(ID, outlet, SINGLE, 0)
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
            rooms.join(ID, outlet, SINGLE, 0)
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
            rooms.join(ID, outlet, SINGLE if index % 2 else BATCH, 0)
        await asyncio.sleep(0.01)
        store.events.append(event(1))
        rooms.publish(Commit(ID, store.events))
        assert len({id(outlet.frames[-1]) for outlet in outlets}) == 2


async def test_first_event_goes_at_once_and_the_next_ones_together() -> None:
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=20) as rooms:
        outlet = MemoryOutlet()
        rooms.join(ID, outlet, SINGLE, 0)
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
        rooms.join(ID, outlet, SINGLE, 0)
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
            (outlet, rooms.join(ID, outlet, SINGLE, 0)) for outlet in (stalled, MemoryOutlet())
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
    async with rooms_of(store, coalesce_ms=0) as rooms:
        outlet, other = MemoryOutlet(), MemoryOutlet()
        member, _ = (rooms.join(ID, one, SINGLE, 0) for one in (outlet, other))
        await asyncio.sleep(0.01)
        store.events += [event(1), event(2)]
        rooms.publish(Commit(ID, store.events[:1]))
        rooms.leave(ID, member)
        rooms.publish(Commit(ID, store.events[1:]))
        rooms.announce(ID, "presence", {})
        await settled(other, 2)
        assert seqs(outlet.frames) == [1] and len(outlet.frames) == 1


async def test_announcements_reach_those_catching_up_but_not_the_overfull() -> None:
    store = MemoryStore()
    async with rooms_of(store) as rooms:
        behind, full = MemoryOutlet(), MemoryOutlet()
        behind.may_drain.clear()
        full.backlog = HIGH_WATER_BYTES + 1
        for outlet in (behind, full):
            rooms.join(ID, outlet, SINGLE, 0)
        rooms.announce(ID, "presence", {"count": 1})
        assert [frame.packets for frame in behind.frames] == [
            (b'42/executions,["presence",{"count":1}]',)
        ]
        assert full.frames == []


# the ring


async def test_a_slow_member_gets_the_very_frames_of_the_others_and_the_store_is_not_asked() -> (
    None
):
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=0) as rooms:
        quick, slow = MemoryOutlet(), MemoryOutlet()
        for outlet in (quick, slow):
            rooms.join(ID, outlet, SINGLE, 0)
        await asyncio.sleep(0.01)
        reads = store.reads
        slow.backlog = HIGH_WATER_BYTES + 1
        slow.may_drain.clear()
        for seq in range(1, 31):
            store.events.append(event(seq))
            rooms.publish(Commit(ID, store.events[-1:]))
        slow.drain()
        await settled(slow, 30)
        assert slow.frames == quick.frames and len(quick.frames) == 30
        assert store.reads == reads


@pytest.mark.parametrize("after", [0, 7, 13, 30])
async def test_resuming_from_anywhere_in_the_ring_asks_the_store_for_nothing(after: int) -> None:
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=0) as rooms:
        rooms.join(ID, MemoryOutlet(), SINGLE, 0)
        await asyncio.sleep(0.01)
        for first in range(1, 31, 3):
            store.events += [event(first), event(first + 1), event(first + 2)]
            rooms.publish(Commit(ID, store.events[-3:]))
        reads = store.reads
        back = MemoryOutlet()
        rooms.join(ID, back, BATCH, after)
        await settled(back, 30 - after)
        assert seqs(back.frames) == list(range(after + 1, 31))
        assert store.reads == reads


async def test_members_who_read_the_same_pages_share_them() -> None:
    store = MemoryStore()
    store.events = [event(seq) for seq in range(1, 101)]
    async with rooms_of(store) as rooms:
        outlets = [MemoryOutlet() for _ in range(50)]
        for outlet in outlets:
            rooms.join(ID, outlet, SINGLE, 0)
        for outlet in outlets:
            await settled(outlet, 100, pause=0)
        assert all(outlet.frames == outlets[0].frames for outlet in outlets)
        assert store.reads <= len(outlets[0].frames) + 1, "each page once, and the end once"


async def test_pages_end_where_others_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.rooms.PAGE_EVENTS", 4)
    store = MemoryStore()
    store.events = [event(seq) for seq in range(1, 21)]
    async with rooms_of(store) as rooms:
        outlets = [MemoryOutlet() for _ in range(4)]
        for after, outlet in enumerate(outlets):
            rooms.join(ID, outlet, SINGLE, after)
        for after, outlet in enumerate(outlets):
            await settled(outlet, 20 - after, pause=0)
        shared = [frame for frame in outlets[0].frames if seqs([frame])[0] > 4]
        assert all(outlet.frames[-len(shared) :] == shared for outlet in outlets)


async def test_what_is_larger_than_a_ring_is_sent_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bff.ring.ROOM_BYTES", 10)
    store = MemoryStore()
    store.events = [event(seq) for seq in range(1, 11)]
    async with rooms_of(store, coalesce_ms=0) as rooms:
        outlets = [MemoryOutlet(), MemoryOutlet()]
        for outlet in outlets:
            rooms.join(ID, outlet, SINGLE, 0)
        await settled(outlets[0], 10)
        store.events.append(event(11))
        rooms.publish(Commit(ID, store.events[-1:]))
        for outlet in outlets:
            await settled(outlet, 11, pause=0)
            assert seqs(outlet.frames) == list(range(1, 12))
        assert rooms.ring_bytes == 0


async def test_a_ring_goes_with_its_room_and_when_it_is_of_no_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    async with rooms_of(store) as rooms:
        member = rooms.join(ID, MemoryOutlet(), SINGLE, 0)
        await asyncio.sleep(0.01)
        store.events.append(event(1))
        rooms.publish(Commit(ID, store.events))
        assert rooms.ring_bytes > 0
        rooms.leave(ID, member)
        assert rooms.ring_bytes == 0
    monkeypatch.setattr("bff.rooms.HEAD_CHECK_SECONDS", 0.001)
    async with rooms_of(store) as rooms:
        rooms.join(ID, MemoryOutlet(), SINGLE, 1)
        await asyncio.sleep(0.01)
        store.events.append(event(2))
        rooms.publish(Commit(ID, store.events[-1:]))
        assert rooms.ring_bytes > 0
        async with asyncio.timeout(5):
            while rooms.ring_bytes > 0:
                await asyncio.sleep(0.001)


async def test_a_member_that_has_what_the_live_ones_have_is_live_at_once() -> None:
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=0) as rooms:
        rooms.join(ID, MemoryOutlet(), SINGLE, 0)
        await asyncio.sleep(0.01)
        reads, tasks = store.reads, len(asyncio.all_tasks())
        outlet = MemoryOutlet()
        rooms.join(ID, outlet, SINGLE, 0)
        assert len(asyncio.all_tasks()) == tasks
        store.events.append(event(1))
        rooms.publish(Commit(ID, store.events))
        assert seqs(outlet.frames) == [1]
        assert store.reads == reads


# a room whose last live member has gone


async def test_what_was_collected_for_one_who_left_does_not_come_twice() -> None:
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=20) as rooms:
        first, second = MemoryOutlet(), MemoryOutlet()
        member = rooms.join(ID, first, SINGLE, 0)
        await asyncio.sleep(0.01)
        for seq in (1, 2):
            store.events.append(event(seq))
            rooms.publish(Commit(ID, store.events[-1:]))
        assert seqs(first.frames) == [1], "the second is collected"
        rooms.join(ID, second, SINGLE, 0)
        rooms.leave(ID, member)
        await settled(second, 2, pause=0.05)
        assert seqs(second.frames) == [1, 2]


async def test_what_became_durable_while_the_end_was_read_is_not_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bff.rooms.HEAD_CHECK_SECONDS", 3_600)
    store = MemoryStore()
    read = store.read

    async def slow_read(*args: Any, **limits: Any) -> list[StoredEvent]:
        page = await read(*args, **limits)
        if len(store.events) < 3:  # the page that is under way is old now
            store.events.append(event(len(store.events) + 1))
            rooms.publish(Commit(ID, store.events[-1:]))
        return page

    store.read = slow_read  # type: ignore[method-assign]
    async with rooms_of(store) as rooms:
        outlet = MemoryOutlet()
        rooms.join(ID, outlet, SINGLE, 0)
        await settled(outlet, 3)
        assert seqs(outlet.frames) == [1, 2, 3]


async def test_a_member_that_has_what_the_room_still_collects_is_live_with_it() -> None:
    store = MemoryStore()
    async with rooms_of(store, coalesce_ms=10_000) as rooms:
        first, second = MemoryOutlet(), MemoryOutlet()
        rooms.join(ID, first, SINGLE, 0)
        await asyncio.sleep(0.01)
        for seq in (1, 2):
            store.events.append(event(seq))
            rooms.publish(Commit(ID, store.events[-1:]))
        reads = store.reads
        rooms.join(ID, second, SINGLE, 2)
        await settled(first, 2)
        assert store.reads == reads and second.frames == []
        rooms.announce(ID, "presence", {})
        assert len(second.frames) == 1
