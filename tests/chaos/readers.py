"""Viewers that read well, slowly or not at all, as a program.

    python -m tests.chaos.readers '{"url", "token", "executionId", "healthy", "slow", …}'

`slow` ones take at most `slowBytes` a second, `stalled` ones read nothing for `stallSeconds`
first. All check that their events are contiguous, and come back when they are cut. Prints a
line for each viewer, `{kind, seen, connects}`, and for healthy ones their latencies in seconds,
`{p50, p99, most}`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from typing import Any

import aiohttp
import orjson
import uvloop

from contract.messages import VIEWERS
from contract.states import EXECUTION_TERMINAL
from tests.support.engine import Client, Session, websocket

PREFIX = f"42{VIEWERS},"
RECEIVE_BYTES = 64 * 1024
"""A client's own socket buffer; kept small so that a stall is felt by the server at once."""


def small(address: Any) -> socket.socket:
    made = socket.socket(*address[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    return made


class Reader:
    """One viewer."""

    def __init__(self, asked: dict[str, Any], kind: str) -> None:
        self.kind = kind
        self.seen = 0
        self.connects = 0
        self.latencies: list[float] = []
        self.ended = False
        self._asked = asked

    async def follow(self) -> None:
        """Until the execution's last event."""
        session = Session()
        await session.http.close()
        session.http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=small, limit=0)
        )
        try:
            while not self.ended:
                try:
                    await self._read(session)
                except (ConnectionError, aiohttp.ClientError):
                    await asyncio.sleep(0.1)
        finally:
            await session.http.close()

    async def _read(self, session: Session) -> None:
        wire = await websocket(session, self._asked["url"])
        client = Client(wire, VIEWERS)
        await client.connect({"token": self._asked["token"]})
        request = {"executionId": self._asked["executionId"], "after": self.seen}
        assert (await client.call("subscribe", request))["ok"]
        self.connects += 1
        if self.connects == 1:
            print(json.dumps({"kind": self.kind, "subscribed": True}), flush=True)
            if self.kind == "stalled":
                await asyncio.sleep(self._asked["stallSeconds"])
        taken, started = 0, time.monotonic()
        pace = self._asked["slowBytes"] if self.kind == "slow" else None
        for name, payload in client.events:
            self._take(name, payload)
        while not self.ended:
            message = await wire.socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise ConnectionError("closed")
            text = message.data
            if text == "2":
                await wire.send("3")
            elif text.startswith(PREFIX):
                self._take(*orjson.loads(text[len(PREFIX) :]))
            if pace is not None:
                taken += len(text)
                ahead = taken / pace - (time.monotonic() - started)
                if ahead > 0.02:
                    await asyncio.sleep(ahead)
        await wire.socket.close()

    def _take(self, name: str, payload: dict[str, Any]) -> None:
        if "seq" not in payload:
            return
        assert payload["seq"] == self.seen + 1, (self.kind, payload["seq"], self.seen)
        self.seen += 1
        if name == "log":
            self.latencies.append(time.time() - payload["log"]["metadata"]["at"])
        self.ended = name == "status" and payload["status"] in EXECUTION_TERMINAL


async def main(asked: dict[str, Any]) -> None:
    readers = [
        Reader(asked, kind)
        for kind in ("healthy", "slow", "stalled")
        for _ in range(asked.get(kind, 0))
    ]
    async with asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(reader.follow())
    for reader in readers:
        said: dict[str, Any] = {"kind": reader.kind, "seen": reader.seen}
        said["connects"] = reader.connects
        print(json.dumps(said))
    healthy = sorted(one for reader in readers for one in reader.latencies)
    if asked.get("healthy"):
        shown = {"p50": 0.5, "p99": 0.99, "most": 1.0}
        print(json.dumps({n: healthy[int(part * (len(healthy) - 1))] for n, part in shown.items()}))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(json.loads(sys.argv[1])))
