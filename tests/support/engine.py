"""A raw Engine.IO client that does just what a test tells it, right or wrong."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from contextlib import suppress
from typing import Any, Self

import aiohttp
import orjson
import ormsgpack

SEPARATOR = "\x1e"
CLOSING = aiohttp.ClientWSTimeout(ws_close=1)


class Session:
    """An aiohttp session that closes its WebSockets too."""

    def __init__(self) -> None:
        self.http = aiohttp.ClientSession()
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def ws_connect(self, url: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        socket = await self.http.ws_connect(url, max_msg_size=0, timeout=CLOSING, **options)
        self._sockets.append(socket)
        return socket

    async def close(self) -> None:
        try:
            for socket in self._sockets:
                with suppress(OSError):
                    await socket.close()
        finally:
            for socket in self._sockets:
                socket._response.close()  # left open where the server died
            await self.http.close()


class Polling:
    """A connection by long polling."""

    def __init__(self, session: Session, url: str) -> None:
        self.session = session
        self.url = f"{url}/socket.io/?EIO=4&transport=polling"
        self.sid = ""
        self._packets: list[str] = []

    async def open(self) -> Self:
        text = await (await self.session.http.get(self.url)).text()
        assert text[0] == "0", text
        self.sid = orjson.loads(text.split(SEPARATOR)[0][1:])["sid"]
        self.url += f"&sid={self.sid}"
        return self

    async def post(self, *packets: str) -> int:
        """Send packets in one body; the answer's status."""
        body = SEPARATOR.join(packets).encode()
        async with self.session.http.post(self.url, data=body) as response:
            await response.read()
            return response.status

    async def poll(self) -> list[str]:
        """The packets of one answer."""
        async with self.session.http.get(self.url) as response:
            text = await response.text()
        if response.status != 200:
            raise ConnectionError(text)
        return text.split(SEPARATOR) if text else []

    async def receive(self) -> Any:
        """The next packet that is neither a ping nor a noop: text, or an attachment's bytes."""
        while True:
            while self._packets:
                packet = self._packets.pop(0)
                if packet == "2":
                    await self.post("3")
                elif packet[:1] == "b":
                    return b64decode(packet[1:], validate=True)
                elif packet != "6":
                    return packet
            self._packets = await self.poll()


class WebSocket:
    """A connection by WebSocket, or one that upgrades to it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, packet: str | bytes) -> None:
        if isinstance(packet, bytes):
            await self.socket.send_bytes(packet)
        else:
            await self.socket.send_str(packet)

    async def receive(self) -> Any:
        """The next packet that is neither a ping nor a noop: text, or an attachment's bytes.

        Raises:
            ConnectionError: the server closed the connection.
        """
        while True:
            message = await self.socket.receive(timeout=10)
            if message.type is aiohttp.WSMsgType.BINARY:
                return message.data
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise ConnectionError(f"{message.type} {self.socket.close_code}")
            if message.data == "2":
                await self.send("3")
            elif message.data != "6":
                return str(message.data)

    async def closed(self, timeout: float = 5) -> int | None:
        """Read on until the server closes the connection; the close code."""
        async with asyncio.timeout(timeout):
            try:
                while True:
                    await self.receive()
            except ConnectionError:
                return self.socket.close_code


async def websocket(session: Session, url: str, **options: Any) -> WebSocket:
    """A direct WebSocket connection, its open packet read."""
    address = f"{url}/socket.io/?EIO=4&transport=websocket"
    socket = WebSocket(await session.ws_connect(address, **options))
    opened = await socket.receive()
    assert opened[0] == "0", opened
    return socket


async def upgrade(session: Session, polling: Polling) -> WebSocket:
    """A probe for a polling connection; send "5" on it to complete the upgrade."""
    address = polling.url.replace("transport=polling", "transport=websocket")
    socket = WebSocket(await session.ws_connect(address))
    await socket.send("2probe")
    assert await socket.receive() == "3probe"
    return socket


class Client:
    """One Socket.IO namespace over a raw connection: emits, acknowledgements, events."""

    def __init__(self, wire: Polling | WebSocket, namespace: str) -> None:
        self.wire = wire
        self.namespace = namespace
        self.events: list[tuple[str, Any]] = []
        self._number = 0

    async def send(self, packet: str) -> None:
        if isinstance(self.wire, Polling):
            assert await self.wire.post(packet) == 200
        else:
            await self.wire.send(packet)

    async def connect(self, auth: Any = None) -> Any:
        """The answer to CONNECT: `("0", {sid})`, or `("4", {message, data})` if refused."""
        data = "" if auth is None else orjson.dumps(auth).decode()
        await self.send(f"40{self.namespace},{data}")
        return await self._answer()

    async def _answer(self) -> Any:
        packet = await self.wire.receive()
        assert packet[0] == "4", packet
        kind, _, rest = packet[1:].partition(self.namespace + ",")
        return kind, orjson.loads(rest) if rest else None

    async def emit(self, event: str, *arguments: Any) -> None:
        await self.send(f"42{self.namespace},{orjson.dumps([event, *arguments]).decode()}")

    async def call(self, event: str, *arguments: Any) -> Any:
        """Emit and return the acknowledgement; events that come before it are kept."""
        return await self.call_raw(orjson.dumps([event, *arguments]).decode())

    async def emit_with(self, number: int, event: str, argument: Any) -> None:
        """Emit with this acknowledgement number; wait for it with `acknowledged`."""
        await self.send(f"42{self.namespace},{number}{orjson.dumps([event, argument]).decode()}")

    async def call_raw(self, data: str) -> Any:
        self._number += 1
        await self.send(f"42{self.namespace},{self._number}{data}")
        return await self.acknowledged(self._number)

    async def acknowledged(self, number: int) -> Any:
        while True:
            kind, value = await self._next()
            if kind == f"ack{number}":
                return value[0] if value else None
            self.events.append((kind, value))

    async def _next(self) -> tuple[str, Any]:
        packet = await self.wire.receive()
        if packet == f'451-{self.namespace},["batch",{{"_placeholder":true,"num":0}}]':
            return "batch", ormsgpack.unpackb(await self.wire.receive())
        prefix = f"42{self.namespace},"
        if packet.startswith(prefix):
            name, *arguments = orjson.loads(packet[len(prefix) :])
            return name, arguments[0] if arguments else None
        prefix = f"43{self.namespace},"
        assert packet.startswith(prefix), packet
        number, _, rest = packet[len(prefix) :].partition("[")
        return f"ack{number}", orjson.loads("[" + rest)

    async def next_event(self) -> tuple[str, Any]:
        """The next event in order, kept ones first."""
        if self.events:
            return self.events.pop(0)
        return await self._next()

    async def logged(self, last: int, after: int = 0) -> list[tuple[str, Any]]:
        """All logged events up to seq `last`; fails at once if they are not contiguous."""
        found = []
        while after < last:
            name, payload = await self.next_event()
            for kind, event in payload["events"] if name == "batch" else [(name, payload)]:
                if "seq" in event:
                    assert event["seq"] == after + 1, (event["seq"], after)
                    after = event["seq"]
                    found.append((kind, event))
        return found
