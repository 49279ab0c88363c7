"""What an execution needs before it goes on: whole outputs, its own and those taken over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from contract.errors import Unavailable
from contract.execution import ExecutionState
from contract.values import Json

Fetch = Callable[[str, str], Awaitable[Json]]
"""A finished node's whole output by the ids of execution and node."""

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
    for node_id, output in (await _outputs(state.execution_id, missing, fetch)).items():
        nodes[node_id] = nodes[node_id].model_copy(update={"output": output})
    return state.model_copy(update={"nodes": nodes})


async def taken_over(state: ExecutionState, reuse: Iterable[str], fetch: Fetch) -> dict[str, Json]:
    """The outputs that nodes which have not run yet take over from `state.retry_of`.

    Raises:
        RunroomError: an output cannot be had.
    """
    pending = [n for n in reuse if n in state.nodes and state.nodes[n].status == "pending"]
    if state.retry_of is None or not pending:
        return {}
    return await _outputs(state.retry_of, pending, fetch)


async def _outputs(execution_id: str, node_ids: list[str], fetch: Fetch) -> dict[str, Json]:
    outputs: dict[str, Json] = {}
    todo = iter(node_ids)

    async def fetch_some() -> None:
        for node_id in todo:
            outputs[node_id] = await _patiently(execution_id, node_id, fetch)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(node_ids))):
                group.create_task(fetch_some())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return outputs


async def _patiently(execution_id: str, node_id: str, fetch: Fetch) -> Json:
    while True:
        try:
            return await fetch(execution_id, node_id)
        except Unavailable as trouble:
            await asyncio.sleep(trouble.fields["retryAfterMs"] / 1000)
