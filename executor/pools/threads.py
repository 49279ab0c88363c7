"""Threads that are used again, and left behind when their call does not end in time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from executor.pools.base import WorkFailed

MAX_LEFT_BEHIND = 64
"""Threads that may still run calls nobody waits for; beyond, further calls are refused."""

Call = Callable[[], Any]


class Threads:
    """Runs plain functions off the loop.

    How many run at once is bounded by whoever calls; idle threads are kept. A thread cannot
    be killed: one whose caller was cancelled finishes by itself and then ends. They are
    daemons, so none holds up the end of the process.
    """

    def __init__(self) -> None:
        self._idle: list[_Thread] = []
        self._left_behind = 0
        self._closed = False

    @property
    def left_behind(self) -> int:
        """Threads whose call nobody waits for any more."""
        return self._left_behind

    async def run(self, call: Call) -> Any:
        """What `call` returns, or raises; it must handle BaseException itself.

        Raises:
            WorkFailed: too many threads hang already.
        """
        if self._left_behind >= MAX_LEFT_BEHIND:
            raise WorkFailed(
                f"{self._left_behind} threads still run calls that were cancelled or timed out; "
                "use the process pool for work that does not end"
            )
        thread = self._idle.pop() if self._idle else _Thread(asyncio.get_running_loop())
        done = thread.give(call)
        try:
            result = await done
        except asyncio.CancelledError:
            self._left_behind += 1
            thread.leave(self._gone)
            raise
        except BaseException:
            self._keep(thread)
            raise
        self._keep(thread)
        return result

    def close(self) -> None:
        self._closed = True
        for thread in self._idle:
            thread.end()
        self._idle.clear()

    def _keep(self, thread: _Thread) -> None:
        if self._closed:
            thread.end()
        else:
            self._idle.append(thread)

    def _gone(self) -> None:
        self._left_behind -= 1


class _Thread:
    """One thread and its inbox. All methods are called on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._inbox: SimpleQueue[tuple[Call, asyncio.Future[Any]] | None] = SimpleQueue()
        self._left: Callable[[], None] | None = None
        threading.Thread(target=self._serve, name="runroom-tool", daemon=True).start()

    def give(self, call: Call) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = self._loop.create_future()
        self._inbox.put((call, done))
        return done

    def leave(self, gone: Callable[[], None]) -> None:
        """Nobody waits for the present call; the thread ends after it."""
        self._left = gone
        self._inbox.put(None)

    def end(self) -> None:
        self._inbox.put(None)

    def _serve(self) -> None:
        while (order := self._inbox.get()) is not None:
            call, done = order
            try:
                outcome: tuple[Any, BaseException | None] = (call(), None)
            except BaseException as error:
                outcome = (None, error)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._tell, done, *outcome)
            del order, call, done, outcome

    def _tell(self, done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        if self._left is not None:
            self._left()
            self._left = None
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)
