"""What the engine writes a run's events into, whatever carries them to the server."""

from __future__ import annotations

from typing import Protocol

from contract.values import Json


class Journal(Protocol):
    """One claimed execution's events, in order. `executor.bridge.Run` is the real one."""

    execution_id: str
    attempt: int

    def put(self, type: str, **payload: Json) -> None:
        """Number the event, give it the present time and queue it; never blocks.

        Events are numbered in the order of the calls.

        Args:
            type: one of the six in `contract.events.EVENT_TYPES`.
            payload: its members by their wire names (`nodeId`, `durationMs`, `try`, …);
                those that are None are left out.

        Raises:
            Invalid: the server would refuse it, it is not JSON, or it is longer than
                `contract.values.MAX_EVENT_BYTES`; nothing is queued and no number used.
            Fenced: the claim is known to be lost.
        """

    async def room(self) -> None:
        """Wait until the outbox is below its bound: back-pressure for whoever puts.

        Raises:
            Fenced: the claim was lost.
        """

    async def drained(self) -> None:
        """Wait until everything put so far is durable at the server.

        Raises:
            Fenced: the claim was lost first.
        """
