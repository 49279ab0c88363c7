"""One viewer as a raw socket: it connects, subscribes, counts, and looks at the last."""

from __future__ import annotations

import socket
from enum import Enum, auto

from scripts.bench import wire
from scripts.bench.tally import Tally

READ_BYTES = 1 << 18


class Stage(Enum):
    """What the viewer waits for."""

    UPGRADE = auto()
    OPEN = auto()
    CONNECT = auto()
    SUBSCRIBE = auto()
    LIVE = auto()


class Viewer:
    """Made connected; `read` is called whenever the socket has something.

    Args:
        room: the execution to subscribe to; None for a server without rooms (the floor).
        tally: counts what arrives after the subscription.
    """

    __slots__ = ("_buffer", "_room", "_token", "fd", "socket", "stage", "tally")

    def __init__(
        self, address: tuple[str, int], token: str, room: str | None, tally: Tally
    ) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.fd = self.socket.fileno()
        self.stage = Stage.UPGRADE
        self.tally = tally
        self._token, self._room = token, room
        self._buffer = b""
        self.socket.sendall(wire.upgrade(f"{address[0]}:{address[1]}"))

    def read(self) -> None:
        """Take what has arrived.

        Raises:
            ConnectionError: the server closed the connection, or refused something.
        """
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionError(f"a viewer was cut while in {self.stage.name}: {self._buffer!r}")
        if self.stage is Stage.LIVE:
            self._count(data)
        else:
            self._buffer += data
            self._advance()

    def _advance(self) -> None:
        if self.stage is Stage.UPGRADE and b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            if b" 101 " not in head:
                raise ConnectionError(f"no WebSocket: {head[:200]!r}")
            self.stage = Stage.OPEN
            if self._room is None:
                self._go_live()
        if self.stage is Stage.OPEN and b'"maxPayload"' in self._buffer:
            self._buffer = b""
            self.stage = Stage.CONNECT
            self.socket.sendall(wire.connect(wire.VIEWERS, {"token": self._token}))
        if self.stage is Stage.CONNECT and b"}" in self._buffer:
            if b"40/executions," not in self._buffer:
                raise ConnectionError(f"not let in: {self._buffer[:200]!r}")
            self._buffer = b""
            self.stage = Stage.SUBSCRIBE
            self.socket.sendall(wire.emit(wire.VIEWERS, "subscribe", f'"{self._room}"', ack=7))
        if self.stage is Stage.SUBSCRIBE:
            _, found, rest = self._buffer.partition(b"43/executions,7[")
            end = rest.find(b"}]")
            if found and end >= 0:
                if b'"ok":true' not in rest[: end + 2]:
                    raise ConnectionError(f"no subscription: {rest[:200]!r}")
                self._buffer = rest[end + 2 :]
                self._go_live()

    def _go_live(self) -> None:
        self.stage = Stage.LIVE
        data, self._buffer = self._buffer, b""
        if data:
            self._count(data)

    def _count(self, data: bytes) -> None:
        self.tally.add(data)
        if data.endswith(wire.PING):
            self.socket.sendall(wire.text_frame(wire.PONG, masked=True))
