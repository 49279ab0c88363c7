"""What every event store must do: subclass `StoreContract` and say how one is made."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bff.stores.base import Commit, EventStore, LogFilter, Moved, StoredEvent, Summary
from contract.errors import Conflict, InvalidRequest, NotFound, Sealed
from contract.states import ExecutionStatus
from tests.bff.stores.samples import (
    COMPLETED,
    RUNNING,
    appending,
    execution,
    log,
    made,
    some,
    time_at,
    workflow,
)


class Clock:
    """The wall clock of a test, in seconds since 1970."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class StoreFixtures:
    """An open store for each test."""

    @abstractmethod
    def make(self, folder: Path, clock: Clock) -> EventStore:
        """A store that is not open yet, with nothing in it."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    async def store(self, tmp_path: Path, clock: Clock) -> AsyncIterator[EventStore]:
        async with self.make(tmp_path, clock) as store:
            yield store


class EventsContract(StoreFixtures):
    """Appends, reads and listeners."""

    async def test_events_are_read_as_they_were_appended(self, store: EventStore) -> None:
        await made(store, "a", "b")
        events = [
            log("a", 1, "Grüße, 世界\n\t,|\0"),
            some(2, "nodeStatus"),
            some(3, "result", 3_000),
            StoredEvent(4, "error", b"{}"),
        ]
        await store.append(appending("a", 0, events=events[:1]))
        await store.append(appending("a", 1, events=events[1:]))
        assert await store.read("a", 0) == events
        assert await store.read("a", 3) == events[3:]
        assert await store.read("a", 4) == []
        assert await store.read("a", 10**12) == []
        assert await store.read("b", 0) == []
        assert await store.read("nobody", 0) == []
        assert await store.heads(["a", "b", "nobody"]) == {"a": 4, "b": 0}
        assert await store.heads([]) == {}

    async def test_an_append_moves_head_numbering_and_summary(self, store: EventStore) -> None:
        await made(store, "a")
        await store.append(appending("a", 0, 2))
        found = await store.execution("a")
        assert (found.head, found.numbering, found.summary) == (2, "executor", RUNNING)
        later = Summary(
            status=ExecutionStatus.RUNNING,
            progress=40,
            started_at=RUNNING.started_at,
            error="why",
            log_count=7,
        )
        await store.append(appending("a", 2, 1, summary=later))
        assert (await store.execution("a")).summary == later

    @pytest.mark.parametrize(("attempt", "head"), [(0, 0), (0, 1), (0, 3), (1, 2), (7, 9)])
    async def test_an_append_from_elsewhere_is_refused(
        self, store: EventStore, attempt: int, head: int
    ) -> None:
        await made(store, "a")
        await store.append(appending("a", 0, 2))
        before = await store.execution("a")
        with pytest.raises(Moved) as refusal:
            await store.append(
                appending("a", head, attempt=attempt, summary=COMPLETED, values={"result": b"1"})
            )
        assert (refusal.value.attempt, refusal.value.head) == (0, 2)
        assert await store.execution("a") == before
        assert len(await store.read("a", 0)) == 2
        assert await store.value("a", "result") is None

    async def test_an_append_to_no_execution_is_refused(self, store: EventStore) -> None:
        with pytest.raises(NotFound):
            await store.append(appending("nobody", 0))

    async def test_events_that_do_not_continue_the_head_are_a_fault(
        self, store: EventStore
    ) -> None:
        await made(store, "a")
        for events in ([some(2)], [some(1), some(3)], [some(1), some(1)], [some(0)]):
            with pytest.raises(ValueError, match="stands where"):
                await store.append(appending("a", 0, events=events))
        assert await store.heads(["a"]) == {"a": 0}

    async def test_of_racing_appends_exactly_one_wins(self, store: EventStore) -> None:
        await made(store, "a")
        mine = [[StoredEvent(1, "log", b"[%d]" % number)] for number in range(50)]
        outcomes = await asyncio.gather(
            *(store.append(appending("a", 0, events=events)) for events in mine),
            return_exceptions=True,
        )
        won = [number for number, outcome in enumerate(outcomes) if outcome is None]
        moved = [outcome for outcome in outcomes if isinstance(outcome, Moved)]
        assert len(won) == 1
        assert {(refusal.attempt, refusal.head) for refusal in moved} == {(0, 1)}
        assert len(moved) == 49
        assert await store.read("a", 0) == mine[won[0]]

    async def test_a_refusal_touches_no_append_beside_it(self, store: EventStore) -> None:
        ids = [f"e{number}" for number in range(30)]
        await made(store, *ids)

        async def feed(execution_id: str) -> None:
            for head in range(0, 20, 2):
                await store.append(appending(execution_id, head, 2))

        async def disturb(execution_id: str) -> None:
            for _ in range(10):
                with pytest.raises(Moved):
                    await store.append(appending(execution_id, 1_000, 3))
                with pytest.raises(NotFound):
                    await store.take("nobody", "x")
                with pytest.raises(Conflict):
                    await store.create(execution(execution_id))

        await asyncio.gather(*(work(each) for each in ids for work in (feed, disturb)))
        assert await store.heads(ids) == dict.fromkeys(ids, 20)
        for each in ids:
            assert await store.read(each, 0) == [log(each, seq) for seq in range(1, 21)]

    async def test_a_page_is_bounded_in_events_and_bytes(self, store: EventStore) -> None:
        await made(store, "a", "b")
        events = [some(seq, "log", 5_000 if seq % 7 == 0 else 50) for seq in range(1, 301)]
        await store.append(appending("a", 0, events=events))
        await store.append(appending("b", 0, events=[some(1)]))
        assert await store.read("a", 0, limit=10) == events[:10]
        assert await store.read("a", 295, limit=10) == events[295:]
        for limit, max_bytes in ((1_000, 400), (3, 10_000), (1_000, 1), (64, 20_000)):
            seen: list[StoredEvent] = []
            while page := await store.read("a", len(seen), limit=limit, max_bytes=max_bytes):
                assert len(page) <= limit
                assert sum(len(event.payload) for event in page[:-1]) <= max_bytes
                seen += page
            assert seen == events

    async def test_a_page_may_hold_some_types_alone(self, store: EventStore) -> None:
        await made(store, "a")
        kinds = ["status", "log", "nodeStatus", "log", "progress", "log", "result"]
        events = [some(seq, kind) for seq, kind in enumerate(kinds, 1)]
        await store.append(appending("a", 0, events=events))
        chosen = await store.read("a", 1, types={"log", "result"}, limit=3)
        assert chosen == [events[1], events[3], events[5]]
        assert await store.read("a", 6, types=["log"]) == []
        assert await store.read("a", 0, types=[]) == []

    async def test_large_values_are_kept_whole(self, store: EventStore) -> None:
        large = b'"' + b"x" * 900_000 + b'"'
        await store.create(execution("a"), values={"input": b"[1]"})
        await store.append(appending("a", 0, values={"nodes/n:1/output": large, "result": b"1"}))
        await store.append(appending("a", 1, values={"result": b"2"}))
        assert await store.value("a", "input") == b"[1]"
        assert await store.value("a", "nodes/n:1/output") == large
        assert await store.value("a", "result") == b"2"
        assert await store.value("a", "nodes/other/output") is None
        assert await store.value("nobody", "input") is None

    async def test_logs_are_filtered_in_the_database(self, store: EventStore) -> None:
        await made(store, "a", "b")
        events = [
            log("a", 1, "Reading 100% of the file", level="info", node_id="read"),
            log("a", 2, "DÉJÀ VU", level="warning", node_id="read"),
            some(3, "nodeStatus"),
            log("a", 4, "snake_case failed", level="error", node_id="write"),
            log("a", 5, "snakeXcase: déjà", level="info"),
            log("a", 6, "ΣΊΣΥΦΟΣ Straße", level="info", node_id="write"),
            log("a", 7, "reading 1000 lines", level="warning", node_id="a.b"),
        ]
        await store.append(appending("a", 0, events=events))
        await store.append(appending("b", 0, events=[log("b", 1, "reading")]))

        async def seqs(after: int = 0, limit: int = 100, **members: object) -> list[int]:
            chosen = LogFilter(**members)  # type: ignore[arg-type]
            found = await store.read_logs("a", chosen, after=after, limit=limit)
            assert found == [events[event.seq - 1] for event in found]
            return [event.seq for event in found]

        assert await seqs() == [1, 2, 4, 5, 6, 7]
        assert await seqs(after=4) == [5, 6, 7]
        assert await seqs(limit=2) == [1, 2]
        assert await seqs(after=2, limit=2) == [4, 5]
        assert await seqs(levels=frozenset({"error", "warning"})) == [2, 4, 7]
        assert await seqs(levels=frozenset()) == []
        assert await seqs(node_id="read") == [1, 2]
        assert await seqs(node_id="a.b") == [7]
        assert await seqs(node_id="a%") == []
        assert await seqs(text="READING") == [1, 7]
        assert await seqs(text="100%") == [1]
        assert await seqs(text="e_c") == [4]
        assert await seqs(text="déjà") == [2, 5]
        assert await seqs(text="Déjà", levels=frozenset({"warning"})) == [2]
        assert await seqs(text="σίσυφοσ") == [6]
        assert await seqs(text="STRASSE") == [6]
        assert await seqs(text="") == [1, 2, 4, 5, 6, 7]
        assert await seqs(text="reading", node_id="read", after=1) == []
        assert await store.read_logs("nobody", LogFilter()) == []

    async def test_commits_are_published_in_order_before_the_append_returns(
        self, store: EventStore
    ) -> None:
        ids = [f"e{number}" for number in range(10)]
        await made(store, *ids)
        published: list[Commit] = []
        store.listen(published.append)

        async def feed(execution_id: str) -> None:
            for head in range(0, 30, 3):
                await store.append(appending(execution_id, head, 3))
                assert any(
                    commit.execution_id == execution_id and commit.events[-1].seq == head + 3
                    for commit in published
                )
                with pytest.raises(Moved):
                    await store.append(appending(execution_id, head))

        await asyncio.gather(*(feed(each) for each in ids))
        assert len(published) == 100
        for each in ids:
            shown = [
                event
                for commit in published
                if commit.execution_id == each
                for event in commit.events
            ]
            assert shown == await store.read(each, 0)

    async def test_a_cancelled_append_is_stored_and_published(self, store: EventStore) -> None:
        await made(store, "a", "b")
        published: list[str] = []
        shown = asyncio.Event()

        def note(commit: Commit) -> None:
            published.append(commit.execution_id)
            if commit.execution_id == "a":
                shown.set()

        store.listen(note)
        gone = store.append(appending("a", 0))
        await asyncio.sleep(0)
        gone.cancel()
        await store.append(appending("b", 0))
        with pytest.raises(asyncio.CancelledError):
            await gone
        await shown.wait()
        assert sorted(published) == ["a", "b"]
        assert await store.heads(["a"]) == {"a": 1}

    async def test_a_listener_that_fails_keeps_nothing_from_the_others(
        self, store: EventStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        await made(store, "a")
        published: list[Commit] = []

        def fail(_: Commit) -> None:
            raise RuntimeError("on purpose")

        store.listen(fail)
        store.listen(published.append)
        await store.append(appending("a", 0))
        assert [commit.execution_id for commit in published] == ["a"]
        assert "on purpose" in caplog.text

    async def test_a_snapshot_is_replaced_by_later_ones_alone(self, store: EventStore) -> None:
        await made(store, "a", "b")
        assert await store.load_snapshot("a") is None
        await store.save_snapshot("a", 5, b"five")
        await store.save_snapshot("a", 3, b"three")
        assert await store.load_snapshot("a") == (5, b"five")
        await store.save_snapshot("a", 8, b"eight")
        await store.save_snapshot("nobody", 1, b"x")
        assert await store.load_snapshot("a") == (8, b"eight")
        assert await store.load_snapshot("b") is None
        assert await store.load_snapshot("nobody") is None

    async def test_the_store_says_that_it_works(self, store: EventStore) -> None:
        await store.check()


class ExecutionsContract(StoreFixtures):
    """Executions made, listed, claimed and deleted; workflows."""

    async def test_an_execution_is_found_as_it_was_made(self, store: EventStore) -> None:
        one = execution("a", priority=3, requires=frozenset({"gpu", "é"}))
        two = execution(
            "b", attempt=1, holder="x", registered=True, numbering="server", summary=RUNNING
        )
        assert await store.create(one) == one
        assert await store.create(two) == two
        assert await store.execution("a") == one
        assert await store.execution("b") == two
        with pytest.raises(NotFound):
            await store.execution("c")

    async def test_an_id_is_used_once(self, store: EventStore) -> None:
        await made(store, "a", "b")
        await store.append(appending("a", 0, 3, values={"result": b"1"}))
        await store.save_snapshot("a", 3, b"{}")
        with pytest.raises(Conflict):
            await store.create(execution("a"))
        await store.delete("a")
        await store.delete("a")
        await store.delete("nobody")
        with pytest.raises(Conflict):
            await store.create(execution("a"))
        with pytest.raises(NotFound):
            await store.execution("a")
        with pytest.raises(NotFound):
            await store.append(appending("a", 3))
        await store.save_snapshot("a", 4, b"{}")
        assert await store.read("a", 0) == []
        assert await store.value("a", "result") is None
        assert await store.load_snapshot("a") is None
        assert await store.heads(["a", "b"]) == {"b": 0}
        assert [each.id for each in await store.unfinished()] == ["b"]
        await store.create(execution("nobody"))

    async def test_a_long_execution_is_deleted_beside_appends(self, store: EventStore) -> None:
        await made(store, "a", "b")
        events = [some(seq) for seq in range(1, 5_001)]
        await store.append(appending("a", 0, events=events))
        await store.append(appending("b", 0, events=[some(1)]))

        async def feed() -> None:
            for head in range(1, 40):
                await store.append(appending("b", head, events=[some(head + 1)]))

        await asyncio.gather(store.delete("a"), feed())
        assert await store.read("a", 0) == []
        assert [event.seq for event in await store.read("b", 0)] == list(range(1, 41))

    async def test_an_idempotency_key_gives_the_first_execution_for_a_day(
        self, store: EventStore, clock: Clock
    ) -> None:
        first = await store.create(execution("a"), idempotency_key="k")
        await store.append(appending("a", 0))
        again = await store.create(
            execution("b"), idempotency_key="k", values={"input": b"not kept"}
        )
        assert (again.id, again.head, again.record) == ("a", 1, first.record)
        assert await store.value("a", "input") is None
        with pytest.raises(NotFound):
            await store.execution("b")
        other = await store.create(execution("c", tenant="other"), idempotency_key="k")
        assert other.id == "c"
        clock.now += 24 * 3600 - 1
        assert (await store.create(execution("d"), idempotency_key="k")).id == "a"
        clock.now += 2
        assert (await store.create(execution("e"), idempotency_key="k")).id == "e"
        assert (await store.create(execution("f"), idempotency_key="k")).id == "e"
        await store.delete("e")
        assert (await store.create(execution("g"), idempotency_key="k")).id == "g"

    async def test_one_key_at_once_makes_one_execution(self, store: EventStore) -> None:
        ids = [f"e{number}" for number in range(20)]
        made_ones = await asyncio.gather(
            *(store.create(execution(each), idempotency_key="k") for each in ids)
        )
        assert len({each.id for each in made_ones}) == 1
        assert len(await store.unfinished()) == 1

    async def test_pages_of_executions_stand_still_while_new_ones_come(
        self, store: EventStore
    ) -> None:
        for number in range(9):
            await store.create(execution(f"e{number}", created=number // 3))
        first, cursor = await store.executions(tenant=None, limit=4)
        assert [each.id for each in first] == ["e8", "e7", "e6", "e5"]
        await store.create(execution("new", created=50))
        await store.delete("e5")
        await store.delete("e4")
        second, cursor = await store.executions(tenant=None, limit=3, cursor=cursor)
        assert [each.id for each in second] == ["e3", "e2", "e1"]
        third, cursor = await store.executions(tenant=None, limit=3, cursor=cursor)
        assert ([each.id for each in third], cursor) == (["e0"], None)
        last, cursor = await store.executions(tenant=None, limit=8)
        assert (last[0].id, len(last), cursor) == ("new", 8, None)

    async def test_executions_are_listed_by_what_they_are(self, store: EventStore) -> None:
        await store.create(execution("a", created=1))
        await store.create(execution("b", created=2, owner="bob", tenant="other"))
        await store.create(execution("c", created=3, workflow_id="w2"))
        await store.create(execution("d", created=4, owner="bob"))
        await store.append(appending("d", 0, summary=COMPLETED))

        async def ids(tenant: str | None = None, **members: object) -> list[str]:
            found, following = await store.executions(tenant=tenant, **members)  # type: ignore[arg-type]
            assert following is None
            return [each.id for each in found]

        assert await ids() == ["d", "c", "b", "a"]
        assert await ids("default") == ["d", "c", "a"]
        assert await ids("default", owner="bob") == ["d"]
        assert await ids(owner="bob") == ["d", "b"]
        assert await ids("default", status=ExecutionStatus.PENDING) == ["c", "a"]
        assert await ids(status=ExecutionStatus.COMPLETED) == ["d"]
        assert await ids("default", workflow_id="w2") == ["c"]
        assert await ids("nobody") == []
        assert await store.counts(tenant=None) == {"pending": 3, "completed": 1}
        assert await store.counts(tenant="other") == {"pending": 1}
        assert await store.counts(tenant="nobody") == {}
        assert [each.id for each in await store.unfinished()] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        "cursor", ["", "x", "é", "🎈", "bnVsbA==", "WzEsMl0=", "WyJhIiwidHJ1ZSJd", "W" * 5_000]
    )
    async def test_a_cursor_from_elsewhere_is_refused(self, store: EventStore, cursor: str) -> None:
        await made(store, "a")
        with pytest.raises(InvalidRequest, match="cursor"):
            await store.executions(tenant=None, cursor=cursor)

    async def test_ended_executions_expire_oldest_first(self, store: EventStore) -> None:
        for number in range(5):
            await store.create(execution(f"e{number}"))
        for number, each in enumerate(("e3", "e1", "e4")):
            summary = Summary(status=ExecutionStatus.FAILED, ended_at=time_at(100 + number))
            await store.append(appending(each, 0, summary=summary))
        assert await store.expired(time_at(102)) == ["e3", "e1"]
        assert await store.expired(time_at(200), limit=1) == ["e3"]
        assert await store.expired(time_at(100)) == []

    async def test_claims_go_by_priority_and_age(self, store: EventStore) -> None:
        await store.create(execution("late", created=9))
        await store.create(execution("early", created=1))
        await store.create(execution("urgent", created=5, priority=9))
        await store.create(execution("outside", registered=True))
        await store.create(execution("ended"))
        await store.append(appending("ended", 0, summary=COMPLETED))
        first = await store.claim("x", tenant=None, limit=2)
        assert [each.id for each in first] == ["urgent", "early"]
        assert [(each.attempt, each.holder, each.numbering) for each in first] == [
            (1, "x", None)
        ] * 2
        assert first == [await store.execution("urgent"), await store.execution("early")]
        assert [each.id for each in await store.claim("y", tenant=None, limit=5)] == ["late"]
        assert await store.claim("y", tenant=None, limit=5) == []

    async def test_claims_are_for_what_the_executor_offers(self, store: EventStore) -> None:
        await store.create(execution("plain", created=3))
        await store.create(execution("gpu", created=1, requires=frozenset({"gpu"})))
        await store.create(execution("both", created=2, requires=frozenset({"gpu", "dask"})))

        async def ids(*offers: str, limit: int = 5) -> list[str]:
            found = await store.claim("x", tenant=None, limit=limit, offers=frozenset(offers))
            return [each.id for each in found]

        assert await ids("dask", limit=1) == ["plain"]
        assert await ids("dask") == []
        assert await ids("gpu", "else") == ["gpu"]
        assert await ids("dask", "gpu") == ["both"]

    async def test_claims_stay_in_their_tenant(self, store: EventStore) -> None:
        await store.create(execution("a", tenant="one"))
        await store.create(execution("b", tenant="two", created=1))
        assert [each.id for each in await store.claim("x", tenant="two", limit=5)] == ["b"]
        assert await store.claim("x", tenant="two", limit=5) == []
        assert [each.id for each in await store.claim("x", tenant=None, limit=5)] == ["a"]

    async def test_no_two_claims_get_the_same(self, store: EventStore) -> None:
        await made(store, *(f"e{number}" for number in range(40)))
        found = await asyncio.gather(
            *(store.claim(f"x{number}", tenant=None, limit=3) for number in range(20))
        )
        ids = [each.id for claimed in found for each in claimed]
        assert sorted(ids) == sorted(f"e{number}" for number in range(40))

    async def test_a_claim_fences_the_one_before_it(self, store: EventStore) -> None:
        await made(store, "a")
        await store.claim("x", tenant=None, limit=1)
        await store.append(appending("a", 0, 2, attempt=1))
        taken = await store.take("a", "server")
        assert (taken.attempt, taken.holder, taken.head, taken.numbering) == (2, "server", 2, None)
        with pytest.raises(Moved) as refusal:
            await store.append(appending("a", 2, attempt=1))
        assert (refusal.value.attempt, refusal.value.head) == (2, 2)
        assert not await store.free("a", 1, lost=True)
        assert not await store.revive("a", 1, "x")
        assert await store.execution("a") == taken
        await store.append(appending("a", 2, attempt=2))

    async def test_a_freed_execution_is_claimed_again(self, store: EventStore) -> None:
        await made(store, "a")
        assert not await store.free("a", 0, lost=True)
        await store.claim("x", tenant=None, limit=1)
        assert await store.free("a", 1, lost=False)
        freed = await store.execution("a")
        assert (freed.holder, freed.attempt, freed.lost) == (None, 1, 0)
        assert await store.revive("a", 1, "x")
        assert await store.claim("y", tenant=None, limit=1) == []
        assert await store.free("a", 1, lost=True)
        assert await store.free("a", 1, lost=True)
        again = (await store.claim("y", tenant=None, limit=1))[0]
        assert (again.holder, again.attempt, again.lost) == ("y", 2, 1)
        assert not await store.revive("a", 2, "x")
        assert await store.revive("a", 2, "y")
        assert await store.execution("a") == again
        assert await store.free("a", 2, lost=True)
        assert (await store.execution("a")).lost == 2
        assert await store.revive("a", 2, "y")
        assert (await store.execution("a")).lost == 1, "it was not lost after all"
        assert await store.free("a", 2, lost=False, given_back=True)
        assert not await store.revive("a", 2, "y"), "it wants no more of it"
        assert not await store.free("nobody", 1, lost=True)
        assert not await store.revive("nobody", 1, "x")

    async def test_nobody_holds_what_has_ended(self, store: EventStore) -> None:
        await made(store, "a")
        await store.claim("x", tenant=None, limit=1)
        await store.request_cancel("a")
        await store.append(appending("a", 0, attempt=1, summary=COMPLETED))
        ended = await store.execution("a")
        assert (ended.holder, ended.cancelling, ended.attempt) == (None, False, 1)
        # its executor may still be resending; nobody else took it
        assert await store.revive("a", 1, "x")
        assert await store.free("a", 1, lost=True)
        assert await store.execution("a") == ended
        with pytest.raises(Sealed):
            await store.take("a", "server")
        with pytest.raises(Sealed):
            await store.request_cancel("a")

    async def test_a_cancel_is_noted_for_whoever_claims(self, store: EventStore) -> None:
        await made(store, "a")
        noted = await store.request_cancel("a")
        assert noted.cancelling
        assert await store.request_cancel("a") == noted
        assert (await store.claim("x", tenant=None, limit=1))[0].cancelling
        with pytest.raises(NotFound):
            await store.request_cancel("nobody")
        with pytest.raises(NotFound):
            await store.take("nobody", "x")

    async def test_workflows_are_kept_replaced_and_deleted(self, store: EventStore) -> None:
        one, two = workflow("w1", created=1), workflow("w2", created=2, tenant="other")
        await store.put_workflow(two)
        await store.put_workflow(one)
        assert await store.workflow("w1") == one
        assert await store.workflows(tenant=None) == [two, one]
        assert await store.workflows(tenant="default") == [one]
        newer = workflow("w1", created=7)
        await store.put_workflow(newer)
        assert await store.workflows(tenant=None) == [newer, two]
        await store.delete_workflow("w1")
        assert await store.workflows(tenant="default") == []
        for gone in (store.workflow("w1"), store.delete_workflow("w1")):
            with pytest.raises(NotFound):
                await gone


class StoreContract(EventsContract, ExecutionsContract):
    """Everything."""
