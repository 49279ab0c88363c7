"""An outside system that pushes runs of its own through a bridge, as a program.

    python -m tests.chaos.writer '{"url", "token", "executorId", "runs": [{…}], "notes"}'

A run's members: `executionId`, `events` (how many in all), `rate` (events a second), `size`
(of a log message, in bytes). Seq k of a run is always the same kind of event with the same
words, so a writer that is started again goes on where the server's head is. `notes` is a
file that gets a line `executionId head` for the acknowledgements as they come, and survives
the writer. Says "registered" when its runs are; with `go` it then waits for a file of that name.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from executor.bridge import Bridge, Run

NODES = [{"id": "read", "kind": "tool"}, {"id": "write", "kind": "tool"}]
PROGRESS_EVERY = 100
LEAST_EVENTS = 10


def content(seq: int, events: int, size: int = 0) -> tuple[str, dict[str, Any]]:
    """The type and the payload of one event of a run that has so many."""
    last: dict[int, tuple[str, dict[str, Any]]] = {
        1: ("status", {"status": "running"}),
        2: ("nodeStatus", {"nodeId": "read", "status": "running"}),
        events - 5: ("nodeStatus", {"nodeId": "read", "status": "completed", "output": [1, 2.5]}),
        events - 4: ("nodeStatus", {"nodeId": "write", "status": "running"}),
        events - 3: ("nodeStatus", {"nodeId": "write", "status": "completed"}),
        events - 2: ("progress", {"progress": 100}),
        events - 1: ("result", {"result": {"events": events, "ü": "\u2028"}}),
        events: ("status", {"status": "completed"}),
    }
    if seq in last:
        return last[seq]
    if seq % PROGRESS_EVERY == 0:
        return "progress", {"progress": 50, "nodeId": "read", "nodeProgress": 100 * seq / events}
    words = f"line {seq} of {events} "
    line = {"level": "info", "message": words + "x" * (size - len(words)), "nodeId": "read"}
    return "log", {"log": line}


async def write(run: Run, asked: dict[str, Any]) -> None:
    """The rest of a run, at its rate as near as the machine comes."""
    loop = asyncio.get_running_loop()
    events, rate, size = asked["events"], asked.get("rate", 1_000), asked.get("size", 0)
    assert events >= LEAST_EVENTS
    started, first = loop.time(), run.last
    for seq in range(run.last + 1, events + 1):
        await run.room()
        kind, payload = content(seq, events, size)
        if kind == "log":
            payload["log"]["metadata"] = {"at": time.time()}
        run.put(kind, **payload)
        ahead = started + (seq - first) / rate - loop.time()
        if ahead > 0.005:
            await asyncio.sleep(ahead)
    await run.close()


class Acknowledgements:
    """Notes every head that a bridge learns, at once."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._runs: list[tuple[Run, int]] = []

    def watch(self, run: Run) -> None:
        self._runs.append((run, run.head))

    async def keep(self) -> None:
        while True:
            self.note()
            await asyncio.sleep(0.005)

    def note(self) -> None:
        for number, (run, noted) in enumerate(self._runs):
            if run.head != noted:
                os.write(self._file, f"{run.execution_id} {run.head}\n".encode())
                self._runs[number] = (run, run.head)


async def main(
    *,
    url: str,
    token: str,
    runs: list[dict[str, Any]],
    notes: str,
    executorId: str = "writer",
    go: str | None = None,
) -> None:
    acknowledged = Acknowledgements(Path(notes))
    bridge = Bridge(
        url,
        token,
        executor_id=executorId,
        answer_timeout=3.0,
        backoff=(0.05, 0.5),
        lease_seconds=1.0,
    )
    keeping = asyncio.create_task(acknowledged.keep())
    async with bridge, asyncio.TaskGroup() as group:
        started = []
        for asked in runs:
            run = await bridge.start(
                "written-outside", execution_id=asked["executionId"], nodes=NODES
            )
            acknowledged.watch(run)
            started.append((run, asked))
        print("registered", flush=True)
        while go is not None and not Path(go).exists():
            await asyncio.sleep(0.02)
        for run, asked in started:
            if run.last < asked["events"]:
                group.create_task(write(run, asked))
    acknowledged.note()
    keeping.cancel()


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
