"""python-engineio with its traps closed: frames and bodies are vetted, whole and bounded.

A connection's queue is its `Outlet`. Each trap closed here has a test of its own name in
`tests/bff/test_sockets.py`.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Callable
from typing import Any

import engineio
from aiohttp import web
from engineio import payload as engine_payload
from engineio.async_drivers.aiohttp import translate_request
from engineio.async_socket import AsyncSocket
from engineio.packet import MESSAGE, Packet

from bff.alarms import Alarms
from bff.outlet import Outlet
from bff.websocket import OutletWebSocket

MAX_POST_PACKETS = 10_000
ID_BYTES = 15
"""Of randomness in the id of a connection; 20 characters of base64."""
SWEEP_EVERY = 0.1
"""How often it is looked for unanswered pings, as a part of the ping timeout."""
MAX_CONTROL_CHARACTERS = 16
"""Of an engine.io packet that is no message: "2probe" is the longest there is."""

_ENGINE_TYPES = frozenset("123456")
_SOCKET_TYPES = frozenset("0123456")
_MESSAGE = "4"


def well_formed(packet: str) -> bool:
    """Whether a text is an engine.io packet that engine.io and Socket.IO can parse."""
    if not packet or packet[0] not in _ENGINE_TYPES:
        return False
    if packet[0] != _MESSAGE:
        return len(packet) <= MAX_CONTROL_CHARACTERS
    return len(packet) > 1 and packet[1] in _SOCKET_TYPES


class _WebSocket(OutletWebSocket):
    __slots__ = ()

    vet = staticmethod(well_formed)

    def prompt(self, text: str) -> bool:
        taken: bool = text[0] == _MESSAGE and self._server.take(self._socket.sid, text[1:])
        return taken


class _Body:
    """A request's whole body, in the form that engine.io reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, _: int = -1) -> bytes:
        return self._data


class Engine(engineio.AsyncServer):
    """An Engine.IO server whose queues are outlets and whose input is vetted."""

    deflate = False
    """Whether WebSocket messages are compressed for clients that offer it."""
    take: Callable[[str, str], bool] = staticmethod(lambda sid, message: False)
    """Whether a message was handled at once; the others go through engine.io."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sockets: dict[str, AsyncSocket]
        self._async: dict[str, Any]
        self._random = b""
        self._pings: Alarms[str] = Alarms(lambda: float(self.ping_interval), self._ping)
        # one read() of a body may miss its second TCP segment, and 17 packets in one
        # payload are dropped whole: so bodies are read here, and counted here
        engine_payload.Payload.max_decode_packets = MAX_POST_PACKETS
        self._async = {
            **self._async,
            "websocket": _WebSocket,
            "translate_request": self._translate,
        }

    def create_queue(self, *_: Any, **__: Any) -> Outlet:
        return Outlet()

    async def send(self, sid: str, data: str) -> None:
        """As engine.io's, but it only queues; unanswered pings are the sweep's to see."""
        socket = self.sockets.get(sid)
        if socket is not None and not socket.closed:
            socket.queue.put_nowait(Packet(MESSAGE, data))

    async def _trigger_event(self, event: str, *args: Any, **_: Any) -> Any:
        # engine.io looks at the handler's signature each time; ours are coroutines, and
        # one message is handled after the other
        try:
            return await self.handlers[event](*args)
        except asyncio.CancelledError:
            return None  # a request that was cut: what else is in its body is handled too
        except Exception:
            self.logger.exception("handler failed: event=%s", event)
            return False if event == "connect" else None

    def generate_id(self) -> str:
        # many at once: each call of the system's generator lets other threads have the
        # interpreter, and waits until they give it back
        if not self._random:
            self._random = secrets.token_bytes(ID_BYTES * 256)
        id, self._random = self._random[:ID_BYTES], self._random[ID_BYTES:]
        return base64.urlsafe_b64encode(id).decode()

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(target, "__func__", None) is AsyncSocket._send_ping:
            self._pings.set(target.__self__.sid)
            return None
        return super().start_background_task(target, *args, **kwargs)

    def forget_ping(self, sid: str) -> None:
        """The connection has ended: no ping is due."""
        self._pings.drop(sid)

    def _ping(self, sid: str) -> None:
        socket = self.sockets.get(sid)
        if socket is not None:
            socket.queue.ping()

    async def _service_task(self) -> None:
        """Close connections that do not answer pings, until `shutdown`; engine.io's own
        wakes up for each connection."""
        self.service_task_event = asyncio.Event()
        while not self.service_task_event.is_set():
            late = time.time() - self.ping_timeout
            for socket in list(self.sockets.values()):
                if socket.closed:
                    self.sockets.pop(socket.sid, None)
                elif socket.last_ping and socket.last_ping < late and not socket.closing:
                    try:
                        await socket.check_ping_timeout()
                    except Exception:
                        self.logger.exception("ping timeout")
            try:
                async with asyncio.timeout(self.ping_timeout * SWEEP_EVERY):
                    await self.service_task_event.wait()
            except TimeoutError:
                continue
        self._pings.close()

    async def _translate(self, request: web.Request) -> dict[str, Any]:
        environ: dict[str, Any] = translate_request(request)
        if not request._message.upgrade:
            # without "Connection: upgrade" it is none, but engine.io asks for this only
            environ.pop("HTTP_UPGRADE", None)
        if request.method == "POST":
            body = await self._body(request)
            environ["wsgi.input"] = _Body(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return environ

    async def _body(self, request: web.Request) -> bytes:
        socket = self.sockets.get(request.query.get("sid", ""))
        if socket is None:
            return b""  # engine.io answers it
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > self.max_http_buffer_size:
                await socket.queue.abort()
                raise web.HTTPRequestEntityTooLarge(self.max_http_buffer_size, len(body))
        try:
            packets = body.decode().split("\x1e") if body else []
        except UnicodeDecodeError:
            packets = [""]
        limit = socket.queue.message_bytes
        kept = [packet for packet in packets if packet[:1] != "b"]  # binary is dropped
        if len(kept) > MAX_POST_PACKETS or not all(map(well_formed, kept)):
            await socket.queue.abort()
            raise web.HTTPBadRequest(text="the body is not an Engine.IO payload")
        if any(len(packet.encode()) > limit for packet in kept):
            await socket.queue.abort()
            raise web.HTTPRequestEntityTooLarge(limit, len(body))
        return "\x1e".join(kept).encode()
