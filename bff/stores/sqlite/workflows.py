"""Workflows: how they are kept and read."""

from __future__ import annotations

import sqlite3
from typing import Any

from bff.stores.base import StoredWorkflow
from bff.stores.sqlite.transaction import Transaction
from contract.errors import NotFound
from contract.workflow import Workflow

_COLUMNS = "id, tenant, owner, workflow, created_at, updated_at"
_PUT = f"""
    INSERT INTO workflows ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, owner = excluded.owner,
        workflow = excluded.workflow, created_at = excluded.created_at,
        updated_at = excluded.updated_at
"""
_ALL = f"SELECT {_COLUMNS} FROM workflows ORDER BY created_at DESC, key DESC"
_OF_TENANT = f"""
    SELECT {_COLUMNS} FROM workflows WHERE tenant = ? ORDER BY created_at DESC, key DESC
"""


def put(transaction: Transaction, stored: StoredWorkflow, document: str) -> None:
    """Keep a workflow, `document` being its JSON, in the place of the one with its id."""
    transaction.run(
        _PUT,
        stored.id,
        stored.tenant,
        stored.owner,
        document,
        stored.created_at,
        stored.updated_at,
    )


def get(connection: sqlite3.Connection, workflow_id: str) -> StoredWorkflow:
    """
    Raises:
        NotFound: no such workflow.
    """
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM workflows WHERE id = ?", (workflow_id,)
    ).fetchone()
    if row is None:
        raise _unknown(workflow_id)
    return _stored(row)


def find(connection: sqlite3.Connection, tenant: str | None) -> list[StoredWorkflow]:
    """All of a tenant, or of all; newest first."""
    if tenant is None:
        return [_stored(row) for row in connection.execute(_ALL)]
    return [_stored(row) for row in connection.execute(_OF_TENANT, (tenant,))]


def delete(transaction: Transaction, workflow_id: str) -> None:
    """
    Raises:
        NotFound: no such workflow.
    """
    if not transaction.run("DELETE FROM workflows WHERE id = ?", workflow_id):
        raise _unknown(workflow_id)


def _stored(row: tuple[Any, ...]) -> StoredWorkflow:
    workflow_id, tenant, owner, document, created_at, updated_at = row
    return StoredWorkflow(
        id=workflow_id,
        tenant=tenant,
        owner=owner,
        workflow=Workflow.model_validate_json(document),
        created_at=created_at,
        updated_at=updated_at,
    )


def _unknown(workflow_id: str) -> NotFound:
    return NotFound(f'there is no workflow "{workflow_id}"')
