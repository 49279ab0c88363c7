"""What waits for its acknowledgement: a run's numbered events, and the bytes of all runs."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import Any

from contract.errors import Conflict, Invalid, RunroomError
from contract.events import encode, parse_events
from contract.values import Json, now

MAX_BATCH_BYTES = 512 * 1024
"""One `events` message holds no more, unless a single event is longer."""
MAX_BATCH_EVENTS = 1_000


def encode_event(
    execution_id: str, attempt: int, seq: int, type: str, payload: dict[str, Json]
) -> bytes:
    """One event as it stands in an `events` message, in the contract's canonical JSON.

    Raises:
        Invalid: names the member that the server would refuse.
    """
    event: dict[str, Any] = {name: value for name, value in payload.items() if value is not None}
    if type == "result":
        event.setdefault("result", None)
    event.update(type=type, seq=seq, timestamp=now())
    try:
        parsed = parse_events([event], execution_id, attempt)[0]
    except Invalid as error:
        raise Invalid(f"{type}: {error.message.removeprefix('events[0].')}") from None
    return b'{"type":"%s",%s' % (parsed.type.encode(), encode(parsed)[1:])


class Budget:
    """The bytes that all outboxes of a bridge hold, and who waits for room among them.

    Args:
        limit: at or above it, `room` waits. Events are taken in all the same, so the
            bound is kept by callers that wait for room before each event.
    """

    def __init__(self, limit: int) -> None:
        self.used = 0
        self._limit = limit
        self._waiting: deque[tuple[object, asyncio.Future[None]]] = deque()

    @property
    def full(self) -> bool:
        return self.used >= self._limit

    def take(self, size: int) -> None:
        self.used += size

    def give(self, size: int) -> None:
        self.used -= size
        self._wake()

    async def room(self, owner: object) -> None:
        """Wait, first come first served, until there is room.

        Raises:
            RunroomError: what `owner` was dismissed with.
        """
        if not self.full and not self._waiting:
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((owner, turn))
        await turn

    def dismiss(self, owner: object, error: RunroomError) -> None:
        """Have the owner's waiters raise `error`."""
        for waiter, turn in self._waiting:
            if waiter is owner and not turn.done():
                turn.set_exception(error)
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        if self._waiting and not self.full:
            self._waiting.popleft()[1].set_result(None)
            # One at a time: the woken one puts its event before the next is looked at.
            asyncio.get_running_loop().call_soon(self._wake)


class _Marker:
    """Stands for log lines that were left out; `count` grows until it is sent."""

    def __init__(self, timestamp: str) -> None:
        self.count = 0
        self.timestamp = timestamp


_MARKER_BYTES = 512


class Outbox:
    """One run's events from the acknowledged head on, in order, each encoded once.

    Attributes:
        head: the last acknowledged seq.
        logs: log events that were put, markers among them.
        left_out: how many fewer they are than the log lines that were given to `put`.

    Args:
        head: the last seq that the server holds; the next event is `head + 1`.
        budget: counts the bytes.
    """

    def __init__(self, execution_id: str, attempt: int, head: int, budget: Budget) -> None:
        self.head = head
        self.logs = 0
        self.left_out = 0
        self._execution_id = execution_id
        self._attempt = attempt
        self._budget = budget
        self._items: deque[bytes | _Marker] = deque()
        self._marker: _Marker | None = None

    @property
    def last(self) -> int:
        """The seq of the newest event."""
        return self.head + len(self._items)

    def put(self, type: str, payload: dict[str, Json], *, fold: bool = False) -> None:
        """Number, encode and keep one event.

        Args:
            fold: if the budget is full and this is a log line, count it in the marker
                that stands for lines left out instead.

        Raises:
            Invalid: nothing was kept and no number used.
        """
        data = encode_event(self._execution_id, self._attempt, self.last + 1, type, payload)
        if type == "log":
            if fold and self._budget.full:
                self._fold()
                return
            self.logs += 1
        self._items.append(data)
        self._budget.take(len(data))

    def batch(self) -> list[bytes]:
        """The events after `head` that go into the next message; empty if there are none."""
        chosen: list[bytes] = []
        sealed: list[tuple[int, bytes]] = []
        size = 0
        for index, item in enumerate(islice(self._items, MAX_BATCH_EVENTS)):
            if isinstance(item, bytes):
                data = item
            else:
                data = self._seal(item, self.head + index + 1)
                sealed.append((index, data))
            size += len(data)
            if chosen and size > MAX_BATCH_BYTES:
                break
            chosen.append(data)
        for index, data in sealed:
            self._items[index] = data
            self._budget.take(len(data) - _MARKER_BYTES)
        return chosen

    def acknowledge(self, head: int) -> None:
        """Forget the events up to `head`; a head that was passed before changes nothing.

        Raises:
            Conflict: `head` is beyond the newest event: somebody else writes this run.
        """
        if head > self.last:
            raise Conflict(
                f"execution {self._execution_id}: the server's head is {head}, beyond the "
                f"{self.last} events put here; another program writes this run"
            )
        freed = 0
        while self.head < head:
            freed += _size(self._items.popleft())
            self.head += 1
        if freed:
            self._budget.give(freed)

    def clear(self) -> None:
        """Forget everything: nobody will send it."""
        freed = sum(map(_size, self._items))
        self._items.clear()
        self._marker = None
        self._budget.give(freed)

    def _fold(self) -> None:
        if self._marker is None:
            self._marker = _Marker(now())
            self._items.append(self._marker)
            self._budget.take(_MARKER_BYTES)
            self.logs += 1
            self.left_out -= 1
        self._marker.count += 1
        self.left_out += 1

    def _seal(self, marker: _Marker, seq: int) -> bytes:
        """The marker's event; lines left out from now on get a new marker."""
        if marker is self._marker:
            self._marker = None
        lines = "1 log line was" if marker.count == 1 else f"{marker.count:,} log lines were"
        log = {
            "level": "warning",
            "message": f"{lines} left out here: the outbox was full",
            "metadata": {"leftOut": marker.count},
            "createdAt": marker.timestamp,
        }
        return encode_event(self._execution_id, self._attempt, seq, "log", {"log": log})


def _size(item: bytes | _Marker) -> int:
    return len(item) if isinstance(item, bytes) else _MARKER_BYTES
