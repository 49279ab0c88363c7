"""Keeps the claims of all open runs alive, and hears what became of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from contract.errors import RunroomError
from contract.messages import MAX_HELD
from executor.connection import Answer
from executor.link import Link
from executor.run import Run

logger = logging.getLogger(__name__)


class Heartbeat:
    """Three times a lease, and at once after each connect, while `keep` runs.

    Args:
        runs: the open runs by execution id, as they are at any time.
        lease_seconds: a claim's length until the server has told it.
        on_cancel: `(execution_id, attempt)` of a run that shall be cancelled.
    """

    def __init__(
        self,
        link: Link,
        runs: Mapping[str, Run],
        lease_seconds: float,
        on_cancel: Callable[[str, int], None],
    ) -> None:
        self._link = link
        self._runs = runs
        self._lease = lease_seconds
        self._on_cancel = on_cancel
        self._now = asyncio.Event()

    def hurry(self) -> None:
        """Beat at once."""
        self._now.set()

    def learn(self, answer: Answer) -> None:
        """Take the lease's length from an answer that tells it."""
        told = answer.get("leaseMs")
        if not isinstance(told, int | float) or told <= 0:
            return
        if told / 1000 < self._lease:
            self.hurry()
        self._lease = told / 1000
        self._link.hurry(self._lease / 3)

    async def keep(self) -> None:
        """Beat until cancelled."""
        while True:
            self._now.clear()
            held = [run for run in self._runs.values() if run.held]
            # also with nothing held: it tells the server which claims never got here
            for first in range(0, max(1, len(held)), MAX_HELD):
                await self._renew(held[first : first + MAX_HELD])
            with suppress(TimeoutError):
                async with asyncio.timeout(self._lease / 3):
                    await self._now.wait()

    async def _renew(self, held: list[Run]) -> None:
        names = [{"executionId": run.execution_id, "attempt": run.attempt} for run in held]
        try:
            answer = await self._link.request("heartbeat", {"executions": names})
        except RunroomError as error:
            logger.warning("heartbeat refused: %s", error)
            return
        self.learn(answer)
        lost, cancelled = set(answer.get("lost") or ()), set(answer.get("cancel") or ())
        for run in held:
            # Only the runs that were asked about: by now another attempt may be open.
            if self._runs.get(run.execution_id) is not run:
                continue
            if run.execution_id in lost:
                run.lose()
            elif run.execution_id in cancelled:
                self._on_cancel(run.execution_id, run.attempt)
