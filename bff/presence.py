"""Who is watching: people, not sockets, told to everyone in the room at most once a second."""

from __future__ import annotations

import asyncio
from collections import Counter

from bff.auth import Principal
from bff.rooms import Rooms
from contract.messages import Presence, PresentViewer

SHOWN = 50
"""How many people a message names."""


class Watchers:
    """The people in each room of this server."""

    def __init__(self, rooms: Rooms, *, interval: float = 1.0) -> None:
        """
        Args:
            interval: seconds between two messages about the same execution.
        """
        self._rooms = rooms
        self._interval = interval
        self._tabs: dict[str, Counter[str]] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._told_at: dict[str, float] = {}

    def enter(self, execution_id: str, principal: Principal) -> None:
        """One more connection of this person watches the execution."""
        self._tabs.setdefault(execution_id, Counter())[principal.sub] += 1
        self._names.setdefault(execution_id, {})[principal.sub] = principal.name
        self._changed(execution_id)

    def leave(self, execution_id: str, principal: Principal) -> None:
        """One connection of this person watches no longer."""
        tabs = self._tabs.get(execution_id)
        if tabs is None or principal.sub not in tabs:
            return
        tabs[principal.sub] -= 1
        if tabs[principal.sub] == 0:
            del tabs[principal.sub]
            del self._names[execution_id][principal.sub]
        if tabs:
            self._changed(execution_id)
        else:
            self._forget(execution_id)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def of(self, execution_id: str) -> Presence:
        """The message about this execution as things stand."""
        tabs = self._tabs.get(execution_id, Counter())
        names = self._names.get(execution_id, {})
        viewers = [
            PresentViewer(id=sub, name=names[sub], count=count)
            for sub, count in list(tabs.items())[:SHOWN]
        ]
        return Presence(execution_id=execution_id, count=len(tabs), viewers=viewers)

    def _changed(self, execution_id: str) -> None:
        if execution_id in self._timers:
            return
        loop = asyncio.get_running_loop()
        due = self._told_at.get(execution_id, float("-inf")) + self._interval
        wait = max(0.0, due - loop.time())
        self._timers[execution_id] = loop.call_later(wait, self._tell, execution_id)

    def _tell(self, execution_id: str) -> None:
        del self._timers[execution_id]
        self._told_at[execution_id] = asyncio.get_running_loop().time()
        self._rooms.announce(execution_id, "presence", self.of(execution_id).to_wire())

    def _forget(self, execution_id: str) -> None:
        self._tabs.pop(execution_id, None)
        self._names.pop(execution_id, None)
        self._told_at.pop(execution_id, None)
        timer = self._timers.pop(execution_id, None)
        if timer is not None:
            timer.cancel()
