"""SIGKILLs of servers, executors and writers, whenever luck has it, under load."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.chaos.form import form
from tests.chaos.judge import FENCED
from tests.chaos.scene import scene, simulated

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(form(120, 3_600))]

KILLS = form(4, 100)
"""Of servers, and as many of executors."""
SECONDS = form(100, 3_000)
WORKFLOWS = form(8, 160)
RUNS, RATE = 2, 150
SUBSCRIPTIONS = 60
"""Of one viewer."""
EVENTS = form(1_500, 40_000)


async def test_every_execution_ends_whole(tmp_path: Path, luck: random.Random) -> None:
    async with scene(
        tmp_path, seconds=SECONDS, BFF_LEASE_SECONDS=1, BFF_MAX_ATTEMPTS=1_000
    ) as stage:
        runroom = stage.runroom
        server = await runroom.server()
        executors = [await runroom.executor(f"executor-{number}") for number in range(2)]
        written = [f"run-{number}" for number in range(RUNS)]
        runs = [{"executionId": one, "events": EVENTS, "rate": RATE} for one in written]
        writer = await stage.write("writer", runs)
        for _ in range(WORKFLOWS):
            await stage.execute(simulated(0.6, 40))
        await stage.registered(written)
        watched = [*stage.executions, *written]
        viewers = [
            {"executions": watched[start : start + SUBSCRIPTIONS]}
            for start in range(0, len(watched), SUBSCRIPTIONS)
        ]
        await stage.watch("node", viewers * 2)
        await stage.watch("python", viewers, python=True)

        chosen = [server] * KILLS + [luck.choice(executors) for _ in range(KILLS)]
        luck.shuffle(chosen)
        for number, victim in enumerate(chosen):
            await asyncio.sleep(luck.uniform(0.1, 0.9))
            await victim.kill()
            if number == KILLS // 2 and writer.program.returncode is None:
                await writer.program.kill()
                await writer.program.start()
            await asyncio.sleep(luck.uniform(0.0, 0.5))
            await victim.start()
            if victim is server:
                await runroom.ready(server)
        events = await stage.verdict(expected=FENCED)
        print(f"{events} events, {KILLS} servers and {KILLS} executors killed")
