"""Connects and disconnects of every kind leave nothing behind in the server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bff import sockets
from contract.messages import EXECUTORS, VIEWERS
from tests.chaos.census import census, returns
from tests.chaos.form import form
from tests.support.engine import Client, Polling, Session, WebSocket, upgrade, websocket
from tests.support.live import Live, live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(form(120, 3_600))]

CONNECTIONS = form(2_000, 100_000)
AT_ONCE = 50
SETTLE_SECONDS = 30


class Visitor:
    """One connection, from its begin to whatever end."""

    def __init__(self, room: Live, execution_id: str, session: Session) -> None:
        self.room = room
        self.execution_id = execution_id
        self.session = session

    @property
    def url(self) -> str:
        return self.room.server.url

    async def _watch(self, wire: WebSocket | Polling) -> Client:
        client = Client(wire, VIEWERS)
        kind, _ = await client.connect({"token": self.room.token("viewer")})
        assert kind == "0"
        assert (await client.call("subscribe", self.execution_id))["ok"]
        return client

    async def leaves(self) -> None:
        """Watches by WebSocket, says goodbye."""
        wire = await websocket(self.session, self.url)
        client = await self._watch(wire)
        await client.send("41/executions,")
        await wire.socket.close()

    async def breaks(self) -> None:
        """Watches by WebSocket, is reset."""
        wire = await websocket(self.session, self.url)
        await self._watch(wire)
        abort(wire)

    async def refused(self) -> None:
        """Has a token that is none, and stays until it is shown the door."""
        wire = await websocket(self.session, self.url)
        kind, _ = await Client(wire, VIEWERS).connect({"token": "none"})
        assert kind == "4"
        await wire.closed()

    async def knocks(self) -> None:
        """Opens a WebSocket, says nothing, is reset."""
        abort(await websocket(self.session, self.url))

    async def waits(self) -> None:
        """Opens a WebSocket and says nothing until the server has had enough."""
        wire = await websocket(self.session, self.url)
        await wire.closed()

    async def stammers(self) -> None:
        """Sends half a request."""
        host, port = self.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpg")
        await writer.drain()
        writer.transport.abort()

    async def polls(self) -> None:
        """Watches by polling, closes."""
        wire = await Polling(self.session, self.url).open()
        await self._watch(wire)
        await wire.post("1")

    async def vanishes(self) -> None:
        """Watches by polling, and is never heard of again."""
        await self._watch(await Polling(self.session, self.url).open())

    async def asks(self) -> None:
        """Opens a polling connection and never polls."""
        await Polling(self.session, self.url).open()

    async def probes(self) -> None:
        """Begins an upgrade and does not complete it."""
        wire = await Polling(self.session, self.url).open()
        await self._watch(wire)
        abort(await upgrade(self.session, wire))

    async def upgrades(self) -> None:
        """Upgrades, goes on watching, is reset."""
        wire = await Polling(self.session, self.url).open()
        await self._watch(wire)
        upgraded = await upgrade(self.session, wire)
        await upgraded.send("5")
        client = Client(upgraded, VIEWERS)
        assert (await client.call("unsubscribe", self.execution_id))["ok"]
        abort(upgraded)

    async def works(self) -> None:
        """Is an executor that is reset."""
        wire = await websocket(self.session, self.url)
        auth = {"token": self.room.token("executor"), "executorId": "one", "capacity": 0}
        kind, _ = await Client(wire, EXECUTORS).connect(auth)
        assert kind == "0"
        abort(wire)


KINDS: list[Callable[[Visitor], Awaitable[None]]] = [
    Visitor.leaves, Visitor.breaks, Visitor.refused, Visitor.knocks, Visitor.waits,
    Visitor.stammers, Visitor.polls, Visitor.vanishes, Visitor.asks, Visitor.probes,
    Visitor.upgrades, Visitor.works,
]  # fmt: skip


def abort(wire: WebSocket) -> None:
    """Cut the connection without a word."""
    connection = wire.socket._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()


async def visit(room: Live, execution_id: str, kind: Callable[[Visitor], Awaitable[None]]) -> None:
    session = Session()
    try:
        await kind(Visitor(room, execution_id, session))
    finally:
        await session.http.close()


@pytest.mark.usefixtures("swift")
async def test_everything_is_as_it_was(
    tmp_path: Path, luck: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    # those who say nothing would otherwise be waited for: 10 s before, 45 s after a CONNECT
    monkeypatch.setattr(sockets, "UNAUTHENTICATED_SECONDS", 0.5)
    async with live(tmp_path) as room:
        engine = room.server.sockets.eio
        engine.ping_interval, engine.ping_timeout = 1.0, 1.0
        execution_id = await room.execute()
        # what is made when it is needed first is there now
        await asyncio.gather(*(visit(room, execution_id, kind) for kind in KINDS * 2))
        async with asyncio.timeout(SETTLE_SECONDS):
            while room.server.sockets.connections():
                await asyncio.sleep(0.1)
        before = census(room.server)
        left = CONNECTIONS

        async def visitors() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await visit(room, execution_id, luck.choice(KINDS))

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(visitors())
        await returns(room.server, before, SETTLE_SECONDS)
        assert room.server.sockets.connections() == 0
        assert len(room.server.rooms) == 0
        print(
            f"{CONNECTIONS} connections of {len(KINDS)} kinds; {before.total()} entries as before"
        )
