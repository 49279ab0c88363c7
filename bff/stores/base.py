"""What the server asks of an event store, whatever engine keeps the events.

Every implementation passes `tests/bff/stores/contract.py`. All methods are safe to call
concurrently. A method that writes returns only when the write is durable; trouble with
the storage raises `Unavailable` and leaves nothing half done.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, NamedTuple, Self

from contract.errors import NotFound
from contract.execution import Record
from contract.states import ExecutionStatus
from contract.workflow import Workflow

Numbering = Literal["executor", "server"]


class StoredEvent(NamedTuple):
    """One event as it is kept and sent: `payload` is its JSON, made once."""

    seq: int
    type: str
    payload: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What lists and claims need of an execution without folding its events."""

    status: ExecutionStatus = ExecutionStatus.PENDING
    progress: int = 0
    started_at: str | None = None
    ended_at: str | None = None
    error: str | None = None
    log_count: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """An execution's row: its record, whose it is, and where its log and claim stand.

    Attributes:
        record: what was fixed when it was made; its `input` is a preview if large.
        attempt: the newest claim's number, 0 before the first.
        head: the highest durable seq.
        numbering: who numbers this attempt's events; None until its first write.
        holder: the executor whose claim is alive, or None.
        last_holder: the executor that has, or may revive, the newest claim; None before
            the first and once it was given back.
        lost: how many leases have run out.
        registered: an outside system's run: never offered to `claim`.
        cancelling: a cancel was asked for and is not carried out yet.
        requires: what the graph's nodes require of an executor, all together.
        reuse: nodes that take their outputs over from the execution that this one retries.
    """

    record: Record
    tenant: str
    attempt: int = 0
    head: int = 0
    numbering: Numbering | None = None
    holder: str | None = None
    last_holder: str | None = None
    lost: int = 0
    registered: bool = False
    cancelling: bool = False
    requires: frozenset[str] = frozenset()
    reuse: frozenset[str] = frozenset()
    summary: Summary = field(default_factory=Summary)

    @property
    def id(self) -> str:
        return self.record.execution_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Append:
    """New events of one execution, and what must hold for them to be stored.

    Attributes:
        attempt, head: the append happens only if the execution's are these.
        events: seq `head + 1`, `head + 2`, …; at least one.
        numbering: who numbered them.
        summary: the execution's summary after them.
        values: large values to keep whole, JSON by name (`nodes/{id}/output`, `result`).
    """

    execution_id: str
    attempt: int
    head: int
    events: Sequence[StoredEvent]
    numbering: Numbering
    summary: Summary
    values: Mapping[str, bytes] = field(default_factory=dict)


class Commit(NamedTuple):
    """Events that have become durable; published in the order of their commits."""

    execution_id: str
    events: Sequence[StoredEvent]


class Moved(Exception):
    """An append's condition does not hold: the execution's attempt or head is another.

    Attributes:
        attempt, head: what they are.
    """

    def __init__(self, attempt: int, head: int) -> None:
        super().__init__(f"the execution is at attempt {attempt}, head {head}")
        self.attempt = attempt
        self.head = head


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredWorkflow:
    """A workflow under its id."""

    id: str
    tenant: str
    owner: str
    workflow: Workflow
    created_at: str
    updated_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LogFilter:
    """Which log lines to read; None takes all.

    Attributes:
        levels: any of `info`, `warning`, `error`.
        text: a substring of the message, compared without case.
    """

    levels: frozenset[str] | None = None
    node_id: str | None = None
    text: str | None = None


def no_execution(execution_id: str) -> NotFound:
    """The refusal for an id that no execution has, or none that the caller may see."""
    return NotFound(f'there is no execution "{execution_id}"')


class EventStore(ABC):
    """Executions, their events and snapshots, and workflows. Open it with `async with`."""

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit what was accepted, then close."""

    @abstractmethod
    def listen(self, listener: Callable[[Commit], None]) -> None:
        """Have `listener` called in the event loop's thread after each durable append.

        It is called in commit order, before `append` returns, and also if the task that
        called `append` is gone by then.
        """

    @abstractmethod
    async def check(self) -> None:
        """Make sure that the store can read and write now.

        Raises:
            Unavailable: says what is wrong.
        """

    # events

    @abstractmethod
    def append(self, append: Append) -> asyncio.Future[None]:
        """Store the events if `(attempt, head)` holds, in one atomic, durable step.

        Appends that wait at the same time share one commit; a refused one touches no
        other. A future and no coroutine, since appends are many: whoever wants no task
        for each adds a callback.

        Raises:
            NotFound: no such execution.
            Moved: the condition does not hold; nothing was stored.
            Unavailable: not durable; nothing was stored.
        """

    @abstractmethod
    async def read(
        self,
        execution_id: str,
        after: int,
        *,
        limit: int = 1_000,
        max_bytes: int = 256 * 1024,
        types: Collection[str] | None = None,
    ) -> list[StoredEvent]:
        """The events with seq > after, in order: at most `limit`, and no more once their
        payloads exceed `max_bytes` (always at least one if there is one). An unknown
        execution has none."""

    @abstractmethod
    async def read_logs(
        self,
        execution_id: str,
        chosen: LogFilter,
        *,
        after: int = 0,
        limit: int = 1_000,
        max_bytes: int = 4 * 1024 * 1024,
    ) -> list[StoredEvent]:
        """The `log` events with seq > after that pass the filter, in order, bounded as in
        `read`; the database does the filtering. Only an empty page means the end."""

    @abstractmethod
    async def heads(self, execution_ids: Collection[str]) -> dict[str, int]:
        """The head of each; unknown executions are left out."""

    @abstractmethod
    async def value(self, execution_id: str, name: str) -> bytes | None:
        """A large value's whole JSON by name (`input`, `result`, `nodes/{id}/output`)."""

    # snapshots: a cache of the fold, never a second truth

    @abstractmethod
    async def save_snapshot(self, execution_id: str, seq: int, state: bytes) -> None:
        """Keep the state at `seq` unless a later one is kept already."""

    @abstractmethod
    async def load_snapshot(self, execution_id: str) -> tuple[int, bytes] | None:
        """The latest kept `(seq, state)`."""

    # executions and their claims

    @abstractmethod
    async def create(
        self,
        execution: Execution,
        *,
        values: Mapping[str, bytes] | None = None,
        idempotency_key: str | None = None,
    ) -> Execution:
        """Keep a new execution and return it; with a key that the tenant used in the
        last 24 hours, return the execution made then instead.

        Args:
            values: large values to keep whole (`input`).

        Raises:
            Conflict: the id exists or ever existed.
        """

    @abstractmethod
    async def execution(self, execution_id: str) -> Execution:
        """
        Raises:
            NotFound: no such execution.
        """

    @abstractmethod
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
        """A page of executions, newest first, and the cursor of the next page if there
        is one. A `tenant` or `owner` of None takes all.

        Raises:
            InvalidRequest: the cursor is not one of this store's.
        """

    @abstractmethod
    async def unfinished(self) -> list[Execution]:
        """All executions whose status is not terminal, oldest first."""

    @abstractmethod
    async def counts(self, *, tenant: str | None) -> dict[ExecutionStatus, int]:
        """How many executions have each status (absent: none)."""

    @abstractmethod
    async def claim(
        self,
        holder: str,
        *,
        tenant: str | None,
        limit: int,
        offers: frozenset[str] = frozenset(),
        only: frozenset[str] | None = None,
    ) -> list[Execution]:
        """Give `holder` up to `limit` executions that nobody holds: unfinished, not
        registered, of the tenant (None: of any), requiring no more than `offers`, and if
        `only` is given, among these; highest priority first, then oldest.
        Each gets attempt + 1 and a fresh numbering. Two callers never get the same."""

    @abstractmethod
    async def take(self, execution_id: str, holder: str) -> Execution:
        """Claim this one execution, whoever holds it: attempt + 1, fresh numbering.

        Raises:
            NotFound: no such execution.
            Sealed: it has ended.
        """

    @abstractmethod
    async def free(
        self, execution_id: str, attempt: int, *, lost: bool, given_back: bool = False
    ) -> bool:
        """End the claim of `attempt`, if that is still the newest: nobody holds the
        execution then. False if it was not.

        Args:
            lost: count a lease that ran out.
            given_back: its holder wants no more of it, so it cannot be revived.
        """

    @abstractmethod
    async def revive(self, execution_id: str, attempt: int, holder: str) -> bool:
        """Give `holder` its claim of `attempt` back, if that is still the newest and was
        not given back; the lease counts as lost no longer. False if it was not.

        Also true for the same holder again, and, without any change, for an execution
        that ended in that attempt: nobody took it away."""

    @abstractmethod
    async def request_cancel(self, execution_id: str) -> Execution:
        """Note that the execution shall be cancelled, and return it.

        Raises:
            NotFound: no such execution.
            Sealed: it has ended.
        """

    @abstractmethod
    async def delete(self, execution_id: str) -> None:
        """Forget an execution, its events, values and snapshot; its id stays used."""

    @abstractmethod
    async def expired(self, ended_before: str, *, limit: int = 100) -> list[str]:
        """Ids of executions that ended before that time, oldest first."""

    # workflows

    @abstractmethod
    async def put_workflow(self, stored: StoredWorkflow) -> None:
        """Keep a workflow under its id, replacing the one there."""

    @abstractmethod
    async def workflow(self, workflow_id: str) -> StoredWorkflow:
        """
        Raises:
            NotFound: no such workflow.
        """

    @abstractmethod
    async def workflows(self, *, tenant: str | None) -> list[StoredWorkflow]:
        """All workflows of the tenant (None: of all), newest first."""

    @abstractmethod
    async def delete_workflow(self, workflow_id: str) -> None:
        """
        Raises:
            NotFound: no such workflow.
        """
