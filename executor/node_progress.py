"""A node's own progress: clamped, and told at most ten times a second."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

EVERY = 0.1
"""Seconds between two `progress` events of one node."""
MAX_MESSAGE = 2_000

Tell = Callable[[float, str | None], None]


class NodeProgress:
    """Passes a node's latest progress on; what comes in between is overtaken.

    Args:
        tell: logs a percentage and a message.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._last = -math.inf
        self._waiting: tuple[float, str | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._items: list[float] = []

    def report(self, percent: float, message: str | None = None) -> None:
        """The node is so far. What is not a number is ignored."""
        if not isinstance(percent, int | float) or not math.isfinite(percent):
            return
        percent = round(min(100.0, max(0.0, float(percent))), 2)
        text = None if message is None else str(message)[:MAX_MESSAGE]
        wait = self._last + EVERY - time.monotonic()
        if wait <= 0:
            self._send(percent, text)
            return
        self._waiting = (percent, text)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._catch_up)

    def expect(self, items: int) -> None:
        """The node's work is so many items; its progress is their mean."""
        self._items = [0.0] * items

    def report_item(self, index: int, percent: float, message: str | None = None) -> None:
        """One item is so far."""
        if isinstance(percent, int | float) and math.isfinite(percent):
            self._items[index] = min(100.0, max(0.0, float(percent)))
            self.report(sum(self._items) / len(self._items), message)

    def item_done(self, index: int) -> None:
        self._items[index] = 100.0
        done = self._items.count(100.0)
        self.report(sum(self._items) / len(self._items), f"{done} of {len(self._items)}")

    def close(self) -> None:
        """The node has ended: nothing more is told."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._waiting = None
        self._last = math.inf

    def _catch_up(self) -> None:
        self._timer = None
        if self._waiting is not None:
            self._send(*self._waiting)

    def _send(self, percent: float, message: str | None) -> None:
        self._last = time.monotonic()
        self._waiting = None
        self._tell(percent, message)
