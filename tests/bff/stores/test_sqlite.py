"""The SQLite store: the contract, and what is its own — one process, trouble, migrations."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bff.stores.base import Moved, StoredEvent
from bff.stores.sqlite import CannotOpen, NewerSchema, SqliteStore, StoreInUse, schema
from bff.stores.sqlite.transaction import Transaction
from contract.errors import Conflict, NotFound, Unavailable
from tests.bff.stores.contract import Clock, StoreContract
from tests.bff.stores.samples import appending, execution, log, made, some
from tests.support.disk import no_file_longer_than

OPEN = """
import asyncio, sys
from bff.stores.sqlite import SqliteStore, StoreInUse
async def main():
    try:
        async with SqliteStore(sys.argv[1]):
            print("opened")
    except StoreInUse as error:
        print(error.pid, error)
asyncio.run(main())
"""


class TestSqliteStore(StoreContract):
    def make(self, folder: Path, clock: Clock) -> SqliteStore:
        return SqliteStore(folder / "new folder" / "runs#1?.db", clock=clock)


@contextlib.asynccontextmanager
async def held(store: SqliteStore, pragma: str = "SELECT 1") -> AsyncIterator[None]:
    """Hold the writer, so that what is asked of it meanwhile becomes one group."""
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(transaction: Transaction) -> None:
        transaction.run(pragma)
        loop.call_soon_threadsafe(begun.set)
        go_on.wait()

    holding = store._writer.write(hold)
    await begun.wait()
    try:
        yield
    finally:
        go_on.set()
    await holding


async def together(
    store: SqliteStore, *calls: Callable[[], Awaitable[object]], pragma: str = "SELECT 1"
) -> Any:
    """The outcomes of calls that share one commit."""
    async with held(store, pragma):
        tasks = [asyncio.ensure_future(call()) for call in calls]
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_was_stored_is_there_after_a_reopen(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore(path) as store:
        await made(store, "a")
        await store.append(appending("a", 0, 200))
    assert sorted(os.listdir(tmp_path)) == ["runs.db", "runs.db.lock"]
    async with SqliteStore(path) as store:
        assert await store.read("a", 0) == [log("a", seq) for seq in range(1, 201)]
        await store.append(appending("a", 200))


async def test_what_was_accepted_is_committed_by_the_close(tmp_path: Path) -> None:
    published: list[str] = []
    async with SqliteStore(tmp_path / "runs.db") as store:
        store.listen(lambda commit: published.append(commit.execution_id))
        ids = [f"e{number}" for number in range(60)]
        await asyncio.gather(*(store.create(execution(each)) for each in ids))
        waiting = [store.append(appending(each, 0)) for each in ids]
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == [None] * 60
    assert published == ids
    for late in (store.append(appending("e0", 1)), store.read("e0", 0), store.check()):
        with pytest.raises(Unavailable, match="closed"):
            await late
    async with SqliteStore(tmp_path / "runs.db") as store:
        assert await store.heads(ids) == dict.fromkeys(ids, 1)


async def test_a_second_store_on_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    link = tmp_path / "link.db"
    async with SqliteStore(path) as store:
        link.symlink_to(path)
        for way in (path, link):
            with pytest.raises(StoreInUse, match=f"process {os.getpid()}") as refusal:
                await SqliteStore(way).__aenter__()
            assert refusal.value.pid == os.getpid()
            assert "\n" not in str(refusal.value)
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", OPEN, str(path), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await other.communicate()
        assert said.decode().startswith(f"{os.getpid()} the database {path} is in use")
        await store.check()
    async with SqliteStore(link) as store:
        await store.check()


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    for _ in range(2):  # the first refusal leaves no lock behind
        with pytest.raises(NewerSchema, match="schema version 99"):
            await SqliteStore(path).__aenter__()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


async def test_migrations_run_once_each_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore(path) as store:
        await made(store, "a")
    second = ("CREATE TABLE more (x)", "INSERT INTO more SELECT id FROM executions")
    broken = ("DROP TABLE more", "CREATE nonsense")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second, broken))
    with pytest.raises(CannotOpen, match="nonsense"):
        await SqliteStore(path).__aenter__()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT x FROM more").fetchall() == [("a",)]
        assert database.execute("PRAGMA user_version").fetchone() == (2,)


@pytest.mark.parametrize("obstacle", ["folder", "text", "file for a folder"])
async def test_what_is_no_database_is_refused_in_one_line(tmp_path: Path, obstacle: str) -> None:
    path = tmp_path / "runs.db"
    if obstacle == "folder":
        path.mkdir()
    elif obstacle == "text":
        path.write_text("not a database, but long enough to look at\n" * 30)
    else:
        path.write_text("")
        path = path / "runs.db"
    with pytest.raises(CannotOpen) as refusal:
        await SqliteStore(path).__aenter__()
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("pragma", "words"),
    [("PRAGMA max_page_count = 1", "disk is full"), ("PRAGMA query_only = ON", "read-only")],
)
async def test_trouble_fails_the_group_and_passes(
    tmp_path: Path, pragma: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [f"e{number}" for number in range(5)]
    published: list[str] = []
    async with SqliteStore(tmp_path / "runs.db") as store:
        await made(store, *ids)
        store.listen(lambda commit: published.append(commit.execution_id))
        large = [some(seq, "log", 900) for seq in range(1, 101)]
        outcomes = await together(
            store,
            *(partial(store.append, appending(each, 0, events=large)) for each in ids),
            pragma=pragma,
        )
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
        assert all(words in str(outcome) for outcome in outcomes)
        assert await store.heads(ids) == dict.fromkeys(ids, 0)
        assert published == []
        # the connection is made anew, and the pragma's trouble is over with it
        await store.append(appending("e0", 0))
        assert await store.heads(ids) == {**dict.fromkeys(ids, 0), "e0": 1}
        assert published == ["e0"]
    assert "writing works again" in caplog.text


async def test_a_commit_that_the_disk_refuses_is_not_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    events = [some(seq, "log", 10_000) for seq in range(1, 41)]
    async with SqliteStore(path) as store:
        await made(store, "a", "b")
        await store.append(appending("a", 0, 3))
        with no_file_longer_than(200_000):
            for _ in range(3):
                outcomes = await together(
                    store,
                    lambda: store.append(appending("b", 0)),
                    lambda: store.append(appending("a", 3, events=[*map(_after_three, events)])),
                )
                assert [type(outcome) for outcome in outcomes] == [Unavailable] * 2
                assert len(await store.read("a", 0)) == 3
        await store.append(appending("a", 3))
        assert await store.heads(["a", "b"]) == {"a": 4, "b": 0}
    async with SqliteStore(path) as store:
        assert [event.seq for event in await store.read("a", 0)] == [1, 2, 3, 4]


def _after_three(event: StoredEvent) -> StoredEvent:
    return StoredEvent(event.seq + 3, event.type, event.payload)


async def test_a_lock_by_another_program_is_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    path = tmp_path / "runs.db"
    async with SqliteStore(path) as store:
        await made(store, "a")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="locked"):
                await store.check()
            with pytest.raises(Unavailable, match="locked"):
                await store.append(appending("a", 0))
            assert await store.read("a", 0) == []
            other.execute("ROLLBACK")
        await store.append(appending("a", 0))
        await store.check()


async def test_a_database_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore(path) as store:
        await made(store, "a")
        await store._writer.write(lambda transaction: transaction.run("PRAGMA query_only = ON"))
        path.rename(tmp_path / "moved.db")
        for _ in range(2):
            with pytest.raises(Unavailable):
                await store.append(appending("a", 0))
        assert not path.exists()
        (tmp_path / "moved.db").rename(path)
        await store.append(appending("a", 0))


async def test_a_refused_write_is_undone_alone(tmp_path: Path) -> None:
    def half(transaction: Transaction) -> None:
        transaction.run("UPDATE executions SET tenant = 'half'")
        raise NotFound("on purpose")

    async with SqliteStore(tmp_path / "runs.db") as store:
        await made(store, "a", "b")
        outcomes = await together(
            store,
            lambda: store.append(appending("a", 0)),
            lambda: store._writer.write(half),
            lambda: store.append(appending("b", 0)),
        )
        assert [type(outcome) for outcome in outcomes] == [type(None), NotFound, type(None)]
        assert await store.heads(["a", "b"]) == {"a": 1, "b": 1}
        assert (await store.execution("a")).tenant == "default"


async def test_a_fault_in_one_write_fails_that_one_alone(tmp_path: Path) -> None:
    ids = [f"e{number}" for number in range(6)]
    published: list[str] = []
    async with SqliteStore(tmp_path / "runs.db") as store:
        await made(store, *ids)
        store.listen(lambda commit: published.append(commit.execution_id))
        bad = appending("e3", 0, events=[StoredEvent(1, "log", [])])  # type: ignore[arg-type]
        outcomes = await together(
            store,
            *(partial(store.append, bad if each == "e3" else appending(each, 0)) for each in ids),
            lambda: store.append(appending("e0", 9)),
            lambda: store.create(execution("e1")),
            lambda: store.delete("e5"),
        )
        assert [type(outcome) for outcome in outcomes[:6]].count(type(None)) == 5
        assert isinstance(outcomes[3], sqlite3.Error)
        assert isinstance(outcomes[6], Moved)
        assert isinstance(outcomes[7], Conflict)
        assert await store.heads(ids) == {**dict.fromkeys(ids[:5], 1), "e3": 0}
        assert published == ["e0", "e1", "e2", "e4", "e5"]


async def test_writes_beyond_the_bound_wait_for_room(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore(path, max_waiting=4, max_waiting_bytes=20_000) as store:
        ids = [f"e{number}" for number in range(40)]
        await asyncio.gather(*(store.create(execution(each)) for each in ids))
        large = [some(1, "log", 15_000)]
        tasks = [
            store.append(appending(each, 0, events=large if number % 2 else [some(1)]))
            for number, each in enumerate(ids)
        ]
        writer = store._writer
        assert (writer._waiting, len(writer._turns)) == (3, 37)
        assert writer._waiting_bytes <= 20_000
        for task in tasks[30:35]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (writer._waiting, writer._waiting_bytes, len(writer._turns)) == (0, 0, 0)
        heads = await store.heads(ids)
        assert [heads[each] for each in ids] == [1] * 30 + [0] * 5 + [1] * 5
        await store.append(appending("e0", 1, events=[some(2, "log", 100_000)]))


async def test_a_delete_that_was_cut_short_is_finished_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with SqliteStore(path) as store:
        await made(store, "a", "b")
        await store.append(appending("a", 0, events=[some(seq) for seq in range(1, 2_501)]))
        await store.append(appending("b", 0, values={"result": b"1"}))
        task = asyncio.create_task(store.delete("a"))
        await asyncio.sleep(0)
        task.cancel()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (2_501,)
    async with SqliteStore(path) as store:
        assert await store.read("a", 0) == []
        assert store._sweeping is not None
        await store._sweeping
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM large_values").fetchone() == (1,)
        assert database.execute("SELECT id, swept FROM deleted").fetchall() == [("a", 1)]


async def test_a_long_search_stands_in_nobodys_way(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "runs.db") as store:
        started, go_on = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(connection: sqlite3.Connection) -> list[tuple[int]]:
            rows = connection.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                " SELECT count(*) FROM n"
            )
            return rows.fetchall()

        def note(connection: sqlite3.Connection) -> list[tuple[int]]:
            loop.call_soon_threadsafe(started.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
            return slow(connection)

        endless = [asyncio.create_task(store._searches.read(note)) for _ in range(2)]
        await started.wait()
        await made(store, "a")
        await store.append(appending("a", 0))
        assert await store.read("a", 0) == [log("a", 1)]
        go_on.set()
    # the close stops them
    for search in endless:
        with pytest.raises(Unavailable, match="clos"):
            await search
