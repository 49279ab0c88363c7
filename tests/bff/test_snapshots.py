"""Snapshots: always the fold of the store, whatever was forgotten, and small once finished."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bff import snapshots as module
from bff.snapshots import Snapshots
from bff.stores.sqlite import SqliteStore
from tests.bff.house import log, node, write
from tests.bff.stores.samples import execution as sample

RUNNING = {"type": "status", "status": "running"}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(tmp_path / "executions.db") as made:
        yield made


async def made(store: SqliteStore, events: list[dict[str, Any]], name: str = "ex_1") -> Any:
    await store.create(sample(name))
    await write(store, name, [RUNNING, *events])
    return await store.execution(name)


async def test_states_come_from_the_store_and_move_on_from_what_is_known(
    store: SqliteStore,
) -> None:
    snapshots = Snapshots(store, evict_seconds=60)
    execution = await made(store, [log("a"), log("b")])
    state = await snapshots.state(execution)
    assert (state.seq, state.log_count) == (3, 2)
    await write(store, "ex_1", [log("c")])
    newer = await snapshots.state(await store.execution("ex_1"))
    assert (newer.seq, newer.log_count) == (4, 3)
    assert await snapshots.state(execution) == newer, "an older row gets what is known"
    snapshots.forget("ex_1")
    assert await snapshots.state(await store.execution("ex_1")) == newer


async def test_many_who_ask_at_once_share_one_load(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = Snapshots(store, evict_seconds=60)
    execution = await made(store, [log("a")])
    loads = 0
    read = store.load_snapshot

    async def counted(execution_id: str) -> Any:
        nonlocal loads
        loads += 1
        return await read(execution_id)

    monkeypatch.setattr(store, "load_snapshot", counted)
    waiting = [asyncio.create_task(snapshots.state(execution)) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    states = await asyncio.gather(*waiting[1:])
    assert loads == 1 and {state.seq for state in states} == {2}
    await asyncio.sleep(0)
    assert snapshots._loading == {}


async def test_one_who_comes_as_an_older_load_ends_gets_a_load_of_its_own(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = Snapshots(store, evict_seconds=60)
    newer = await made(store, [log("a"), log("b")])
    older = replace(newer, head=2)
    read, began = store.read, iter([2])

    async def before_the_commit(execution_id: str, after: int) -> Any:
        return (await read(execution_id, after))[: next(began, None)]

    monkeypatch.setattr(store, "read", before_the_commit)
    first = asyncio.create_task(snapshots.state(older))
    while not (loading := snapshots._loading.get("ex_1")) or not loading.done():
        await asyncio.sleep(0)
    assert (await snapshots.state(newer)).seq == 3
    assert (await first).seq == 2
    await asyncio.sleep(0)
    assert snapshots._loading == {}


async def test_a_kept_snapshot_spares_the_fold(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SNAPSHOT_EVERY", 10)
    snapshots = Snapshots(store, evict_seconds=60)
    execution = await made(store, [log("x") for _ in range(20)])
    state = await snapshots.state(execution)
    assert snapshots.due(state)
    await snapshots.keep(state)
    assert not snapshots.due(state)
    again = Snapshots(store, evict_seconds=60)
    folded: list[int] = []
    monkeypatch.setattr(module, "decode", lambda event: folded.append(event.seq))
    assert await again.state(execution) == state
    assert folded == []


async def test_finished_executions_leave_memory_after_their_time(store: SqliteStore) -> None:
    snapshots = Snapshots(store, evict_seconds=0.05)
    for number in range(5):
        ended = await made(store, [{"type": "status", "status": "failed"}], f"ex_{number}")
        assert (await snapshots.state(ended)).terminal
    assert 0 < len(snapshots._finished) <= 5
    await asyncio.sleep(0.06)
    running = await made(store, [], "ex_r")
    snapshots.advance(await snapshots.state(running))
    assert (len(snapshots._finished), snapshots._finished.size) == (0, 0)
    assert list(snapshots._running) == ["ex_r"]


async def test_a_finished_execution_costs_a_kilobyte_and_500_bytes_a_node(
    store: SqliteStore,
) -> None:
    snapshots = Snapshots(store, evict_seconds=60)
    events: list[dict[str, Any]] = []
    count = 50
    for number in range(count):
        name = f"node-{number}"
        output = {"file": f"docs/{number}.md", "words": number * 37, "ok": True}
        events += [node(name, "running"), node(name, "completed", output=output, durationMs=12.5)]
    events.append({"type": "status", "status": "completed"})
    state = await snapshots.state(await made(store, events))
    assert len(state.nodes) >= count
    (entry,) = snapshots._finished._states.values()
    cost = sys.getsizeof(entry) + sys.getsizeof(entry[0]) + sys.getsizeof(entry[1])
    assert cost + 200 <= 1_000 + 500 * count
    assert snapshots._running == {}
    assert await snapshots.state(await store.execution("ex_1")) == state
