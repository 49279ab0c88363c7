"""The executor process's work: claim executions, carry them out, hand back what is left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from contract.errors import Forbidden, InvalidRequest, RunroomError, Unauthorized
from contract.messages import Claimed
from contract.values import Json
from executor.engine import Attempt, Engine
from executor.journal import Journal

POLL_SECONDS = 5.0
"""How long to wait, more or less, for word of work before asking for it."""
RELEASE_SECONDS = 5.0
"""How long a stop waits for the server to take executions back."""
_REFUSED = (Unauthorized, Forbidden, InvalidRequest)

logger = logging.getLogger("runroom.executor")


class HeldRun(Journal, Protocol):
    """A journal whose claim can be given back. `executor.bridge.Run` is the real one."""

    async def release(self) -> None: ...

    async def close(self) -> None: ...


class Claims(Protocol):
    """What the runner needs of `executor.bridge.Bridge`."""

    on_work: Callable[[], None] | None
    on_cancel: Callable[[str, int], None] | None
    on_lost: Callable[[str], None] | None

    async def claim(self, max: int) -> list[Claimed]: ...

    def open(
        self, execution_id: str, attempt: int, head: int, *, log_count: int | None = None
    ) -> HeldRun: ...

    async def output(self, execution_id: str, node_id: str) -> Json: ...


@dataclass(slots=True)
class _Held:
    """An execution that this process carries out."""

    attempt: Attempt
    run: HeldRun
    task: asyncio.Task[None] | None = None
    lost: bool = False


class Runner:
    """Keeps up to `capacity` executions going until it is stopped.

    Args:
        poll: seconds between two claims when nobody says that there is work.
        release_timeout: seconds that a stop waits for each release.
    """

    def __init__(
        self,
        bridge: Claims,
        engine: Engine,
        *,
        capacity: int,
        poll: float = POLL_SECONDS,
        release_timeout: float = RELEASE_SECONDS,
    ) -> None:
        self._bridge = bridge
        self._engine = engine
        self._capacity = capacity
        self._poll = poll
        self._release_timeout = release_timeout
        self._held: dict[str, _Held] = {}
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        bridge.on_work = self._wake.set
        bridge.on_cancel = self._cancel
        bridge.on_lost = self._lose

    @property
    def running(self) -> int:
        """Executions that this process carries out now."""
        return len(self._held)

    def stop(self) -> None:
        """Claim no more, stop the nodes, give the executions back; `run` then ends."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`, or until the server refuses this executor for good.

        Raises:
            Unauthorized, Forbidden, InvalidRequest: it refused.
        """
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                if not await self._claim():  # what it brought may not be all there is
                    await self._rest()
        finally:
            self._stopping.set()
            await self._give_back()

    async def _claim(self) -> bool:
        """Claim for what is free; whether anything came."""
        free = self._capacity - len(self._held)
        if free <= 0:
            return False
        asked = asyncio.ensure_future(self._bridge.claim(min(free, 1_000)))
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            # without a connection the claim waits for one, but a stop does not
            await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                return False
            for claimed in asked.result():
                self._take(claimed)
            return bool(asked.result())
        except _REFUSED:
            raise
        except RunroomError as trouble:
            logger.warning("claim: %s", trouble)
            return False
        finally:
            # what a cancelled claim brings after all, the bridge gives back
            for task in (asked, stopped):
                task.cancel()
            await asyncio.wait({asked, stopped})

    def _take(self, claimed: Claimed) -> None:
        before = self._held.get(claimed.execution_id)
        if before is not None:  # our own lost claim, come back as a new attempt
            self._drop(before)
        logs = claimed.state.get("logCount")
        run = self._bridge.open(
            claimed.execution_id,
            claimed.attempt,
            claimed.head,
            log_count=logs if isinstance(logs, int) else None,
        )
        held = _Held(self._engine.attempt(claimed, run, self._bridge.output), run)
        self._held[claimed.execution_id] = held
        held.task = asyncio.create_task(
            self._carry_out(held), name=f"execution {claimed.execution_id}"
        )

    async def _carry_out(self, held: _Held) -> None:
        attempt = held.attempt
        logger.info("execution %s: attempt %d begins", attempt.execution_id, attempt.number)
        try:
            status = await attempt.run()
            if status is None:
                logger.warning("execution %s: the claim was lost", attempt.execution_id)
            else:
                await held.run.close()
                logger.info("execution %s: %s", attempt.execution_id, status.value)
        except asyncio.CancelledError:
            if not held.lost:
                await self._release(held)
        except Exception:
            # Not released, or it would come back at once and for ever: its lease runs out,
            # and after a few of those the server ends it.
            logger.exception("execution %s: the engine failed", attempt.execution_id)
            with contextlib.suppress(TimeoutError, RunroomError):
                async with asyncio.timeout(self._release_timeout):
                    await held.run.close()
        finally:
            if self._held.get(attempt.execution_id) is held:
                del self._held[attempt.execution_id]
            self._wake.set()

    async def _release(self, held: _Held) -> None:
        """Hand the execution to another executor, if the server can be told soon."""
        execution_id = held.attempt.execution_id
        try:
            async with asyncio.timeout(self._release_timeout):
                await held.run.release()
            logger.info("execution %s: released", execution_id)
        except TimeoutError:
            logger.warning("execution %s: not released; its lease will run out", execution_id)
        except RunroomError as error:
            logger.warning("execution %s: not released: %s", execution_id, error)

    async def _rest(self) -> None:
        """Until there is something to do, or to ask for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0.5, 1.5) * self._poll):
                await self._wake.wait()

    async def _give_back(self) -> None:
        tasks = [held.task for held in self._held.values() if held.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _cancel(self, execution_id: str, attempt: int) -> None:
        held = self._held.get(execution_id)
        # one that is not known yet is told again once it is open
        if held is not None and held.attempt.number == attempt:
            logger.info("execution %s: cancel", execution_id)
            held.attempt.cancel()

    def _lose(self, execution_id: str) -> None:
        held = self._held.get(execution_id)
        if held is not None:
            self._drop(held)

    @staticmethod
    def _drop(held: _Held) -> None:
        """Stop work whose claim is lost; nothing is written or released."""
        held.lost = True
        if held.task is not None:
            held.task.cancel()
