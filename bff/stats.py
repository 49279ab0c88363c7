"""What this server is doing now, in numbers."""

from __future__ import annotations

import asyncio
from typing import Any

from bff.ingest import Ingest
from bff.namespaces.executor import Executors
from bff.rooms import Rooms
from bff.sockets import SocketServer

SAMPLE_SECONDS = 1.0


class Stats:
    """Counts for `GET /api/stats` and `/metrics`."""

    def __init__(
        self, *, sockets: SocketServer, rooms: Rooms, ingest: Ingest, executors: Executors
    ) -> None:
        self._sockets = sockets
        self._rooms = rooms
        self._ingest = ingest
        self._executors = executors
        self._last = (0.0, 0)
        self._rate = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._sample()

    def __call__(self) -> dict[str, Any]:
        """`{connections, subscriptions, eventsPerSecond, eventsTotal, executors}`."""
        return {
            "connections": self._sockets.connections(),
            "subscriptions": self._rooms.subscriptions(),
            "eventsPerSecond": round(self._rate, 1),
            "eventsTotal": self._ingest.appended,
            "executors": self._executors.describe(),
        }

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _sample(self) -> None:
        loop = asyncio.get_running_loop()
        at, count = self._last
        moment = loop.time()
        if at:
            self._rate = (self._ingest.appended - count) / (moment - at)
        self._last = (moment, self._ingest.appended)
        self._timer = loop.call_later(SAMPLE_SECONDS, self._sample)
