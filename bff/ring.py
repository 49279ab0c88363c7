"""What rooms sent lately, so that who is a little behind gets the very bytes that others got.

A room keeps the events of its last frames, and the pages that several members need, as
chunks: each encoded at most once a form, the least recently used forgotten first, a room's
and all rooms' together bounded in bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence

from bff.forms import Form
from bff.frames import Frame
from bff.stores.base import StoredEvent

ROOM_BYTES = 4 * 1024 * 1024
"""What one ring may hold: its events, and their frames as packets and as bytes to send,
which is about 1 MiB of events that are encoded in one form."""
SERVER_BYTES = 64 * 1024 * 1024
"""What all rings together may hold."""
_EVENT_BYTES, _CHUNK_BYTES = 100, 1_000  # what Python's objects take beside their contents


class Chunk:
    """Consecutive events with what they became in each form."""

    __slots__ = ("after", "events", "frames", "last", "size")

    def __init__(self, events: Sequence[StoredEvent]) -> None:
        self.events = events
        self.after = events[0].seq - 1
        self.last = events[-1].seq
        self.frames: dict[Form, Frame] = {}
        self.size = _CHUNK_BYTES + sum(len(event.payload) + _EVENT_BYTES for event in events)


class Ring:
    """The chunks of one execution, found by the seq that a reader has seen last."""

    def __init__(self, execution_id: str, rings: Rings) -> None:
        self.execution_id = execution_id
        self.size = 0
        self.unused = 0
        """How often `Rings.age` found that nothing was added or found since."""
        self._rings = rings
        self._chunks: OrderedDict[int, Chunk] = OrderedDict()  # by `after`, in order of use
        self._starts: list[int] = []  # the same, in order

    def add(self, events: Sequence[StoredEvent]) -> Chunk:
        """Keep consecutive events; the chunk is good even if it is forgotten at once."""
        chunk = Chunk(events)
        before = self._chunks.pop(chunk.after, None)
        if before is None:
            index = bisect_left(self._starts, chunk.after)
            self._starts.insert(index, chunk.after)
        else:
            self._grow(-before.size)
        self._chunks[chunk.after] = chunk
        self._grow(chunk.size)
        self.unused = 0
        self._rings.used(self)
        self._bound()
        return chunk

    def find(self, cursor: int) -> Chunk | None:
        """The chunk that has the event after `cursor`."""
        index = bisect_right(self._starts, cursor) - 1
        if index < 0:
            return None
        chunk = self._chunks[self._starts[index]]
        if chunk.last <= cursor:
            return None
        self._chunks.move_to_end(chunk.after)
        self.unused = 0
        return chunk

    def beyond(self, cursor: int) -> int | None:
        """Where the next chunk starts that does not have the event after `cursor`."""
        index = bisect_right(self._starts, cursor)
        return self._starts[index] if index < len(self._starts) else None

    def frame(self, chunk: Chunk, form: Form, cursor: int) -> Frame:
        """The chunk's events after `cursor`, encoded; of a whole chunk only once a form."""
        if cursor > chunk.after:
            return form.encode(self.execution_id, chunk.events[cursor - chunk.after :])
        frame = chunk.frames.get(form)
        if frame is None:
            frame = chunk.frames[form] = form.encode(self.execution_id, chunk.events)
            if self._chunks.get(chunk.after) is chunk:
                chunk.size += 2 * frame.size
                self._grow(2 * frame.size)
                self._bound()
        return frame

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self._starts.clear()
        self._grow(-self.size)
        self._rings.unused(self)

    def drop(self) -> None:
        """Forget the chunk that was not used for longest."""
        after, chunk = self._chunks.popitem(last=False)
        del self._starts[bisect_left(self._starts, after)]
        self._grow(-chunk.size)
        if not self._chunks:
            self._rings.unused(self)

    def _bound(self) -> None:
        while self.size > ROOM_BYTES:
            self.drop()
        self._rings.bound()

    def _grow(self, size: int) -> None:
        self.size += size
        self._rings.size += size


class Rings:
    """The rings of all rooms, bounded together."""

    def __init__(self) -> None:
        self.size = 0
        self._rings: OrderedDict[Ring, None] = OrderedDict()  # those that hold anything

    def used(self, ring: Ring) -> None:
        self._rings[ring] = None
        self._rings.move_to_end(ring)

    def unused(self, ring: Ring) -> None:
        self._rings.pop(ring, None)

    def bound(self) -> None:
        """Forget what the rings that were added to longest ago hold, until all is bounded."""
        while self.size > SERVER_BYTES:
            next(iter(self._rings)).drop()

    def age(self, most: int) -> None:
        """Clear the rings that were not used between the last `most` calls."""
        for ring in list(self._rings):
            ring.unused += 1
            if ring.unused > most:
                ring.clear()
