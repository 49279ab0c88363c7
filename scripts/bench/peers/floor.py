"""`python -m scripts.bench.peers.floor PORT BYTES`: the least that any server can do.

Bare uvloop transports that are handed prepared frames, as many a write as fit into BYTES
(at least one): no protocol, no rooms, no memory of anything.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

from scripts.bench import wire

ROOM = "room-000"
VIEWERS: set[_Connection] = set()


class _Connection(asyncio.Protocol):
    """A viewer, until it sends an order: then it is who wants the events."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = False
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        VIEWERS.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        VIEWERS.discard(self)
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        if not self._open:
            self._open = True
            answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            self.transport.write(answer + b"Connection: Upgrade\r\n\r\n")
            return
        VIEWERS.discard(self)
        order = json.loads(data[6 if data[1] & 0x7F < 126 else 8 :])
        self._work = asyncio.get_running_loop().create_task(_write(order, self._limit))


async def _write(order: dict[str, int], limit: int) -> None:
    """Write the events to all viewers, at the rate or as fast as they are taken."""
    frames: list[bytes] = []
    size = 0
    for number in range(order["count"]):
        due = time.monotonic_ns()
        if order["rate"]:
            due = order["started"] + int(number * 1e9 / order["rate"])
            await asyncio.sleep(max(0.0, (due - time.monotonic_ns()) / 1e9))
        packet = f'42/executions,["log",{wire.log_line(ROOM, number + 2, due)}]'
        frames.append(wire.text_frame(packet, masked=False))
        size += len(frames[-1])
        if size + len(frames[-1]) > limit or number == order["count"] - 1:
            data = b"".join(frames)
            for viewer in VIEWERS:
                viewer.transport.write(data)
            for viewer in list(VIEWERS):
                if not viewer.writable.is_set():
                    await viewer.writable.wait()
            frames, size = [], 0


async def main(port: int, limit: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(limit), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
