"""Retention: what ended long ago goes, with a word to whoever watches; the rest stays."""

from __future__ import annotations

from pathlib import Path

from bff.retention import Retention
from bff.rooms import Rooms
from bff.snapshots import Snapshots
from bff.stores.sqlite import SqliteStore
from contract.errors import NotFound
from tests.bff.house import RUNNING, log, write
from tests.bff.stores.samples import execution as sample
from tests.support.live import live, status


async def test_a_watched_execution_that_is_deleted_ends_with_reset(tmp_path: Path) -> None:
    async with live(tmp_path) as house:
        old, running = await house.execute(), await house.execute()
        client = await house.executor()
        for claimed in (await client.call("claim", {"max": 2}))["executions"]:
            events = [status(1, "running")]
            if claimed["executionId"] == old:
                events.append(status(2, "completed"))
            batch = {"executionId": claimed["executionId"], "attempt": 1, "events": events}
            assert (await client.call("events", batch))["ok"]
        viewer = await house.viewer()
        for execution_id in (old, running):
            await viewer.call("subscribe", {"executionId": execution_id, "after": 2})
        server = house.server
        retention = Retention(server.store, server.snapshots, server.rooms, days=1e-9)
        assert await retention.sweep() == 1
        name, payload = await viewer.next_event()
        while name != "reset" or payload["reason"] != "deleted":
            name, payload = await viewer.next_event()
        assert payload["executionId"] == old
        assert (await viewer.call("subscribe", old))["error"]["code"] == "not_found"
        assert (await house.http("GET", f"/api/executions/{old}"))["error"]["code"] == "not_found"
        assert (await house.http("GET", f"/api/executions/{running}"))["status"] == "running"
        assert (await house.http("GET", "/api/stats"))["subscriptions"] == 1


async def test_only_what_ended_before_the_time_is_deleted(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "executions.db") as store, Rooms(store) as rooms:
        ended = {"type": "status", "status": "failed"}
        old = {"timestamp": "2026-01-31T12:00:00.000Z"}
        for number in range(150):
            name = f"old-{number}"
            await store.create(sample(name))
            await write(store, name, [{**RUNNING, **old}, {**ended, **old}])
        await store.create(sample("new"))
        await write(store, "new", [RUNNING, ended])
        await store.create(sample("open"))
        await write(store, "open", [{**RUNNING, **old}, {**log("x"), **old}])
        retention = Retention(store, Snapshots(store, evict_seconds=60), rooms, days=30)
        assert await retention.sweep() == 150
        assert await retention.sweep() == 0
        assert (await store.execution("new")).head == 2
        assert (await store.execution("open")).head == 2
        try:
            await store.execution("old-0")
        except NotFound:
            pass
        else:
            raise AssertionError("it is still there")
