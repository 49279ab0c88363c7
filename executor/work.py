"""One node at work: its slot, its plan, its tries, its items and what it says meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import orjson

from contract.errors import Fenced, Invalid
from contract.values import MAX_EVENT_BYTES, Json, encode_json
from contract.workflow import Node
from executor.capture import Capture, Level
from executor.node_progress import NodeProgress
from executor.nodes.plan import Call, Each, Plan
from executor.nodes.registry import Context
from executor.pools.base import Pool, Work, WorkFailed
from executor.retry import Limits, backoff, last_try
from executor.sink import JournalSink
from executor.slots import Rank, Slots
from executor.writer import Writer, clean

ENVELOPE_BYTES = 4_096
"""What an event may need beside its output."""
MAX_OUTPUT_BYTES = MAX_EVENT_BYTES - ENVELOPE_BYTES


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What the nodes of all executions in this process share.

    Attributes:
        context: the settings that tools see; what belongs to a call is filled in.
    """

    pool: Pool
    capture: Capture
    slots: Slots
    limits: Limits
    context: Context


class NodeWork:
    """Does one node's work, once.

    Args:
        plan: makes the node's plan; called when the node has its slot.
        started: logs the first `running` with the try's number, before anything else is logged.
        overall: the execution's progress at present.
        tries: how many tries earlier attempts have begun.
    """

    def __init__(
        self,
        workshop: Workshop,
        node: Node,
        writer: Writer,
        who: Rank,
        *,
        execution_id: str,
        plan: Callable[[], Plan],
        started: Callable[[int], None],
        overall: Callable[[], int],
        tries: int = 0,
    ) -> None:
        self._shop = workshop
        self._node = node
        self._writer = writer
        self._who = who
        self._execution_id = execution_id
        self._make_plan = plan
        self._started = started
        self._overall = overall
        self._before = tries
        self._progress = NodeProgress(self._tell_progress)
        self._begun: float | None = None
        self.try_ = tries + 1
        """The number of the present try."""

    @property
    def duration_ms(self) -> float | None:
        """How long the node has been at work; None before it started."""
        if self._begun is None:
            return None
        return round((time.perf_counter() - self._begun) * 1000, 1)

    async def perform(self) -> Json:
        """The node's output, as plain JSON.

        Raises:
            WorkFailed: after the last try.
            Fenced: the claim is lost.
        """
        try:
            plan = await self._start()
            if isinstance(plan, Call):
                return await self._tries(plan, holding_slot=True)
            if isinstance(plan, Each):
                return await self._each(plan.calls)
            return self._output(plan.output)
        finally:
            self._progress.close()

    async def _start(self) -> Plan:
        """Wait for the node's turn. If the plan is a call, its slot is taken."""
        config = self._node.config or {}
        if "tool" not in config and "model" not in config:
            # nothing is run, so no slot is needed
            return await self._begin()
        slots = self._shop.slots
        await slots.take(self._who)
        try:
            plan = await self._begin()
        except BaseException:
            slots.give()
            raise
        if not isinstance(plan, Call):
            slots.give()
        return plan

    async def _begin(self) -> Plan:
        await self._writer.room()
        self._begun = time.perf_counter()
        self._started(self.try_)
        try:
            return self._make_plan()
        except Invalid as problem:
            raise WorkFailed(str(problem), permanent=True) from None

    async def _each(self, calls: Sequence[Call]) -> Json:
        """All items, no more at once than there are slots; the first failure stops the rest."""
        outputs: list[Json] = [None] * len(calls)
        todo = iter(enumerate(calls))
        self._progress.expect(len(calls))

        async def take_items() -> None:
            for item, call in todo:
                try:
                    outputs[item] = await self._tries(call, item=item)
                except WorkFailed as failed:
                    raise WorkFailed(f"item {item}: {failed.error}", failed.trace) from None
                self._progress.item_done(item)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(len(calls), self._shop.slots.limit)):
                    group.create_task(take_items())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return self._output(outputs)

    async def _tries(
        self, call: Call, *, item: int | None = None, holding_slot: bool = False
    ) -> Json:
        """Try until it works, a further try is no use, or there are no more."""
        slots, limits = self._shop.slots, self._shop.limits
        number = self._before + 1
        last = last_try(limits.tries_of(self._node, call.tool), self._before)
        while True:
            if not holding_slot:
                await slots.take(self._who)
            holding_slot = False
            try:
                return await self._try(call, number, item)
            except WorkFailed as failed:
                if failed.permanent or number >= last:
                    self._log("error", failed.error, failed, number, item)
                    raise
                failure = failed
            finally:
                slots.give()
            number += 1
            delay = backoff(self._node, number - self._before - 1)
            message = f"{failure.error} – try {number} of {last} in {delay:.1f} s"
            if item is None:
                self.try_ = number
                again = {"nodeId": self._node.id, "try": number, "message": clean(message)}
                self._writer.put("nodeStatus", status="running", **again)
            self._log("warning", message, failure, number - 1, item)
            await asyncio.sleep(delay)

    async def _try(self, call: Call, number: int, item: int | None) -> Json:
        shop = self._shop
        if item is None:
            report = self._progress.report
        else:
            report = partial(self._progress.report_item, item)
        sink = JournalSink(
            self._writer, shop.capture, node_id=self._node.id, on_progress=report, item=item
        )
        context = replace(
            shop.context,
            execution_id=self._execution_id,
            node_id=self._node.id,
            try_=number,
            item=item,
            progress=sink.progress,
        )
        work = Work(call.tool, call.arguments, context, self._node.pool or call.tool.pool)
        timeout = shop.limits.timeout_of(self._node, call.tool)
        try:
            output = await shop.pool.run(work, sink, timeout)
            return self._output(output)
        except TimeoutError:
            raise WorkFailed(f"TimeoutError: no result within {timeout:g} s") from None
        finally:
            # everything it said comes before its terminal nodeStatus
            await sink.end()

    def _output(self, output: Json) -> Json:
        """The output as plain JSON, as a resumed execution would read it.

        Raises:
            WorkFailed: it is not JSON, or too large for an event.
        """
        if output is None or isinstance(output, bool):
            return output
        try:
            data = encode_json(output, "the output")
            size = len(data)
            if self._writer.redactor.active:
                size = len(encode_json(self._writer.redactor.value(output), "the output"))
        except Invalid as problem:
            raise WorkFailed(str(problem), permanent=True) from None
        if size > MAX_OUTPUT_BYTES:
            raise WorkFailed(
                f"the output is {size:,} bytes of JSON; at most {MAX_OUTPUT_BYTES:,} fit",
                permanent=True,
            )
        # tuples, dates and dataclasses become what the log says they are
        return output if isinstance(output, str | int | float) else orjson.loads(data)

    def _log(
        self, level: Level, message: str, failed: WorkFailed, number: int, item: int | None
    ) -> None:
        metadata: dict[str, Json] = {"try": number}
        if item is not None:
            metadata["item"] = item
        if failed.trace is not None:
            metadata["traceback"] = clean(failed.trace)
        self._writer.log(level, message, node_id=self._node.id, metadata=metadata)

    def _tell_progress(self, percent: float, message: str | None) -> None:
        text = None if message is None else clean(message)
        # neither a lost claim nor an odd message is the tool's fault; what it logs is not caught
        with self._shop.capture.into(None), contextlib.suppress(Fenced, Invalid):
            self._writer.put(
                "progress",
                progress=self._overall(),
                nodeId=self._node.id,
                nodeProgress=percent,
                message=text,
            )
