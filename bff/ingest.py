"""One way in: validate → append → publish.

Appends of one execution are handled one after the other in the order of their arrival;
those of different executions wait for the same commit together. The store publishes what
it has committed (`EventStore.listen`), so an event whose request died is shown all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

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
class _Encoded:
    """A batch's events with their bytes, and the large values taken out of them."""

    events: list[AnyEvent]
    stored: list[StoredEvent]
    values: dict[str, bytes]


@dataclass(slots=True, eq=False)
class _Batch:
    writer: Writer
    execution_id: str
    attempt: int | None
    raw: Sequence[dict[str, Any]]
    numbering: Numbering
    answer: asyncio.Future[int]
    encoded: _Encoded | None = None


@dataclass(slots=True, eq=False)
class _Place:
    """Where an execution's log stands; all but the head and the numbering is the claim's."""

    row: Execution
    head: int
    numbering: Numbering | None


class _Step(NamedTuple):
    """An append, and the state after it."""

    place: _Place
    append: Append
    state: ExecutionState


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
        self._working: set[asyncio.Future[None]] = set()
        self._places: dict[str, _Place] = {}
        self.appended = 0
        """Events stored since the start."""

    async def close(self) -> None:
        """Wait for what was submitted."""
        while self._working:
            await asyncio.wait(self._working)

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
        self._places.pop(execution_id, None)

    def _enqueue(
        self,
        writer: Writer,
        execution_id: str,
        attempt: int | None,
        raw: Sequence[dict[str, Any]],
        numbering: Numbering,
    ) -> asyncio.Future[int]:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        batch = _Batch(writer, execution_id, attempt, raw, numbering, answer)
        lane = self._lanes.get(execution_id)
        if lane is not None:
            lane.append(batch)
        else:
            lane = self._lanes[execution_id] = deque((batch,))
            self._go_on(execution_id, lane)
        return answer

    def _own(self, work: asyncio.Future[None]) -> None:
        self._working.add(work)
        work.add_done_callback(self._working.discard)

    # A lane's first batch is the one that is being appended. Most need nothing from the
    # store but the append itself: they go from callback to callback. The others have a task.

    def _go_on(self, execution_id: str, lane: deque[_Batch]) -> None:
        """Begin with the lane's first batch."""
        while lane:
            try:
                step = self._begin(lane[0])
                appending = None if step is None else self._store.append(step.append)
            except Exception as error:
                _refuse(lane.popleft(), error)
                continue
            if step is None or appending is None:
                self._own(asyncio.get_running_loop().create_task(self._look(execution_id, lane)))
            else:
                self._own(appending)
                appending.add_done_callback(partial(self._appended, lane, step))
            return
        del self._lanes[execution_id]

    def _begin(self, batch: _Batch) -> _Step | None:
        """The batch's append by what is known here; None if the store has to be asked.

        Raises:
            Invalid: it is malformed, which comes before everything else.
        """
        if batch.numbering == "executor":
            _check_numbers(batch.raw)
            batch.encoded = _encode(batch, batch.attempt or 1)
        place = self._places.get(batch.execution_id)
        state = self._snapshots.known(batch.execution_id)
        if place is None or state is None or state.seq != place.head:
            return None
        try:
            _check_claim(place, batch)
            encoded = batch.encoded or _encode(batch, place.row.attempt, after=state)
            if encoded.events[0].seq != place.head + 1:
                return None
            return _next(place, batch, encoded, state)
        except RunroomError:
            return None  # what is known may be old

    def _appended(self, lane: deque[_Batch], step: _Step, appending: asyncio.Future[None]) -> None:
        batch = lane[0]
        try:
            appending.result()
            self._accept(batch, step)
        except (RunroomError, Moved) as error:
            log.debug("append again: execution=%s reason=%s", batch.execution_id, error)
            look = self._look(batch.execution_id, lane)
            self._own(asyncio.get_running_loop().create_task(look))
            return
        except Exception as error:
            _refuse(lane.popleft(), error)
        else:
            _answer(lane.popleft(), step.state.seq)
        self._go_on(batch.execution_id, lane)

    async def _look(self, execution_id: str, lane: deque[_Batch]) -> None:
        """Append the lane's first batch by what the store says."""
        try:
            head = await self._append(lane[0])
        except Exception as error:
            _refuse(lane.popleft(), error)
        else:
            _answer(lane.popleft(), head)
        self._go_on(execution_id, lane)

    async def _append(self, batch: _Batch) -> int:
        for _ in range(MAX_TRIES):
            row = await self._store.execution(batch.execution_id)
            try:
                return await self._append_to(_Place(row, row.head, row.numbering), batch)
            except Moved as moved:
                log.warning("append again: execution=%s reason=%s", batch.execution_id, moved)
        raise Unavailable("the execution's log and its head do not agree; try again later")

    async def _append_to(self, place: _Place, batch: _Batch) -> int:
        row = place.row
        _check_claim(place, batch)
        state = await self._snapshots.state(row)
        if state.seq != row.head:
            raise Moved(row.attempt, state.seq)
        encoded = batch.encoded or _encode(batch, row.attempt, after=state)
        repeated = sum(event.seq <= row.head for event in encoded.events)
        if repeated:
            await self._compare(row, encoded, repeated)
        if repeated == len(encoded.events):
            self._wake(row.id, row.head)
            self._written(row, batch.writer, state)
            return row.head
        step = _next(place, batch, encoded, state, after=repeated)
        await self._store.append(step.append)
        self._accept(batch, step)
        return step.state.seq

    def _accept(self, batch: _Batch, step: _Step) -> None:
        """The append is durable."""
        place, append, state = step
        self.appended += len(append.events)
        self._snapshots.advance(state)
        place.head, place.numbering = state.seq, append.numbering
        if state.terminal:
            self._places.pop(append.execution_id, None)
        else:
            self._places[append.execution_id] = place
        self._written(place.row, batch.writer, state)
        if self._snapshots.due(state):
            keep = self._snapshots.keep(state)
            self._own(asyncio.get_running_loop().create_task(keep))

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


def _check_claim(place: _Place, batch: _Batch) -> None:
    row = place.row
    if not batch.writer.may_hold(row):
        raise no_execution(batch.execution_id)
    attempt = row.attempt if batch.attempt is None else batch.attempt
    if attempt < row.attempt or (attempt and row.last_holder != batch.writer.holder):
        if attempt == row.attempt:
            raise Fenced(f"attempt {attempt} is not this executor's, or not any more")
        raise Fenced(f"attempt {attempt} is over; attempt {row.attempt} has begun")
    if attempt > row.attempt or attempt == 0:
        raise Invalid(f"attempt {attempt} has not begun; the newest is {row.attempt}")
    if place.numbering is not None and place.numbering != batch.numbering:
        numbers = {"executor": "with seq", "server": "without seq"}[place.numbering]
        raise Invalid(f"this attempt's events come {numbers}: its first write decided that")


def _answer(batch: _Batch, head: int) -> None:
    if not batch.answer.done():
        batch.answer.set_result(head)


def _refuse(batch: _Batch, error: Exception) -> None:
    if not isinstance(error, RunroomError):
        log.error("append failed: execution=%s", batch.execution_id, exc_info=error)
    if not batch.answer.done():
        batch.answer.set_exception(error)


def _next(
    place: _Place, batch: _Batch, encoded: _Encoded, state: ExecutionState, after: int = 0
) -> _Step:
    """The append of the batch's events but the first `after`, at the state's end."""
    events, stored = encoded.events, encoded.stored
    if after:
        events, stored = events[after:], stored[after:]
    if state.terminal:
        raise Sealed(f"the execution is {state.status}: its log is sealed")
    if events[0].seq != place.head + 1:
        raise Gap(f"seq {events[0].seq} does not follow the head, {place.head}", place.head)
    state = _folded(state, events, encoded)
    append = Append(
        execution_id=batch.execution_id,
        attempt=place.row.attempt,
        head=place.head,
        events=stored,
        numbering=batch.numbering,
        summary=summary_of(state),
        values=encoded.values,
    )
    return _Step(place, append, state)


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
