"""Rolling restarts: whoever is stopped as an operator stops it takes nothing with it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.chaos.form import form
from tests.chaos.scene import Scene, scene, simulated

pytestmark = [pytest.mark.node, pytest.mark.timeout(form(120, 1_800))]

RESTARTS = form(4, 20)
WORKFLOWS = form(10, 50)
SERVER_RESTARTS = form(2, 20)
IDLE = form(60, 500)
EVENTS = form(60, 300)
STOP_SECONDS = 10


async def test_executors_hand_their_work_on(tmp_path: Path, luck: random.Random) -> None:
    # one lost lease would fail an execution
    async with scene(
        tmp_path, seconds=form(100, 900), BFF_LEASE_SECONDS=3, BFF_MAX_ATTEMPTS=1
    ) as stage:
        runroom = stage.runroom
        server = await runroom.server()
        executors = [await runroom.executor(f"executor-{number}") for number in range(3)]
        for _ in range(WORKFLOWS):
            await stage.execute(simulated(0.7, 30))
        await stage.watch("node", [{"executions": stage.executions}])
        for number in range(RESTARTS):
            await asyncio.sleep(luck.uniform(0.2, 0.6))
            executor = executors[number % 3]
            assert await executor.stop(STOP_SECONDS) == 0
            await executor.start()
        events = await stage.verdict()
        assert stage.lost_leases == 0
        released = sum(executor.err.count(": released") for executor in executors)
        assert released > 0
        assert "lease lost" not in server.err
        print(f"{events} events, {RESTARTS} restarts, {released} executions handed on")


async def test_idle_viewers_come_back_to_a_server(tmp_path: Path, luck: random.Random) -> None:
    async with scene(tmp_path, seconds=form(100, 1_700)) as stage:
        runroom = stage.runroom
        server = await runroom.server()
        go = tmp_path / "go"
        run = {"executionId": "run", "events": EVENTS, "rate": 100}
        await stage.write("writer", [run], go=go)
        await stage.registered(["run"])
        options = {"reconnectionDelay": 50, "reconnectionDelayMax": 500}
        polling = {**options, "transports": ["polling"]}
        viewers = [
            {"executions": ["run"], "options": options if number % 10 else polling}
            for number in range(IDLE)
        ]
        await stage.watch("node", viewers)
        slowest = 0.0
        loop = asyncio.get_running_loop()
        for _ in range(SERVER_RESTARTS):
            await _all_there(stage)
            await asyncio.sleep(luck.uniform(0, 0.5))
            began = loop.time()
            assert await server.stop(STOP_SECONDS) == 0
            slowest = max(slowest, loop.time() - began)
            await server.start()
            await runroom.ready(server)
        await _all_there(stage)
        go.touch()
        await stage.verdict()
        print(f"{SERVER_RESTARTS} restarts with {IDLE} viewers; slowest stop {slowest:.2f} s")


async def _all_there(stage: Scene) -> None:
    """Wait until every viewer and the writer are connected, and every viewer subscribed."""
    while True:
        stats = await stage.runroom.get("/api/stats")
        if stats["connections"] == IDLE + 1 and stats["subscriptions"] == IDLE:
            return
        await asyncio.sleep(0.1)
