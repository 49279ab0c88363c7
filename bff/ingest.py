"""One way in: validate → append → publish.

Appends of one execution are handled one after the other in the order of their arrival;
those of different executions wait for the same commit together. The store publishes what
it has committed (`EventStore.listen`), so an event whose request died is shown all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from bff.snapshots import Snapshots
from bff.stores.base import (
    Append,
    EventStore,
    Execution,
    Moved,
    Numbering,
    StoredEvent,
    Summary,
    no_execution,
)
from contract.errors import Conflict, Fenced, Gap, Invalid, RunroomError, Sealed, Unavailable
from contract.events import AnyEvent, NodeStatus, Result, Status, encode, parse_events
from contract.execution import ExecutionState, fold
from contract.messages import Events
from contract.states import EXECUTION_TERMINAL, NODE_TERMINAL
from contract.values import PREVIEW_ABOVE_BYTES, now, preview, reference

log = logging.getLogger("bff.ingest")

MAX_TRIES = 8
"""How often an append may find that the execution has moved meanwhile."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who appends.

    Attributes:
        holder: the executor's id.
        tenant: whose executions it may write; None for all (the server itself).
        only: the executions that its token is limited to; None: no such limit.
    """

    holder: str
    tenant: str | None
    only: frozenset[str] | None = None

    def may_hold(self, execution: Execution) -> bool:
        """Whether the execution exists for it at all."""
        ours = self.tenant is None or self.tenant == execution.tenant
        return ours and (self.only is None or execution.id in self.only)


@dataclass(frozen=True, slots=True)
class _Batch:
    writer: Writer
    execution_id: str
    attempt: int | None
    raw: Sequence[dict[str, Any]]
    numbering: Numbering
    answer: asyncio.Future[int]


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A batch's events with their bytes, and the large values taken out of them."""

    events: list[AnyEvent]
    stored: list[StoredEvent]
    values: dict[str, bytes]


class Ingest:
    """Takes events of executions in and answers with the head once they are durable."""

    def __init__(
        self,
        store: EventStore,
        snapshots: Snapshots,
        *,
        wake: Callable[[str, int], None],
        written: Callable[[Execution, Writer, ExecutionState], None],
    ) -> None:
        """
        Args:
            wake: told the head when an append stored nothing new.
            written: told of every accepted append; renews the lease.
        """
        self._store = store
        self._snapshots = snapshots
        self._wake = wake
        self._written = written
        self._lanes: dict[str, deque[_Batch]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._rows: dict[str, Execution] = {}
        self.appended = 0
        """Events stored since the start."""

    async def close(self) -> None:
        """Wait for what was submitted."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def submit(self, writer: Writer, batch: Events) -> asyncio.Future[int]:
        """Append numbered events; returns at once, so that order is the caller's order.

        Returns:
            The head, once the events are durable. It may raise `Invalid`, `NotFound`,
            `Fenced`, `Conflict`, `Sealed`, `Gap` or `Unavailable`; then nothing of the
            batch was stored.
        """
        return self._enqueue(writer, batch.execution_id, batch.attempt, batch.events, "executor")

    def submit_single(
        self, writer: Writer, execution_id: str, attempt: int | None, raw: dict[str, Any]
    ) -> asyncio.Future[int]:
        """Append one event `{type, …payload}` that the server numbers: the returned seq."""
        return self._enqueue(writer, execution_id, attempt, [raw], "server")

    def forget(self, execution_id: str) -> None:
        """The execution's claim has changed: read its row anew."""
        self._rows.pop(execution_id, None)

    def _enqueue(
        self,
        writer: Writer,
        execution_id: str,
        attempt: int | None,
        raw: Sequence[dict[str, Any]],
        numbering: Numbering,
    ) -> asyncio.Future[int]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        lane = self._lanes.get(execution_id)
        start = lane is None
        if lane is None:
            lane = self._lanes[execution_id] = deque()
        lane.append(_Batch(writer, execution_id, attempt, raw, numbering, answer))
        if start:
            self._own(self._drain(execution_id, lane))
        return answer

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, execution_id: str, lane: deque[_Batch]) -> None:
        while lane:
            batch = lane.popleft()
            try:
                head = await self._append(batch)
            except RunroomError as error:
                if not batch.answer.done():
                    batch.answer.set_exception(error)
            except Exception as error:
                log.exception("append failed: execution=%s", execution_id)
                if not batch.answer.done():
                    batch.answer.set_exception(error)
            else:
                if not batch.answer.done():
                    batch.answer.set_result(head)
        del self._lanes[execution_id]

    async def _append(self, batch: _Batch) -> int:
        if batch.numbering == "executor":
            _check_numbers(batch.raw)
            # malformed comes before everything else, so parse before looking anything up
            encoded = _encode(batch, batch.attempt or 1)
        else:
            encoded = None
        row = self._rows.get(batch.execution_id)
        if row is not None:
            try:
                return await self._append_to(row, batch, encoded)
            except (RunroomError, Moved) as error:
                log.debug("append again: execution=%s reason=%s", batch.execution_id, error)
        for _ in range(MAX_TRIES):  # what was known of the row may be old: look again
            row = await self._store.execution(batch.execution_id)
            try:
                return await self._append_to(row, batch, encoded)
            except Moved as moved:
                log.warning("append again: execution=%s reason=%s", batch.execution_id, moved)
        raise Unavailable("the execution's log and its head do not agree; try again later")

    async def _append_to(self, row: Execution, batch: _Batch, encoded: _Encoded | None) -> int:
        _check_claim(row, batch)
        state = await self._snapshots.state(row)
        if state.seq != row.head:
            raise Moved(row.attempt, state.seq)
        if encoded is None:
            encoded = _encode(batch, row.attempt, after=state)
        repeated = sum(event.seq <= row.head for event in encoded.events)
        if repeated:
            await self._compare(row, encoded, repeated)
        events, stored = encoded.events[repeated:], encoded.stored[repeated:]
        if not events:
            self._wake(row.id, row.head)
            self._written(row, batch.writer, state)
            return row.head
        if state.terminal:
            raise Sealed(f"the execution is {state.status}: its log is sealed")
        if events[0].seq != row.head + 1:
            raise Gap(f"seq {events[0].seq} does not follow the head, {row.head}", row.head)
        state = _folded(state, events, encoded)
        append = Append(
            execution_id=row.id,
            attempt=row.attempt,
            head=row.head,
            events=stored,
            numbering=batch.numbering,
            summary=summary_of(state),
            values=encoded.values,
        )
        await self._store.append(append)
        self.appended += len(stored)
        self._snapshots.advance(state)
        row = replace(row, head=state.seq, numbering=batch.numbering, summary=append.summary)
        if state.terminal:
            self._rows.pop(row.id, None)
        else:
            self._rows[row.id] = row
        self._written(row, batch.writer, state)
        if self._snapshots.due(state):
            self._own(self._snapshots.keep(state))
        return state.seq

    async def _compare(self, row: Execution, encoded: _Encoded, count: int) -> None:
        """
        Raises:
            Conflict: one of the first `count` events is not what the store has.
        """
        after = encoded.events[0].seq - 1
        mine = encoded.stored[:count]
        while mine:
            page = await self._store.read(row.id, after, limit=len(mine))
            for event, known in zip(mine, page, strict=False):
                if event != known:
                    raise Conflict(f"seq {event.seq} is stored with other content")
            if not page:
                return
            mine, after = mine[len(page) :], page[-1].seq
        for name, value in encoded.values.items():
            known_value = await self._store.value(row.id, name)
            if known_value is not None and known_value != value:
                raise Conflict(f"{name} is stored with other content")


def _check_numbers(raw: Sequence[dict[str, Any]]) -> None:
    """Events of a batch follow each other; a hole between them is malformed."""
    previous = None
    for index, event in enumerate(raw):
        seq = event.get("seq") if isinstance(event, dict) else None
        if previous is not None and isinstance(seq, int) and seq != previous + 1:
            raise Invalid(f"events[{index}].seq: {seq} does not follow {previous}")
        previous = seq if isinstance(seq, int) else None


def _check_claim(row: Execution, batch: _Batch) -> None:
    if not batch.writer.may_hold(row):
        raise no_execution(batch.execution_id)
    attempt = row.attempt if batch.attempt is None else batch.attempt
    if attempt < row.attempt or (attempt and row.last_holder != batch.writer.holder):
        if attempt == row.attempt:
            raise Fenced(f"attempt {attempt} is not this executor's, or not any more")
        raise Fenced(f"attempt {attempt} is over; attempt {row.attempt} has begun")
    if attempt > row.attempt or attempt == 0:
        raise Invalid(f"attempt {attempt} has not begun; the newest is {row.attempt}")
    if row.numbering is not None and row.numbering != batch.numbering:
        numbers = {"executor": "with seq", "server": "without seq"}[row.numbering]
        raise Invalid(f"this attempt's events come {numbers}: its first write decided that")


def _encode(batch: _Batch, attempt: int, after: ExecutionState | None = None) -> _Encoded:
    """The batch's events; those that the server numbers follow the state `after`."""
    raw = batch.raw
    if after is not None:
        number = after.seq + 1
        moment = now()
        raw = [
            {**event, "seq": number, "timestamp": event.get("timestamp") or moment} for event in raw
        ]
    values: dict[str, bytes] = {}
    events: list[AnyEvent] = []
    stored = []
    for parsed in parse_events(raw, batch.execution_id, attempt):
        whole = parsed if after is None else _counted(parsed, after)
        event, payload = whole, encode(whole)
        if len(payload) > PREVIEW_ABOVE_BYTES:
            event = _with_preview(whole, values)
            payload = encode(event)
        events.append(event)
        stored.append(StoredEvent(event.seq, event.type, payload))
    return _Encoded(events, stored, values)


def _counted(event: AnyEvent, after: ExecutionState) -> AnyEvent:
    """A terminal status that the server numbers carries the count of lines as well."""
    if isinstance(event, Status) and event.status in EXECUTION_TERMINAL:
        return event.model_copy(update={"log_count": after.log_count})
    return event


def _with_preview(event: AnyEvent, values: dict[str, bytes]) -> AnyEvent:
    """The event with a large output or result replaced by its preview."""
    if isinstance(event, NodeStatus):
        if event.output is not None and event.status not in NODE_TERMINAL:
            raise Invalid(f"seq {event.seq}: a large output comes with a terminal status")
        name, member = f"nodes/{event.node_id}/output", "output"
    elif isinstance(event, Result):
        name, member = "result", "result"
    else:
        return event
    whole = orjson.dumps(getattr(event, member))
    if len(whole) <= PREVIEW_ABOVE_BYTES:
        return event
    values[name] = whole
    short = preview(whole, reference(event.execution_id, name))
    return event.model_copy(update={member: short})


def _folded(state: ExecutionState, events: Sequence[AnyEvent], encoded: _Encoded) -> ExecutionState:
    try:
        return fold(state, events)
    except Sealed:
        raise
    except Invalid as error:
        # find which one it was, for the message
        for event in events:
            try:
                state = fold(state, (event,))
            except Invalid:
                index = encoded.events.index(event)
                raise Invalid(f"events[{index}]: {error}") from None
        raise


def summary_of(state: ExecutionState) -> Summary:
    """What lists show of a state."""
    return Summary(
        status=state.status,
        progress=state.progress,
        started_at=state.started_at,
        ended_at=state.ended_at,
        error=state.error,
        log_count=state.log_count,
    )
