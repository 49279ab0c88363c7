"""The fold of each execution at its head, kept in memory while it is of use."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

import orjson

from bff.stores.base import EventStore, Execution, StoredEvent
from contract.errors import RunroomError
from contract.events import AnyEvent, parse_event
from contract.execution import ExecutionState, fold, initial

log = logging.getLogger("bff.snapshots")

SNAPSHOT_EVERY = 2_000
"""Events after which a snapshot is kept in the store, so that a load folds no more."""
MAX_STATES = 10_000


def decode(event: StoredEvent) -> AnyEvent:
    """A stored event as the contract has it."""
    return parse_event({"type": event.type, **orjson.loads(event.payload)})


class Snapshots:
    """States by execution; a cache that may forget everything at any time."""

    def __init__(self, store: EventStore, *, evict_seconds: float) -> None:
        """
        Args:
            evict_seconds: how long a finished execution stays in memory unread.
        """
        self._store = store
        self._evict = evict_seconds
        self._states: OrderedDict[str, ExecutionState] = OrderedDict()
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._kept: dict[str, int] = {}
        self._loading: dict[str, asyncio.Lock] = {}

    async def state(self, execution: Execution) -> ExecutionState:
        """The state at the execution's head or beyond; `executor` is not filled in.

        Raises:
            Unavailable: the store cannot be read.
        """
        state = self._states.get(execution.id)
        if state is None or state.seq < execution.head:
            lock = self._loading.setdefault(execution.id, asyncio.Lock())
            try:
                async with lock:
                    state = await self._load(execution)
            finally:
                if not lock.locked():
                    self._loading.pop(execution.id, None)
        self._touch(state)
        return state

    def advance(self, state: ExecutionState) -> None:
        """Keep the state that an append has just made durable."""
        known = self._states.get(state.execution_id)
        if known is None or known.seq <= state.seq:
            self._states[state.execution_id] = state
            self._touch(state)

    def forget(self, execution_id: str) -> None:
        """Drop what is kept of an execution."""
        self._states.pop(execution_id, None)
        self._ended.pop(execution_id, None)
        self._kept.pop(execution_id, None)

    def due(self, state: ExecutionState) -> bool:
        """Whether the state has ended, or moved far from the one saved last."""
        last = self._kept.get(state.execution_id, 0)
        return state.seq - last >= SNAPSHOT_EVERY or (state.terminal and state.seq > last)

    async def keep(self, state: ExecutionState) -> None:
        """Save the state in the store."""
        self._kept[state.execution_id] = state.seq
        try:
            data = state.model_dump_json(by_alias=True).encode()
            await self._store.save_snapshot(state.execution_id, state.seq, data)
        except RunroomError as error:
            log.warning("snapshot not kept: execution=%s reason=%s", state.execution_id, error)

    async def _load(self, execution: Execution) -> ExecutionState:
        state = self._states.get(execution.id)
        if state is None:
            saved = await self._store.load_snapshot(execution.id)
            if saved is not None:
                state = ExecutionState.model_validate_json(saved[1])
            else:
                state = initial(execution.record)
        while state.seq < execution.head:
            page = await self._store.read(execution.id, state.seq)
            if not page:
                break
            state = await self._fold(state, page)
        self.advance(state)
        return self._states[execution.id]

    @staticmethod
    async def _fold(state: ExecutionState, page: Sequence[StoredEvent]) -> ExecutionState:
        state = fold(state, map(decode, page))
        await asyncio.sleep(0)  # a long log must not hold up everybody else
        return state

    def _touch(self, state: ExecutionState) -> None:
        execution_id = state.execution_id
        self._states.move_to_end(execution_id)
        now = asyncio.get_running_loop().time()
        if state.terminal:
            self._ended[execution_id] = now
            self._ended.move_to_end(execution_id)
        while self._ended and now - next(iter(self._ended.values())) > self._evict:
            self.forget(next(iter(self._ended)))
        while len(self._states) > MAX_STATES:
            self.forget(next(iter(self._states)))
