"""Deletes executions that ended long ago, and tells whoever still watches them."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from bff.rooms import Rooms
from bff.snapshots import Snapshots
from bff.stores.base import EventStore
from contract.errors import RunroomError
from contract.messages import Reset
from contract.values import utc

log = logging.getLogger("bff.retention")

CHECK_SECONDS = 600
PAGE = 100


class Retention:
    """Keeps finished executions for `days`."""

    def __init__(
        self, store: EventStore, snapshots: Snapshots, rooms: Rooms, *, days: float
    ) -> None:
        """
        Args:
            days: how long; 0 keeps them for ever.
        """
        self._store = store
        self._snapshots = snapshots
        self._rooms = rooms
        self._days = days

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while self._days:
            try:
                deleted = await self.sweep()
                if deleted:
                    log.info("deleted: executions=%d", deleted)
            except RunroomError as error:
                log.warning("nothing deleted: reason=%s", error)
            await asyncio.sleep(CHECK_SECONDS)

    async def sweep(self) -> int:
        """Delete what is too old now; how many executions that was.

        Raises:
            Unavailable: the store cannot be written.
        """
        before = utc(datetime.now(UTC) - timedelta(days=self._days))
        deleted = 0
        while page := await self._store.expired(before, limit=PAGE):
            for execution_id in page:
                await self._store.delete(execution_id)
                self._snapshots.forget(execution_id)
                reset = Reset(execution_id=execution_id, reason="deleted")
                self._rooms.dissolve(execution_id, "reset", reset.to_wire())
            deleted += len(page)
        return deleted
