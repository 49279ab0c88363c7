"""The engine: drives a schedule, with tasks, into a journal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from contract.errors import Fenced, Invalid, RunroomError
from contract.execution import ExecutionState, Graph
from contract.messages import Claimed
from contract.states import NODE_TERMINAL, ExecutionStatus, NodeStatus
from contract.values import parse
from contract.workflow import Workflow
from executor.journal import Journal
from executor.nodes.expressions import holds
from executor.nodes.plan import Plan, plan
from executor.nodes.registry import Registry
from executor.pools.base import WorkFailed, one_line
from executor.redact import Redactor
from executor.resume import Fetch, taken_over, whole
from executor.schedule import End, Move, Schedule, Step
from executor.slots import Rank, rank
from executor.work import NodeWork, Workshop
from executor.writer import Writer

_BROKEN = "internal error: the executor's log says more"
_NOT_READ = "the execution cannot be taken up: {}"
_logger = logging.getLogger("runroom.engine")


class Engine:
    """Makes attempts; holds what they share."""

    def __init__(
        self, registry: Registry, workshop: Workshop, redactor: Redactor | None = None
    ) -> None:
        self.registry = registry
        self.workshop = workshop
        self.redactor = redactor or Redactor()

    def attempt(
        self,
        claimed: Claimed,
        journal: Journal,
        fetch: Fetch,
    ) -> Attempt:
        """An attempt at a claimed execution, to be `run` once.

        Args:
            fetch: reads whole outputs: those that the claim's state only previews, and
                those that nodes take over from the execution that this one retries.
        """
        return Attempt(self, claimed, journal, fetch)


class Attempt:
    """One claim of an execution, carried out.

    Cancelling the task of `run` stops everything quietly: nothing more is written, and
    the execution can be released to another executor.
    """

    def __init__(
        self,
        engine: Engine,
        claimed: Claimed,
        journal: Journal,
        fetch: Fetch,
    ) -> None:
        self._engine = engine
        self._claimed = claimed
        self._fetch = fetch
        self._over = asyncio.Event()
        self._cancelling = False
        self._quiet = False
        self._result_logged = False
        self._error_logged = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._works: dict[str, NodeWork] = {}
        self._tries: dict[str, int] = {}
        self._who: Rank = (0, "")
        self._schedule: Schedule | None = None
        logged = claimed.state.get("logCount")
        self._writer = Writer(
            journal,
            engine.redactor,
            log_count=logged if isinstance(logged, int) else 0,
            on_fenced=self._over.set,
        )

    @property
    def execution_id(self) -> str:
        return self._claimed.execution_id

    @property
    def number(self) -> int:
        return self._claimed.attempt

    def cancel(self) -> None:
        """End the execution as cancelled; running nodes are stopped. Harmless when repeated."""
        self._cancelling = True
        if self._schedule is not None and not self._quiet:
            with contextlib.suppress(Fenced):
                self._follow(self._schedule, self._schedule.cancel())

    async def run(self) -> ExecutionStatus | None:
        """Carry the execution out to its end.

        Returns:
            Its terminal status, durable; None if the claim was lost.
        """
        try:
            await self._writer.room()
            if not self._cancelling:
                self._writer.put("status", status=ExecutionStatus.RUNNING.value)
            end = await self._drive()
            if end is None:
                return None
            status = self._finish(end)
            await self._writer.drained()
            return status
        except Fenced:
            return None
        finally:
            await self._stop()

    # the schedule

    async def _drive(self) -> End | None:
        """Run the nodes to the end; None if the claim is lost."""
        claimed = self._claimed
        try:
            state = await whole(parse(ExecutionState, claimed.state), self._fetch)
            reuse = await taken_over(state, claimed.reuse, self._fetch)
            graph = state.graph
            if not graph.nodes:
                workflow = parse(Workflow, claimed.workflow)
                graph = Graph(nodes=workflow.nodes, edges=workflow.edges)
        except Fenced:
            raise
        except RunroomError as problem:
            return End(status=ExecutionStatus.FAILED, error=_NOT_READ.format(problem))
        self._result_logged = state.result is not None
        self._error_logged = state.error is not None
        self._tries = {node.node_id: node.tries for node in state.nodes.values()}
        self._who = rank(claimed.priority, state.created_at)
        schedule = self._schedule = Schedule(
            graph, holds, input=claimed.input, state=state, reuse=reuse
        )
        if self._cancelling and not schedule.stopping:
            # the cancel came first: nothing is started that would have to be stopped
            self._follow(schedule, schedule.cancel())
        else:
            self._follow(schedule, schedule.begin())
        await self._over.wait()
        if self._writer.fenced:
            return None
        return schedule.end or End(status=ExecutionStatus.FAILED, error=_BROKEN)

    def _follow(self, schedule: Schedule, step: Step) -> None:
        """Log a step's moves and do what it asks for; never awaits, so steps keep their order."""
        for move in step.moves:
            self._log(move)
        for node_id in step.stop:
            task = self._tasks.get(node_id)
            if task is not None:
                task.cancel()
            else:  # an earlier attempt's: nobody runs it any more
                self._follow(schedule, schedule.cancelled(node_id))
        for node_id in step.ready:
            self._tasks[node_id] = asyncio.create_task(
                self._node(schedule, node_id), name=f"node {node_id}"
            )
        if schedule.end is not None:
            self._over.set()

    def _log(self, move: Move) -> None:
        node_id, status = move.node_id, move.status
        work = self._works.get(node_id)
        payload: dict[str, Any] = {"nodeId": node_id, "status": status.value}
        if status in NODE_TERMINAL:
            if work is None and (waiting := self._tasks.get(node_id)) is not None:
                waiting.cancel()
            payload.update(output=move.output, error=move.error, reused=move.reused or None)
        if work is not None:
            payload["try"] = work.try_
            if status in NODE_TERMINAL:
                payload["durationMs"] = work.duration_ms
        self._writer.put("nodeStatus", **payload)
        if move.progress is not None:
            self._writer.put("progress", progress=move.progress)

    async def _node(self, schedule: Schedule, node_id: str) -> None:
        """One node from its turn to its end. Its only ways out are steps, Fenced and quiet."""
        work = NodeWork(
            self._engine.workshop,
            schedule.nodes[node_id],
            self._writer,
            self._who,
            execution_id=self.execution_id,
            plan=lambda: self._plan(schedule, node_id),
            started=lambda _: self._started(schedule, node_id, work),
            overall=lambda: schedule.progress,
            tries=self._tries.get(node_id, 0),
        )
        try:
            try:
                output = await work.perform()
                await self._writer.room()
                step = schedule.completed(node_id, output)
            except asyncio.CancelledError:
                if self._quiet or schedule.status[node_id] in NODE_TERMINAL:
                    return
                step = schedule.cancelled(node_id)
            except WorkFailed as failed:
                step = schedule.failed(node_id, failed.error)
            self._follow(schedule, step)
        except Fenced:
            return
        except Exception as error:
            # Not the node's fault, but no reason to let the execution hang either.
            _logger.exception("execution %s: node %s broke", self.execution_id, node_id)
            self._broke(schedule, node_id, f"internal error: {one_line(error)}")

    def _plan(self, schedule: Schedule, node_id: str) -> Plan:
        node = schedule.nodes[node_id]
        return plan(node, schedule.scope, self._engine.registry, schedule.predecessors(node_id))

    def _started(self, schedule: Schedule, node_id: str, work: NodeWork) -> None:
        self._works[node_id] = work
        self._follow(schedule, schedule.started(node_id))

    def _broke(self, schedule: Schedule, node_id: str, error: str) -> None:
        try:
            if schedule.status[node_id] is NodeStatus.RUNNING:
                self._follow(schedule, schedule.failed(node_id, error))
            else:
                self._follow(schedule, schedule.abort(error))
        except RunroomError:
            self._over.set()

    # the end

    def _finish(self, end: End) -> ExecutionStatus:
        status, error = end.status, end.error
        if status is ExecutionStatus.COMPLETED and not self._result_logged:
            try:
                self._writer.put("result", result=end.result)
            except Invalid as problem:
                status, error = ExecutionStatus.FAILED, f"the result cannot be kept: {problem}"
        if status is ExecutionStatus.FAILED and not self._error_logged:
            self._writer.put("error", error=error, nodeId=end.node_id)
        self._writer.put("status", status=status.value, logCount=self._writer.log_count)
        return status

    async def _stop(self) -> None:
        """Cancel and await what still runs; nothing is written any more."""
        self._quiet = True
        left = [task for task in self._tasks.values() if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
