"""A room through any sequence of pushes, joins and stalls: every member sees 1 … n, once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bff.forms import BATCH, BINARY, SINGLE, Form
from bff.rooms import Member, Rooms
from bff.stores.base import Commit
from tests.bff.memory import ID, MemoryOutlet, MemoryStore, event, rooms_of, seqs

FORMS: tuple[Form, ...] = (SINGLE, BATCH, BINARY)
SMALL = {
    "bff.rooms.HIGH_WATER_BYTES": 600,
    "bff.rooms.PAGE_BYTES": 900,
    "bff.rooms.PAGE_EVENTS": 7,
    "bff.rooms.FRAME_BYTES": 400,
    "bff.ring.ROOM_BYTES": 8_000,
    "bff.ring.SERVER_BYTES": 20_000,
}
"""Limits that a few events reach."""
NEVER_MS = 3_600_000


class Watching(NamedTuple):
    outlet: MemoryOutlet
    member: Member
    after: int


class RoomMachine(RuleBasedStateMachine):
    """Each rule does one thing that can happen to a room; time passes when a rule says so."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = [mock.patch(name, limit) for name, limit in SMALL.items()]
        for limit in self.limits:
            limit.start()
        self.runner = asyncio.Runner()
        self.watching: list[Watching] = []
        self.unpublished: list[Commit] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize(seed=st.integers(0, 1_000), hasty=st.booleans())
    def open(self, seed: int, hasty: bool) -> None:
        self.store = MemoryStore(seed)
        self.rooms: Rooms = rooms_of(self.store, coalesce_ms=0 if hasty else NEVER_MS)

    @rule(sizes=st.lists(st.integers(0, 200), min_size=1, max_size=6), heard=st.booleans())
    def commit(self, sizes: list[int], heard: bool) -> None:
        """Events become durable; the room is told now, later, or never."""
        first = len(self.store.events) + 1
        new = [event(seq, size) for seq, size in enumerate(sizes, first)]
        self.store.events += new
        self.unpublished.append(Commit(ID, new))
        if heard:
            self.publish(0)

    @precondition(lambda self: self.unpublished)
    @rule(which=st.integers(0, 50))
    def publish(self, which: int) -> None:
        """The room hears of commits, in any order and perhaps once more."""
        commit = self.unpublished[-1 - which % len(self.unpublished)]

        async def tell() -> None:
            self.rooms.publish(commit)

        self.run(tell())

    @rule(heard=st.booleans())
    def wake(self, heard: bool) -> None:
        async def tell() -> None:
            self.rooms.wake(ID, len(self.store.events))

        self.run(tell())

    @rule(back=st.integers(0, 40), form=st.sampled_from(FORMS), slow=st.booleans())
    def join(self, back: int, form: Form, slow: bool) -> None:
        async def enter() -> None:
            outlet = MemoryOutlet(slow=slow)
            after = max(0, len(self.store.events) - back)
            member = self.rooms.join(ID, outlet, form, after)
            self.watching.append(Watching(outlet, member, after))

        self.run(enter())

    @precondition(lambda self: self.watching)
    @rule(which=st.integers(0, 50))
    def leave(self, which: int) -> None:
        async def go() -> None:
            gone = self.watching.pop(which % len(self.watching))
            self.rooms.leave(ID, gone.member)

        self.run(go())

    @precondition(lambda self: self.watching)
    @rule(which=st.integers(0, 50))
    def drain(self, which: int) -> None:
        async def read() -> None:
            self.watching[which % len(self.watching)].outlet.drain()

        self.run(read())

    @rule(turns=st.integers(1, 12))
    def turn(self, turns: int) -> None:
        async def wait() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.run(wait())

    @rule()
    def timer(self) -> None:
        """The collecting time of every room is over."""
        self.run(self._flush())

    @rule()
    def forget(self) -> None:
        """A room's ring was of no use for long."""
        for room in self.rooms._rooms.values():
            room.ring.clear()

    async def _flush(self) -> None:
        for room in list(self.rooms._rooms.values()):
            room.flush()

    @invariant()
    def nothing_is_lost_repeated_or_reordered(self) -> None:
        for outlet, _, after in self.watching:
            seen = seqs(outlet.frames)
            assert seen == list(range(after + 1, after + 1 + len(seen)))

    @invariant()
    def rings_are_bounded(self) -> None:
        if not hasattr(self, "rooms"):
            return
        rings = [room.ring for room in self.rooms._rooms.values()]
        assert all(ring.size <= SMALL["bff.ring.ROOM_BYTES"] for ring in rings)
        assert self.rooms.ring_bytes == sum(ring.size for ring in rings)

    def teardown(self) -> None:
        try:
            if hasattr(self, "rooms"):
                self.run(self._end())
        finally:
            self.runner.close()
            for limit in self.limits:
                limit.stop()

    async def _end(self) -> None:
        """All that clients have to do is read: then each has everything."""
        head = len(self.store.events)
        async with asyncio.timeout(10):
            while any(watching.member not in self._live() for watching in self.watching):
                for outlet, *_ in self.watching:
                    outlet.drain()
                self.rooms.wake(ID, head)
                await asyncio.sleep(0)
            self.rooms.wake(ID, head)
            while any(
                len(seqs(outlet.frames)) < head - after for outlet, _, after in self.watching
            ):
                for outlet, *_ in self.watching:
                    outlet.drain()
                await self._flush()
                await asyncio.sleep(0)
        for outlet, _, after in self.watching:
            assert seqs(outlet.frames) == list(range(after + 1, head + 1))
        await self.rooms.__aexit__()

    def _live(self) -> set[Member]:
        room = self.rooms._rooms.get(ID)
        return room.live if room is not None else set()


TestRoomMachine = pytest.mark.filterwarnings("error")(RoomMachine.TestCase)
