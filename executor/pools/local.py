"""The pools of this machine: coroutines on the loop, threads, processes."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import Any

from contract.values import Json
from executor.capture import Capture
from executor.pools.base import BoundedSink, Work, WorkFailed
from executor.pools.processes import Processes
from executor.pools.threads import Threads

GRACE = 2.0
"""Seconds that a cancelled coroutine has to end before it is left behind."""
POOLS = ("async", "thread", "process")


class Local:
    """Runs work where its tool or its node wants it, on this machine.

    Plain functions never run on the loop: one that is asked for in the `async` pool gets a
    thread. A coroutine function asked for in `thread` or `process` gets a loop of its own there.

    Args:
        grace: seconds that a cancelled coroutine has to end.
    """

    def __init__(self, capture: Capture, *, grace: float = GRACE) -> None:
        self._capture = capture
        self._grace = grace
        self._threads = Threads()
        self._processes = Processes()
        self._left_behind: set[asyncio.Task[Any]] = set()

    async def run(self, work: Work, sink: BoundedSink, timeout: float) -> Json:
        """As `Pool.run`."""
        where = work.pool
        if where == "process":
            return await self._processes.run(work, sink, timeout)
        if where == "async" and inspect.iscoroutinefunction(work.tool.function):
            return await self._on_loop(work, sink, timeout)
        if where in ("async", "thread"):
            return await self._in_thread(work, sink, timeout)
        raise WorkFailed(
            f'this executor has no pool "{where}"; it has {", ".join(POOLS)}', permanent=True
        )

    async def close(self) -> None:
        """Kill the processes, cancel what was left behind, let idle threads end."""
        self._threads.close()
        await self._processes.close()
        for task in self._left_behind:
            task.cancel()
        if self._left_behind:
            await asyncio.wait(self._left_behind, timeout=self._grace)

    async def _on_loop(self, work: Work, sink: BoundedSink, timeout: float) -> Json:
        # A task of its own: a tool that swallows its cancellation must not hold up its node.
        with self._capture.into(sink):
            task = asyncio.create_task(_coroutine(work), name=f"tool {work.tool.name}")
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout)
        except asyncio.CancelledError:
            await self._stop(task)
            raise
        if not done:
            await self._stop(task)
            raise TimeoutError
        if task.cancelled():
            raise WorkFailed("CancelledError: the tool cancelled itself")
        return task.result()

    async def _stop(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        self._left_behind.add(task)
        task.add_done_callback(self._forget)
        await asyncio.wait({task}, timeout=self._grace)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left_behind.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain about it

    async def _in_thread(self, work: Work, sink: BoundedSink, timeout: float) -> Json:
        with self._capture.into(sink):
            context = contextvars.copy_context()
        async with asyncio.timeout(timeout):
            return await self._threads.run(lambda: context.run(_plain, work))


async def _coroutine(work: Work) -> Json:
    try:
        return await work.tool.function(**work.tool.bind(work.arguments, work.context))
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        # SystemExit and KeyboardInterrupt too: asyncio would end the process over them
        raise WorkFailed.of(error) from None


def _plain(work: Work) -> Json:
    try:
        result = work.tool.function(**work.tool.bind(work.arguments, work.context))
        return asyncio.run(result) if inspect.iscoroutine(result) else result
    except BaseException as error:
        raise WorkFailed.of(error) from None
