"""Leases: who holds which execution, and for how long.

A claim lives `lease_seconds` from its last heartbeat or events. When it runs out, viewers
see `executor: lost` and another executor may claim. Deadlines are this process's monotonic
clock: after a start, or a gap in the sweep itself, every claim gets a full lease, so a
server that was away takes nothing from a living executor.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from bff.endings import SERVER, Endings
from bff.ingest import Ingest, Writer
from bff.snapshots import Snapshots
from bff.stores.base import EventStore, Execution
from contract.errors import NotFound
from contract.execution import ExecutionState, ExecutorState
from contract.messages import ExecutorPresence, Held
from contract.values import utc

log = logging.getLogger("bff.leases")

T = TypeVar("T")
FOREVER = float("inf")


@dataclass(slots=True, eq=False)
class Lease:
    """One claim as this server knows it."""

    execution_id: str
    tenant: str
    holder: str
    attempt: int
    deadline: float
    registered: bool
    cancelling: bool
    seen_at: float
    lost: bool = False
    last_chance: bool = False  # an outside run: lost, and nobody else can claim it
    known: bool = False  # its holder named it or wrote, so it did get the claim's answer
    passed_over: bool = False  # its holder sent a heartbeat that did not name it


@dataclass(frozen=True, kw_only=True, slots=True)
class Notices:
    """Where leases report; each is called in the loop's thread and must not block.

    Attributes:
        work: there is something to claim.
        cancel: tell this executor to cancel (executor id, execution id, attempt).
        executor: tell the execution's viewers (`executor` message).
    """

    work: Callable[[], None]
    cancel: Callable[[str, str, int], None]
    executor: Callable[[str, ExecutorPresence], None]


class Leases:
    """Claims of all executions of this store; `start` it once everything else is there."""

    def __init__(
        self,
        store: EventStore,
        snapshots: Snapshots,
        *,
        lease_seconds: float,
        max_attempts: int,
        notices: Notices,
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._seconds = lease_seconds
        self._max_attempts = max_attempts
        self._notices = notices
        self._leases: dict[str, Lease] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ingest: Ingest
        self._endings: Endings

    @property
    def lease_ms(self) -> int:
        """How long a claim lives without a sign of life, in milliseconds."""
        return round(self._seconds * 1000)

    async def start(self, ingest: Ingest) -> None:
        """Grant every claim in the store a full lease and begin to watch them."""
        self._ingest = ingest
        self._endings = Endings(self._store, self._snapshots, ingest)
        for execution in await self._store.unfinished():
            if execution.holder is not None and execution.holder != SERVER.holder:
                self._grant(execution)
            elif execution.registered and not execution.cancelling:
                self._spawn(self._end_unless_revived(execution.id))
            else:
                self._spawn(self._end_ownerless(execution.id))
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        tasks = [task for task in (self._sweeper, *self._tasks) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # claims; each runs to its end even if its connection dies meanwhile, so that the store
    # never has a claim without a lease

    async def claim(
        self, writer: Writer, limit: int, offers: frozenset[str]
    ) -> Sequence[Execution]:
        """Claim up to `limit` executions for an executor."""

        async def claim() -> Sequence[Execution]:
            claimed = await self._store.claim(
                writer.holder, tenant=writer.tenant, limit=limit, offers=offers, only=writer.only
            )
            for execution in claimed:
                self._grant(execution)
                log.info(
                    "claimed: execution=%s attempt=%d executor=%s",
                    execution.id, execution.attempt, writer.holder,
                )  # fmt: skip
            return claimed

        return await asyncio.shield(self._own(claim()))

    async def register(self, execution: Execution, holder: str) -> Execution:
        """Keep an outside system's run and claim it for the executor that registers it.

        Raises:
            Conflict: the id exists or ever existed.
        """

        async def register() -> Execution:
            await self._store.create(execution)
            return await self.adopt(execution.id, holder)

        return await asyncio.shield(self._own(register()))

    async def adopt(self, execution_id: str, holder: str) -> Execution:
        """Claim an outside system's run for the executor that registers it."""

        async def adopt() -> Execution:
            made = await self._store.take(execution_id, holder)
            self._grant(made)
            return made

        return await asyncio.shield(self._own(adopt()))

    async def release(self, held: Held, holder: str) -> bool:
        """Give a claim back without counting it as lost. False if it was another's."""
        lease = self._leases.get(held.execution_id)
        if lease is None or (lease.holder, lease.attempt) != (holder, held.attempt):
            return False

        async def release() -> bool:
            freed = await self._store.free(
                held.execution_id, held.attempt, lost=False, given_back=True
            )
            self._drop(lease)
            if lease.cancelling:
                await self._endings.end(held.execution_id, "cancelled")
            elif freed:
                self._notices.work()
            return freed

        return await asyncio.shield(self._own(release()))

    def holding(self, execution_id: str, holder: str) -> Lease | None:
        """The lease of this execution, if this executor has it."""
        lease = self._leases.get(execution_id)
        return lease if lease is not None and lease.holder == holder else None

    def count(self) -> int:
        """How many claims are alive."""
        return sum(not lease.lost for lease in self._leases.values())

    async def heartbeat(self, writer: Writer, held: Sequence[Held]) -> tuple[list[str], list[str]]:
        """Renew the leases of what an executor says it holds.

        Returns:
            The ids that it holds no longer, and those that it shall cancel.
        """
        self._notice(writer, {item.execution_id for item in held})
        lost, cancel = [], []
        for item in held:
            lease = self._leases.get(item.execution_id)
            if lease is None:
                kept = await self._restore(item, writer)
            else:
                mine = (lease.holder, lease.attempt) == (writer.holder, item.attempt)
                kept = mine and self._reaches(writer, lease) and await self._renew(lease)
            if not kept:
                lost.append(item.execution_id)
            elif lease is not None and lease.cancelling:
                cancel.append(item.execution_id)
        return lost, cancel

    def written(self, execution: Execution, writer: Writer, state: ExecutionState) -> None:
        """An append was accepted: a sign of life, and perhaps the last one."""
        lease = self._leases.get(execution.id)
        if state.terminal:
            if lease is not None:
                self._drop(lease)
        elif lease is None:
            if writer.holder != SERVER.holder:
                held = Held(execution_id=execution.id, attempt=execution.attempt)
                self._spawn(self._restore(held, writer))
        elif (lease.holder, lease.attempt) == (writer.holder, execution.attempt):
            lease.known = True
            if lease.lost:
                self._spawn(self._revive(lease))
            else:
                self._extend(lease)

    # what HTTP asks for

    def executor(self, execution_id: str) -> ExecutorState | None:
        """Who holds the execution now, or did until its lease was lost."""
        lease = self._leases.get(execution_id)
        if lease is None:
            return None
        return ExecutorState(
            executor_id=lease.holder,
            state="lost" if lease.lost else "alive",
            last_seen_at=utc(datetime.fromtimestamp(lease.seen_at, UTC)),
        )

    def wake(self) -> None:
        """There is something to claim."""
        self._notices.work()

    async def cancel(self, execution: Execution) -> None:
        """Honour a cancel: tell the living holder, or end the execution here.

        Raises:
            NotFound, Sealed: it is gone or has ended.
        """
        await self._store.request_cancel(execution.id)
        lease = self._leases.get(execution.id)
        if lease is not None:
            lease.cancelling = True
        if lease is None or lease.lost:
            await asyncio.shield(self._own(self._endings.end(execution.id, "cancelled")))
            if lease is not None:
                self._drop(lease)
        else:
            self._notices.cancel(lease.holder, execution.id, lease.attempt)

    # inside

    def _extend(self, lease: Lease) -> None:
        lease.deadline = asyncio.get_running_loop().time() + self._seconds
        lease.seen_at = time.time()

    def _grant(self, execution: Execution) -> None:
        assert execution.holder is not None
        self._ingest.forget(execution.id)
        lease = self._leases[execution.id] = Lease(
            execution_id=execution.id,
            tenant=execution.tenant,
            holder=execution.holder,
            attempt=execution.attempt,
            deadline=asyncio.get_running_loop().time() + self._seconds,
            registered=execution.registered,
            cancelling=execution.cancelling,
            seen_at=time.time(),
        )
        self._tell(lease)

    def _drop(self, lease: Lease) -> None:
        if self._leases.get(lease.execution_id) is lease:
            del self._leases[lease.execution_id]
            self._ingest.forget(lease.execution_id)

    def _tell(self, lease: Lease) -> None:
        state: Literal["alive", "lost"] = "lost" if lease.lost else "alive"
        presence = ExecutorPresence(
            execution_id=lease.execution_id, executor_id=lease.holder, state=state
        )
        self._notices.executor(lease.execution_id, presence)

    @staticmethod
    def _reaches(writer: Writer, lease: Lease) -> bool:
        ours = writer.tenant is None or writer.tenant == lease.tenant
        return ours and (writer.only is None or lease.execution_id in writer.only)

    def _notice(self, writer: Writer, named: Iterable[str]) -> None:
        """Remember which of its claims an executor knows of: the answer to a claim may
        have been lost with its connection."""
        names = set(named)
        for lease in self._leases.values():
            if lease.holder == writer.holder and self._reaches(writer, lease):
                lease.known = lease.known or lease.execution_id in names
                lease.passed_over = lease.passed_over or lease.execution_id not in names

    async def _restore(self, held: Held, writer: Writer) -> bool:
        """Give a claim that ran out before this server started back to its holder; also
        true for an execution that ended in that attempt: nobody took it away."""
        try:
            execution = await self._store.execution(held.execution_id)
        except NotFound:
            return False
        if not writer.may_hold(execution):
            return False
        if not await self._store.revive(held.execution_id, held.attempt, writer.holder):
            return False
        execution = await self._store.execution(held.execution_id)
        if execution.holder == writer.holder and held.execution_id not in self._leases:
            self._grant(execution)
        return True

    async def _renew(self, lease: Lease) -> bool:
        lease.known = True
        if lease.lost:
            await self._revive(lease)
        if lease.lost:
            return False
        self._extend(lease)
        return True

    async def _revive(self, lease: Lease) -> None:
        if await self._store.revive(lease.execution_id, lease.attempt, lease.holder):
            lease.lost = lease.last_chance = False
            self._extend(lease)
            self._ingest.forget(lease.execution_id)
            self._tell(lease)
        else:
            self._drop(lease)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        pause = min(1.0, self._seconds / 4)
        last = loop.time()
        while True:
            await asyncio.sleep(pause)
            present = loop.time()
            if present - last > pause + self._seconds / 2:
                # this process stood still, so nobody could renew: everyone starts anew
                for lease in self._leases.values():
                    lease.deadline = max(lease.deadline, present + self._seconds)
            last = present
            for lease in [one for one in self._leases.values() if one.deadline < present]:
                try:
                    await self._expire(lease, present)
                except Exception as error:
                    log.warning(
                        "lease not ended yet: execution=%s reason=%r", lease.execution_id, error
                    )
            await self._endings.again()

    async def _expire(self, lease: Lease, present: float) -> None:
        if self._leases.get(lease.execution_id) is not lease or lease.deadline >= present:
            return  # renewed or replaced while others were handled
        if not lease.lost:
            # From here on a heartbeat goes through `revive`, which the store puts in order
            # with this: a holder is never told that it holds what was just taken away.
            lease.lost = True
            try:
                # a claim that never reached its living executor is nobody's loss
                counts = lease.known or not lease.passed_over
                freed = await self._store.free(lease.execution_id, lease.attempt, lost=counts)
            except BaseException:
                lease.lost = False
                raise
            if not freed:
                self._drop(lease)
                return
            self._ingest.forget(lease.execution_id)
            log.warning(
                "lease lost: execution=%s attempt=%d executor=%s",
                lease.execution_id, lease.attempt, lease.holder,
            )  # fmt: skip
            self._tell(lease)
        execution = await self._store.execution(lease.execution_id)
        if not lease.lost or self._leases.get(lease.execution_id) is not lease:
            return
        if execution.cancelling:
            await self._endings.end(lease.execution_id, "cancelled")
        elif lease.last_chance:
            reason = f"its executor {lease.holder} is gone"
            await self._endings.end(lease.execution_id, "failed", reason)
        elif lease.registered:
            lease.last_chance = True
            lease.deadline = present + self._seconds * (self._max_attempts - 1)
            return
        elif execution.lost >= self._max_attempts:
            count = f"{execution.lost} executors were lost while they ran it"
            reason = f"{count}; the last was {lease.holder}"
            await self._endings.end(lease.execution_id, "failed", reason)
        else:
            lease.deadline = FOREVER  # until somebody claims it or the holder revives it
            self._notices.work()
            return
        self._drop(lease)

    async def _end_unless_revived(self, execution_id: str) -> None:
        """Give the owner of an outside run that was lost before this start its time."""
        await asyncio.sleep(self._seconds * self._max_attempts)
        if execution_id not in self._leases:
            await self._endings.end(execution_id, "failed", "its executor is gone")

    async def _end_ownerless(self, execution_id: str) -> None:
        """End what was to be ended when the server stopped, if anything was."""
        execution = await self._store.execution(execution_id)
        if execution.cancelling:
            await self._endings.end(execution_id, "cancelled")
        elif execution.holder == SERVER.holder or execution.lost >= self._max_attempts:
            await self._endings.end(execution_id, "failed", "the executors that ran it were lost")

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        _ = self._own(work)

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.debug("lease work failed", exc_info=task.exception())
