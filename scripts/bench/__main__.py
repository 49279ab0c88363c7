"""`make bench`: what the server's CPU pays for an event in and for a delivery out."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from executor.bridge import Bridge
from executor.run import Run
from scripts.bench.server import ServerProcess, server_process

VIEWERS = 200
EVENTS = 20_000
INGESTED = 100_000
CHUNK = 100
LINE = "x" * 90
"""Makes a log event's payload about 270 bytes long."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement: how many, in how long, at what cost of the server's CPU."""

    name: str
    count: int
    seconds: float
    cpu: float

    def row(self) -> tuple[str, ...]:
        return (
            self.name,
            f"{self.count:,}",
            f"{self.count / self.seconds:,.0f}",
            f"{self.cpu / self.count * 1e6:.2f}",
        )


async def write(run: Run, count: int) -> None:
    """Put log lines as fast as the outbox takes them, and wait until all are durable."""
    for number in range(count):
        line = {"level": "info", "message": f"{number} {LINE}", "id": f"l{number}"}
        run.put("log", log={**line, "createdAt": "2026-01-31T12:00:00.000Z"})
        if number % CHUNK == 0:
            await run.room()
    await run.drained()


async def ingest(server: ServerProcess, bridge: Bridge) -> Figure:
    """Durable events without viewers."""
    run = await bridge.start("ingest")
    await run.status("running")
    cpu, started = server.cpu_seconds(), time.perf_counter()
    await write(run, INGESTED)
    return Figure(
        "durable events in, no viewers",
        INGESTED,
        time.perf_counter() - started,
        server.cpu_seconds() - cpu,
    )


async def fan_out(server: ServerProcess, bridge: Bridge) -> Figure:
    """One execution, many viewers, full load."""
    run = await bridge.start("fan-out")
    await run.status("running")
    await run.drained()
    last = EVENTS + 1
    viewers = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.bench.viewers", server.url, server.token("viewer"),
        run.execution_id, str(VIEWERS), str(last),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert viewers.stdout is not None
    try:
        assert (await viewers.stdout.readline()).strip() == b"ready"
        cpu, started = server.cpu_seconds(), time.perf_counter()
        await write(run, EVENTS)
        answer = json.loads(await asyncio.wait_for(viewers.stdout.readline(), 120))
        seconds, used = time.perf_counter() - started, server.cpu_seconds() - cpu
    finally:
        if viewers.returncode is None:
            viewers.terminate()
        await viewers.wait()
    short = [seen for seen in answer["seen"] if seen < EVENTS]
    if short:
        raise RuntimeError(f"{len(short)} viewers missed events: {short[:5]}")
    return Figure(
        f"deliveries, {VIEWERS} viewers of one execution", VIEWERS * EVENTS, seconds, used
    )


async def main() -> None:
    """Run all measurements and print one table."""
    console = Console()
    figures = []
    async with (
        server_process() as server,
        Bridge(server.url, server.token("executor")) as bridge,
    ):
        for measure in (ingest, fan_out):
            console.print(f"measuring: {(measure.__doc__ or '').splitlines()[0]}")
            figures.append(await measure(server, bridge))
    table = Table("measure", "count", "per second", "server CPU µs each", title="Runroom")
    for figure in figures:
        table.add_row(*figure.row())
    console.print(table)


if __name__ == "__main__":
    asyncio.run(main())
