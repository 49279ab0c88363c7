"""Rooms: every viewer of an execution gets its events once, in order, from any start.

One loop serves everybody who is behind, for whatever reason: joining late, resuming
after a disconnect, reading too slowly. It reads the store after the member's cursor and,
once that reaches the room's head, joins the member to the live room. The invariants:

- a room's `head` is the last seq handed to its live members (flushed or pending);
- a live member has been written every event up to the room's last flush;
- between the comparison of cursor and head and the join there is no await.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from bff.forms import Form
from bff.outlet import Frame, Outlet
from bff.stores.base import Commit, EventStore, StoredEvent
from contract.errors import RunroomError
from contract.values import Json

log = logging.getLogger("bff.rooms")

PAGE_BYTES = 256 * 1024
"""One page of a catch-up."""
HIGH_WATER_BYTES = 256 * 1024
"""A live member with more unsent bytes than this goes back to catching up."""
FRAME_BYTES = 64 * 1024
"""A room does not collect more than this before it writes."""
HEAD_CHECK_SECONDS = 2
RETRY_SECONDS = 1


class Member:
    """One viewer's place in one room.

    Attributes:
        cursor: the last seq written to it while it is not live; a live member's is the
            room's.
    """

    __slots__ = ("cursor", "dissolved", "form", "outlet", "task")

    def __init__(
        self, outlet: Outlet, form: Form, cursor: int, dissolved: Callable[[], None] | None
    ) -> None:
        self.outlet = outlet
        self.form = form
        self.cursor = cursor
        self.dissolved = dissolved
        self.task: asyncio.Task[None] | None = None


class Room:
    """The live members of one execution, those catching up, and what they get next."""

    def __init__(self, execution_id: str, coalesce: float) -> None:
        self.execution_id = execution_id
        self.head = 0
        self.live: set[Member] = set()
        self.behind: set[Member] = set()
        self.filling: asyncio.Task[None] | None = None
        self._coalesce = coalesce
        self._pending: list[StoredEvent] = []
        self._pending_bytes = 0
        self._flushed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def empty(self) -> bool:
        return not self.live and not self.behind

    def push(self, events: Sequence[StoredEvent]) -> bool:
        """Take durable events in; repeats are dropped. False if there is a hole before
        them, which then has to be filled from the store."""
        if not self.live:
            # those behind read the store themselves; the head tells them how far
            if events:
                self.head = max(self.head, events[-1].seq)
            return True
        for event in events:
            if event.seq <= self.head:
                continue
            if event.seq != self.head + 1:
                return False
            self.head = event.seq
            self._pending.append(event)
            self._pending_bytes += len(event.payload)
            if self._pending_bytes >= FRAME_BYTES:
                self.flush()
        if self._pending and self._timer is None:
            loop = asyncio.get_running_loop()
            wait = self._flushed_at + self._coalesce - loop.time()
            if wait <= 0:
                self.flush()
            else:
                self._timer = loop.call_later(wait, self.flush)
        return True

    def flush(self) -> list[Member]:
        """Write what is pending to all live members, each form encoded once.

        Those with too much unsent leave the live room, their cursor before the events.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pending:
            return []
        events, self._pending, self._pending_bytes = self._pending, [], 0
        self._flushed_at = asyncio.get_running_loop().time()
        frames: dict[Form, Frame] = {}
        slow = []
        for member in self.live:
            if member.outlet.backlog > HIGH_WATER_BYTES:
                member.cursor = events[0].seq - 1
                slow.append(member)
                continue
            frame = frames.get(member.form)
            if frame is None:
                frame = frames[member.form] = member.form.encode(self.execution_id, events)
            member.outlet.write(frame)
        self.live.difference_update(slow)
        self.behind.update(slow)
        for member in slow:
            self.on_behind(self, member)
        return slow

    on_behind: Callable[[Room, Member], None]

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.filling is not None:
            self.filling.cancel()


class Rooms:
    """All rooms of this server."""

    def __init__(self, store: EventStore, *, coalesce_ms: float = 5) -> None:
        """
        Args:
            coalesce_ms: how long events are collected after a frame was written.
        """
        self._store = store
        self._coalesce = coalesce_ms / 1000
        self._rooms: dict[str, Room] = {}
        self._checker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Rooms:
        self._checker = asyncio.create_task(self._check_heads())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for task in (self._checker,) if task is not None]
        for room in self._rooms.values():
            room.close()
            tasks += [task for task in (room.filling,) if task is not None]
            tasks += [member.task for member in room.behind if member.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._rooms.clear()

    def __len__(self) -> int:
        return len(self._rooms)

    def subscriptions(self) -> int:
        """How many members all rooms have."""
        return sum(len(room.live) + len(room.behind) for room in self._rooms.values())

    def join(
        self,
        execution_id: str,
        outlet: Outlet,
        form: Form,
        after: int,
        dissolved: Callable[[], None] | None = None,
    ) -> Member:
        """Have every event with seq > after written to the outlet, from now on.

        Args:
            dissolved: called if the room ends before the member leaves it.
        """
        room = self._rooms.get(execution_id)
        if room is None:
            room = self._rooms[execution_id] = Room(execution_id, self._coalesce)
            room.on_behind = self._catch_up
        member = Member(outlet, form, after, dissolved)
        room.behind.add(member)
        self._catch_up(room, member)
        return member

    def leave(self, execution_id: str, member: Member) -> None:
        """Write nothing more to this member."""
        room = self._rooms.get(execution_id)
        if room is None:
            return
        room.live.discard(member)
        room.behind.discard(member)
        if member.task is not None:
            member.task.cancel()
        if room.empty:
            room.close()
            del self._rooms[execution_id]

    def publish(self, commit: Commit) -> None:
        """Show events that have become durable; the store calls this."""
        room = self._rooms.get(commit.execution_id)
        if room is not None and not room.push(commit.events):
            self._fill(room)

    def wake(self, execution_id: str, head: int) -> None:
        """Tell the room that the store has events up to `head`."""
        room = self._rooms.get(execution_id)
        if room is not None and room.live and room.head < head:
            self._fill(room)

    def announce(self, execution_id: str, name: str, payload: Json) -> None:
        """Show something that is not logged to whoever is there now."""
        room = self._rooms.get(execution_id)
        if room is None:
            return
        frames: dict[Form, Frame | None] = {}
        for member in (*room.live, *room.behind):
            if member.form not in frames:
                frames[member.form] = member.form.announce(name, payload)
            frame = frames[member.form]
            if frame is not None and member.outlet.backlog <= HIGH_WATER_BYTES:
                member.outlet.write(frame)

    def dissolve(self, execution_id: str, name: str, payload: Json) -> None:
        """Announce the end of the execution's life to its members and let them go."""
        room = self._rooms.get(execution_id)
        for member in (*room.live, *room.behind) if room is not None else ():
            frame = member.form.announce(name, payload)
            if frame is not None:  # small, so also for those over the mark
                member.outlet.write(frame)
            self.leave(execution_id, member)
            if member.dissolved is not None:
                member.dissolved()

    def _catch_up(self, room: Room, member: Member) -> None:
        member.task = asyncio.get_running_loop().create_task(self._follow(room, member))

    async def _follow(self, room: Room, member: Member) -> None:
        while True:
            try:
                if await self._step(room, member):
                    return
            except ConnectionResetError:
                return  # whoever owns the connection makes the member leave
            except RunroomError as error:
                log.warning("catch-up waits: execution=%s reason=%s", room.execution_id, error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("catch-up failed, again: execution=%s", room.execution_id)
                await asyncio.sleep(RETRY_SECONDS)

    async def _step(self, room: Room, member: Member) -> bool:
        """Write one page, or join. True once the member is live."""
        async with member.outlet.turn:  # one page a connection, however many rooms it is in
            await member.outlet.drained()
            page = await self._store.read(room.execution_id, member.cursor, max_bytes=PAGE_BYTES)
            if page:
                member.outlet.write(member.form.encode(room.execution_id, page))
                member.cursor = page[-1].seq
            # From here to the join: no await, or events would be lost or repeated.
            room.flush()
            ahead = bool(room.live) and member.cursor > room.head
            # in a room without live members only an empty read tells where the head is
            caught_up = member.cursor == room.head if room.live else not page
            if caught_up and member.cursor >= room.head:
                room.head = member.cursor
                room.behind.discard(member)
                room.live.add(member)
                member.task = None
                return True
        if ahead:
            # the store has more than the room was told of: advance the room first
            self._fill(room)
            assert room.filling is not None
            await asyncio.wait((room.filling,))
        return False

    def _fill(self, room: Room) -> None:
        if room.filling is None or room.filling.done():
            room.filling = asyncio.get_running_loop().create_task(self._fill_from_store(room))

    async def _fill_from_store(self, room: Room) -> None:
        while room.live:
            try:
                page = await self._store.read(room.execution_id, room.head, max_bytes=PAGE_BYTES)
            except Exception as error:
                log.warning("fill waits: execution=%s reason=%r", room.execution_id, error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not page:
                return
            room.push(page)

    async def _check_heads(self) -> None:
        while True:
            await asyncio.sleep(HEAD_CHECK_SECONDS)
            try:
                live = [room.execution_id for room in self._rooms.values() if room.live]
                for execution_id, head in (await self._store.heads(live)).items():
                    self.wake(execution_id, head)
            except Exception as error:
                log.warning("heads are not known: reason=%r", error)
