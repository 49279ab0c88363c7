"""Routes: executions, their events and their whole values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable
from typing import Any

from aiohttp import web

from bff.auth import Principal
from bff.executions import INPUT, RESULT, Executions, Leases
from bff.http.access import Access
from bff.http.requests import Query, body, idempotency_key, path_id, prefers
from bff.http.responses import JSON, NDJSON, json_response, page, raw_response, splice, stream
from bff.stores.base import EventStore, Execution
from contract.events import EVENT_TYPES
from contract.messages import MAX_PAGE, Retry
from contract.states import ExecutionStatus

PAGE_BYTES = 4 * 1024 * 1024
"""A page of events ends early when it grows beyond this."""
LIST_PAGE = 50
STATUSES = tuple(status.value for status in ExecutionStatus)


class ExecutionRoutes:
    """`/api/executions`"""

    def __init__(
        self, access: Access, executions: Executions, store: EventStore, leases: Leases
    ) -> None:
        self._access = access
        self._executions = executions
        self._store = store
        self._leases = leases

    def routes(self) -> list[web.RouteDef]:
        reads, changes = self._access.reads, self._access.changes
        one = "/api/executions/{id}"
        return [
            web.get("/api/executions", reads(self.all)),
            web.get(one, reads(self.snapshot)),
            web.get(f"{one}/events", reads(self.events)),
            web.get(f"{one}/input", reads(self.input)),
            web.get(f"{one}/result", reads(self.result)),
            web.get(f"{one}/nodes/{{nodeId}}/output", reads(self.output)),
            web.post(f"{one}/cancel", changes(self.cancel)),
            web.post(f"{one}/retry", changes(self.retry)),
        ]

    async def all(self, request: web.Request, principal: Principal) -> web.Response:
        query = Query(request, "status", "workflowId", "limit", "cursor")
        status = query.word("status", STATUSES)
        found, cursor = await self._executions.page(
            principal,
            status=ExecutionStatus(status) if status else None,
            workflow_id=query.id("workflowId"),
            limit=query.number("limit", LIST_PAGE, least=1, most=MAX_PAGE),
            cursor=query.text("cursor"),
        )
        items = [self._item(execution) for execution in found]
        return json_response({"items": items, "nextCursor": cursor})

    async def snapshot(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        state = await self._executions.snapshot(principal, path_id(request))
        # in a thread: thousands of nodes with their outputs take a while
        data = await asyncio.to_thread(state.model_dump_json, by_alias=True)
        return raw_response(data.encode())

    async def events(self, request: web.Request, principal: Principal) -> web.StreamResponse:
        query = Query(request, "after", "limit", lists=["type"])
        after = query.number("after", 0)
        types = query.words("type", EVENT_TYPES)
        limit = query.number("limit", MAX_PAGE, least=1, most=MAX_PAGE)
        execution = await self._executions.see(principal, path_id(request))
        if prefers(request, NDJSON, JSON):
            most = limit if "limit" in query else None
            return await stream(request, NDJSON, self._lines(execution, after, types, most))
        events = await self._store.read(
            execution.id, after, limit=limit, max_bytes=PAGE_BYTES, types=types
        )
        # events may have come after the execution's row was read
        head = max(execution.head, events[-1].seq if events else 0)
        record = execution.record.model_dump_json(by_alias=True).encode()
        return page(events, execution=record, head=b"%d" % head)

    async def _lines(
        self, execution: Execution, after: int, types: Collection[str] | None, most: int | None
    ) -> AsyncGenerator[Iterable[bytes]]:
        """All events up to the present head: a busy execution's stream ends too."""
        while after < execution.head and most != 0:
            events = await self._store.read(
                execution.id, after, limit=min(most or MAX_PAGE, MAX_PAGE), types=types
            )
            events = [event for event in events if event.seq <= execution.head]
            if not events:
                return
            after = events[-1].seq
            most = None if most is None else most - len(events)
            yield map(splice, events)

    async def input(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        return raw_response(await self._executions.value(principal, path_id(request), INPUT))

    async def result(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        return raw_response(await self._executions.value(principal, path_id(request), RESULT))

    async def output(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        execution_id, node_id = path_id(request), path_id(request, "nodeId")
        return raw_response(await self._executions.output(principal, execution_id, node_id))

    async def cancel(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        return accepted(await self._executions.cancel(principal, path_id(request)))

    async def retry(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        principal.require_create("retry an execution")
        asked = await body(request, Retry, optional=True)
        execution = await self._executions.retry(
            principal,
            path_id(request),
            from_node=asked.from_node,
            idempotency_key=idempotency_key(request),
        )
        return accepted(execution)

    def _item(self, execution: Execution) -> dict[str, Any]:
        """An execution in a list: the snapshot's members that need no fold."""
        record, summary = execution.record, execution.summary
        executor = self._leases.executor(execution.id)
        return {
            "executionId": execution.id,
            "workflowId": record.workflow_id,
            "workflowName": record.workflow_name,
            "status": summary.status.value,
            "attempt": execution.attempt,
            "seq": execution.head,
            "priority": record.priority,
            "progress": summary.progress,
            "createdAt": record.created_at,
            "startedAt": summary.started_at,
            "endedAt": summary.ended_at,
            "owner": record.owner,
            "error": summary.error,
            "logCount": summary.log_count,
            "retryOf": record.retry_of,
            "executor": executor.to_wire() if executor else None,
        }


def accepted(execution: Execution) -> web.Response:
    """202 for an execution that was made or is being cancelled."""
    answer = {
        "id": execution.id,
        "executionId": execution.id,
        "workflowId": execution.record.workflow_id,
        "status": execution.summary.status.value,
    }
    if execution.record.retry_of is not None:
        answer["retryOf"] = execution.record.retry_of
    location = {"Location": f"/api/executions/{execution.id}"}
    return json_response(answer, status=202, headers=location)
