"""Who makes the events: each kind of server takes them in in its own way."""

from __future__ import annotations

import json
import socket
import time
from typing import Protocol

from scripts.bench import wire

BATCH = 100
"""Events that are sent together at full load."""
WINDOW = 4
"""Such batches on their way at the same time."""


class Publisher(Protocol):
    """Makes events of several executions; a raw socket that `read` is called for."""

    socket: socket.socket

    def publish(self, room: str, dues: list[int]) -> None:
        """Send one event for each of these times."""

    def read(self) -> None:
        """Take the answers that have arrived."""

    @property
    def ready(self) -> bool:
        """Whether the server has answered enough that more may be sent."""

    @property
    def idle(self) -> bool:
        """Whether everything that asked for an answer has it."""


def dial(address: tuple[str, int]) -> tuple[socket.socket, bytes]:
    """A WebSocket, and what came after its upgrade."""
    opened = socket.create_connection(address)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.sendall(wire.upgrade(f"{address[0]}:{address[1]}"))
    data = await_bytes(opened, b"\r\n\r\n")
    return opened, data.partition(b"\r\n\r\n")[2]


def await_bytes(opened: socket.socket, marker: bytes, data: bytes = b"") -> bytes:
    """Everything up to the chunk with the marker.

    Raises:
        ConnectionError: the server closed first.
    """
    while marker not in data:
        chunk = opened.recv(65_536)
        if not chunk:
            raise ConnectionError(f"closed before {marker!r}: {data[-300:]!r}")
        data += chunk
    return data


class _Acknowledged:
    """Messages to `/executor`, each with an acknowledgement."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self.socket, data = dial(address)
        await_bytes(self.socket, b'"maxPayload"', data)
        credentials = {"token": token, "executorId": "bench", "capacity": 0}
        self.socket.sendall(wire.connect(wire.EXECUTORS, credentials))
        await_bytes(self.socket, b"40/executor,")
        self._sent = self._answered = 0
        self._tail = b""

    @property
    def ready(self) -> bool:
        return self._sent - self._answered < WINDOW

    @property
    def idle(self) -> bool:
        return self._sent == self._answered

    def read(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server cut the publisher")
        if b'"ok":false' in data:
            raise ConnectionError(f"an event was refused: {data[:300]!r}")
        whole = self._tail + data
        self._answered += whole.count(b"43/executor,")
        self._tail = whole[-len(b"43/executor,") + 1 :]
        if data.endswith(wire.PING):
            self._send(wire.text_frame(wire.PONG, masked=True))

    def _ask(self, event: str, argument: str) -> None:
        self._send(wire.emit(wire.EXECUTORS, event, argument, ack=self._sent))
        self._sent += 1

    def _send(self, frame: bytes) -> None:
        self.socket.sendall(frame)


class Batches(_Acknowledged):
    """Runroom: registered executions, numbered events, many in one message."""

    def __init__(self, address: tuple[str, int], token: str, rooms: list[str]) -> None:
        super().__init__(address, token)
        self._heads: dict[str, int] = {}
        for room in rooms:
            self._ask("register", json.dumps({"executionId": room, "workflowId": "bench"}))
            await_bytes(self.socket, b"]")
            moment = '"timestamp":"2026-01-31T12:00:00.000Z"'
            self._events(room, f'{{"type":"status","status":"running","seq":1,{moment}}}')
            await_bytes(self.socket, b"]")
            self._heads[room] = 1
        self._answered = self._sent

    def publish(self, room: str, dues: list[int]) -> None:
        head = self._heads[room]
        lines = [
            '{"type":"log",' + wire.log_line(room, head + number, due)[1:]
            for number, due in enumerate(dues, 1)
        ]
        self._heads[room] += len(dues)
        self._events(room, ",".join(lines))

    def _events(self, room: str, events: str) -> None:
        self._ask("events", f'{{"executionId":"{room}","attempt":1,"events":[{events}]}}')


class Emits(_Acknowledged):
    """A server that emits again what it is told: one `log` event a message."""

    def __init__(self, address: tuple[str, int], token: str, rooms: list[str]) -> None:
        super().__init__(address, token)
        self._heads = dict.fromkeys(rooms, 1)

    def publish(self, room: str, dues: list[int]) -> None:
        head = self._heads[room]
        self._heads[room] += len(dues)
        lines = [wire.log_line(room, head + number, due) for number, due in enumerate(dues, 1)]
        # acknowledged only where it holds back the next: one for all of a batch
        acks: list[int | str] = [""] * len(lines)
        if len(lines) > 1:
            acks[-1] = self._sent
            self._sent += 1
        frames = (
            wire.emit(wire.EXECUTORS, "log", line, ack=ack)
            for line, ack in zip(lines, acks, strict=True)
        )
        self._send(b"".join(frames))


class Prepared:
    """The floor: nothing is sent but how many events of what kind it shall write itself."""

    def __init__(self, address: tuple[str, int], count: int, rate: float) -> None:
        self.socket, _ = dial(address)
        order = json.dumps({"count": count, "rate": rate, "started": time.monotonic_ns()})
        self.socket.sendall(wire.text_frame(order, masked=True))

    ready = False
    idle = True

    def publish(self, room: str, dues: list[int]) -> None:
        raise AssertionError("the floor makes its own events")

    def read(self) -> None:
        if not self.socket.recv(65_536):
            raise ConnectionError("the server cut the publisher")
