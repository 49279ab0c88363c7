"""How much waits for each connection of a server, looked at again and again from inside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bff import app
from bff.app import Server
from bff.settings import Settings

EVERY_SECONDS = 0.02
RESIDENT = Path("/proc/self/statm")
PAGE = 4_096


class Meter:
    """Looks at a running server.

    Attributes:
        waited: the most bytes that ever waited for one connection.
        grown: how much more memory the process had at most than at the beginning.
    """

    def __init__(self, server: Server) -> None:
        self.waited = 0
        self.grown = 0
        self._server = server

    async def watch(self) -> None:
        """Until cancelled."""
        began = _resident()
        while True:
            for one in tuple(self._server.sockets.eio.sockets.values()):
                self.waited = max(self.waited, one.queue.backlog)
            self.grown = max(self.grown, _resident() - began)
            await asyncio.sleep(EVERY_SECONDS)


def _resident() -> int:
    return int(RESIDENT.read_text().split()[1]) * PAGE


def install(file: Path) -> None:
    """Have the server of this process leave `{waited, grown}` in a file when it stops."""
    running = app.running

    @asynccontextmanager
    async def metered(settings: Settings) -> AsyncIterator[Server]:
        async with running(settings) as server:
            meter = Meter(server)
            watching = asyncio.create_task(meter.watch())
            try:
                yield server
            finally:
                watching.cancel()
                file.write_text(json.dumps({"waited": meter.waited, "grown": meter.grown}))

    app.running = metered
