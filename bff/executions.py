"""What may be done with executions, and by whom.

The only place that decides it: the HTTP routes and the namespaces decode, call and encode.
Every method takes the principal that asks; what it may not see does not exist for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, Protocol

import orjson

from bff.auth import Principal
from bff.stores.base import EventStore, Execution
from bff.workflows import Workflows, new_id
from contract.errors import Conflict, InvalidRequest, NotFound
from contract.execution import ExecutionState, ExecutorState, Graph, Record
from contract.states import EXECUTION_TERMINAL, NODE_TERMINAL, ExecutionStatus, NodeStatus
from contract.values import (
    PREVIEW_ABOVE_BYTES,
    Json,
    encode_json,
    now,
    preview,
    reference,
)
from contract.workflow import Workflow, downstream

INPUT = "input"
RESULT = "result"


def output_of(node_id: str) -> str:
    """The name of a node's output among an execution's values."""
    return f"nodes/{node_id}/output"


class Snapshots(Protocol):
    """Where the states of executions come from."""

    async def state(self, execution: Execution) -> ExecutionState:
        """The snapshot at the execution's head or beyond, without its executor."""

    async def encoded(self, execution: Execution) -> tuple[int, bytes]:
        """The seq of `state`, and its JSON."""


class Leases(Protocol):
    """Who holds executions, and how to reach the holders."""

    async def cancel(self, execution: Execution) -> None:
        """Note that the execution shall be cancelled, then tell its holder or end it here.

        Raises:
            NotFound, Sealed: it is gone or has ended.
        """

    def executor(self, execution_id: str) -> ExecutorState | None:
        """Who holds the execution, or held it last."""

    def wake(self) -> None:
        """Tell executors that there is something to claim."""


class Executions:
    """Executions, for those who may.

    Args:
        store: keeps them.
        snapshots, leases: see the protocols above.

    Attributes:
        workflows: what may be done with workflows.
    """

    def __init__(self, store: EventStore, snapshots: Snapshots, leases: Leases) -> None:
        self.workflows = Workflows(store)
        self._store = store
        self._snapshots = snapshots
        self._leases = leases

    # making executions

    async def execute(
        self,
        principal: Principal,
        workflow_id: str,
        *,
        input: Json = None,
        priority: int = 0,
        idempotency_key: str | None = None,
    ) -> Execution:
        """Make an execution of a workflow, in the workflow's tenant.

        Args:
            idempotency_key: a second call with it returns the first one's execution.

        Raises:
            Invalid: the input is not JSON, or longer than a value may be.
            Conflict: the key was used with another workflow, input or priority.
            NotFound, Forbidden.
        """
        principal.require_create("execute a workflow")
        stored = await self.workflows.get(principal, workflow_id)
        return await self._make(
            _record(principal, stored.id, stored.workflow, priority),
            stored.tenant,
            encode_json(input, INPUT),
            idempotency_key,
        )

    async def execute_inline(
        self,
        principal: Principal,
        workflow: Workflow,
        *,
        input: Json = None,
        priority: int = 0,
        idempotency_key: str | None = None,
    ) -> Execution:
        """Make an execution of a workflow that is kept nowhere else; it gets an id of its
        own.

        Raises:
            As `execute`.
        """
        principal.require_create("execute a workflow")
        return await self._make(
            _record(principal, new_id("wf"), workflow, priority),
            principal.tenant,
            encode_json(input, INPUT),
            idempotency_key,
            inline=True,
        )

    async def retry(
        self,
        principal: Principal,
        execution_id: str,
        *,
        from_node: str | None = None,
        idempotency_key: str | None = None,
    ) -> Execution:
        """Make an execution with the graph, the input and the priority of one that ended.

        Args:
            from_node: run again only this node, what follows it, and what did not
                complete; the other nodes take their outputs over.

        Raises:
            InvalidRequest: there is no such node.
            Conflict: the execution has not ended, or an outside system ran it.
            NotFound, Forbidden.
        """
        principal.require_create("retry an execution")
        before = await self.see(principal, execution_id)
        if before.registered:
            raise Conflict("the execution was run by an outside system; only it can run it again")
        if before.summary.status not in EXECUTION_TERMINAL:
            raise Conflict(
                f"the execution is {before.summary.status}; only an ended one is retried"
            )
        record = before.record.model_copy(
            update={
                "execution_id": new_id("ex"),
                "owner": principal.sub,
                "retry_of": before.id,
                "created_at": now(),
            }
        )
        whole = await self._store.value(before.id, INPUT)
        return await self._make(
            record,
            before.tenant,
            encode_json(record.input, INPUT) if whole is None else whole,
            idempotency_key,
            reuse=await self._reusable(before, from_node),
        )

    async def _reusable(self, before: Execution, from_node: str | None) -> frozenset[str]:
        """The nodes whose outputs a retry from `from_node` takes over."""
        if from_node is None:
            return frozenset()
        nodes = (await self._state(before)).nodes
        if from_node not in nodes:
            raise InvalidRequest(f'fromNode: the execution has no node "{from_node}"')
        again = downstream(before.record.graph.edges, from_node)
        return frozenset(
            node_id
            for node_id, node in nodes.items()
            if node.status is NodeStatus.COMPLETED and node_id not in again
        )

    async def _make(
        self,
        record: Record,
        tenant: str,
        input: bytes,
        key: str | None,
        *,
        inline: bool = False,
        reuse: frozenset[str] = frozenset(),
    ) -> Execution:
        values: dict[str, bytes] = {}
        shown = orjson.loads(input)
        if len(input) > PREVIEW_ABOVE_BYTES:
            values[INPUT] = input
            shown = preview(input, reference(record.execution_id, INPUT))
        wanted = Execution(
            record=record.model_copy(update={"input": shown}),
            tenant=tenant,
            requires=frozenset(need for node in record.graph.nodes for need in node.requires),
            reuse=reuse,
        )
        made = await self._store.create(wanted, values=values, idempotency_key=key)
        if made.id == wanted.id:
            self._leases.wake()
        elif not await self._same(made, wanted, input, inline=inline):
            raise Conflict("the Idempotency-Key was used in the last 24 hours for another request")
        return made

    async def _same(
        self, made: Execution, wanted: Execution, input: bytes, *, inline: bool
    ) -> bool:
        """Whether two executions were asked for by the same request."""
        if inline:
            first, second = made.record.graph, wanted.record.graph
            same = first == second and made.record.workflow_name == wanted.record.workflow_name
        else:
            # not the graph: the workflow may have changed between the two requests
            same = made.record.workflow_id == wanted.record.workflow_id
        same = same and (
            (made.tenant, made.record.priority, made.record.retry_of, made.record.owner)
            == (wanted.tenant, wanted.record.priority, wanted.record.retry_of, wanted.record.owner)
            and made.reuse == wanted.reuse
        )
        if not same:
            return False
        whole = await self._store.value(made.id, INPUT)
        before = made.record.input if whole is None else orjson.loads(whole)
        return _canonical(before) == _canonical(orjson.loads(input))

    # executions that exist

    async def see(self, principal: Principal, execution_id: str) -> Execution:
        """
        Raises:
            NotFound: no such execution, or not the principal's to see.
        """
        principal.require_watch()
        try:
            execution = await self._store.execution(execution_id)
        except NotFound:
            _no_execution()
        if not principal.may_see(execution):
            _no_execution()
        return execution

    async def snapshot(self, principal: Principal, execution_id: str) -> ExecutionState:
        """The execution's state at its head, with its executor.

        Raises:
            NotFound: no such execution, or not the principal's to see.
        """
        return await self._state(await self.see(principal, execution_id))

    async def encoded(self, execution: Execution) -> tuple[int, bytes]:
        """The seq and the JSON of the snapshot of an execution that the caller has seen."""
        seq, data = await self._snapshots.encoded(execution)
        executor = self._leases.executor(execution.id)
        if executor is not None:  # the last member, which the fold leaves empty
            known = executor.model_dump_json(by_alias=True).encode()
            data = data.removesuffix(b"null}") + known + b"}"
        return seq, data

    async def page(
        self,
        principal: Principal,
        *,
        status: ExecutionStatus | None = None,
        workflow_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[Execution], str | None]:
        """A page of the executions that the principal may see, newest first, and the
        cursor of the next page if there is one.

        Raises:
            InvalidRequest: the cursor was not made here.
        """
        principal.require_watch()
        if principal.executions is None:
            return await self._store.executions(
                tenant=principal.scope,
                owner=principal.owner,
                status=status,
                workflow_id=workflow_id,
                limit=limit,
                cursor=cursor,
            )
        chosen = [
            execution
            for execution in await self._named(principal)
            if status in (None, execution.summary.status)
            and workflow_id in (None, execution.record.workflow_id)
        ]
        start = 0
        if cursor is not None:
            ids = [execution.id for execution in chosen]
            if cursor not in ids:
                raise InvalidRequest("cursor: is not one of this list's")
            start = ids.index(cursor) + 1
        page = chosen[start : start + limit]
        return page, page[-1].id if start + limit < len(chosen) else None

    async def counts(self, principal: Principal) -> Mapping[str, int] | None:
        """How many executions of its tenant have each status; None for a principal from
        whom some of them are hidden."""
        principal.require_watch()
        if not principal.sees_whole_tenant:
            return None
        counts = await self._store.counts(tenant=principal.scope)
        return {status.value: counts.get(status, 0) for status in ExecutionStatus}

    async def value(self, principal: Principal, execution_id: str, name: str) -> bytes:
        """The whole JSON of an execution's input or result.

        Args:
            name: `input` or `result`.

        Raises:
            NotFound: no such execution, or it has no result.
        """
        execution = await self.see(principal, execution_id)
        status = execution.summary.status
        if name == RESULT and status is not ExecutionStatus.COMPLETED:
            raise NotFound(f"the execution is {status}: it has no result")
        whole = await self._store.value(execution.id, name)
        if whole is not None:
            return whole
        if name == INPUT:
            return orjson.dumps(execution.record.input)
        return orjson.dumps((await self._state(execution)).result)

    async def output(self, principal: Principal, execution_id: str, node_id: str) -> bytes:
        """The whole JSON of an ended node's output.

        Raises:
            NotFound: no such execution or node, or it has no output yet.
        """
        execution = await self.see(principal, execution_id)
        whole = await self._store.value(execution.id, output_of(node_id))
        if whole is not None:
            return whole
        node = (await self._state(execution)).nodes.get(node_id)
        if node is None:
            raise NotFound("the execution has no such node")
        if node.status not in NODE_TERMINAL:
            raise NotFound(f"the node is {node.status}: it has no output yet")
        return orjson.dumps(node.output)

    async def cancel(self, principal: Principal, execution_id: str) -> Execution:
        """Have an execution cancelled.

        Returns:
            It as it is afterwards: cancelled already, if nobody held it.

        Raises:
            Sealed: it has ended.
            NotFound, Forbidden.
        """
        principal.require_operate("cancel an execution")
        execution = await self.see(principal, execution_id)
        try:
            await self._leases.cancel(execution)
            return await self._store.execution(execution_id)
        except NotFound:
            _no_execution()

    async def _state(self, execution: Execution) -> ExecutionState:
        state = await self._snapshots.state(execution)
        return state.model_copy(update={"executor": self._leases.executor(execution.id)})

    async def _named(self, principal: Principal) -> list[Execution]:
        """The executions that the principal's token names, newest first."""
        found = []
        for execution_id in principal.executions or ():
            try:
                found.append(await self.see(principal, execution_id))
            except NotFound:
                continue
        found.sort(key=lambda execution: (execution.record.created_at, execution.id), reverse=True)
        return found


def _record(principal: Principal, workflow_id: str, workflow: Workflow, priority: int) -> Record:
    return Record(
        execution_id=new_id("ex"),
        workflow_id=workflow_id,
        workflow_name=workflow.name,
        graph=Graph(nodes=workflow.nodes, edges=workflow.edges),
        owner=principal.sub,
        priority=priority,
        created_at=now(),
    )


def _canonical(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _no_execution() -> NoReturn:
    raise NotFound("no such execution") from None
