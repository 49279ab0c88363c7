"""The SQLite store beside a model of it, through any sequence of calls."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bff.stores.base import Append, Commit, Execution, Moved, StoredEvent, Summary
from bff.stores.sqlite import SqliteStore
from contract.errors import Conflict, NotFound, Sealed
from contract.states import EXECUTION_TERMINAL, ExecutionStatus
from tests.bff.stores.samples import appending, execution, time_at

T = TypeVar("T")
IDS = ("a", "b", "c", "d")
HOLDERS = ("x", "y")
OFFERS: tuple[frozenset[str], ...] = (frozenset(), frozenset({"gpu"}))


@dataclass
class Model:
    """What the store should hold."""

    executions: dict[str, Execution] = field(default_factory=dict)
    events: dict[str, list[StoredEvent]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    published: list[Commit] = field(default_factory=list)
    made: int = 0

    def ended(self, execution_id: str) -> bool:
        return self.executions[execution_id].summary.status in EXECUTION_TERMINAL

    def change(self, execution_id: str, **members: Any) -> Execution:
        changed = replace(self.executions[execution_id], **members)
        self.executions[execution_id] = changed
        return changed


class StoreMachine(RuleBasedStateMachine):
    """Each rule calls the store and says in the model what should have come of it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="runroom-"))
        self.runner = asyncio.Runner()
        self.model = Model()
        self.published: list[Commit] = []
        self.store: SqliteStore | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def open_store(self) -> SqliteStore:
        assert self.store is not None
        return self.store

    @initialize()
    def open(self) -> None:
        self.store = SqliteStore(self.folder / "runs.db")
        self.store.listen(self.published.append)
        self.run(self.store.__aenter__())

    @rule()
    def reopen(self) -> None:
        self.run(self.open_store.__aexit__(None, None, None))
        self.open()

    @rule(
        execution_id=st.sampled_from(IDS),
        priority=st.integers(0, 2),
        registered=st.booleans(),
        requires=st.sampled_from(OFFERS),
    )
    def create(
        self, execution_id: str, priority: int, registered: bool, requires: frozenset[str]
    ) -> None:
        made = execution(
            execution_id,
            created=self.model.made,
            priority=priority,
            registered=registered,
            requires=requires,
        )
        if execution_id in self.model.used:
            with pytest.raises(Conflict):
                self.run(self.open_store.create(made))
            return
        assert self.run(self.open_store.create(made)) == made
        self.model.made += 1
        self.model.used.add(execution_id)
        self.model.executions[execution_id] = made
        self.model.events[execution_id] = []

    @rule(
        execution_id=st.sampled_from(IDS),
        older=st.sampled_from((0, 0, 0, 0, 1, -1)),
        back=st.sampled_from((0, 0, 0, 0, 1, 3, -1)),
        sizes=st.lists(st.sampled_from((0, 10, 5_000)), min_size=1, max_size=5),
        status=st.sampled_from(ExecutionStatus),
        again=st.booleans(),
    )
    def append(
        self,
        *,
        execution_id: str,
        older: int,
        back: int,
        sizes: list[int],
        status: ExecutionStatus,
        again: bool,
    ) -> None:
        now = self.model.executions.get(execution_id)
        attempt = max(0, (now.attempt if now else 0) - older)
        head = max(0, (now.head if now else 0) - back)
        events = [
            StoredEvent(head + number, "log", b'"%d %s"' % (self.model.made, b"x" * size))
            for number, size in enumerate(sizes, 1)
        ]
        ended = status in EXECUTION_TERMINAL
        summary = Summary(
            status=status,
            progress=len(sizes),
            log_count=head,
            ended_at=time_at(head) if ended else None,
        )
        append = appending(execution_id, head, attempt=attempt, events=events, summary=summary)
        if now is None:
            with pytest.raises(NotFound):
                self.run(self._append(append))
            return
        if self.model.ended(execution_id):
            return  # the server asks nothing of a sealed log
        if (attempt, head) == (now.attempt, now.head):
            self.run(self._append(append))
            self.model.events[execution_id] += events
            self.model.published.append(Commit(execution_id, events))
            now = self.model.change(
                execution_id,
                head=head + len(events),
                numbering="executor",
                summary=summary,
                holder=None if ended else now.holder,
                cancelling=now.cancelling and not ended,
            )
            if not again:
                return
        with pytest.raises(Moved) as refusal:
            self.run(self._append(append))
        assert (refusal.value.attempt, refusal.value.head) == (now.attempt, now.head)

    async def _append(self, append: Append) -> None:
        await self.open_store.append(append)

    @rule(holder=st.sampled_from(HOLDERS), limit=st.integers(0, 3), offers=st.sampled_from(OFFERS))
    def claim(self, holder: str, limit: int, offers: frozenset[str]) -> None:
        free = [
            each
            for each in self.model.executions.values()
            if each.holder is None
            and not each.registered
            and each.requires <= offers
            and not self.model.ended(each.id)
        ]
        free.sort(key=lambda each: (-each.record.priority, each.record.created_at))
        expected = [
            self.model.change(
                each.id, attempt=each.attempt + 1, holder=holder, last_holder=holder, numbering=None
            )
            for each in free[:limit]
        ]
        claimed = self.run(self.open_store.claim(holder, tenant=None, limit=limit, offers=offers))
        assert claimed == expected

    @rule(execution_id=st.sampled_from(IDS), holder=st.sampled_from(HOLDERS), cancel=st.booleans())
    def take_or_cancel(self, execution_id: str, holder: str, cancel: bool) -> None:
        def call() -> Execution:
            if cancel:
                return self.run(self.open_store.request_cancel(execution_id))
            return self.run(self.open_store.take(execution_id, holder))

        now = self.model.executions.get(execution_id)
        if now is None:
            with pytest.raises(NotFound):
                call()
        elif self.model.ended(execution_id):
            with pytest.raises(Sealed):
                call()
        elif cancel:
            assert call() == self.model.change(execution_id, cancelling=True)
        else:
            taken = self.model.change(
                execution_id,
                attempt=now.attempt + 1,
                holder=holder,
                last_holder=holder,
                numbering=None,
            )
            assert call() == taken

    @rule(
        execution_id=st.sampled_from(IDS),
        older=st.sampled_from((0, 0, 1)),
        lost=st.booleans(),
        holder=st.sampled_from(HOLDERS),
        revive=st.booleans(),
        given_back=st.booleans(),
    )
    def free_or_revive(
        self,
        *,
        execution_id: str,
        older: int,
        lost: bool,
        holder: str,
        revive: bool,
        given_back: bool,
    ) -> None:
        now = self.model.executions.get(execution_id)
        attempt = (now.attempt if now else 1) - older
        newest = now is not None and attempt == now.attempt and attempt > 0
        if revive:
            expected = newest and now is not None and now.last_holder == holder
            if now is not None and expected and not self.model.ended(execution_id):
                count = now.lost if now.holder is not None else max(now.lost - 1, 0)
                self.model.change(execution_id, holder=holder, lost=count)
            answer = self.run(self.open_store.revive(execution_id, attempt, holder))
        else:
            expected = newest
            if newest and now is not None:
                count = int(lost and now.holder is not None)
                last = None if given_back else now.last_holder
                self.model.change(
                    execution_id, holder=None, lost=now.lost + count, last_holder=last
                )
            answer = self.run(
                self.open_store.free(execution_id, attempt, lost=lost, given_back=given_back)
            )
        assert answer is expected

    @rule(execution_id=st.sampled_from(IDS))
    def delete(self, execution_id: str) -> None:
        self.run(self.open_store.delete(execution_id))
        self.model.executions.pop(execution_id, None)
        self.model.events.pop(execution_id, None)

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        if self.store is None:
            return
        expected = sorted(self.model.executions.values(), key=lambda each: each.record.created_at)
        found, following = self.run(self.store.executions(tenant=None))
        assert (found, following) == (expected[::-1], None)
        heads = {each.id: each.head for each in expected}
        assert self.run(self.store.heads(IDS)) == heads
        for execution_id in IDS:
            events = self.model.events.get(execution_id, [])
            assert self.run(self.store.read(execution_id, 0)) == events
        assert self.published == self.model.published

    def teardown(self) -> None:
        if self.store is not None:
            self.run(self.store.__aexit__(None, None, None))
        self.runner.close()
        shutil.rmtree(self.folder)


TestStoreMachine = StoreMachine.TestCase
