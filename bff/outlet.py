"""One ordered, bounded way out a connection, for python-socketio servers on aiohttp.

engine.io keeps a queue of packets for each connection. `Outlet` *is* that queue, so whatever
engine.io itself sends (acknowledgements, pings, the close) and the frames that an
application writes pass through one place in one order. Once the connection has its WebSocket
nothing is queued any more: bytes go straight to the transport, whose buffer keeps them in
order; no task, no copy, no encoding for each receiver.

The module depends on nothing else of this project. To use it in any server:

    class Engine(engineio.AsyncServer):
        def create_queue(self):
            return Outlet()

    engine._async = {**engine._async, "websocket": OutletWebSocket}
    engine.sockets[eio_sid].queue.bind(engine.sockets[eio_sid])   # in the connect handler
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, hdrs, web
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http import WS_KEY, WebSocketError, WebSocketReader
from engineio import packet
from engineio.async_socket import AsyncSocket
from engineio.exceptions import EngineIOError

PAUSE_BYTES = 64 * 1024
"""The transport counts as full above this, and as drained below a quarter of it."""
PROBE_SECONDS = 10
"""How long a client may take between opening a WebSocket and upgrading to it."""
CLOSE_SECONDS = 2
"""How long a closing handshake may take."""
LINGER_SECONDS = 3
"""How long an ended connection may take to write what was sent to it."""
_PACKET_OVERHEAD = 16
_MESSAGE_OVERHEAD = 128
_KEY_BYTES = 16
_LOST = object()
"""Stands in the inbox for the connection's end."""

_TEXT, _BINARY, _CLOSE, _PONG = 0x1, 0x2, 0x8, 0xA
_SHORT, _MEDIUM = 126, 65_536


def websocket_frame(payload: bytes, opcode: int = _TEXT) -> bytes:
    """One unmasked, final WebSocket frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < _SHORT:
        return bytes((0x80 | opcode, size)) + payload
    if size < _MEDIUM:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


class Attachment(bytes):
    """A packet that travels as a binary message: base64 in a polling payload."""


class Frame:
    """Engine.IO packets encoded once and written to any number of connections.

    Args:
        packets: each the UTF-8 text of one engine.io packet, type digit included, or the
            `Attachment` that a packet before it announces.
    """

    packet_type = 4  # engine.io's MESSAGE; it only looks at this to log

    def __init__(self, packets: Sequence[bytes]) -> None:
        self.packets = packets
        self.size = sum(map(len, packets)) + len(packets)

    @cached_property
    def wire(self) -> bytes:
        """All packets as WebSocket frames, ready for a transport."""
        return b"".join(map(_message, self.packets))

    @cached_property
    def _text(self) -> str:
        return b"\x1e".join(map(_printable, self.packets)).decode()

    def encode(self, b64: bool = False) -> Frame | str:
        """What engine.io asks of a packet: for a polling payload the text of all packets,
        for a WebSocket the frame itself, which `OutletWebSocket.send` knows."""
        return self._text if b64 else self


def _message(packet: bytes) -> bytes:
    return websocket_frame(packet, _BINARY if isinstance(packet, Attachment) else _TEXT)


def _printable(packet: bytes) -> bytes:
    return b"b" + base64.b64encode(packet) if isinstance(packet, Attachment) else packet


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
                wires.append(_wire(queue.get_nowait()))
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
            wire = frame.wire
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
                self._transport.write(_goodbye(code, reason))
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
            size = _size(item)
            self._queued += size
            self._sent += size
            if self._queue is None:
                self._queue = asyncio.Queue()
            self._queue.put_nowait(item)
        elif item is not None and not transport.is_closing():
            wire = _wire(item)
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
            size = _size(item)
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
        elif not transport.is_closing():
            outlet._sent += size
            ready.append(transport)
    # A write is a system call, after which Python runs on cold caches: looking first at
    # all and then writing halves what it adds to the calls.
    for transport in ready:
        transport.write(wire)
    return full


def _size(item: Any) -> int:
    if item is None:
        return 0
    if isinstance(item, Frame):
        return item.size
    data = item.data
    return _PACKET_OVERHEAD + (len(data) if isinstance(data, str | bytes) else 256)


def _wire(item: Any) -> bytes:
    """A queue's item as a transport takes it."""
    if item is None:
        return b""
    if isinstance(item, Frame):
        return item.wire
    encoded = item.encode()
    if isinstance(encoded, str):
        return websocket_frame(encoded.encode())
    return websocket_frame(encoded, _BINARY)


def _goodbye(code: int, reason: str = "") -> bytes:
    return websocket_frame(struct.pack("!H", code) + reason.encode()[:120], _CLOSE)


class _Inbox(WebSocketDataQueue):
    """Where aiohttp's parser puts a connection's messages."""

    __slots__ = ("_websocket",)

    def __init__(self, websocket: OutletWebSocket) -> None:
        # without the base's: that would make a buffer with a bound, at which the parser
        # stalls; here the WebSocket holds the transport instead
        self._websocket = websocket

    def feed_data(self, message: Any, size: int) -> None:
        self._websocket.deliver(message, size)

    def set_exception(self, error: BaseException, cause: BaseException | None = None) -> None:
        self._websocket.deliver(error, 0)


class OutletWebSocket(asyncio.Protocol):
    """Engine.io's WebSocket, as the protocol of the transport itself: uncompressed, vetted,
    and attached to its outlet.

    It takes the transport over from aiohttp once the handshake is done, and speaks through
    aiohttp's parser. While a client says nothing there is no task, no timer and no request
    for it; what it says is handled in order by a task that ends when all is handled. A
    frame that engine.io could not parse closes the connection; a binary frame is dropped.
    """

    __slots__ = (
        "_closing",
        "_handling",
        "_held",
        "_inbox",
        "_inbox_bytes",
        "_parser",
        "_probed",
        "_server",
        "_socket",
        "_timer",
        "_transport",
        "paused",
    )

    vet: Callable[[str], bool] = staticmethod(bool)
    """Whether a text frame may be given to engine.io; replace it in a subclass."""

    def prompt(self, text: str) -> bool:
        """Handle a vetted text frame at once, without a task; False: engine.io shall."""
        return False

    def __init__(self, handler: Any, server: Any) -> None:
        self._server = server
        self._socket: AsyncSocket = handler.__self__
        self._transport: asyncio.Transport | None = None
        self._parser: WebSocketReader | None = None
        self._inbox: deque[tuple[Any, int]] | None = None  # what is not handled yet
        self._inbox_bytes = 0
        self._handling: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._held = False  # the transport is not read
        self._probed = False  # an upgrade's probe was answered
        self._closing = False  # the closing handshake has begun
        self.paused = False
        """The transport holds more than `PAUSE_BYTES`."""

    async def __call__(self, environ: dict[str, Any]) -> web.StreamResponse:
        """Open the WebSocket that a request asks for; returns once that is done."""
        request: web.Request = environ["aiohttp.request"]
        socket = self._socket
        outlet: Outlet = socket.queue
        try:
            answer = _handshake(request)
            transport, rest = _take_over(request)
        except (web.HTTPException, ConnectionError):
            if not socket.connected:
                await self._end()
            raise
        self._parser = WebSocketReader(
            _Inbox(self), self._server.max_http_buffer_size, compress=False, decode_text=True
        )
        self._transport = transport
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=PAUSE_BYTES)
        if socket.connected:
            socket.upgrading = True  # engine.io answers polls with nothing
            outlet.expect(self)
            self._timer = asyncio.get_running_loop().call_later(PROBE_SECONDS, self.abort)
            transport.write(answer)
        else:
            socket.connected = socket.upgraded = True
            outlet.attach(self, transport, answer)
        transport.resume_reading()
        if rest:
            self.data_received(rest)
        return _Answered(status=101)

    @property
    def _live(self) -> bool:
        """It is the connection's transport now, not a probe."""
        return bool(self._socket.queue.transport is self._transport)

    def abort(self) -> None:
        """Cut it."""
        if self._transport is not None:
            self._transport.abort()

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake, which the client has `CLOSE_SECONDS` to end."""
        transport = self._transport
        if self._closing or transport is None or transport.is_closing():
            return
        self._closing = True
        self._drop_timer()
        transport.write(_goodbye(code, reason))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(CLOSE_SECONDS, transport.abort)

    # what the transport calls

    def data_received(self, data: bytes) -> None:
        if self._parser is not None:
            self._parser.feed_data(data)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._socket.queue.wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._parser = None
        self._drop_timer()
        self._socket.queue.wake()
        self.deliver(_LOST, 0)

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # what the client sent, in its order

    def deliver(self, message: Any, size: int) -> None:
        """Called by the parser with each message, or with what is wrong."""
        if self._handling is None and self._prompt(message):
            return
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append((message, size))
        self._inbox_bytes += size + _MESSAGE_OVERHEAD
        if self._inbox_bytes > PAUSE_BYTES and not self._held:
            self._hold(True)
        if self._handling is None:
            self._handling = asyncio.get_running_loop().create_task(self._handle())

    def _hold(self, held: bool) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            self._held = held
            if held:
                transport.pause_reading()
            else:
                transport.resume_reading()

    async def _handle(self) -> None:
        assert self._inbox is not None
        while self._inbox:
            message, size = self._inbox.popleft()
            self._inbox_bytes -= size + _MESSAGE_OVERHEAD
            if self._held and self._inbox_bytes <= PAUSE_BYTES // 2:
                self._hold(False)
            try:
                await self._take(message)
            except Exception:
                self._server.logger.exception("Unknown receive error")
        self._inbox = self._handling = None

    async def _take(self, message: Any) -> None:
        if message is _LOST:
            await self._end()
        elif isinstance(message, Exception):
            code = message.code if isinstance(message, WebSocketError) else 1002
            await self._refuse(code, str(message))
        elif message.type is WSMsgType.CLOSE:
            self.close(WSCloseCode.OK)
            if self._transport is not None:
                self._transport.close()
            await self._end()
        elif message.type is WSMsgType.PING:
            if self._transport is not None and not self.paused and not self._closing:
                self._transport.write(websocket_frame(message.data, _PONG))
        elif message.type is WSMsgType.TEXT and not self._closing:
            await self._take_text(message.data)

    def _prompt(self, message: Any) -> bool:
        """Whether nothing waits that came before, and it needs nothing but what is here."""
        if getattr(message, "type", None) is not WSMsgType.TEXT or self._closing:
            return False
        text: str = message.data
        good = self._live and not self._too_long(text) and self.vet(text)
        return bool(good and self.prompt(text))

    def _too_long(self, text: str) -> bool:
        limit: int = self._socket.queue.message_bytes
        return len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit)

    async def _take_text(self, text: str) -> None:
        socket = self._socket
        limit = socket.queue.message_bytes
        if self._too_long(text):
            await self._refuse(WSCloseCode.MESSAGE_TOO_BIG, f"a message is at most {limit} bytes")
        elif not self.vet(text):
            await self._refuse(WSCloseCode.PROTOCOL_ERROR, "not an Engine.IO packet")
        elif not self._live:
            await self._upgrade(text)
        elif self.prompt(text):
            return
        elif text[0] == "4":
            await self._server._trigger_event("message", socket.sid, text[1:], run_async=False)
        else:
            with contextlib.suppress(EngineIOError):
                await socket.receive(packet.Packet(encoded_packet=text))
            if socket.closed:
                await self._refuse(WSCloseCode.OK, "")

    async def _upgrade(self, text: str) -> None:
        """One step of a polling connection's upgrade: "2probe", then "5"."""
        socket, transport = self._socket, self._transport
        assert transport is not None
        if text == "2probe" and not self._probed:
            self._probed = True
            transport.write(websocket_frame(b"3probe"))
            socket.queue.put_nowait(packet.Packet(packet.NOOP))  # a poll that waits ends
        elif text == "5" and self._probed and socket.queue.expects(self) and not socket.closed:
            self._drop_timer()
            socket.upgraded, socket.upgrading = True, False
            socket.queue.attach(self, transport)
        else:
            await self._refuse(WSCloseCode.PROTOCOL_ERROR, "not an upgrade")

    async def _refuse(self, code: int, reason: str) -> None:
        self.close(code, reason)
        await self._end()

    async def _end(self) -> None:
        """Have engine.io forget the connection, or go on polling."""
        socket = self._socket
        if socket.connected and not self._live:
            if socket.queue.expects(self):
                socket.upgrading = False
            return
        reason = self._server.reason.TRANSPORT_CLOSE
        await socket.close(wait=False, abort=True, reason=reason)
        self._server.sockets.pop(socket.sid, None)


class _Answered(web.StreamResponse):
    """Tells aiohttp that a request was answered and its transport is somebody else's."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """It was sent."""

    async def write_eof(self, data: bytes = b"") -> None:
        """It was sent."""


def _handshake(request: web.Request) -> bytes:
    """The answer that accepts a request for a WebSocket (RFC 6455, section 4.2).

    Raises:
        web.HTTPBadRequest: it is not one that can be accepted.
    """
    headers = request.headers
    key = headers.get(hdrs.SEC_WEBSOCKET_KEY, "")
    try:
        good = len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except ValueError:
        good = False
    if not good or headers.get(hdrs.SEC_WEBSOCKET_VERSION) not in ("13", "8", "7"):
        raise web.HTTPBadRequest(text="not a WebSocket handshake of version 13")
    if not request._message.upgrade:  # then aiohttp takes what follows for HTTP
        raise web.HTTPBadRequest(text="not an upgrade to WebSocket")
    accept = base64.b64encode(hashlib.sha1(key.encode() + WS_KEY).digest())
    offered = headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
    bearer = any(protocol.strip() == "bearer" for protocol in offered)
    return b"".join(
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n",
            b"Sec-WebSocket-Accept: %s\r\n" % accept,
            b"Sec-WebSocket-Protocol: bearer\r\n" if bearer else b"",
            b"\r\n",
        )
    )


def _take_over(request: web.Request) -> tuple[asyncio.Transport, bytes]:
    """A request's transport, of which aiohttp keeps nothing, and what it read beyond the
    request.

    Raises:
        ConnectionResetError: the client has gone.
    """
    handler = request.protocol
    transport = handler.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client has gone")
    rest = handler._message_tail
    # aiohttp is told that the connection was lost; it closes nothing and cancels nothing
    # if it knows neither the transport nor the task, which is this one
    handler.transport = handler._task_handler = None
    handler.connection_lost(None)
    return transport, rest
