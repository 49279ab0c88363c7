"""`simulate`: work that is not done, with the timing, the log and the failures of real work."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Annotated

from pydantic import Field

from contract.values import Json
from executor.nodes.errors import ToolError
from executor.nodes.registry import Context, tool
from executor.nodes.tools.delay import MAX_SECONDS

JITTER = 0.2
"""The work takes `seconds` give or take this share."""

_logger = logging.getLogger("runroom.node")
_DOING = (
    "connected to the source",
    "fetched a page of results",
    "parsed the response",
    "removed duplicates",
    "scored the candidates",
    "validated the records",
    "merged partial results",
    "wrote an intermediate result",
)
_FAILURES = (
    "the upstream service timed out",
    "the upstream service answered 503",
    "the connection was reset by the peer",
    "the rate limit of the upstream service was reached",
    "the response could not be parsed",
)


@tool("simulate", idempotent=True)
async def simulate(
    context: Context,
    seconds: Annotated[float, Field(ge=0, le=MAX_SECONDS)] = 1.0,
    failure_rate: Annotated[float, Field(ge=0, le=1)] = 0.0,
    seed: int | str | None = None,
    logs: Annotated[int, Field(ge=0, le=10_000)] = 4,
) -> dict[str, Json]:
    """Pretend to work for about `seconds`, logging `logs` lines; fails with `failure_rate`.

    With a seed everything but the wall clock is the same in every run; each node, item and
    try of it still draws its own luck, so that a retry may succeed.

    Returns:
        `{itemsCollected, itemsAccepted, result, seconds}`.

    Raises:
        ToolError: the simulated failure.
    """
    luck = random.Random(_draw(seed, context))
    lasting = seconds * luck.uniform(1 - JITTER, 1 + JITTER)
    fails_at = luck.uniform(0.2, 0.95) if luck.random() < failure_rate else None
    collected, reason = luck.randint(5, 60), luck.choice(_FAILURES)
    accepted = round(collected * luck.uniform(0.5, 1.0))
    moments = sorted(luck.uniform(0.02, 0.98) for _ in range(logs))
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number, moment in enumerate(moments, 1):
        if fails_at is not None and moment > fails_at:
            break
        await asyncio.sleep(max(0.0, started + lasting * moment - loop.time()))
        items = round(collected * moment)
        _logger.info("%s (%d of %d, %d items so far)", luck.choice(_DOING), number, logs, items)
        context.progress(100 * moment, f"{items} items")
    end = started + lasting * (1.0 if fails_at is None else fails_at)
    await asyncio.sleep(max(0.0, end - loop.time()))
    if fails_at is not None:
        raise ToolError(f"simulated failure: {reason} after {lasting * fails_at:.1f} s")
    return {
        "itemsCollected": collected,
        "itemsAccepted": accepted,
        "result": f"Collected {collected} items, {accepted} of them accepted",
        "seconds": round(lasting, 3),
    }


def _draw(seed: int | str | None, context: Context) -> str | None:
    # a string seeds Random by its SHA-512, so it is the same in every process
    if seed is None:
        return None
    return f"{seed}/{context.node_id}/{context.item}/{context.try_}"
