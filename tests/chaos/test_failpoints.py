"""The server dies just before or just after each step that a promise depends on."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from contract.messages import VIEWERS
from tests.chaos.failpoints import FAILPOINTS
from tests.chaos.form import form
from tests.chaos.judge import FENCED
from tests.chaos.scene import Scene, scene, simulated
from tests.chaos.server import FILE
from tests.support.engine import Client, Session, websocket
from tests.support.processes import Program

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(form(120, 3_600))]

ROUNDS = form(1, 20)
SECONDS = form(100, 3_000)
MOST_PASSES = form(12, 60)
PATIENCE = 15
"""Seconds in which a server must have come to its failpoint."""
RATE = 150
EVENTS = form(2_000, 40_000)


async def test_it_dies_at_every_step(tmp_path: Path, luck: random.Random) -> None:
    plan = list(FAILPOINTS) * ROUNDS
    luck.shuffle(plan)
    async with scene(
        tmp_path, seconds=SECONDS, BFF_LEASE_SECONDS=1, BFF_MAX_ATTEMPTS=1_000
    ) as stage:
        runroom = stage.runroom
        server = runroom.program("server", sys.executable, "-m", "tests.chaos.server")
        await server.start()
        await runroom.ready(server)
        await runroom.executor()
        await stage.write("writer", [{"executionId": "run", "events": EVENTS, "rate": RATE}])
        await stage.registered(["run"])
        await stage.watch("node", [{"executions": ["run"]}] * 2)
        await stage.watch("python", [{"executions": ["run"]}], python=True)
        await server.kill()
        for name, when in plan:
            passes = luck.randint(1, MOST_PASSES if name in ("commit", "publish", "insert") else 2)
            print(f"dies {when} {name} number {passes}", flush=True)
            (tmp_path / FILE).write_text(f"{name} {when} {passes}")
            await server.start()
            provoking = asyncio.create_task(_execute(stage, server))
            looking = asyncio.create_task(_look_in(stage, server))
            try:
                async with asyncio.timeout(PATIENCE):
                    assert await server.ended() == -signal.SIGKILL
            finally:
                provoking.cancel()
                await asyncio.wait({provoking, looking})
        await server.start()
        await runroom.ready(server)
        events = await stage.verdict(expected=FENCED)
        print(f"{events} events, {len(plan)} deaths")


async def _execute(stage: Scene, server: Program) -> None:
    """Have executions made while the server lives; for who waits, ends only when cancelled."""
    while True:
        with suppress(AssertionError):
            await stage.runroom.ready(server)
            await stage.execute(simulated(0.2, 10, nodes=1))
        await asyncio.sleep(0.2)


async def _look_in(stage: Scene, server: Program) -> None:
    """Join the run's viewers again and again, until the server is dead."""
    while server.returncode is None:
        with suppress(AssertionError, OSError, aiohttp.ClientError):
            await stage.runroom.ready(server)
            await _look(stage)
        await asyncio.sleep(0.2)


async def _look(stage: Scene) -> None:
    """Watch the run for a moment."""
    session = Session()
    try:
        viewer = Client(await websocket(session, stage.runroom.url), VIEWERS)
        await viewer.connect({"token": await stage.runroom.token("viewer")})
        answer = await viewer.call("subscribe", "run")
        await viewer.logged(answer["head"])
    finally:
        await session.close()
