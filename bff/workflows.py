"""What may be done with workflows, and by whom."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import NoReturn

from bff.auth import Principal
from bff.stores.base import EventStore, StoredWorkflow
from contract.errors import NotFound
from contract.values import now
from contract.workflow import parse_workflow


def new_id(kind: str) -> str:
    """An id that was never used: `wf_…` or `ex_…`."""
    return f"{kind}_{secrets.token_urlsafe(16)}"


class Workflows:
    """Workflows, for those who may."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def create(self, principal: Principal, raw: object) -> StoredWorkflow:
        """Keep a new workflow in the principal's tenant.

        Raises:
            Invalid: it is not a workflow.
            Forbidden.
        """
        principal.require_create("create a workflow")
        moment = now()
        stored = StoredWorkflow(
            id=new_id("wf"),
            tenant=principal.tenant,
            owner=principal.sub,
            workflow=parse_workflow(raw),
            created_at=moment,
            updated_at=moment,
        )
        await self._store.put_workflow(stored)
        return stored

    async def get(self, principal: Principal, workflow_id: str) -> StoredWorkflow:
        """
        Raises:
            NotFound: no such workflow, or not the principal's to see.
        """
        principal.require_watch()
        try:
            stored = await self._store.workflow(workflow_id)
        except NotFound:
            _no_workflow()
        if not principal.may_see_workflow(stored.tenant):
            _no_workflow()
        return stored

    async def all(self, principal: Principal) -> list[StoredWorkflow]:
        """All that the principal may see, newest first."""
        principal.require_watch()
        if not principal.may_see_workflow(principal.tenant):
            return []
        return await self._store.workflows(tenant=principal.scope)

    async def update(self, principal: Principal, workflow_id: str, raw: object) -> StoredWorkflow:
        """Replace a workflow; executions made before keep the graph that they have.

        Raises:
            Invalid, NotFound, Forbidden.
        """
        principal.require_create("change a workflow")
        stored = await self.get(principal, workflow_id)
        changed = replace(stored, workflow=parse_workflow(raw), updated_at=now())
        await self._store.put_workflow(changed)
        return changed

    async def delete(self, principal: Principal, workflow_id: str) -> None:
        """Forget a workflow; its executions stay.

        Raises:
            NotFound, Forbidden.
        """
        principal.require_create("delete a workflow")
        await self.get(principal, workflow_id)
        try:
            await self._store.delete_workflow(workflow_id)
        except NotFound:
            _no_workflow()


def _no_workflow() -> NoReturn:
    raise NotFound("no such workflow") from None
