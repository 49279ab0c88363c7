"""Many waits of the same length on one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

GRAIN = 1 / 250
"""How late an alarm may be, as a part of its wait, so that one wake-up serves many."""


class Alarms(Generic[Key]):
    """Rings once for each key, some time after the key was set.

    Args:
        wait: the seconds from setting to ringing, asked for at each setting.
        ring: called with the key; must not raise.
    """

    def __init__(self, wait: Callable[[], float], ring: Callable[[Key], None]) -> None:
        self._wait = wait
        self._ring = ring
        self._due: dict[Key, float] = {}  # the waits are equal, so this is in order
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: Key) -> bool:
        return key in self._due

    def set(self, key: Key) -> None:
        """Ring for the key once the time has passed, counted from now."""
        loop = asyncio.get_running_loop()
        self._due.pop(key, None)
        self._due[key] = loop.time() + self._wait()
        if self._timer is None:
            self._arm(loop)

    def drop(self, key: Key) -> None:
        """Do not ring for the key, if it was set."""
        self._due.pop(key, None)

    def close(self) -> None:
        """Ring for nothing any more."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        first = next(iter(self._due.values()))
        self._timer = loop.call_at(first + self._wait() * GRAIN, self._fire)

    def _fire(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        present = loop.time()
        due = []
        for key, when in self._due.items():
            if when > present:
                break
            due.append(key)
        for key in due:
            del self._due[key]
        for key in due:
            self._ring(key)
        if self._due and self._timer is None:
            self._arm(loop)
