"""The executor's way to the server, usable as a library by any Python program.

    async with Bridge("http://127.0.0.1:3001", token) as bridge:
        run = await bridge.start("my-flow")
        await run.status("running")
        await run.log("hello")
        await run.status("completed")

Whatever happens to the connection or the server, every event arrives once and in order,
as long as this process lives and the claim is not lost.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import orjson

from contract.errors import Fenced, Invalid, RunroomError
from contract.messages import Claimed
from contract.values import Json, encode_json, parse
from contract.workflow import Edge, Node
from executor.connection import Answer
from executor.heartbeat import Heartbeat
from executor.link import Link
from executor.outbox import Budget
from executor.run import Run
from executor.tokens import Source, Tokens

__all__ = ["Bridge", "Run"]

logger = logging.getLogger(__name__)

Tasks = set[asyncio.Task[None]]
OUTBOX_BYTES = 8 * 1024 * 1024


class Bridge:
    """A connection to the server that comes back by itself, and the runs that share it.

    Args:
        url: the server's `http(s)://host[:port][/prefix]`.
        token: of role `executor`; or a callable, plain (it must not block) or async,
            that returns a fresh one and is asked for every connection and shortly
            before the token's end.
        executor_id: this executor's name; the same again after a restart lets `start`
            resume its runs. Made of host and pid if left out.
        capacity: how many executions it takes at once, as the server is told.
        offers: what nodes may require of it (`gpu`, …).
        outbox_bytes: bound of all unacknowledged events together; `Run.room` waits there.
        fold_logs: at the bound, count further log lines in one marker line a run instead
            of waiting. No other event is ever left out.
        on_work: there may be something to claim; also called after each connect.
        on_cancel: an execution shall be cancelled: `(execution_id, attempt)`. Once for an
            open run; possibly before `open` was called, and then again.
        on_lost: a run's claim was lost: `(execution_id)`. Its methods raise `Fenced`.
        answer_timeout: seconds after which an unanswered request drops the connection.
        close_timeout: how long leaving the `async with` waits for unacknowledged events.
        lease_seconds: the lease's length until the server has told it.
        backoff: first and longest wait between connections, in seconds (full jitter);
            never longer than a third of a lease.
    """

    def __init__(
        self,
        url: str,
        token: Source,
        *,
        executor_id: str | None = None,
        capacity: int = 1,
        offers: Iterable[str] = (),
        outbox_bytes: int = OUTBOX_BYTES,
        fold_logs: bool = False,
        on_work: Callable[[], None] | None = None,
        on_cancel: Callable[[str, int], None] | None = None,
        on_lost: Callable[[str], None] | None = None,
        answer_timeout: float = 30.0,
        close_timeout: float = 10.0,
        lease_seconds: float = 15.0,
        backoff: tuple[float, float] = (0.5, 15.0),
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise Invalid(f'url: "{url}" is not like http://127.0.0.1:3001')
        self.executor_id = executor_id or _own_name()
        self.on_work = on_work
        self.on_cancel = on_cancel
        self.on_lost = on_lost
        self._close_timeout = close_timeout
        self._fold_logs = fold_logs
        self._budget = Budget(outbox_bytes)
        self._runs: dict[str, Run] = {}
        self._tasks: Tasks = set()
        self._returning: Tasks = set()
        self._link = Link(
            url,
            Tokens(token),
            {"executorId": self.executor_id, "capacity": capacity, "offers": list(offers)},
            on_event=self._received,
            on_up=self._up,
            answer_timeout=answer_timeout,
            backoff=backoff,
        )
        self._heartbeat = Heartbeat(self._link, self._runs, lease_seconds, self._cancel)

    async def __aenter__(self) -> Self:
        """Begin to connect; does not wait for it (`connected` does)."""
        self._spawn(self._link.keep(), self._tasks)
        self._spawn(self._heartbeat.keep(), self._tasks)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """If connected, wait up to `close_timeout` for what is not acknowledged; then
        disconnect."""
        try:
            if self._link.up:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._close_timeout):
                        await self._settled()
            for run in self._runs.values():
                if run.head < run.last:
                    logger.warning(
                        "execution %s: closed with %d events not acknowledged",
                        run.execution_id,
                        run.last - run.head,
                    )
        finally:
            tasks = (*self._tasks, *self._returning)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def connected(self) -> None:
        """Wait until there is a connection.

        Raises:
            Unauthorized, Forbidden: there never was one, and the server refused the
                fixed token. (With a callable, a fresh one is tried for ever.)
            RunroomError: there never was one, and the server refused the request itself.
        """
        await self._link.connection()

    async def claim(self, max: int) -> list[Claimed]:
        """Take up to `max` executions; give each to `open`. Empty if there are none.

        If the connection is lost before the answer comes, it is asked again; what the
        server gave with the lost answer comes back to it when that lease runs out. If
        the caller is cancelled, what the answer brings is released at once.

        Raises:
            As `connected`.
        """
        answer = await self._link.request("claim", {"max": max}, abandoned=self._give_back)
        self._heartbeat.learn(answer)
        return _claimed(answer)

    def open(
        self, execution_id: str, attempt: int, head: int, *, log_count: int | None = None
    ) -> Run:
        """The run of a claimed execution: its claim is kept alive from now on, until
        `Run.close` or `Run.release`. The same attempt again gives the same run.

        Args:
            log_count: the log lines up to `head`, if known: then a terminal status that
                does not say its `logCount` gets it.
        """
        open_run = self._runs.get(execution_id)
        if open_run is not None:
            if open_run.attempt == attempt:
                return open_run
            open_run.fail(Fenced(f"execution {execution_id}: attempt {attempt} has begun"))
        run = Run(
            execution_id,
            attempt,
            head,
            log_count=0 if head == 0 else log_count,
            link=self._link,
            budget=self._budget,
            fold_logs=self._fold_logs,
            on_over=self._over,
        )
        self._runs[execution_id] = run
        self._spawn(run.deliver(), self._tasks)
        return run

    async def start(
        self,
        workflow_id: str,
        *,
        execution_id: str | None = None,
        workflow_name: str | None = None,
        nodes: Iterable[Node | Mapping[str, Json]] = (),
        edges: Iterable[Edge | Mapping[str, Json]] = (),
    ) -> Run:
        """Register a run of one's own. With the `execution_id` (and `executor_id`) of
        before, after a restart, it goes on after `run.head`.

        Raises:
            As `connected`; Conflict: the id is somebody else's; Invalid: what was given
                does not make a workflow.
        """
        request = {
            # Named here, so that asking again after a lost answer makes no second run.
            "executionId": execution_id or str(uuid4()),
            "workflowId": workflow_id,
            "workflowName": workflow_name,
            "nodes": [_wire(node) for node in nodes],
            "edges": [_wire(edge) for edge in edges],
        }
        answer = await self._link.request(
            "register", orjson.Fragment(encode_json(request, "register"))
        )
        self._heartbeat.learn(answer)
        return self.open(
            answer["executionId"],
            answer["attempt"],
            answer["head"],
            log_count=answer.get("logCount"),
        )

    async def output(self, execution_id: str, node_id: str) -> Json:
        """A finished node's whole output.

        Raises:
            NotFound: no such execution or output.
        """
        request = {"executionId": execution_id, "nodeId": node_id}
        return (await self._link.request("output", request)).get("output")

    def _up(self) -> None:
        self._heartbeat.hurry()
        # A `work` may have been sent while there was no connection.
        _tell(self.on_work)

    def _received(self, event: str, argument: Any) -> None:
        if event == "work":
            _tell(self.on_work)
        elif event == "cancel" and isinstance(argument, dict):
            self._cancel(argument["executionId"], argument["attempt"])
        elif event == "auth":
            logger.info("the server ends the connection: %s", (argument or {}).get("code"))

    def _cancel(self, execution_id: str, attempt: int) -> None:
        run = self._runs.get(execution_id)
        if run is not None:
            if run.attempt != attempt or run.cancelling:
                return
            run.cancelling = True
        _tell(self.on_cancel, execution_id, attempt)

    def _over(self, run: Run, error: RunroomError | None) -> None:
        if self._runs.get(run.execution_id) is run:
            del self._runs[run.execution_id]
        if isinstance(error, Fenced):
            _tell(self.on_lost, run.execution_id)

    def _give_back(self, answer: Answer) -> None:
        """Release what a claim brought after its caller had gone."""
        for claimed in _claimed(answer) if answer.get("ok") is True else ():
            run = self.open(claimed.execution_id, claimed.attempt, claimed.head)
            self._spawn(run.release(), self._returning)

    async def _settled(self) -> None:
        """Wait until every run is drained and every request answered."""
        runs = tuple(self._runs.values())
        await asyncio.gather(*(run.drained() for run in runs), return_exceptions=True)
        if self._link.up:
            await (await self._link.connection()).settled()
        if self._returning:
            await asyncio.wait(self._returning)

    def _spawn(self, work: Coroutine[Any, Any, None], kept: Tasks) -> None:
        task = asyncio.create_task(work)
        kept.add(task)
        task.add_done_callback(kept.discard)
        task.add_done_callback(_note_failure)


def _note_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a task of the bridge failed", exc_info=error)


def _claimed(answer: Answer) -> list[Claimed]:
    return [parse(Claimed, each) for each in answer.get("executions") or ()]


def _wire(value: Node | Edge | Mapping[str, Json]) -> dict[str, Any]:
    return value.to_wire() if isinstance(value, Node | Edge) else dict(value)


def _tell(hook: Callable[..., None] | None, *args: str | int) -> None:
    if hook is not None:
        try:
            hook(*args)
        except Exception:
            logger.exception("a hook of the bridge failed")


def _own_name() -> str:
    host = re.sub(r"[^A-Za-z0-9_.:-]", "-", socket.gethostname())[:100]
    return f"{host}-{os.getpid()}"
