"""How an execution ends that no living owner can end: cancelled without a holder, too many
lost leases, an outside run whose owner is gone."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from bff.ingest import Ingest, Writer
from bff.snapshots import Snapshots
from bff.stores.base import EventStore
from contract.errors import NotFound, RunroomError, Sealed
from contract.execution import ExecutionState
from contract.messages import MAX_BATCH_EVENTS, Events
from contract.states import NODE_TERMINAL, ExecutionStatus
from contract.values import now

log = logging.getLogger("bff.endings")

SERVER = Writer(holder="server", tenant=None)
Ending = Literal["cancelled", "failed"]


class Endings:
    """Writes terminal events for the server, and tries again until they are written."""

    def __init__(self, store: EventStore, snapshots: Snapshots, ingest: Ingest) -> None:
        self._store = store
        self._snapshots = snapshots
        self._ingest = ingest
        self._open: dict[str, tuple[Ending, str]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def end(self, execution_id: str, ending: Ending, reason: str = "") -> None:
        """Claim the execution for the server and write its terminal events; nothing if it
        has ended or is gone.

        Raises:
            RunroomError: not now; `again` will try it.
        """
        self._open.setdefault(execution_id, (ending, reason))
        async with self._locks.setdefault(execution_id, asyncio.Lock()):
            if execution_id not in self._open:
                return
            ending, reason = self._open[execution_id]
            try:
                execution = await self._store.take(execution_id, SERVER.holder)
                self._ingest.forget(execution_id)
                state = await self._snapshots.state(execution)
                events = terminal_events(state, ending, reason)
                for first in range(0, len(events), MAX_BATCH_EVENTS):
                    batch = Events(
                        execution_id=execution_id,
                        attempt=execution.attempt,
                        events=events[first : first + MAX_BATCH_EVENTS],
                    )
                    await self._ingest.submit(SERVER, batch)
            except (NotFound, Sealed):
                pass
            else:
                log.info("ended: execution=%s status=%s reason=%s", execution_id, ending, reason)
            del self._open[execution_id]
        self._locks.pop(execution_id, None)

    async def again(self) -> None:
        """Try once more what could not be ended."""
        for execution_id, (ending, reason) in list(self._open.items()):
            try:
                await self.end(execution_id, ending, reason)
            except RunroomError as error:
                log.warning("not ended yet: execution=%s reason=%s", execution_id, error)


def terminal_events(state: ExecutionState, ending: Ending, reason: str) -> list[dict[str, Any]]:
    """What has to be logged so that an execution ends, numbered from its head.

    Pure: nodes that run or wait are cancelled (after a failure those that wait are
    skipped), then `error` if it failed, then the terminal status.
    """
    moment = now()
    events: list[dict[str, Any]] = []

    def add(kind: str, **payload: Any) -> None:
        seq = state.seq + len(events) + 1
        events.append({"type": kind, "seq": seq, "timestamp": moment, **payload})

    if state.status is ExecutionStatus.PENDING and ending == "failed":
        add("status", status="running")
    for node in state.nodes.values():
        if node.status in NODE_TERMINAL:
            continue
        skipped = ending == "failed" and node.status == "pending"
        add("nodeStatus", nodeId=node.node_id, status="skipped" if skipped else "cancelled")
    if ending == "failed" and state.error is None:
        add("error", error=reason)
    add("status", status=ending, logCount=state.log_count)
    return events
