"""What is measured: each function takes a peer and returns the figures of one run.

Figures have fixed names and units: `cpu` (µs of server CPU a delivery, or whatever the
measure counts), `rate` (the same a second), `p50`, `p95`, `p99` (milliseconds), `memory`
(KiB a connection), `connects` (a second).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from scripts.bench import machine
from scripts.bench.servers import NODE, RUNROOM, Peer, Server, running
from scripts.bench.worker import Worker, working

Figures = dict[str, float]
INGESTED = 100_000
CATCH_UP = 100_000
IDLE_VIEWERS = 2_000
LATENCIES = 200
READY_SECONDS = 30


class Disordered(RuntimeError):
    """A viewer that kept everything did not get every event once and in order."""


@asynccontextmanager
async def _loaded(server: Server, rooms: int) -> AsyncIterator[Worker]:
    async with working("scripts.bench.load") as load:
        await load.ask(
            "attach",
            address=server.address,
            kind=server.peer.kind,
            tokens=server.tokens,
            rooms=[f"room-{number:03}" for number in range(rooms)],
        )
        yield load


async def _published(server: Server, load: Worker, count: int, rate: float = 0) -> Figures:
    before = server.cpu_seconds()
    told = await load.ask("publish", count=count, rate=rate)
    used = server.cpu_seconds() - before
    if not told["inOrder"]:
        raise Disordered(f"{server.peer.name}: a viewer got its events out of order")
    return {
        "cpu": used / told["deliveries"] * 1e6,
        "rate": told["deliveries"] / told["seconds"],
        "load": used / told["seconds"],
        **{name: told[name] for name in ("p50", "p95", "p99")},
    }


async def fan_out(
    peer: Peer, *, viewers: int, count: int, rate: float = 0, rooms: int = 1
) -> Figures:
    """Deliveries of log events to viewers.

    Args:
        viewers: over all rooms.
        count: events, over all rooms.
        rate: events a second over all rooms; 0: as many as the server takes.
    """
    async with running(peer) as server, _loaded(server, rooms) as load:
        await load.ask("connect", count=viewers)
        return await _published(server, load, count, rate)


async def at_saturation(peer: Peer) -> Figures:
    """Deliveries at the rate at which Node, in this minute, had no CPU to spare."""
    most = await fan_out(NODE, viewers=200, count=2_000)
    rate = most["rate"] / 200
    return await fan_out(peer, viewers=200, count=round(rate * 4), rate=rate)


async def idle(peer: Peer) -> Figures:
    """Viewers that connect and subscribe, and then wait."""
    async with running(peer) as server, _loaded(server, 1) as load:
        memory, cpu = server.resident_bytes(), server.cpu_seconds()
        told = await load.ask("connect", count=IDLE_VIEWERS)
        used = server.cpu_seconds() - cpu
        await asyncio.sleep(1)
        return {
            "connects": IDLE_VIEWERS / told["seconds"],
            "cpu": used / IDLE_VIEWERS * 1e6,
            "memory": (server.resident_bytes() - memory) / IDLE_VIEWERS / 1024,
        }


@asynccontextmanager
async def _bridged(server: Server) -> AsyncIterator[Worker]:
    async with working("scripts.bench.bridging") as bridge:
        await bridge.ask("open", url=server.url, tokens=server.tokens)
        yield bridge


async def ingest(peer: Peer) -> Figures:
    """Durable events through the bridge, without viewers; `cpu` and `rate` are of events."""
    async with running(peer) as server, _bridged(server) as bridge:
        await bridge.ask("ingest", count=INGESTED // 10)
        cpu = server.cpu_seconds()
        told = await bridge.ask("ingest", count=INGESTED)
        used = server.cpu_seconds() - cpu
        return {"cpu": used / INGESTED * 1e6, "rate": INGESTED / told["seconds"]}


async def latency(peer: Peer) -> Figures:
    """One event at a time, from the executor's bridge to a viewer's socket."""
    async with running(peer) as server, _bridged(server) as bridge:
        return dict(await bridge.ask("latency", count=LATENCIES))


async def catch_up(peer: Peer) -> Figures:
    """One viewer reads a long execution while 50 others watch another: `rate` is its
    events a second, `p99` and `before` the others' latency with and without it."""
    async with (
        running(peer) as server,
        _loaded(server, 1) as long,
        working("scripts.bench.load") as others,
    ):
        await long.ask("publish", count=CATCH_UP, rate=0)
        where = {"address": server.address, "kind": peer.kind, "tokens": server.tokens}
        await others.ask("attach", **where, rooms=["watched"])
        await others.ask("connect", count=50)
        before = await others.ask("publish", count=400, rate=200)
        during = asyncio.create_task(others.ask("publish", count=400, rate=200))
        await asyncio.sleep(0.3)
        cpu = server.cpu_seconds()
        told = await long.ask("catch_up", count=CATCH_UP)
        used = server.cpu_seconds() - cpu
        after = await during
        if not told["inOrder"]:
            raise Disordered("the viewer that caught up got its events out of order")
        return {
            "rate": CATCH_UP / told["seconds"],
            "cpu": used / CATCH_UP * 1e6,
            "before": before["p99"],
            "p99": after["p99"],
        }


async def start(peer: Peer) -> Figures:
    """Seconds from the start of the process until it answers, and MiB of memory then."""
    began = time.perf_counter()
    async with running(peer, settle=0) as server:
        took = time.perf_counter() - began
        return {
            "seconds": took,
            "cpu": server.cpu_seconds(),
            "memory": server.resident_bytes() / 2**20,
        }


async def engine(shape: str, nodes: int) -> Figures:
    """No-op nodes run by an executor, every event durable: its µs of CPU a node.

    Args:
        shape: `chain`, each node after the other, or `fan`, all after the first.
    """
    async with running(RUNROOM) as server, aiohttp.ClientSession(server.url) as http:
        environment = {**os.environ, "EXECUTOR_BFF_URL": server.url}
        executor = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "executor",
            env={**environment, "EXECUTOR_TOKEN": server.tokens["executor"]},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=machine.pin(machine.LOAD_CORE),
        )  # fmt: skip
        try:
            http.headers["Authorization"] = f"Bearer {server.tokens['operator']}"
            await _executed(http, _graph(shape, nodes))
            cpu, began = machine.cpu_seconds(executor.pid), time.perf_counter()
            for _ in range(3):
                await _executed(http, _graph(shape, nodes))
            used, seconds = machine.cpu_seconds(executor.pid) - cpu, time.perf_counter() - began
        finally:
            executor.terminate()
            await executor.wait()
    return {"cpu": used / nodes / 3 * 1e6, "rate": nodes * 3 / seconds}


def _graph(shape: str, count: int) -> dict[str, Any]:
    nodes = [{"id": f"n{number}", "kind": "output"} for number in range(count)]
    nodes[0]["kind"] = "trigger"
    sources = [0] * count if shape == "fan" else [number - 1 for number in range(count)]
    edges = [{"source": f"n{sources[at]}", "target": f"n{at}"} for at in range(1, count)]
    return {"name": shape, "nodes": nodes, "edges": edges}


async def _executed(http: aiohttp.ClientSession, workflow: dict[str, Any]) -> None:
    async with http.post("/api/workflows", json=workflow) as answer:
        made = await answer.json()
        assert answer.status == 201, json.dumps(made)
    async with http.post(f"/api/workflows/{made['id']}/execute", json={}) as answer:
        execution_id = (await answer.json())["executionId"]
    async with asyncio.timeout(READY_SECONDS):
        while True:
            async with http.get(f"/api/executions/{execution_id}") as answer:
                status = (await answer.json())["status"]
            if status == "completed":
                return
            if status not in ("pending", "running"):
                raise RuntimeError(f"an execution of the {workflow['name']} {status}")
            await asyncio.sleep(0.05)
