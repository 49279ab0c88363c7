"""python-engineio with its traps closed: frames and bodies are vetted, whole and bounded.

A connection's queue is its `Outlet`. Each trap closed here has a test of its own name in
`tests/bff/test_sockets.py`.
"""

from __future__ import annotations

from typing import Any

import engineio
from aiohttp import web
from engineio import payload as engine_payload
from engineio.async_drivers.aiohttp import translate_request
from engineio.async_socket import AsyncSocket

from bff.outlet import Outlet, OutletWebSocket

MAX_POST_PACKETS = 10_000
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
    vet = staticmethod(well_formed)


class _Body:
    """A request's whole body, in the form that engine.io reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, _: int = -1) -> bytes:
        return self._data


class Engine(engineio.AsyncServer):
    """An Engine.IO server whose queues are outlets and whose input is vetted."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._async: dict[str, Any]
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

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(target, "__func__", None) is AsyncSocket._send_ping:
            target.__self__.queue.ping_after(self.ping_interval)
            return None
        return super().start_background_task(target, *args, **kwargs)

    async def _translate(self, request: web.Request) -> dict[str, Any]:
        environ: dict[str, Any] = translate_request(request)
        if request.method == "POST":
            body = await self._body(request)
            environ["wsgi.input"] = _Body(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return environ

    async def _body(self, request: web.Request) -> bytes:
        socket = self.sockets.get(request.query.get("sid"))
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
