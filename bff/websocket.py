"""A connection's WebSocket as the protocol of its transport, for python-socketio on aiohttp.

aiohttp makes the handshake's request of it and nothing more; engine.io gets its messages.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, hdrs, web
from aiohttp._websocket.helpers import ws_ext_parse
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http import WS_KEY, WebSocketError, WebSocketReader
from engineio import packet
from engineio.async_socket import AsyncSocket
from engineio.exceptions import EngineIOError

from bff.frames import PONG, goodbye, websocket_frame
from bff.outlet import PAUSE_BYTES, Outlet

PROBE_SECONDS = 10
"""How long a client may take between opening a WebSocket and upgrading to it."""
CLOSE_SECONDS = 2
"""How long a closing handshake may take."""
_MESSAGE_OVERHEAD = 128
_KEY_BYTES = 16
_DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
_LOST = object()
"""Stands in the inbox for the connection's end."""


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
    """Engine.io's WebSocket, as the protocol of the transport itself: vetted, and attached to
    its outlet; compressed only if the server's `deflate` is true and the client offers it.

    It takes the transport over from aiohttp once the handshake is done, and speaks through
    aiohttp's parser. While a client says nothing there is no task, no timer and no request
    for it; what it says is handled in order by a task that ends when all is handled. A
    frame that engine.io could not parse closes the connection; a binary frame is dropped.
    """

    __slots__ = (
        "_closing",
        "_deflates",
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
        self._deflates = False  # compression was negotiated
        self._closing = False  # the closing handshake has begun
        self.paused = False
        """The transport holds more than `PAUSE_BYTES`."""

    async def __call__(self, environ: dict[str, Any]) -> web.StreamResponse:
        """Open the WebSocket that a request asks for; returns once that is done."""
        request: web.Request = environ["aiohttp.request"]
        socket = self._socket
        outlet: Outlet = socket.queue
        try:
            deflates = bool(getattr(self._server, "deflate", False)) and _offers_deflate(request)
            answer = _handshake(request, deflates)
            transport, rest = _take_over(request)
        except (web.HTTPException, ConnectionError):
            if not socket.connected:
                await self._end()
            raise
        self._parser = WebSocketReader(
            _Inbox(self), self._server.max_http_buffer_size, compress=deflates, decode_text=True
        )
        self._transport = transport
        self._deflates = deflates
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=PAUSE_BYTES)
        if socket.connected:
            socket.upgrading = True  # engine.io answers polls with nothing
            outlet.expect(self)
            self._timer = asyncio.get_running_loop().call_later(PROBE_SECONDS, self.abort)
            transport.write(answer)
        else:
            socket.connected = socket.upgraded = True
            outlet.deflates = deflates
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
        transport.write(goodbye(code, reason))
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
                self._transport.write(websocket_frame(message.data, PONG))
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
            socket.queue.deflates = self._deflates
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


def _offers_deflate(request: web.Request) -> bool:
    """Whether the client takes messages that are compressed with the usual window."""
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_EXTENSIONS)
    return bool(ws_ext_parse(offered, isserver=True)[0] == zlib.MAX_WBITS)


def _handshake(request: web.Request, deflates: bool) -> bytes:
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
            _DEFLATE if deflates else b"",
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
