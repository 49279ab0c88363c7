"""A TCP proxy on loopback whose network is as bad as a test likes, switchable as it runs.

    async with Proxy(port, random.Random(7)) as proxy:
        proxy.faults = Faults(delay=0.1, jitter=0.05)
        proxy.reset()

The same seed draws the same jitter, pieces and cuts in the same order. By hand:
`python -m tests.chaos.proxy 3001 '{"slices": true}'`.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Self

CHUNK = 64 * 1024
IN_FLIGHT_BYTES = 1024 * 1024
"""What the proxy holds a direction before it reads no more."""
MOST_SLICE = 7

Direction = Literal["up", "down"]


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What happens to bytes on their way; applies from the moment it is set.

    Attributes:
        delay, jitter: seconds; each chunk takes `delay` and up to `jitter` more, in order.
        bandwidth: bytes a second, each direction of each connection.
        slices: every write is of 1 to 7 bytes.
        up, down: whether bytes pass towards the server, and back; those that do not are
            neither read nor lost, they wait. With neither, nobody is let in either.
        cut: each connection is reset after a random number of bytes, at most this many.
    """

    delay: float = 0.0
    jitter: float = 0.0
    bandwidth: int | None = None
    slices: bool = False
    up: bool = True
    down: bool = True
    cut: int | None = None


CLEAR = Faults()
BLACKHOLE = Faults(up=False, down=False)


class Proxy:
    """Listens on a free port of loopback and passes everything on to another.

    Attributes:
        resets: connections that were reset so far.
    """

    def __init__(self, port: int, luck: random.Random) -> None:
        """
        Args:
            port: the server's.
        """
        self.resets = 0
        self.luck = luck
        self._target = port
        self._faults = CLEAR
        self._changed = asyncio.Event()
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def connections(self) -> int:
        return len(self._wires)

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        for wire in self._wires:
            wire.aim(faults.cut)

    async def listen(self) -> None:
        """Let connections in, again after `refuse`, on the same port."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, limit=CHUNK, backlog=1_024
        )
        self._port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse new connections; those that stand are left alone."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def reset(self) -> None:
        """Reset all connections on both sides, whatever they are in the middle of."""
        for wire in tuple(self._wires):
            wire.reset()

    def orphan(self) -> None:
        """Reset all connections on the server's side alone; the clients' stay half-open:
        nothing comes back, what they send disappears, and nobody tells them."""
        for wire in tuple(self._wires):
            wire.orphan()

    async def passage(self, direction: Direction) -> None:
        """Wait until bytes pass in this direction."""
        while not getattr(self._faults, direction):
            await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while not (self._faults.up or self._faults.down):
                await self._changed.wait()
            # asyncio's server logs a task that was cancelled or failed: ours ends well
            with suppress(OSError, asyncio.CancelledError):
                inner = await asyncio.open_connection("127.0.0.1", self._target, limit=CHUNK)
                wire = _Wire(self, (reader, writer), inner)
                self._wires.add(wire)
                try:
                    await wire.run()
                finally:
                    self._wires.discard(wire)
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Wire:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: End, server: End) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._left: int | None = None
        self._orphaned = False
        for _, writer in (client, server):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.aim(proxy.faults.cut)

    def aim(self, cut: int | None) -> None:
        """Decide after how many further bytes the connection is reset."""
        self._left = None if cut is None else self._proxy.luck.randint(1, cut)

    async def run(self) -> None:
        """Until both directions have ended."""
        up = _Flow(self._proxy, "up", self._client[0], self._server[1], self)
        down = _Flow(self._proxy, "down", self._server[0], self._client[1], self)
        try:
            async with asyncio.TaskGroup() as group:
                for work in (up.read(), up.write(), down.read(), down.write()):
                    group.create_task(work)
            if self._orphaned:
                await self._swallow()
        except* OSError:
            pass
        finally:
            for _, writer in (self._client, self._server):
                writer.transport.abort()

    def passed(self, size: int) -> bool:
        """Count bytes; True if the connection had to be reset for them."""
        if self._left is None:
            return False
        self._left -= size
        if self._left > 0:
            return False
        self.reset()
        return True

    @property
    def left(self) -> int | None:
        """How many bytes still pass before the cut."""
        return self._left

    def reset(self) -> None:
        self._proxy.resets += 1
        for _, writer in (self._client, self._server):
            _reset(writer)

    def orphan(self) -> None:
        self._orphaned = True
        _reset(self._server[1])

    @property
    def orphaned(self) -> bool:
        return self._orphaned

    async def _swallow(self) -> None:
        while await self._client[0].read(CHUNK):
            pass


class _Flow:
    """One direction of a connection: read, hold for a while, write."""

    def __init__(
        self,
        proxy: Proxy,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        wire: _Wire,
    ) -> None:
        self._proxy = proxy
        self._direction = direction
        self._reader = reader
        self._writer = writer
        self._wire = wire
        self._held: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._moved = asyncio.Event()

    async def read(self) -> None:
        loop = asyncio.get_running_loop()
        due = 0.0
        while True:
            await self._proxy.passage(self._direction)
            try:
                data = await self._reader.read(CHUNK)
            except OSError:
                data = b""
            faults = self._proxy.faults
            late = faults.delay + self._proxy.luck.uniform(0, faults.jitter)
            due = max(due, loop.time() + late)
            self._held.append((due, data))
            self._bytes += len(data)
            self._signal()
            if not data:
                return
            while self._bytes > IN_FLIGHT_BYTES:
                await self._moved.wait()

    async def write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._held:
                await self._moved.wait()
            due, data = self._held.popleft()
            self._bytes -= len(data)
            self._signal()
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            await self._proxy.passage(self._direction)
            if not data:
                await self._end()
                return
            with suppress(OSError):  # the other side is gone: its own direction ends too
                await self._pass(data)

    def _signal(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _end(self) -> None:
        if self._wire.orphaned:
            return
        with suppress(OSError):
            if self._writer.can_write_eof() and not self._writer.transport.is_closing():
                self._writer.write_eof()

    async def _pass(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            faults = self._proxy.faults
            size = len(view)
            if faults.slices:
                size = self._proxy.luck.randint(1, MOST_SLICE)
            elif faults.bandwidth is not None:
                size = max(1, faults.bandwidth // 20)
            if self._wire.left is not None:
                size = min(size, self._wire.left)
            piece, view = view[:size], view[size:]
            self._writer.write(bytes(piece))
            await self._writer.drain()
            if self._wire.passed(len(piece)):
                return
            if faults.bandwidth is not None:
                await asyncio.sleep(len(piece) / faults.bandwidth)
            elif faults.slices:
                await asyncio.sleep(0)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: no linger, nothing flushed."""
    transport = writer.transport
    if not transport.is_closing():
        pair = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pair)
    transport.abort()


async def main(port: str, faults: str = "{}", seed: str = "1") -> None:
    chosen: dict[str, Any] = json.loads(faults)
    async with Proxy(int(port), random.Random(seed)) as proxy:
        proxy.faults = Faults(**chosen)
        print(f"{proxy.url} to port {port}: {proxy.faults}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
