"""`python -m scripts.bench.bridging`: load through the real bridge, as a worker.

`ingest` puts log lines as fast as the outbox takes them, until all are durable; `latency`
one at a time on an idle system, each from `put` to a viewer's socket.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import uvloop

from executor.bridge import Bridge
from executor.run import Run
from scripts.bench.tally import Tally
from scripts.bench.viewer import Stage, Viewer

CHUNK = 100
LINE = "a line of an ordinary length, as tools print them while they work, and a bit more"
PAUSE = 0.02
"""Seconds between the lines of `latency`."""
PATIENCE = 30


def put(run: Run, number: int, message: str) -> None:
    """One log line, complete, so that nothing is filled in."""
    line = {"id": f"line-{number}", "level": "info", "message": message}
    run.put("log", log={**line, "createdAt": "2026-01-31T12:00:00.000Z"})


async def ingest(run: Run, count: int) -> dict[str, Any]:
    """Durable events without viewers; the `seconds` that it took."""
    started = time.perf_counter()
    for number in range(count):
        put(run, number, f"{number:016} {LINE}")
        if number % CHUNK == 0:
            await run.room()
    await run.drained()
    return {"seconds": time.perf_counter() - started}


async def latency(run: Run, count: int, viewer: Viewer) -> dict[str, Any]:
    """From the executor's `put` to a viewer's socket, in milliseconds."""
    for number in range(count):
        put(run, number, f"t={time.monotonic_ns():016} {LINE}")
        await asyncio.sleep(PAUSE)
    await _until(lambda: viewer.tally.seen >= count)
    cuts = statistics.quantiles([value / 1e6 for value in viewer.tally.latencies], n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


async def _live(url: str, token: str, room: str) -> Viewer:
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 80)
    viewer = Viewer(address, token, room, Tally(measured=True))
    asyncio.get_running_loop().add_reader(viewer.fd, viewer.read)
    await _until(lambda: viewer.stage is Stage.LIVE)
    return viewer


async def _until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not so():  # noqa: ASYNC110 - a raw socket in the loop has no event to wait for
            await asyncio.sleep(PAUSE)


async def main() -> None:
    """Open a bridge to `{url, tokens}`, then do what it is told until standard input ends."""

    async def told() -> tuple[str, dict[str, Any]] | None:
        line = await asyncio.to_thread(sys.stdin.readline)
        return json.loads(line) if line else None

    opening = await told()
    assert opening is not None
    url, tokens = opening[1]["url"], opening[1]["tokens"]
    async with Bridge(url, tokens["executor"]) as bridge:
        run = await bridge.start("bench")
        await run.status("running")
        await run.drained()
        print("{}", flush=True)
        while (command := await told()) is not None:
            verb, arguments = command
            if verb == "latency":
                viewer = await _live(url, tokens["viewer"], run.execution_id)
                answer = await latency(run, viewer=viewer, **arguments)
            else:
                answer = await ingest(run, **arguments)
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
