"""One execution's events on their way: numbered, sent, sent again, acknowledged."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from typing import Literal

import orjson

from contract.errors import Fenced, Gap, RunroomError, Sealed
from contract.states import EXECUTION_TERMINAL
from contract.values import Json
from executor.link import Link
from executor.outbox import Budget, Outbox

logger = logging.getLogger(__name__)

_TERMINAL = tuple(EXECUTION_TERMINAL)


class Run:
    """The journal of one claimed execution (`executor.journal.Journal`).

    Made by the bridge. Once it has failed, because the claim was lost (`Fenced`) or the
    server refused an event (`Conflict`, `Invalid`, `Sealed`, `NotFound`, `Gap`), `put`,
    `room` and `drained` raise that error.

    Attributes:
        cancelling: somebody asked for the execution to be cancelled.

    Args:
        head: the last seq that the server holds.
        log_count: the log lines among those events, if known.
        fold_logs: log lines beyond the budget are counted in a marker instead of kept.
        on_over: called once, with the error if it failed.
    """

    def __init__(
        self,
        execution_id: str,
        attempt: int,
        head: int,
        *,
        log_count: int | None,
        link: Link,
        budget: Budget,
        fold_logs: bool,
        on_over: Callable[[Run, RunroomError | None], None],
    ) -> None:
        self.execution_id = execution_id
        self.attempt = attempt
        self.cancelling = False
        self._log_count = log_count
        self._link = link
        self._budget = budget
        self._fold_logs = fold_logs
        self._on_over = on_over
        self._outbox = Outbox(execution_id, attempt, head, budget)
        self._error: RunroomError | None = None
        self._closed = False
        self._ended = False
        self._waiting = asyncio.Event()
        self._drains: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def head(self) -> int:
        """The last seq that is durable at the server."""
        return self._outbox.head

    @property
    def last(self) -> int:
        """The last seq that was put."""
        return self._outbox.last

    def put(self, type: str, **payload: Json) -> None:
        """See `executor.journal.Journal.put`."""
        self._check()
        if self._ended:
            raise Sealed(f"execution {self.execution_id} has ended: nothing follows its status")
        terminal = type == "status" and payload.get("status") in _TERMINAL
        if terminal:
            payload["logCount"] = self._count_logs(payload.get("logCount"))
        self._outbox.put(type, payload, fold=self._fold_logs)
        self._ended = terminal
        self._waiting.set()

    @property
    def held(self) -> bool:
        """The claim is to be kept alive: the end is not durable yet."""
        return not self._ended or self.head < self.last

    async def room(self) -> None:
        """See `executor.journal.Journal.room`."""
        self._check()
        await self._budget.room(self)
        self._check()

    async def drained(self) -> None:
        """See `executor.journal.Journal.drained`."""
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self.head < self.last:
            drain = asyncio.get_running_loop().create_future()
            self._drains.append((self.last, drain))
            await drain

    async def log(
        self,
        message: str,
        *,
        level: Literal["info", "warning", "error"] = "info",
        node_id: str | None = None,
        metadata: Json = None,
    ) -> None:
        """Put a line into the execution's log, or a node's; waits for room first."""
        if not self._fold_logs:
            await self.room()
        line = {"level": level, "message": message, "nodeId": node_id, "metadata": metadata}
        self.put("log", log=line)

    async def status(self, status: str) -> None:
        """Move the execution to `status`; a terminal one ends it."""
        await self.room()
        self.put("status", status=status)

    async def node_status(
        self,
        node_id: str,
        status: str,
        *,
        output: Json = None,
        error: str | None = None,
        message: str | None = None,
        duration_ms: float | None = None,
        try_: int | None = None,
        reused: bool | None = None,
    ) -> None:
        """Move a node to `status`."""
        await self.room()
        rest = {"output": output, "error": error, "message": message, "reused": reused}
        self.put(
            "nodeStatus",
            nodeId=node_id,
            status=status,
            durationMs=duration_ms,
            **{**rest, "try": try_},
        )

    async def progress(
        self,
        progress: int,
        *,
        node_id: str | None = None,
        node_progress: float | None = None,
        message: str | None = None,
    ) -> None:
        """Say how much of the execution is done and, if given, of one node (0 … 100)."""
        await self.room()
        self.put(
            "progress",
            progress=progress,
            nodeId=node_id,
            nodeProgress=node_progress,
            message=message,
        )

    async def result(self, result: Json) -> None:
        """Put what the execution produced; comes before `status("completed")`."""
        await self.room()
        self.put("result", result=result)

    async def error(self, error: str, *, node_id: str | None = None) -> None:
        """Put why the execution failed; comes before `status("failed")`."""
        await self.room()
        self.put("error", error=error, nodeId=node_id)

    async def release(self) -> None:
        """Wait until all is durable, then give the execution back for another executor.

        A claim that is lost by then is no longer there to be given back: no error.

        Raises:
            Fenced: it was lost before all was durable.
        """
        await self.drained()
        self._close()
        try:
            await self._link.request(
                "release", {"executionId": self.execution_id, "attempt": self.attempt}
            )
        except Fenced:
            logger.info("release of execution %s: already lost", self.execution_id)

    async def close(self) -> None:
        """Wait until all is durable, then let go: the execution has ended.

        Raises:
            Fenced: the claim was lost before that.
        """
        await self.drained()
        self._close()

    def lose(self) -> None:
        """The claim is gone, says a heartbeat.

        A run whose terminal status is on its way holds no claim once that is durable:
        there, the answer to `events` decides.
        """
        if not self._ended:
            self.fail(Fenced(f"execution {self.execution_id}: attempt {self.attempt} is over"))

    def fail(self, error: RunroomError) -> None:
        """Give the run up; everything about it raises `error` from now on."""
        if self._error is not None or self._closed:
            return
        logger.error(
            "execution %s, attempt %d: %s (%s), %d events not delivered",
            self.execution_id,
            self.attempt,
            error,
            error.code,
            self.last - self.head,
        )
        self._error = error
        # before the bytes are given back: those who wait for this run get no turn any more
        self._budget.dismiss(self, error)
        self._outbox.clear()
        for _, drain in self._drains:
            if not drain.done():
                drain.set_exception(error)
        self._drains.clear()
        self._waiting.set()
        self._on_over(self, error)

    def _count_logs(self, given: Json) -> Json:
        """The terminal status's `logCount`: the caller's without the lines left out, or
        our own if all of them are known."""
        if isinstance(given, int):
            return given - self._outbox.left_out
        if given is None and self._log_count is not None:
            return self._log_count + self._outbox.logs
        return given

    async def deliver(self) -> None:
        """Send what is put, in order, one message at a time, until the run is over."""
        while self._error is None and not self._closed:
            batch = self._outbox.batch()
            if not batch:
                self._waiting.clear()
                await self._waiting.wait()
                continue
            first = self.head + 1
            message = {
                "executionId": self.execution_id,
                "attempt": self.attempt,
                "events": orjson.Fragment(b"[%s]" % b",".join(batch)),
            }
            try:
                answer = await self._link.request("events", message, bounded=True)
                self._acknowledged(answer.get("head"))
            except Gap as gap:
                self._rewind(gap)
            except RunroomError as error:
                self.fail(error)
            if self._error is None and self.head < first:
                # "ok" for nothing, or a gap where there is none: no sense in a hurry
                logger.warning(
                    "execution %s: nothing of seq %d on was taken; sending again",
                    self.execution_id,
                    first,
                )
                await asyncio.sleep(random.uniform(0.5, 1.0))

    def _rewind(self, gap: Gap) -> None:
        """Go on after the server's head, if what follows it is still here."""
        head = gap.fields["head"]
        if head < self.head:
            self.fail(
                Gap(
                    f"execution {self.execution_id}: the server's head is {head}, but the events "
                    f"up to {self.head} were acknowledged and are no longer here",
                    head,
                )
            )
        else:
            self._acknowledged(head)

    def _acknowledged(self, head: object) -> None:
        if not isinstance(head, int):
            return
        self._outbox.acknowledge(head)
        while self._drains and self._drains[0][0] <= self.head:
            _, drain = self._drains.popleft()
            if not drain.done():
                drain.set_result(None)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._waiting.set()
            self._on_over(self, None)

    def _check(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._closed:
            raise Sealed(f"execution {self.execution_id}: the run was closed")
