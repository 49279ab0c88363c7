"""The event store on one SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bff.stores.base import (
    Append,
    Commit,
    EventStore,
    Execution,
    LogFilter,
    StoredEvent,
    StoredWorkflow,
    no_execution,
)
from bff.stores.sqlite import claims, events, executions, workflows
from bff.stores.sqlite.errors import CannotOpen
from bff.stores.sqlite.lock import LockFile
from bff.stores.sqlite.lookups import Lookups
from bff.stores.sqlite.readers import Readers
from bff.stores.sqlite.transaction import Transaction
from bff.stores.sqlite.writer import Writer
from contract.errors import Unavailable
from contract.states import ExecutionStatus

logger = logging.getLogger(__name__)


class SqliteStore(EventStore):
    """Keeps everything in one file, which belongs to this one process while it is open.

    Args:
        path: the database; it and its folder are made if they are not there.
        readers: threads that read pages; searches and lists have two of their own, so that
            they do not stand in the way of viewers that catch up.
        max_waiting, max_waiting_bytes: writes that may wait for a commit; further ones
            wait for room.
        clock: seconds since 1970, for the age of idempotency keys.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        readers: int = 2,
        max_waiting: int = 8_192,
        max_waiting_bytes: int = 32 * 1024 * 1024,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # one file, one lock, by whatever links it is reached
        self._path = Path(os.path.realpath(path))
        self._clock = clock
        self._listeners: list[Callable[[Commit], None]] = []
        self._lock = LockFile(self._path)
        self._writer = Writer(
            self._path,
            self._publish,
            max_waiting=max_waiting,
            max_waiting_bytes=max_waiting_bytes,
        )
        self._pages = Readers(self._path, readers, "sqlite-reader")
        self._searches = Readers(self._path, 2, "sqlite-search")
        self._lookups = Lookups(lambda ids: self._pages.read(executions.of_ids, ids))
        self._sweeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """
        Raises:
            StoreInUse: another server has it open.
            NewerSchema: a later version of this program has written it.
            CannotOpen: whatever else is in the way.
        """
        try:
            self._acquire()
        except OSError as problem:
            raise CannotOpen(f"cannot open the database {self._path}: {problem}") from problem
        try:
            await self._writer.start()
        except BaseException:
            self._lock.release()
            raise
        # what a delete had not swept when the server was stopped
        self._sweeping = asyncio.create_task(self._sweep())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.refuse()
        self._pages.refuse()
        self._searches.refuse()
        # Should this task be cancelled, the thread goes on and gives the lock up at its end.
        await asyncio.to_thread(self._close)
        if self._sweeping is not None:
            await self._sweeping

    def listen(self, listener: Callable[[Commit], None]) -> None:
        self._listeners.append(listener)

    async def check(self) -> None:
        await self._writer.write(Transaction.touch)
        await self._pages.read(executions.counts, "")

    # events

    def append(self, append: Append) -> asyncio.Future[None]:
        """
        Raises:
            ValueError: the events do not continue the head; nothing was queued.
        """
        change: Callable[[Transaction], Any] = partial(events.append, append=append)
        return self._writer.write(change, size=_check(append), refuses_first=True)

    async def read(
        self,
        execution_id: str,
        after: int,
        *,
        limit: int = 1_000,
        max_bytes: int = 256 * 1024,
        types: Collection[str] | None = None,
    ) -> list[StoredEvent]:
        return await self._pages.read(
            events.read, execution_id, after, limit=limit, max_bytes=max_bytes, types=types
        )

    async def read_logs(
        self,
        execution_id: str,
        chosen: LogFilter,
        *,
        after: int = 0,
        limit: int = 1_000,
        max_bytes: int = 4 * 1024 * 1024,
    ) -> list[StoredEvent]:
        return await self._searches.read(
            events.read_logs, execution_id, chosen, after=after, limit=limit, max_bytes=max_bytes
        )

    async def heads(self, execution_ids: Collection[str]) -> dict[str, int]:
        return await self._pages.read(events.heads, execution_ids)

    async def value(self, execution_id: str, name: str) -> bytes | None:
        return await self._pages.read(events.value, execution_id, name)

    # snapshots

    async def save_snapshot(self, execution_id: str, seq: int, state: bytes) -> None:
        await self._writer.write(
            lambda transaction: events.save_snapshot(transaction, execution_id, seq, state),
            size=len(state),
        )

    async def load_snapshot(self, execution_id: str) -> tuple[int, bytes] | None:
        return await self._pages.read(events.load_snapshot, execution_id)

    # executions and their claims

    async def create(
        self,
        execution: Execution,
        *,
        values: Mapping[str, bytes] | None = None,
        idempotency_key: str | None = None,
    ) -> Execution:
        record = execution.record.model_dump_json(by_alias=True)
        kept = dict(values or {})
        now = self._clock()
        return await self._writer.write(
            lambda transaction: executions.create(
                transaction, execution, record, kept, idempotency_key=idempotency_key, now=now
            ),
            size=len(record) + sum(map(len, kept.values())),
        )

    async def execution(self, execution_id: str) -> Execution:
        found = await self._lookups.get(execution_id)
        if found is None:
            raise no_execution(execution_id)
        return found

    async def executions(
        self,
        *,
        tenant: str | None,
        owner: str | None = None,
        status: ExecutionStatus | None = None,
        workflow_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[Execution], str | None]:
        wanted = {
            "tenant": tenant,
            "owner": owner,
            "status": None if status is None else status.value,
            "workflow_id": workflow_id,
        }
        return await self._searches.read(executions.page, wanted, limit, cursor)

    async def unfinished(self) -> list[Execution]:
        return await self._searches.read(executions.unfinished)

    async def counts(self, *, tenant: str | None) -> dict[ExecutionStatus, int]:
        return await self._searches.read(executions.counts, tenant)

    async def claim(
        self,
        holder: str,
        *,
        tenant: str | None,
        limit: int,
        offers: frozenset[str] = frozenset(),
        only: frozenset[str] | None = None,
    ) -> list[Execution]:
        return await self._writer.write(
            lambda transaction: claims.claim(
                transaction, holder, tenant=tenant, limit=limit, offers=offers, only=only
            )
        )

    async def take(self, execution_id: str, holder: str) -> Execution:
        return await self._writer.write(
            lambda transaction: claims.take(transaction, execution_id, holder)
        )

    async def free(
        self, execution_id: str, attempt: int, *, lost: bool, given_back: bool = False
    ) -> bool:
        return await self._writer.write(
            lambda transaction: claims.free(transaction, execution_id, attempt, lost, given_back)
        )

    async def revive(self, execution_id: str, attempt: int, holder: str) -> bool:
        return await self._writer.write(
            lambda transaction: claims.revive(transaction, execution_id, attempt, holder)
        )

    async def request_cancel(self, execution_id: str) -> Execution:
        return await self._writer.write(
            lambda transaction: claims.request_cancel(transaction, execution_id)
        )

    async def delete(self, execution_id: str) -> None:
        await self._writer.write(lambda transaction: executions.delete(transaction, execution_id))
        # It is gone for everybody; its rows follow in commits of a bounded size.
        await self._sweep()

    async def expired(self, ended_before: str, *, limit: int = 100) -> list[str]:
        return await self._searches.read(executions.expired, ended_before, limit)

    # workflows

    async def put_workflow(self, stored: StoredWorkflow) -> None:
        document = stored.workflow.model_dump_json(by_alias=True)
        await self._writer.write(
            lambda transaction: workflows.put(transaction, stored, document), size=len(document)
        )

    async def workflow(self, workflow_id: str) -> StoredWorkflow:
        return await self._searches.read(workflows.get, workflow_id)

    async def workflows(self, *, tenant: str | None) -> list[StoredWorkflow]:
        return await self._searches.read(workflows.find, tenant)

    async def delete_workflow(self, workflow_id: str) -> None:
        await self._writer.write(lambda transaction: workflows.delete(transaction, workflow_id))

    # within

    def _acquire(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()

    def _close(self) -> None:
        try:
            # readers first: a read under way would keep the log from being emptied
            self._pages.close()
            self._searches.close()
            self._writer.close()
        finally:
            self._lock.release()

    def _publish(self, commit: Commit) -> None:
        for listener in self._listeners:
            try:
                listener(commit)
            except Exception:
                # one listener's fault keeps no commit from the others
                logger.exception("sqlite: a listener failed on %s", commit.execution_id)

    async def _sweep(self) -> None:
        # after trouble, the next delete or start takes the rest
        with contextlib.suppress(Unavailable):
            while await self._writer.write(executions.sweep):
                pass


def _check(append: Append) -> int:
    """The append's size in bytes, if its events are the ones after its head."""
    if not append.events:
        raise ValueError("an append has at least one event")
    size = 0
    for expected, event in enumerate(append.events, append.head + 1):
        if event.seq != expected:
            raise ValueError(f"event {event.seq} stands where {expected} belongs")
        size += len(event.payload)
    return size + sum(map(len, append.values.values()))
