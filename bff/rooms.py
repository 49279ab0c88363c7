"""Rooms: every viewer of an execution gets its events once, in order, from any start.

One loop serves everybody who is behind, for whatever reason: joining late, resuming
after a disconnect, reading too slowly. It writes what the room's ring or else the store
has after the member's cursor and, once that reaches the room's last frame, joins the
member to the live room. The invariants:

- a room's `head` is the last seq handed to its live members, `flushed` the last seq
  written to them; between the two are the events that it collects;
- between the comparison of cursor and `flushed` and the join there is no await.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from bff.forms import Form
from bff.frames import Frame
from bff.outlet import Outlet, broadcast
from bff.ring import Chunk, Ring, Rings
from bff.stores.base import Commit, EventStore, StoredEvent
from contract.errors import RunroomError, Unavailable
from contract.values import Json

log = logging.getLogger("bff.rooms")

PAGE_BYTES = 256 * 1024
"""One page of a catch-up."""
PAGE_EVENTS = 1_000
"""Pages end at multiples of this seq, so that members who read from anywhere soon read
the same pages."""
HIGH_WATER_BYTES = 256 * 1024
"""A live member with more unsent bytes than this goes back to catching up."""
FRAME_BYTES = 64 * 1024
"""A room does not collect more than this before it writes."""
HEAD_CHECK_SECONDS = 2
RING_CHECKS = 5
"""A ring that is of no use for so many checks of the heads is cleared."""
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
    """The live members of one execution, those catching up, and what they get next.

    Args:
        coalesce: seconds in which events are collected after a frame was written.
        on_behind: called with a live member that is too slow, and so no longer live.
    """

    def __init__(
        self, ring: Ring, coalesce: float, on_behind: Callable[[Room, Member], None]
    ) -> None:
        self.execution_id = ring.execution_id
        self.ring = ring
        self.head = 0
        self.flushed = 0
        self.live: set[Member] = set()
        self.behind: set[Member] = set()
        self.filling: asyncio.Task[None] | None = None
        self.reading = asyncio.Lock()
        """Held by the member that reads the store: others may need the same page."""
        self._coalesce = coalesce
        self._on_behind = on_behind
        self._pending: list[StoredEvent] = []
        self._pending_bytes = 0
        self._flushed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._groups: dict[Form, dict[Outlet, Member]] | None = None

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

    def flush(self) -> None:
        """Write what is pending to all live members, each form encoded once.

        Those with too much unsent leave the live room, their cursor before the events.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pending:
            return
        events, self._pending, self._pending_bytes = self._pending, [], 0
        self._flushed_at = asyncio.get_running_loop().time()
        chunk = self.ring.add(events)
        self.flushed = chunk.last
        slow: list[Member] = []
        for form, members in self._by_form().items():
            frame = self.ring.frame(chunk, form, chunk.after)
            full = broadcast(frame, members, HIGH_WATER_BYTES)
            slow += [members[outlet] for outlet in full]
        if not slow:
            return
        self._groups = None
        self.live.difference_update(slow)
        self.behind.update(slow)
        for member in slow:
            member.cursor = chunk.after
            self._on_behind(self, member)

    def _by_form(self) -> dict[Form, dict[Outlet, Member]]:
        """The live members by form and outlet."""
        if self._groups is None:
            self._groups = {}
            for member in self.live:
                self._groups.setdefault(member.form, {})[member.outlet] = member
        return self._groups

    def admit(self, member: Member) -> bool:
        """Make a member live whose cursor is where the live ones are; False if it is not.

        From the last look at its cursor to this call there must be no await, or events
        would be lost or repeated.
        """
        if not self.live or member.cursor != self.flushed:
            return False
        self._enter(member)
        return True

    def open(self, member: Member) -> bool:
        """Make a member live that found nothing after its cursor in the store, though
        nobody else is; False if the room has heard of more."""
        self.flush()
        if self.live or member.cursor < self.head:
            return False
        self.head = self.flushed = member.cursor
        self._enter(member)
        return True

    def _enter(self, member: Member) -> None:
        self.behind.discard(member)
        self.live.add(member)
        self._groups = None
        member.task = None

    def leave(self, member: Member) -> None:
        """Write nothing more to this member."""
        self.live.discard(member)
        self._groups = None
        self.behind.discard(member)
        if member.task is not None:
            member.task.cancel()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.filling is not None:
            self.filling.cancel()
        self.ring.clear()


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
        self._rings = Rings()
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

    @property
    def ring_bytes(self) -> int:
        """What the rings of all rooms hold."""
        return self._rings.size

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
            ring = Ring(execution_id, self._rings)
            room = self._rooms[execution_id] = Room(ring, self._coalesce, self._catch_up)
        member = Member(outlet, form, after, dissolved)
        if not room.admit(member):
            room.behind.add(member)
            self._catch_up(room, member)
        return member

    def leave(self, execution_id: str, member: Member) -> None:
        """Write nothing more to this member."""
        room = self._rooms.get(execution_id)
        if room is None:
            return
        room.leave(member)
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
            if frame is not None:
                member.outlet.offer(frame, HIGH_WATER_BYTES)

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
        while member not in room.live:
            try:
                await self._step(room, member)
            except ConnectionResetError:
                return  # whoever owns the connection makes the member leave
            except RunroomError as error:
                log.warning("catch-up waits: execution=%s reason=%s", room.execution_id, error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("catch-up failed, again: execution=%s", room.execution_id)
                await asyncio.sleep(RETRY_SECONDS)

    async def _step(self, room: Room, member: Member) -> None:
        """Write one page, or join."""
        async with member.outlet.turn:  # one page a connection, however many rooms it is in
            await member.outlet.drained()
            if self._advance(room, member):
                return
            ahead = bool(room.live) and member.cursor > room.head
            if not ahead:
                async with room.reading:
                    if not self._advance(room, member):
                        await self._read(room, member)
        if ahead:
            # the store has more than the room was told of: advance the room first
            self._fill(room)
            assert room.filling is not None
            await asyncio.wait((room.filling,))

    def _advance(self, room: Room, member: Member) -> bool:
        """Write a page of what the ring has next, and join if that is all there is.

        Returns:
            False if the member's next event is not in the ring.
        """
        if room.live and room.flushed < member.cursor <= room.head:
            room.flush()
        written = 0
        while written < PAGE_BYTES and (chunk := room.ring.find(member.cursor)) is not None:
            frame = room.ring.frame(chunk, member.form, member.cursor)
            member.outlet.write(frame)
            member.cursor = chunk.last
            written += frame.size
        return room.admit(member) or written > 0

    async def _read(self, room: Room, member: Member) -> None:
        """Write a page from the store, or join a room that had no live member."""
        cursor = member.cursor
        limit = PAGE_EVENTS - cursor % PAGE_EVENTS
        beyond = room.ring.beyond(cursor)
        if beyond is not None:
            limit = min(limit, beyond - cursor)
        if room.live:  # the rest is in the ring by the time the page is here
            limit = min(limit, room.flushed - cursor)
        page = await self._store.read(room.execution_id, cursor, limit=limit, max_bytes=PAGE_BYTES)
        if page:
            chunk = room.ring.add(page) if len(room.behind) > 1 else Chunk(page)
            member.outlet.write(room.ring.frame(chunk, member.form, cursor))
            member.cursor = chunk.last
            room.admit(member)
        elif not room.open(member) and room.live and room.flushed > cursor:
            raise Unavailable("the store lacks what it had")

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
                self._rings.age(RING_CHECKS)
                live = [room.execution_id for room in self._rooms.values() if room.live]
                for execution_id, head in (await self._store.heads(live)).items():
                    self.wake(execution_id, head)
            except Exception as error:
                log.warning("heads are not known: reason=%r", error)
