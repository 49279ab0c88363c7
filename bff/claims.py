"""What an executor may do besides appending events: claim, register, fetch, release."""

from __future__ import annotations

import secrets
from typing import Any

import orjson
from pydantic import ValidationError

from bff.auth import Principal
from bff.leases import Leases
from bff.snapshots import Snapshots
from bff.stores.base import EventStore, Execution
from contract.errors import Conflict, Fenced, Invalid, NotFound, RunroomError
from contract.execution import Graph, Record
from contract.messages import Claimed, Held, Output, Register
from contract.values import Json, explain, now
from contract.workflow import problems_of


class Claims:
    """Claims as executors see them."""

    def __init__(self, store: EventStore, snapshots: Snapshots, leases: Leases) -> None:
        self._store = store
        self._snapshots = snapshots
        self._leases = leases

    async def claim(
        self, principal: Principal, holder: str, limit: int, offers: frozenset[str]
    ) -> list[Claimed]:
        """Claim up to `limit` executions, each with all that is needed to run it."""
        executions = await self._leases.claim(holder, principal.scope, limit, offers)
        try:
            return [await self._claimed(execution) for execution in executions]
        except RunroomError:
            # the executor will not learn of them, so nobody must wait for their leases
            for execution in executions:
                await self._leases.release(execution.id, execution.attempt, holder)
            raise

    async def output(self, principal: Principal, request: Output) -> Json:
        """A finished node's whole output.

        Raises:
            NotFound: no such execution or node, or the node has not completed.
        """
        execution = await self._held(principal, request.execution_id)
        state = await self._snapshots.state(execution)
        node = state.nodes.get(request.node_id)
        if node is None or node.status != "completed":
            raise NotFound(f'no output of node "{request.node_id}"')
        whole = await self._store.value(execution.id, f"nodes/{request.node_id}/output")
        return node.output if whole is None else orjson.Fragment(whole)

    async def release(self, principal: Principal, holder: str, held: Held) -> None:
        """Give an execution back, for another executor.

        Raises:
            NotFound: no such execution.
            Fenced: the caller does not hold it, or no longer.
        """
        execution = await self._held(principal, held.execution_id)
        if not await self._leases.release(execution.id, held.attempt, holder):
            raise Fenced(f"attempt {held.attempt} is not this executor's any more")

    async def register(self, principal: Principal, holder: str, request: Register) -> Execution:
        """An outside system's own run, claimed by the caller; again gives it again.

        Raises:
            Invalid: the nodes and edges are no graph.
            Conflict: the id belongs to something else.
        """
        record = _record(principal, request)
        try:
            known = await self._store.execution(record.execution_id)
        except NotFound:
            made = Execution(record=record, tenant=principal.tenant, registered=True)
            await self._store.create(made)
            return await self._leases.adopt(record.execution_id, holder)
        if not known.registered or not principal.may_hold(known):
            raise Conflict(f'the id "{record.execution_id}" is taken')
        if known.summary.ended_at is not None:
            return known
        if known.holder not in (None, holder):
            raise Conflict(f'"{record.execution_id}" is held by another executor')
        if known.attempt == 0:  # made, but its claim was never given
            return await self._leases.adopt(record.execution_id, holder)
        held = Held(execution_id=known.id, attempt=known.attempt)
        lost, _ = await self._leases.heartbeat(holder, [held])
        if lost:
            raise Conflict(f'"{record.execution_id}" is held by another executor')
        return known

    async def _held(self, principal: Principal, execution_id: str) -> Execution:
        execution = await self._store.execution(execution_id)
        if not principal.may_hold(execution):
            raise NotFound(f'no execution "{execution_id}"')
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
