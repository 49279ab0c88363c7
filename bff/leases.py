"""Leases: who holds which execution, for how long, and how an ownerless one ends.

A claim lives `lease_seconds` from its last heartbeat or events. When it runs out, viewers
see `executor: lost` and another executor may claim. What no living owner can end is ended
by one function, `end`. Deadlines are this process's monotonic clock: after a start, or a
gap in the sweep itself, every claim gets a full lease, so a server that was away takes
nothing from a living executor.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bff.ingest import Ingest, Writer
from bff.snapshots import Snapshots
from bff.stores.base import EventStore, Execution
from contract.errors import NotFound, RunroomError, Sealed
from contract.execution import ExecutionState, ExecutorState
from contract.messages import MAX_HELD, Events, ExecutorPresence, Held
from contract.states import NODE_TERMINAL, ExecutionStatus
from contract.values import now

log = logging.getLogger("bff.leases")

SERVER = Writer(holder="server", tenant=None)
Ending = Literal["cancelled", "failed"]
LOST_ANSWER_BEATS = 2


@dataclass(slots=True)
class Lease:
    """One claim as this server knows it."""

    execution_id: str
    holder: str
    attempt: int
    deadline: float
    registered: bool
    cancelling: bool
    lost: bool = False
    seen_at: str = ""
    known: bool = False  # its holder has named it, so it got the claim's answer
    unnamed: int = 0  # heartbeats of its holder that did not name it


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
    """Claims of all executions of this store. Run it with `async with`."""

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
        self._ingest: Ingest | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def lease_ms(self) -> int:
        """How long a claim lives without a sign of life, in milliseconds."""
        return round(self._seconds * 1000)

    async def start(self, ingest: Ingest) -> None:
        """Grant every claim in the store a full lease and begin to watch them."""
        self._ingest = ingest
        for execution in await self._store.unfinished():
            if execution.holder == SERVER.holder or _ownerless(execution, self._max_attempts):
                self._own(self._end_ownerless(execution.id))
            elif execution.holder is not None:
                self._grant(execution)
            elif execution.registered:
                self._own(self._end_unless_revived(execution.id))
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        tasks = [task for task in (self._sweeper, *self._ending) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # claims

    async def claim(
        self, holder: str, tenant: str | None, limit: int, offers: frozenset[str]
    ) -> Sequence[Execution]:
        """Claim up to `limit` executions for an executor."""
        claimed = await self._store.claim(holder, tenant=tenant, limit=limit, offers=offers)
        for execution in claimed:
            self._grant(execution)
            log.info(
                "claimed: execution=%s attempt=%d executor=%s",
                execution.id, execution.attempt, holder,
            )  # fmt: skip
        return claimed

    async def adopt(self, execution_id: str, holder: str) -> Execution:
        """Claim one execution for the executor that registered it."""
        execution = await self._store.take(execution_id, holder)
        self._grant(execution)
        return execution

    def holding(self, execution_id: str, holder: str) -> Lease | None:
        """The lease of this execution, if this executor has it."""
        lease = self._leases.get(execution_id)
        return lease if lease is not None and lease.holder == holder else None

    def count(self) -> int:
        """How many claims are alive."""
        return sum(not lease.lost for lease in self._leases.values())

    async def heartbeat(self, holder: str, held: Sequence[Held]) -> tuple[list[str], list[str]]:
        """Renew the leases of what an executor says it holds.

        Returns:
            The ids that it holds no longer, and those that it shall cancel.
        """
        lost, cancel = [], []
        if len(held) < MAX_HELD:  # else it is one of several
            await self._take_back(holder, {item.execution_id for item in held})
        for item in held:
            lease = self._leases.get(item.execution_id)
            if lease is None:
                if not await self._restore(item, holder):
                    lost.append(item.execution_id)
                continue
            mine = (lease.holder, lease.attempt) == (holder, item.attempt)
            if not mine or not await self._renew(lease):
                lost.append(item.execution_id)
            elif lease.cancelling:
                cancel.append(item.execution_id)
        return lost, cancel

    async def release(self, execution_id: str, attempt: int, holder: str) -> bool:
        """Give a claim back without counting it as lost."""
        lease = self.holding(execution_id, holder)
        if lease is None or lease.attempt != attempt:
            return False
        freed = await self._store.free(execution_id, attempt, lost=False)
        self._drop(execution_id)
        if lease.cancelling:
            self._own(self._end_ownerless(execution_id))
        elif freed:
            self._notices.work()
        return freed

    def written(self, execution: Execution, writer: Writer, state: ExecutionState) -> None:
        """An append was accepted: a sign of life, and perhaps the last one."""
        if state.terminal:
            self._drop(execution.id)
            return
        lease = self._leases.get(execution.id)
        if lease is None and execution.holder is None:
            held = Held(execution_id=execution.id, attempt=execution.attempt)
            self._own(self._restore(held, writer.holder))
            return
        if lease is None or lease.holder != writer.holder or lease.attempt != execution.attempt:
            return
        if lease.lost:
            self._own(self._revive(lease))
        else:
            lease.deadline = self._deadline()
            lease.seen_at = now()
            lease.known = True

    # what HTTP asks for

    def executor(self, execution_id: str) -> ExecutorState | None:
        """Who holds the execution now, for its snapshot."""
        lease = self._leases.get(execution_id)
        if lease is None:
            return None
        return ExecutorState(
            executor_id=lease.holder,
            state="lost" if lease.lost else "alive",
            last_seen_at=lease.seen_at,
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
        if lease is not None and not lease.lost:
            lease.cancelling = True
            self._notices.cancel(lease.holder, execution.id, lease.attempt)
        else:
            await self.end(execution.id, "cancelled")

    async def end(self, execution_id: str, ending: Ending, reason: str = "") -> None:
        """Claim the execution for the server and write its terminal events.

        The only way to an end for what has no living owner: cancelled without a holder,
        too many lost leases, an outside run whose owner is gone.
        """
        assert self._ingest is not None
        try:
            execution = await self._store.take(execution_id, SERVER.holder)
        except (NotFound, Sealed):
            return
        self._drop(execution_id)
        self._ingest.forget(execution_id)
        state = await self._snapshots.state(execution)
        events = terminal_events(state, ending, reason)
        batch = Events(execution_id=execution_id, attempt=execution.attempt, events=events)
        await self._ingest.submit(SERVER, batch)
        log.info("ended: execution=%s status=%s reason=%s", execution_id, ending, reason)

    # inside

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._seconds

    def _grant(self, execution: Execution) -> None:
        assert execution.holder is not None
        if self._ingest is not None:
            self._ingest.forget(execution.id)
        self._leases[execution.id] = Lease(
            execution_id=execution.id,
            holder=execution.holder,
            attempt=execution.attempt,
            deadline=self._deadline(),
            registered=execution.registered,
            cancelling=execution.cancelling,
            seen_at=now(),
        )
        self._tell(self._leases[execution.id])

    def _drop(self, execution_id: str) -> None:
        self._leases.pop(execution_id, None)
        if self._ingest is not None:
            self._ingest.forget(execution_id)

    def _tell(self, lease: Lease) -> None:
        state: Literal["alive", "lost"] = "lost" if lease.lost else "alive"
        presence = ExecutorPresence(
            execution_id=lease.execution_id, executor_id=lease.holder, state=state
        )
        self._notices.executor(lease.execution_id, presence)

    async def _take_back(self, holder: str, named: set[str]) -> None:
        """Free claims whose answer never reached their holder, so that nobody waits for
        them. A heartbeat may have crossed the answer; a second one has not."""
        for lease in [one for one in self._leases.values() if one.holder == holder]:
            if lease.execution_id in named:
                lease.known = True
            elif not lease.known and not lease.registered:
                lease.unnamed += 1
                if lease.unnamed >= LOST_ANSWER_BEATS:
                    await self.release(lease.execution_id, lease.attempt, holder)

    async def _restore(self, held: Held, holder: str) -> bool:
        """Give a claim that ran out before this server started back to its holder; also
        true for an execution that ended in that attempt: nobody took it away."""
        if not await self._store.revive(held.execution_id, held.attempt, holder):
            return False
        execution = await self._store.execution(held.execution_id)
        if execution.holder == holder:
            self._grant(execution)
        return True

    async def _renew(self, lease: Lease) -> bool:
        if lease.lost:
            await self._revive(lease)
        if lease.lost:
            return False
        lease.deadline = self._deadline()
        lease.seen_at = now()
        return True

    async def _revive(self, lease: Lease) -> None:
        if await self._store.revive(lease.execution_id, lease.attempt, lease.holder):
            lease.lost = False
            lease.deadline = self._deadline()
            lease.seen_at = now()
            if self._ingest is not None:
                self._ingest.forget(lease.execution_id)
            self._tell(lease)
        elif self._leases.get(lease.execution_id) is lease:
            del self._leases[lease.execution_id]

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
                    lease.deadline = present + self._seconds
            last = present
            for lease in [one for one in self._leases.values() if one.deadline < present]:
                try:
                    await self._expire(lease)
                except RunroomError as error:
                    log.warning(
                        "lease not ended: execution=%s reason=%s", lease.execution_id, error
                    )

    async def _expire(self, lease: Lease) -> None:
        if lease.lost:  # an outside run that nobody revived
            await self.end(lease.execution_id, "failed", f"its executor {lease.holder} is gone")
            return
        if not await self._store.free(lease.execution_id, lease.attempt, lost=True):
            self._drop(lease.execution_id)
            return
        log.warning(
            "lease lost: execution=%s attempt=%d executor=%s",
            lease.execution_id, lease.attempt, lease.holder,
        )  # fmt: skip
        lease.lost = True
        if self._ingest is not None:
            self._ingest.forget(lease.execution_id)
        self._tell(lease)
        execution = await self._store.execution(lease.execution_id)
        if execution.cancelling:
            await self.end(lease.execution_id, "cancelled")
        elif lease.registered:
            lease.deadline = self._deadline() + self._seconds * (self._max_attempts - 1)
        elif execution.lost >= self._max_attempts:
            reason = f"{execution.lost} executors were lost in a row; the last was {lease.holder}"
            await self.end(lease.execution_id, "failed", reason)
        else:
            lease.deadline = float("inf")  # until somebody claims it or the holder revives it
            self._notices.work()

    async def _end_unless_revived(self, execution_id: str) -> None:
        """Give the owner of an outside run that was lost before this start its time."""
        await asyncio.sleep(self._seconds * self._max_attempts)
        if execution_id not in self._leases:
            await self._end_ownerless(execution_id)

    async def _end_ownerless(self, execution_id: str) -> None:
        execution = await self._store.execution(execution_id)
        if execution.cancelling:
            await self.end(execution_id, "cancelled")
        else:
            await self.end(execution_id, "failed", "the executors that ran it were lost")

    def _own(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("lease work failed", exc_info=task.exception())


def _ownerless(execution: Execution, max_attempts: int) -> bool:
    """Whether nobody will ever end this execution but the server."""
    if execution.holder is not None:
        return False
    return execution.cancelling or (not execution.registered and execution.lost >= max_attempts)


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
    if ending == "failed":
        add("error", error=reason)
    add("status", status=ending, logCount=state.log_count)
    return events
