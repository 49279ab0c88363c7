"""The bridge and viewers behind a bad network, and a server that stands still or is away."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.form import form
from tests.chaos.proxy import BLACKHOLE, CLEAR, Faults, Proxy
from tests.chaos.scene import Scene, scene, simulated

pytestmark = [pytest.mark.node, pytest.mark.timeout(form(120, 1_800))]

ROUNDS = form(1, 20)
EVENTS = form(4_000, 60_000)
RATE = 250
LEASE = 1.0
AWAY = 3 * LEASE

WEATHER: dict[str, Faults] = {
    "delay": Faults(delay=0.1),
    "jitter": Faults(delay=0.02, jitter=0.2),
    "bandwidth": Faults(bandwidth=100_000),
    "slices": Faults(slices=True),
    "blackhole": BLACKHOLE,
    "deaf": Faults(up=False),
    "mute": Faults(down=False),
    "cuts": Faults(cut=20_000),
    "sliced cuts": Faults(slices=True, cut=5_000),
}
"""What lasts for a while."""
STRIKES: dict[str, Callable[[Proxy], None]] = {"reset": Proxy.reset, "half-open": Proxy.orphan}
"""What happens at once."""


@pytest.mark.slow
async def test_every_fault_of_the_network(tmp_path: Path, luck: random.Random) -> None:
    async with scene(tmp_path, seconds=form(100, 1_700)) as stage:
        await stage.runroom.server()
        async with Proxy(stage.runroom.port, luck) as proxy:
            runs = [{"executionId": "run", "events": EVENTS, "rate": RATE, "size": 200}]
            writer = await stage.write("writer", runs, url=proxy.url)
            await stage.registered(["run"])
            viewers = [{"executions": ["run"], "options": {"reconnectionDelayMax": 300}}] * 3
            await stage.watch("node", viewers, url=proxy.url)
            await stage.watch("python", viewers[:1], python=True, url=proxy.url)
            kinds = [*WEATHER, *STRIKES] * ROUNDS
            luck.shuffle(kinds)
            for kind in kinds:
                assert writer.program.returncode is None, "the load ended before the faults"
                if kind in STRIKES:
                    STRIKES[kind](proxy)
                else:
                    proxy.faults = WEATHER[kind]
                    await asyncio.sleep(luck.uniform(0.4, 1.2))
                    proxy.faults = CLEAR
                    if kind in ("blackhole", "deaf", "mute"):
                        # nothing tells the clients but time, which this does instead
                        proxy.reset()
                await asyncio.sleep(luck.uniform(0.1, 0.4))
                # a client whose half-open connection nobody ends would wait 45 s for a ping
            proxy.reset()
            events = await stage.verdict()
            print(f"{events} events through {len(kinds)} faults, {proxy.resets} resets")


async def test_a_server_that_stands_still_longer_than_a_lease(tmp_path: Path) -> None:
    async with scene(tmp_path, seconds=60, BFF_LEASE_SECONDS=LEASE, BFF_MAX_ATTEMPTS=1) as stage:
        runroom = stage.runroom
        server = await runroom.server()
        await runroom.executor("one")
        await runroom.executor("two")
        execution_id = await stage.execute(simulated(2.5, 50))
        await stage.watch("node", [{"executions": [execution_id]}])
        await _begun(stage, execution_id)
        server.signal(signal.SIGSTOP)
        await asyncio.sleep(AWAY)
        server.signal(signal.SIGCONT)
        await stage.verdict()
        assert stage.lost_leases == 0
        assert "attempt=2" not in server.err


async def test_a_server_that_is_away_longer_than_a_lease(tmp_path: Path) -> None:
    async with scene(tmp_path, seconds=60, BFF_LEASE_SECONDS=LEASE, BFF_MAX_ATTEMPTS=1) as stage:
        runroom = stage.runroom
        server = await runroom.server()
        await runroom.executor("one")
        await runroom.executor("two")
        execution_id = await stage.execute(simulated(2.5, 50))
        await stage.watch("node", [{"executions": [execution_id]}])
        await _begun(stage, execution_id)
        await server.kill()
        await asyncio.sleep(AWAY)
        await server.start()
        await runroom.ready(server)
        await stage.verdict()
        assert stage.lost_leases == 0
        assert "attempt=2" not in server.err


async def _begun(stage: Scene, execution_id: str) -> None:
    while (await stage.runroom.snapshot(execution_id))["status"] != "running":
        await asyncio.sleep(0.05)
