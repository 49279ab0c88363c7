"""`delay` waits; `fail` fails."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated

from pydantic import Field

from executor.nodes.errors import ToolError
from executor.nodes.registry import Context, tool

MAX_SECONDS = 7 * 24 * 3600
_STEPS = 20


@tool("delay", idempotent=True)
async def delay(
    seconds: Annotated[float, Field(ge=0, le=MAX_SECONDS)], context: Context
) -> dict[str, float]:
    """Wait, reporting progress at most twice a second; gives `{seconds}`."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    steps = max(1, min(_STEPS, math.floor(seconds * 2)))
    for step in range(1, steps + 1):
        # towards absolute moments, so that the waits do not add up their lateness
        await asyncio.sleep(max(0.0, started + seconds * step / steps - loop.time()))
        if step < steps:
            context.progress(100 * step / steps)
    return {"seconds": seconds}


@tool("fail")
def fail(message: Annotated[str, Field(max_length=10_000)] = "failed on purpose") -> None:
    """Fail with the message, for trying out what a workflow does then."""
    raise ToolError(message)
