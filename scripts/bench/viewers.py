"""`python -m scripts.bench.viewers URL TOKEN EXECUTION COUNT LAST`: light viewers.

Raw WebSockets that count packets without decoding them and look at the last seq only,
so that the load generator is not what is measured. Prints `ready`, then one JSON line.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
import time
from typing import cast
from urllib.parse import urlsplit

import uvloop

LOGGED = b'"seq":'


class Viewer(asyncio.Protocol):
    """One subscribed connection; unmasks nothing, since servers do not mask."""

    def __init__(self, host: str, token: str, execution: str, last: int) -> None:
        self.host, self.token, self.execution, self.last = host, token, execution, last
        self.done = asyncio.get_running_loop().create_future()
        self.subscribed = asyncio.get_running_loop().create_future()
        self.seen = 0
        self.finished_at = 0.0
        self._tail = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {self.host}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if not self._open:
            self._tail += data
            if b'"maxPayload"' not in self._tail:
                return
            self._open, self._tail = True, b""
            self._send(f"40/executions,{json.dumps({'token': self.token})}")
            self._send(f'42/executions,7["subscribe","{self.execution}"]')
            return
        if not self.subscribed.done():
            self._tail += data
            if b"43/executions,7" in self._tail:
                assert b'"ok":true' in self._tail, self._tail
                self.subscribed.set_result(None)
                data = self._tail.partition(b"43/executions,7")[2].partition(b"}]")[2]
                self._tail = b""
            else:
                return
        if data[-1:] == b"2" and data[-3:-1] == b"\x81\x01":
            self._send("3")
        buffer = self._tail + data
        self.seen += buffer.count(LOGGED) - self._tail.count(LOGGED)
        self._tail = buffer[-64:]
        match = re.findall(rb'"seq":(\d+),', buffer[-2_000:])
        if match and int(match[-1]) >= self.last and not self.done.done():
            self.finished_at = time.time()
            self.done.set_result(None)

    def _send(self, text: str) -> None:
        payload = text.encode()
        size = len(payload)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        self.transport.write(head + bytes(4) + payload)  # masked with zeros

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.subscribed, self.done):
            if not future.done():
                future.set_exception(ConnectionError("the server closed a viewer"))


async def main(url: str, token: str, execution: str, count: int, last: int) -> None:
    """Open the viewers, say so, and wait until all have seen seq `last`."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    started = time.perf_counter()
    viewers = [
        (
            await loop.create_connection(
                lambda: Viewer(parts.netloc, token, execution, last), host, port
            )
        )[1]
        for _ in range(count)
    ]
    await asyncio.gather(*(viewer.subscribed for viewer in viewers))
    connected = time.perf_counter() - started
    print("ready", flush=True)
    await asyncio.gather(*(viewer.done for viewer in viewers))
    print(
        json.dumps(
            {
                "connectsPerSecond": count / connected,
                "finishedAt": max(viewer.finished_at for viewer in viewers),
                "seen": [viewer.seen for viewer in viewers],
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    uvloop.install()
    address, bearer, watched, number, until = sys.argv[1:]
    asyncio.run(main(address, bearer, watched, int(number), int(until)))
