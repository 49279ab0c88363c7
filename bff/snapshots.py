"""The fold of each execution at its head, kept in memory while it is of use.

A running execution is kept as it is folded; a finished one as compressed JSON, for an
hour unless settings say otherwise. Whatever was forgotten is folded again from the store.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

import orjson

from bff.stores.base import EventStore, Execution, StoredEvent
from contract.errors import RunroomError, Unavailable
from contract.events import AnyEvent, parse_event
from contract.execution import ExecutionState, fold, initial
from contract.states import EXECUTION_TERMINAL

log = logging.getLogger("bff.snapshots")

SNAPSHOT_EVERY = 2_000
"""Events after which a snapshot is kept in the store, so that a load folds no more."""
MAX_LOADS = 8
"""How often a load that was shared may turn out to be too old for one who waited."""
MAX_RUNNING = 10_000
FINISHED_BYTES = 64 * 1024 * 1024
"""All finished executions in memory together."""


def decode(event: StoredEvent) -> AnyEvent:
    """A stored event as the contract has it."""
    return parse_event({"type": event.type, **orjson.loads(event.payload)})


class _Finished:
    """Finished executions, compressed, each until its time is up or others need the room."""

    def __init__(self, keep_seconds: float) -> None:
        self._keep = keep_seconds
        self._states: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._states)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._states

    def put(self, state: ExecutionState, present: float) -> None:
        self.drop(state.execution_id)
        packed = zlib.compress(state.model_dump_json(by_alias=True).encode(), 1)
        self._states[state.execution_id] = (present + self._keep, packed)
        self.size += len(packed)
        self.expire(present)

    def get(self, execution_id: str) -> ExecutionState | None:
        found = self.json(execution_id)
        return None if found is None else ExecutionState.model_validate_json(found)

    def json(self, execution_id: str) -> bytes | None:
        found = self._states.get(execution_id)
        return None if found is None else zlib.decompress(found[1])

    def drop(self, execution_id: str) -> None:
        found = self._states.pop(execution_id, None)
        if found is not None:
            self.size -= len(found[1])

    def expire(self, present: float) -> None:
        while self._states:
            execution_id, (until, _) = next(iter(self._states.items()))
            if until > present and self.size <= FINISHED_BYTES:
                return
            self.drop(execution_id)


class Snapshots:
    """States by execution; a cache that may forget everything at any time."""

    def __init__(self, store: EventStore, *, evict_seconds: float) -> None:
        """
        Args:
            evict_seconds: how long a finished execution stays in memory.
        """
        self._store = store
        self._running: OrderedDict[str, ExecutionState] = OrderedDict()
        self._finished = _Finished(evict_seconds)
        self._encoded: dict[str, bytes] = {}  # of running ones, until they move on
        self._kept: dict[str, int] = {}
        self._loading: dict[str, asyncio.Task[ExecutionState]] = {}

    def known(self, execution_id: str) -> ExecutionState | None:
        """The state of a running execution, if it is in memory."""
        return self._running.get(execution_id)

    async def state(self, execution: Execution) -> ExecutionState:
        """The state at the execution's head or beyond; `executor` is not filled in.

        Raises:
            Unavailable: the store cannot be read.
        """
        while True:
            state = self._known(execution.id)
            if state is not None and state.seq >= execution.head:
                return state
            loading = self._loading.get(execution.id)
            mine = loading is None
            # one that is done is too old, and awaiting it again would not even yield
            if loading is None or loading.done():
                loading = asyncio.create_task(self._load(execution, state))
                self._loading[execution.id] = loading
                loading.add_done_callback(partial(self._loaded, execution.id))
            # shared by all who wait; one that goes away does not stop it for the others
            loaded = await asyncio.shield(loading)
            if loaded.seq >= execution.head:
                return loaded
            # somebody else's may be for an older row, and so may the next one
            if mine:
                raise Unavailable("the execution's log is shorter than its head; try again later")

    def _loaded(self, execution_id: str, loading: asyncio.Task[ExecutionState]) -> None:
        if self._loading.get(execution_id) is loading:
            del self._loading[execution_id]

    async def encoded(self, execution: Execution) -> tuple[int, bytes]:
        """The seq and the JSON of `state`: made once for all who ask before it moves on.

        Raises:
            Unavailable: the store cannot be read.
        """
        if execution.summary.status in EXECUTION_TERMINAL:
            known = self._finished.json(execution.id)
            if known is not None:  # packed as JSON already
                return execution.head, known
        state = await self.state(execution)
        data = self._encoded.get(execution.id)
        if data is None or self._running.get(execution.id) is not state:
            data = state.model_dump_json(by_alias=True).encode()
            if self._running.get(execution.id) is state:
                self._encoded[execution.id] = data
        return state.seq, data

    def advance(self, state: ExecutionState) -> None:
        """Keep the state that an append has just made durable."""
        present = asyncio.get_running_loop().time()
        if state.terminal:
            self._running.pop(state.execution_id, None)
            self._encoded.pop(state.execution_id, None)
            self._finished.put(state, present)
            return
        if state.execution_id in self._finished:
            return  # a load that began before the end
        known = self._running.get(state.execution_id)
        if known is None or known.seq <= state.seq:
            self._running[state.execution_id] = state
            self._encoded.pop(state.execution_id, None)
            self._running.move_to_end(state.execution_id)
        if len(self._running) > MAX_RUNNING:
            self.forget(next(iter(self._running)))
        self._finished.expire(present)

    def forget(self, execution_id: str) -> None:
        """Drop what is kept of an execution."""
        self._running.pop(execution_id, None)
        self._encoded.pop(execution_id, None)
        self._finished.drop(execution_id)
        self._kept.pop(execution_id, None)

    def due(self, state: ExecutionState) -> bool:
        """Whether the state has ended, or moved far from the one saved last."""
        last = self._kept.get(state.execution_id, 0)
        return state.terminal or state.seq - last >= SNAPSHOT_EVERY

    async def keep(self, state: ExecutionState) -> None:
        """Save the state in the store."""
        if state.terminal:
            self._kept.pop(state.execution_id, None)
        else:
            self._kept[state.execution_id] = state.seq
        try:
            data = state.model_dump_json(by_alias=True).encode()
            await self._store.save_snapshot(state.execution_id, state.seq, data)
        except RunroomError as error:
            log.warning("snapshot not kept: execution=%s reason=%s", state.execution_id, error)

    def _known(self, execution_id: str) -> ExecutionState | None:
        return self._running.get(execution_id) or self._finished.get(execution_id)

    async def _load(self, execution: Execution, state: ExecutionState | None) -> ExecutionState:
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
        return state

    @staticmethod
    async def _fold(state: ExecutionState, page: Sequence[StoredEvent]) -> ExecutionState:
        state = fold(state, map(decode, page))
        await asyncio.sleep(0)  # a long log must not hold up everybody else
        return state
