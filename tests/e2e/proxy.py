"""A long way between the clients and the server, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 64 * 1024


@asynccontextmanager
async def long_way(port: int, *, latency: float, upgrade: float) -> AsyncIterator[str]:
    """The URL of a proxy to a loopback port.

    Args:
        latency: seconds that everything takes, each way.
        upgrade: seconds that the request for a WebSocket takes besides.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if b"transport=websocket" in head:
                await asyncio.sleep(upgrade)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            inner_writer.write(head)
            await asyncio.wait(
                {
                    asyncio.create_task(_pour(reader, inner_writer, latency)),
                    asyncio.create_task(_pour(inner_reader, writer, latency)),
                }
            )
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        while tasks:
            await asyncio.wait(tasks, timeout=5)
            for task in tasks:
                task.cancel()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float) -> None:
    """Everything from one to the other, until either ends."""
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            await asyncio.sleep(latency)
            writer.write(data)
            await writer.drain()
    writer.close()
