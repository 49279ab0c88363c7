"""One ordered, bounded way out a connection, for python-socketio servers on aiohttp.

engine.io keeps a queue of packets for each connection. `Outlet` *is* that queue, so whatever
engine.io itself sends (acknowledgements, pings, the close) and the frames that an
application writes pass through one place in one order. Once the connection has its WebSocket
nothing is queued any more: bytes go straight to the transport, whose buffer keeps them in
order; no task, no copy, no encoding for each receiver.

With `frames` and `websocket` it depends on nothing else of this project; docs/outlet.md has
a server that uses them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from engineio import packet
from engineio.async_socket import AsyncSocket

from bff.frames import Frame, goodbye, queued_size, wire_of

if TYPE_CHECKING:
    from bff.websocket import OutletWebSocket

PAUSE_BYTES = 64 * 1024
"""The transport counts as full above this, and as drained below a quarter of it."""
LINGER_SECONDS = 3
"""How long an ended connection may take to write what was sent to it."""


class Outlet:
    """Engine.io's queue for one connection, which needs no queue once it has a WebSocket.

    Memory is the writer's to bound: `offer` a frame, and wait for `drained` once it is not
    taken.
    """

    __slots__ = (
        "_drained",
        "_in_hand",
        "_polls",
        "_queue",
        "_queued",
        "_sent",
        "_socket",
        "_transport",
        "_turn",
        "_websocket",
        "deflates",
        "message_bytes",
    )

    def __init__(self) -> None:
        self._socket: AsyncSocket | None = None
        self._websocket: OutletWebSocket | None = None
        self._transport: asyncio.Transport | None = None
        self._queue: asyncio.Queue[Any] | None = None  # while there is no WebSocket
        self._polls = 0  # how many requests wait for a packet
        self._queued = 0  # bytes that wait in the queue
        self._in_hand = 0  # bytes that the last poll took and may not have written
        self._sent = 0  # bytes that were ever written here
        self._drained: list[asyncio.Future[None]] | None = None
        self._turn: asyncio.Lock | None = None
        self.deflates = False
        """Whether the client takes compressed messages, each for itself."""
        self.message_bytes = PAUSE_BYTES
        """The longest message that is accepted from this connection."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """The WebSocket's; None while the connection polls."""
        return self._transport

    @property
    def turn(self) -> asyncio.Lock:
        """Taken by whoever writes much, so that several do not add up."""
        if self._turn is None:
            self._turn = asyncio.Lock()
        return self._turn

    def bind(self, socket: AsyncSocket) -> None:
        """Tell the outlet whose queue it is; once, when the connection opens."""
        self._socket = socket

    def expects(self, websocket: OutletWebSocket) -> bool:
        """Whether this is the WebSocket that the connection may upgrade to."""
        return self._transport is None and self._websocket is websocket

    def expect(self, websocket: OutletWebSocket) -> None:
        """Tell the outlet a WebSocket that the connection may upgrade to."""
        before, self._websocket = self._websocket, websocket
        if before is not None:
            before.abort()

    def attach(
        self, websocket: OutletWebSocket, transport: asyncio.Transport, greeting: bytes = b""
    ) -> None:
        """Tell the outlet the WebSocket that the connection has from now on; what waits is
        written to it.

        Args:
            greeting: bytes to write before all else.
        """
        self._websocket, self._transport = websocket, transport
        wires = [greeting]
        queue, self._queue = self._queue, None
        if queue is not None:
            while not queue.empty():
                wires.append(wire_of(queue.get_nowait(), deflate=self.deflates))
            for _ in range(self._polls):  # a poll that waits has nothing to wait for
                queue.put_nowait(packet.Packet(packet.NOOP))
        self._queued = self._in_hand = 0
        transport.write(b"".join(wires))
        self.wake()

    def detach(self) -> None:
        """The connection has ended: wake who waits, and let nothing that its client does
        not read keep the transport open."""
        self.wake()
        transport = self._transport
        if transport is None:
            if self._websocket is not None:
                self._websocket.abort()
        elif transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)

    def ping(self) -> None:
        """Send engine.io's ping."""
        if self._socket is not None and not self.gone:
            self._socket.last_ping = time.time()
            self.put_nowait(packet.Packet(packet.PING))

    @property
    def backlog(self) -> int:
        """Bytes written here that the operating system has not taken yet."""
        waiting = self._queued + self._in_hand
        if self._transport is not None:
            waiting += self._transport.get_write_buffer_size()
        return waiting

    @property
    def taken(self) -> int:
        """Bytes that the operating system has taken so far; it stands still while a
        client reads nothing."""
        return self._sent - self.backlog

    @property
    def gone(self) -> bool:
        """The connection is closed or closing."""
        if self._transport is not None and self._transport.is_closing():
            return True
        return self._socket is None or bool(self._socket.closed or self._socket.closing)

    def write(self, frame: Frame) -> None:
        """Send the frame after everything sent before it. Never blocks; a connection
        that is gone swallows it."""
        transport = self._transport
        if transport is None:
            if not self.gone:
                self.put_nowait(frame)
        elif not transport.is_closing():
            wire = frame.deflated if self.deflates else frame.wire
            self._sent += len(wire)
            transport.write(wire)

    def offer(self, frame: Frame, most: int) -> bool:
        """Send the frame as `write` does, unless more than `most` bytes wait already.

        Returns:
            False if it was not sent.
        """
        return not broadcast(frame, (self,), most)

    async def drained(self) -> None:
        """Wait until all that was written has left for the operating system, but for
        less than `PAUSE_BYTES`.

        Raises:
            ConnectionResetError: the connection has ended.
        """
        while not self.gone:
            if self._transport is None:
                drained = self._polls > 0 and self.empty()
            else:
                drained = self._websocket is not None and not self._websocket.paused
            if drained:
                return
            waiter = asyncio.get_running_loop().create_future()
            if self._drained is None:
                self._drained = []
            self._drained.append(waiter)
            await waiter
        raise ConnectionResetError("the connection has ended")

    def wake(self) -> None:
        """Have those who wait in `drained` look again."""
        waiters, self._drained = self._drained, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    async def close(self, code: int, reason: str = "") -> None:
        """Say goodbye on the transport (no Socket.IO DISCONNECT, after which a stock
        client would never come back) and close it once the backlog is written."""
        if self._transport is not None:
            if not self._transport.is_closing():
                self._transport.write(goodbye(code, reason))
                self._transport.close()
        else:
            await self._end_polling()

    async def abort(self) -> None:
        """Cut the connection at once and drop what waits."""
        if self._transport is not None:
            self._transport.abort()
        else:
            await self._end_polling()

    async def _end_polling(self) -> None:
        if self._socket is not None and not self._socket.closed:
            reason = self._socket.server.reason.TRANSPORT_CLOSE
            await self._socket.close(wait=False, abort=True, reason=reason)
            self.put_nowait(None)  # a poll that waits ends with an empty answer

    # what engine.io calls: an asyncio.Queue with its bytes counted

    def empty(self) -> bool:
        return self._queue is None or self._queue.empty()

    async def put(self, item: Any) -> None:
        self.put_nowait(item)

    def put_nowait(self, item: Any) -> None:
        transport = self._transport
        if transport is None:
            size = queued_size(item)
            self._queued += size
            self._sent += size
            if self._queue is None:
                self._queue = asyncio.Queue()
            self._queue.put_nowait(item)
        elif item is not None and not transport.is_closing():
            wire = wire_of(item, deflate=self.deflates)
            self._sent += len(wire)
            transport.write(wire)

    async def get(self) -> Any:
        if self._transport is not None:
            return packet.Packet(packet.NOOP)
        self._in_hand = 0
        if self._queue is None:
            self._queue = asyncio.Queue()
        self._polls += 1
        if self.empty():
            self.wake()
        try:
            return self._took(await self._queue.get())
        finally:
            self._polls -= 1

    def get_nowait(self) -> Any:
        if self._queue is None:
            raise asyncio.QueueEmpty
        return self._took(self._queue.get_nowait())

    def _took(self, item: Any) -> Any:
        if self._transport is None:
            size = queued_size(item)
            self._queued -= size
            self._in_hand += size
        return item

    def task_done(self) -> None:
        """Nothing waits for it."""

    async def join(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            await self.drained()


def broadcast(frame: Frame, outlets: Iterable[Outlet], most: int) -> list[Outlet]:
    """Send a frame to many connections, but to none with more than `most` bytes waiting.

    Returns:
        those to which it was not sent.
    """
    full = []
    ready = []
    deflating = []
    wire = frame.wire
    size = len(wire)
    for outlet in outlets:
        transport = outlet._transport
        if transport is None:
            if outlet.backlog > most:
                full.append(outlet)
            else:
                outlet.write(frame)
        elif transport.get_write_buffer_size() > most:
            full.append(outlet)
        elif transport.is_closing():
            continue
        elif outlet.deflates:
            deflating.append(outlet)
        else:
            outlet._sent += size
            ready.append(transport)
    # A write is a system call, after which Python runs on cold caches: looking first at
    # all and then writing halves what it adds to the calls.
    for transport in ready:
        transport.write(wire)
    for outlet in deflating:
        outlet.write(frame)
    return full
