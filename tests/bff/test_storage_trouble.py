"""Storage trouble, seen from outside: nothing is acknowledged that is not durable, the
executor waits, `/readyz` says what is wrong, and all goes on when the trouble ends."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bff.stores.sqlite import schema
from executor.bridge import Bridge
from tests.support.disk import no_file_longer_than
from tests.support.live import Live, live

Trouble = Callable[[Path], contextlib.AbstractContextManager[Any]]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def full(path: Path) -> Iterator[None]:
    with no_file_longer_than(path.with_name(f"{path.name}-wal").stat().st_size + 2_000):
        yield


async def readiness(house: Live) -> tuple[int, str]:
    async with house.session.http.get(f"{house.server.url}/readyz") as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("trouble", [locked, full], ids=["locked", "full"])
async def test_all_goes_on_when_the_trouble_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Trouble
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.1)
    async with live(tmp_path) as house:
        token = house.token("executor")
        async with Bridge(house.server.url, token, close_timeout=5) as bridge:
            run = await bridge.start("troubled")
            await run.status("running")
            await run.drained()
            viewer = await house.viewer()
            await viewer.call("subscribe", run.execution_id)
            await viewer.logged(1)
            with trouble(tmp_path / "executions.db"):
                for number in range(50):
                    await run.log(f"line {number} " + "x" * 500)
                status, text = await readiness(house)
                async with asyncio.timeout(10):
                    while status != 503:
                        status, text = await readiness(house)
                assert "database" in text or "disk" in text
                waiting = asyncio.create_task(run.drained())
                await asyncio.sleep(0.5)
                assert not waiting.done(), "nothing is acknowledged that is not durable"
                assert await house.server.store.heads([run.execution_id]) == {run.execution_id: 1}
                assert not any("seq" in payload for _, payload in viewer.events)
            await asyncio.wait_for(waiting, 20)
            await run.status("completed")
            await run.close()
        seen = await viewer.logged(52, after=1)
        assert [event["log"]["message"].split()[1] for _, event in seen[:-1]] == [
            str(number) for number in range(50)
        ]
        assert (await readiness(house))[0] == 200


async def test_a_corrupt_page_is_unavailable_and_the_rest_is_served(tmp_path: Path) -> None:
    async with (
        live(tmp_path) as house,
        Bridge(house.server.url, house.token("executor")) as bridge,
    ):
        for name in ("first", "second"):
            run = await bridge.start(name, execution_id=name)
            await run.status("running")
            for _ in range(400):
                await run.log("x" * 700)
            await run.status("completed")
            await run.close()
    path = tmp_path / "executions.db"
    data = bytearray(path.read_bytes())
    data[-16_384:] = b"\xff" * 16_384
    path.write_bytes(data)
    async with live(tmp_path) as house:
        answer = await house.http("GET", "/api/executions/second/events?after=399")
        assert (
            answer["error"]["code"] == "unavailable" and "malformed" in answer["error"]["message"]
        )
        answer = await house.http("GET", "/api/executions/first/events?limit=10")
        assert [event["seq"] for event in answer["events"]] == list(range(1, 11))
        made = await house.execute()
        assert (await house.http("GET", f"/api/executions/{made}"))["status"] == "pending"
