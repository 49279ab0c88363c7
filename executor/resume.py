"""What a resumed execution needs before it goes on: whole outputs where the claim has previews."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from contract.errors import Unavailable
from contract.execution import ExecutionState
from contract.values import Json

Fetch = Callable[[str], Awaitable[Json]]
"""A finished node's whole output by the node's id."""

_PREVIEW = {"$preview", "$size", "$ref"}
_AT_ONCE = 4


def is_preview(value: Json) -> bool:
    """The value only stands for a larger one."""
    return isinstance(value, dict) and value.keys() == _PREVIEW


async def whole(state: ExecutionState, fetch: Fetch) -> ExecutionState:
    """The state with whole outputs; waits as long as the server is only unavailable.

    Raises:
        RunroomError: an output cannot be had.
    """
    missing = [n for n, node in state.nodes.items() if is_preview(node.output)]
    if not missing:
        return state
    nodes = dict(state.nodes)
    todo = iter(missing)

    async def fetch_some() -> None:
        for node_id in todo:
            output = await _fetch(node_id, fetch)
            nodes[node_id] = nodes[node_id].model_copy(update={"output": output})

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(missing))):
                group.create_task(fetch_some())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return state.model_copy(update={"nodes": nodes})


async def _fetch(node_id: str, fetch: Fetch) -> Json:
    while True:
        try:
            return await fetch(node_id)
        except Unavailable as trouble:
            await asyncio.sleep(trouble.fields["retryAfterMs"] / 1000)
