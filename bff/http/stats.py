"""What the HTTP interface asks of the sockets' side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Stats(Protocol):
    """Tells what happens on the sockets now."""

    def __call__(self) -> Mapping[str, Any]:
        """`{connections, subscriptions, eventsPerSecond, eventsTotal, executors}`: open
        connections, subscriptions of viewers, events stored in the last second and since
        the start, and a list of the executors that are connected."""
