"""What an executor may do besides appending events: claim, register, fetch, release."""

from __future__ import annotations

import secrets
from typing import Any

import orjson
from pydantic import ValidationError

from bff.auth import Principal
from bff.ingest import Writer
from bff.leases import Leases
from bff.snapshots import Snapshots
from bff.stores.base import EventStore, Execution, no_execution
from contract.errors import Conflict, Fenced, Forbidden, Invalid, NotFound, RunroomError
from contract.execution import Graph, Record
from contract.messages import Claimed, Held, Output, Register
from contract.values import Json, explain, now
from contract.workflow import problems_of

MAX_ANSWER_BYTES = 1_000_000
"""Of one answer to `claim`; the last execution may exceed it. An executor asks again."""


class Claims:
    """Claims as executors see them."""

    def __init__(self, store: EventStore, snapshots: Snapshots, leases: Leases) -> None:
        self._store = store
        self._snapshots = snapshots
        self._leases = leases

    async def claim(self, writer: Writer, limit: int, offers: frozenset[str]) -> list[bytes]:
        """Claim up to `limit` executions, fewer if the answer would grow too long.

        Returns:
            Each with all that is needed to run it, as the JSON of a `Claimed`.
        """
        answer: list[bytes] = []
        while len(answer) < limit and sum(map(len, answer)) < MAX_ANSWER_BYTES:
            executions = await self._leases.claim(writer, 1, offers)
            if not executions:
                break
            execution = executions[0]
            try:
                claimed = await self._claimed(execution)
            except RunroomError:
                # the executor will not learn of it, so nobody must wait for its lease
                held = Held(execution_id=execution.id, attempt=execution.attempt)
                await self._leases.release(held, writer.holder)
                if not answer:
                    raise
                break
            answer.append(claimed.model_dump_json(by_alias=True).encode())
        return answer

    async def output(self, writer: Writer, request: Output) -> Json:
        """A finished node's whole output.

        Raises:
            NotFound: no such execution or node, or the node has not completed.
        """
        execution = await self._seen(writer, request.execution_id)
        state = await self._snapshots.state(execution)
        node = state.nodes.get(request.node_id)
        if node is None or node.status != "completed":
            raise NotFound(f'no output of node "{request.node_id}"')
        whole = await self._store.value(execution.id, f"nodes/{request.node_id}/output")
        return node.output if whole is None else orjson.Fragment(whole)

    async def release(self, writer: Writer, held: Held) -> None:
        """Give an execution back, for another executor.

        Raises:
            NotFound: no such execution.
            Fenced: the caller does not hold it, or no longer.
        """
        await self._seen(writer, held.execution_id)
        if not await self._leases.release(held, writer.holder):
            raise Fenced(f"attempt {held.attempt} is not this executor's any more")

    async def register(self, principal: Principal, writer: Writer, request: Register) -> Execution:
        """An outside system's own run, claimed by the caller; again gives it again.

        Raises:
            Invalid: the nodes and edges are no graph.
            Conflict: the id belongs to something else.
        """
        record = _record(principal, request)
        made = Execution(record=record, tenant=principal.tenant, registered=True)
        if not writer.may_hold(made):
            raise Forbidden("the token is for certain executions; register one of those")
        try:
            known = await self._store.execution(record.execution_id)
        except NotFound:
            return await self._leases.register(made, writer.holder)
        if not known.registered or not writer.may_hold(known):
            raise Conflict(f'the id "{record.execution_id}" is taken')
        if known.summary.ended_at is not None:
            return known
        if known.attempt == 0:  # it was kept, but its claim failed
            return await self._leases.adopt(known.id, writer.holder)
        held = Held(execution_id=known.id, attempt=known.attempt)
        lost, _ = await self._leases.heartbeat(writer, [held])
        if lost:
            raise Conflict(f'"{record.execution_id}" is held by another executor')
        return known

    async def _seen(self, writer: Writer, execution_id: str) -> Execution:
        execution = await self._store.execution(execution_id)
        if not writer.may_hold(execution):
            raise no_execution(execution_id)
        return execution

    async def _claimed(self, execution: Execution) -> Claimed:
        record = execution.record
        whole = await self._store.value(execution.id, "input")
        state = await self._snapshots.state(execution)
        graph = record.graph.model_dump(mode="json", by_alias=True, exclude_none=True)
        return Claimed(
            execution_id=execution.id,
            attempt=execution.attempt,
            head=execution.head,
            workflow={"id": record.workflow_id, "name": record.workflow_name, **graph},
            input=record.input if whole is None else orjson.loads(whole),
            priority=record.priority,
            state=state.to_wire(),
            reuse=tuple(sorted(execution.reuse)),
        )


def _record(principal: Principal, request: Register) -> Record:
    nodes: list[Any] = [
        {"kind": "tool", **node} if isinstance(node, dict) else node for node in request.nodes
    ]
    try:
        graph = Graph.model_validate({"nodes": nodes, "edges": request.edges})
    except ValidationError as error:
        path, message = explain(error)
        raise Invalid(f"{path}: {message}") from None
    for problem in problems_of(graph.nodes, graph.edges, runnable=False):
        raise Invalid(problem)
    return Record(
        execution_id=request.execution_id or f"ex_{secrets.token_urlsafe(12)}",
        workflow_id=request.workflow_id,
        workflow_name=request.workflow_name or request.workflow_id,
        graph=graph,
        owner=principal.sub,
        created_at=now(),
    )
