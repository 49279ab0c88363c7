"""Workflows for the tests, and a writer of one's own events."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

from executor.bridge import Run

BRANCHES, STEPS = 6, 3


def tool(node_id: str, name: str, **arguments: Any) -> dict[str, Any]:
    config = {"tool": name, "arguments": arguments}
    return {"id": node_id, "kind": "tool", "config": config}


def chain(name: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    """A workflow of these nodes, one after the other, between a trigger and an output."""
    whole = [{"id": "start", "kind": "trigger"}, *nodes, {"id": "end", "kind": "output"}]
    ids = [node["id"] for node in whole]
    edges = [{"source": source, "target": target} for source, target in pairwise(ids)]
    return {"name": name, "nodes": whole, "edges": edges}


def twenty(seed: int) -> dict[str, Any]:
    """20 nodes of quick work that logs: six branches of three steps, and a fan-in."""
    nodes = [{"id": "start", "kind": "trigger"}, {"id": "end", "kind": "output"}]
    edges = []
    for branch in range(BRANCHES):
        steps = [
            tool(f"wait-{branch}", "delay", seconds=(seed * 7 + branch * 3) % 21 / 1000),
            tool(f"count-{branch}", "text.stats", text=f"Branch {branch} of {seed}. It is short."),
            tool(f"work-{branch}", "simulate", seconds=0.03, logs=3, seed=seed),
        ]
        nodes += steps
        ids = ["start", *(step["id"] for step in steps), "end"]
        edges += [{"source": source, "target": target} for source, target in pairwise(ids)]
    return {"name": f"Twenty nodes, {seed}", "nodes": nodes, "edges": edges}


def working(seconds: float, logs: int) -> dict[str, Any]:
    """Three nodes at work, each so long and with so many log lines."""
    names = ("first", "second", "third")
    return chain(
        "At work", *(tool(name, "simulate", seconds=seconds, logs=logs, seed=1) for name in names)
    )


NODES = [{"id": "read", "kind": "tool"}, {"id": "write", "kind": "tool"}]


async def begin(run: Run) -> None:
    await run.status("running")
    await run.node_status("read", "running", message="reading")


async def lines(run: Run, count: int, *, per_second: float = 1_000) -> None:
    """Log lines at this rate, as near as the machine comes."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number in range(1, count + 1):
        await run.log(f"line {number} of {count}: ä ← \u2028 \U0001f680", node_id="read")
        ahead = started + number / per_second - loop.time()
        if ahead > 0.001:
            await asyncio.sleep(ahead)


async def finish(run: Run) -> None:
    """The rest, with every kind of event that a success has."""
    await run.log("wrote", level="warning", node_id="write", metadata={"bytes": 12.5, "to": None})
    await run.node_status("read", "completed", output={"pages": [1, 2]}, duration_ms=12.5)
    await run.progress(50, node_id="write", node_progress=33.3, message="a third")
    await run.node_status("write", "running", try_=2)
    await run.node_status("write", "completed", output=None)
    await run.progress(100)
    await run.result({"answer": [42, None, "ü"]})
    await run.status("completed")
    await run.close()
