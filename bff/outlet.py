"""One ordered, bounded way out a connection, for python-socketio servers on aiohttp.

engine.io keeps a queue of packets for each connection and a task that writes them to the
WebSocket. `Outlet` *is* that queue, so whatever engine.io itself sends (acknowledgements,
pings, the close) and the frames that an application writes pass through one place in one
order. While nothing waits and engine.io's writer is idle, `write` hands a frame's bytes
straight to the transport: no task, no copy, no encoding for each receiver.

The module depends on nothing else of this project. To use it in any server:

    class Engine(engineio.AsyncServer):
        def create_queue(self):
            return Outlet()

    engine._async = {**engine._async, "websocket": OutletWebSocket}
    engine.sockets[eio_sid].queue.bind(engine.sockets[eio_sid])   # in the connect handler
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from engineio import packet
from engineio.async_socket import AsyncSocket

PAUSE_BYTES = 64 * 1024
"""The transport counts as full above this, and as drained below a quarter of it."""
PROBE_SECONDS = 10
"""How long a client may take between opening a WebSocket and upgrading to it."""
CLOSE_SECONDS = 2
"""How long a closing handshake may take."""
LINGER_SECONDS = 3
"""How long an ended connection may take to write what was sent to it."""
_PACKET_OVERHEAD = 16

_TEXT, _BINARY, _CLOSE = 0x1, 0x2, 0x8
_SHORT, _MEDIUM = 126, 65_536


def websocket_frame(payload: bytes, opcode: int = _TEXT) -> bytes:
    """One unmasked, final WebSocket frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < _SHORT:
        return bytes((0x80 | opcode, size)) + payload
    if size < _MEDIUM:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


class Frame:
    """Engine.IO packets encoded once and written to any number of connections.

    Args:
        packets: each the UTF-8 text of one engine.io packet, type digit included.
    """

    __slots__ = ("_text", "_wire", "packets", "size")

    packet_type = 4  # engine.io's MESSAGE; it only looks at this to log

    def __init__(self, packets: Sequence[bytes]) -> None:
        self.packets = packets
        self.size = sum(map(len, packets)) + len(packets)
        self._wire: bytes | None = None
        self._text: str | None = None

    @property
    def wire(self) -> bytes:
        """All packets as WebSocket frames, ready for a transport."""
        if self._wire is None:
            self._wire = b"".join(map(websocket_frame, self.packets))
        return self._wire

    def encode(self, b64: bool = False) -> Frame | str:
        """What engine.io asks of a packet: for a polling payload the text of all packets,
        for a WebSocket the frame itself, which `OutletWebSocket.send` knows."""
        if not b64:
            return self
        if self._text is None:
            self._text = b"\x1e".join(self.packets).decode()
        return self._text


class Outlet(asyncio.Queue[Any]):
    """Engine.io's queue for one connection, which can also write past itself.

    Memory is the writer's to bound: look at `backlog` before `write`, and wait for
    `drained` once it is too high.
    """

    def __init__(self) -> None:
        super().__init__()
        self._socket: AsyncSocket | None = None
        self._websocket: OutletWebSocket | None = None
        self._transport: asyncio.Transport | None = None
        self._queued = 0  # bytes that wait in the queue
        self._in_hand = 0  # bytes that engine.io's writer took and may not have written
        self._parked = False  # engine.io waits in get(): it has nothing in hand
        self._direct = False  # … and it is the WebSocket's writer that waits
        self._sent = 0  # bytes that were ever written here
        self._drained: list[asyncio.Future[None]] = []
        self._ping: asyncio.TimerHandle | None = None
        self.message_bytes = PAUSE_BYTES
        """The longest message that is accepted from this connection."""
        self.turn = asyncio.Lock()
        """Taken by whoever writes much, so that several do not add up."""

    def bind(self, socket: AsyncSocket) -> None:
        """Tell the outlet whose queue it is; once, when the connection opens."""
        self._socket = socket

    def attach(self, websocket: OutletWebSocket, transport: asyncio.Transport) -> None:
        """Tell the outlet the WebSocket that the connection has now, or upgrades to."""
        self._websocket, self._transport = websocket, transport

    def ping_after(self, seconds: float) -> None:
        """Send engine.io's ping then: a timer, where engine.io has a task that sleeps on
        when the connection is gone."""
        self._ping = asyncio.get_running_loop().call_later(seconds, self._send_ping)

    def detach(self) -> None:
        """The connection has ended: stop its timer, wake who waits, and let nothing that
        its client does not read keep the transport open."""
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None
        self._wake()
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(LINGER_SECONDS, transport.abort)

    def _send_ping(self) -> None:
        self._ping = None
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
        if self._direct and transport is not None and self.empty():
            if not transport.is_closing():
                wire = frame.wire
                self._sent += len(wire)
                transport.write(wire)
        elif not self.gone:
            self.put_nowait(frame)

    async def drained(self) -> None:
        """Wait until all that was written has left for the operating system, but for
        less than `PAUSE_BYTES`.

        Raises:
            ConnectionResetError: the connection has ended.
        """
        while True:
            if self.gone:
                raise ConnectionResetError("the connection has ended")
            if not (self._parked and self.empty()):
                waiter = asyncio.get_running_loop().create_future()
                self._drained.append(waiter)
                await waiter
            elif self._websocket is not None and self._websocket.paused:
                await self._websocket.drain()
            else:
                return

    async def close(self, code: int, reason: str = "") -> None:
        """Say goodbye on the transport (no Socket.IO DISCONNECT, after which a stock
        client would never come back) and close it once the backlog is written."""
        if self._transport is not None:
            if not self._transport.is_closing():
                if self._parked and self.empty():
                    goodbye = struct.pack("!H", code) + reason.encode()[:120]
                    self._transport.write(websocket_frame(goodbye, _CLOSE))
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

    # what engine.io calls: asyncio.Queue with its bytes counted

    async def get(self) -> Any:
        self._in_hand = 0
        self._parked = True
        self._direct = bool(self._socket and self._socket.upgraded and self._websocket)
        if self.empty():
            self._wake()
        try:
            return await super().get()
        finally:
            self._parked = self._direct = False

    def _put(self, item: Any) -> None:
        size = _size(item)
        self._queued += size
        self._sent += size
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        size = _size(item)
        self._queued -= size
        self._in_hand += size
        return item

    def _wake(self) -> None:
        waiters, self._drained = self._drained, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def _size(item: Any) -> int:
    if item is None:
        return 0
    if isinstance(item, Frame):
        return item.size
    data = item.data
    return _PACKET_OVERHEAD + (len(data) if isinstance(data, str | bytes) else 256)


class OutletWebSocket:
    """Engine.io's WebSocket over aiohttp: uncompressed, vetted, and attached to its outlet.

    A frame that engine.io could not parse closes the WebSocket here, where that is clean;
    a binary frame is dropped.
    """

    vet: Callable[[str], bool] = staticmethod(bool)
    """Whether a text frame may be given to engine.io; replace it in a subclass."""

    def __init__(self, handler: Any, server: Any) -> None:
        self._handler = handler
        self._server = server
        self._socket: AsyncSocket = handler.__self__
        self._response: web.WebSocketResponse | None = None
        self._request: web.Request | None = None
        self._draining: asyncio.Task[None] | None = None

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        request: web.Request = environ["aiohttp.request"]
        response = web.WebSocketResponse(
            max_msg_size=self._server.max_http_buffer_size,
            compress=False,
            timeout=CLOSE_SECONDS,
            protocols=("bearer",),
        )
        await response.prepare(request)
        self._request, self._response = request, response
        transport = request.transport
        upgrade = self._socket.connected
        if transport is None:
            return response
        transport.set_write_buffer_limits(high=PAUSE_BYTES)
        outlet: Outlet = self._socket.queue
        if not upgrade:
            outlet.attach(self, transport)
        try:
            await self._handler(self)
        finally:
            if upgrade and not self._socket.upgraded:
                # engine.io would hold the polling connection's packets for ever
                self._socket.upgrading = False
        return response

    @property
    def paused(self) -> bool:
        """The transport holds more than `PAUSE_BYTES`."""
        request = self._request
        # aiohttp leaves the flag as it was when the connection is lost
        return request is not None and request.transport is not None and request.protocol._paused

    async def drain(self) -> None:
        """Wait until the transport holds little, or is gone."""
        # aiohttp has one future for all who wait, which one who is cancelled would cancel
        if self._draining is None or self._draining.done():
            self._draining = asyncio.get_running_loop().create_task(self._drain())
        await asyncio.wait((self._draining,))

    async def _drain(self) -> None:
        assert self._request is not None
        with contextlib.suppress(OSError):
            await self._request.writer.drain()

    async def send(self, message: Frame | str | bytes) -> None:
        """Called by engine.io's writer, one packet after the other."""
        request, response = self._request, self._response
        if request is None or response is None or request.transport is None:
            raise ConnectionResetError("the WebSocket is closed")
        if isinstance(message, Frame):
            if response.closed or request.transport.is_closing():
                raise ConnectionResetError("the WebSocket is closed")
            request.transport.write(message.wire)
        elif isinstance(message, bytes):
            await response.send_bytes(message)
        else:
            await response.send_str(message)
        if self.paused:
            await self.drain()

    async def wait(self) -> str:
        """The next text frame from the client, for engine.io.

        Raises:
            OSError: the connection ended, or had to.
        """
        assert self._response is not None
        while True:
            message = await self._receive(self._response)
            if message.type is WSMsgType.BINARY:
                continue
            if message.type is not WSMsgType.TEXT:
                raise OSError("the WebSocket is closed")
            text: str = message.data
            limit = self._socket.queue.message_bytes
            if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
                too_big = f"a message is at most {limit} bytes"
                await self._response.close(
                    code=WSCloseCode.MESSAGE_TOO_BIG, message=too_big.encode()
                )
                raise OSError(too_big)
            if not self.vet(text):
                await self._response.close(
                    code=WSCloseCode.PROTOCOL_ERROR, message=b"not an Engine.IO packet"
                )
                raise OSError("not an Engine.IO packet")
            if self._socket.upgrading and text == "5":
                self._attach()
            return text

    async def _receive(self, response: web.WebSocketResponse) -> Any:
        if self._socket.upgraded:
            return await response.receive()
        try:
            return await response.receive(timeout=PROBE_SECONDS)
        except TimeoutError:
            raise OSError("the upgrade took too long") from None

    def _attach(self) -> None:
        # the last packet before engine.io calls the connection upgraded
        if self._request is not None and self._request.transport is not None:
            self._socket.queue.attach(self, self._request.transport)

    async def close(self) -> None:
        """Called by engine.io's writer when it ends."""
        if self._response is not None:
            await self._response.close()
