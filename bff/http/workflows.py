"""Routes: workflows, and executing them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bff.auth import Principal
from bff.executions import Executions
from bff.http.access import Access
from bff.http.executions import accepted
from bff.http.requests import Query, body, idempotency_key, json_body, path_id
from bff.http.responses import json_response
from bff.stores.base import StoredWorkflow
from contract.messages import Execute

SERVER_MEMBERS = frozenset({"id", "owner", "createdAt", "updatedAt"})
"""Members that the server adds to a workflow; who sends one back may leave them in."""


class WorkflowRoutes:
    """`/api/workflows`"""

    def __init__(self, access: Access, executions: Executions) -> None:
        self._access = access
        self._executions = executions
        self._workflows = executions.workflows

    def routes(self) -> list[web.RouteDef]:
        reads, changes = self._access.reads, self._access.changes
        return [
            web.get("/api/workflows", reads(self.all)),
            web.post("/api/workflows", changes(self.create)),
            web.get("/api/workflows/{id}", reads(self.get)),
            web.put("/api/workflows/{id}", changes(self.update)),
            web.delete("/api/workflows/{id}", changes(self.delete)),
            web.post("/api/workflows/{id}/execute", changes(self.execute)),
        ]

    async def all(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        stored = await self._workflows.all(principal)
        return json_response({"items": [to_wire(workflow) for workflow in stored]})

    async def create(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        principal.require_create("create a workflow")
        stored = await self._workflows.create(principal, await json_body(request))
        location = {"Location": f"/api/workflows/{stored.id}"}
        return json_response(to_wire(stored), status=201, headers=location)

    async def get(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        return json_response(to_wire(await self._workflows.get(principal, path_id(request))))

    async def update(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        principal.require_create("change a workflow")
        raw = await json_body(request)
        if isinstance(raw, dict):
            raw = {name: value for name, value in raw.items() if name not in SERVER_MEMBERS}
        return json_response(
            to_wire(await self._workflows.update(principal, path_id(request), raw))
        )

    async def delete(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        await self._workflows.delete(principal, path_id(request))
        return web.Response(status=204)

    async def execute(self, request: web.Request, principal: Principal) -> web.Response:
        Query(request)
        principal.require_create("execute a workflow")
        asked = await body(request, Execute, optional=True)
        execution = await self._executions.execute(
            principal,
            path_id(request),
            input=asked.input,
            priority=asked.priority,
            idempotency_key=idempotency_key(request),
        )
        return accepted(execution)


def to_wire(stored: StoredWorkflow) -> dict[str, Any]:
    """A workflow as it is answered: itself, and what the server knows of it."""
    return {
        "id": stored.id,
        **stored.workflow.to_wire(),
        "owner": stored.owner,
        "createdAt": stored.created_at,
        "updatedAt": stored.updated_at,
    }
