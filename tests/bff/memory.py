"""What rooms stand between, in memory: a store that takes its time, and outlets to look into."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import orjson
import ormsgpack

from bff.frames import Attachment, Frame
from bff.outlet import Outlet
from bff.rooms import Rooms
from bff.stores.base import StoredEvent

ID = "ex_1"


def event(seq: int, size: int = 0) -> StoredEvent:
    payload = {"executionId": ID, "seq": seq, "log": {"message": "x" * size}}
    return StoredEvent(seq, "log", orjson.dumps(payload))


def seqs(frames: Sequence[Frame]) -> list[int]:
    """The numbers of the logged events in these frames, in order."""
    found = []
    for frame in frames:
        for packet in frame.packets:
            if packet.startswith(b"451-"):
                continue  # its attachment follows
            if isinstance(packet, Attachment):
                name, payload = "batch", ormsgpack.unpackb(bytes(packet))
            else:
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

    async def read(
        self, execution_id: str, after: int, *, limit: int = 1_000, max_bytes: int
    ) -> list[StoredEvent]:
        assert limit >= 1
        self.reads += 1
        await self.turns()
        page = self.events[after : after + min(limit, self._random.randint(1, 5))]
        await self.turns()  # what is read here may be old by the time it arrives
        return page

    async def heads(self, execution_ids: Sequence[str]) -> dict[str, int]:
        return {execution_id: len(self.events) for execution_id in execution_ids}


class MemoryOutlet(Outlet):
    """Keeps what is written; its backlog is what the test sets, or grows with each frame."""

    backlog = 0

    def __init__(self, *, slow: bool = False) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.may_drain = asyncio.Event()
        self.may_drain.set()
        self._slow = slow

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)
        if self._slow:
            self.backlog += frame.size
            self.may_drain.clear()

    def drain(self) -> None:
        """The client has read everything."""
        self.backlog = 0
        self.may_drain.set()

    async def drained(self) -> None:
        await self.may_drain.wait()


def rooms_of(store: MemoryStore, **options: Any) -> Rooms:
    return Rooms(store, **options)  # type: ignore[arg-type]
