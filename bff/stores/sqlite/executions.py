"""Executions' rows: made, listed, counted, deleted."""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

from bff.stores.base import Execution, Summary
from bff.stores.sqlite.events import keep_values
from bff.stores.sqlite.schema import SEQ_BITS
from bff.stores.sqlite.transaction import Transaction
from contract.errors import Conflict, InvalidRequest
from contract.execution import Record
from contract.states import EXECUTION_TERMINAL, ExecutionStatus

IDEMPOTENCY_SECONDS = 24 * 3600.0
SWEEP_EVENTS = 1_000
SWEEP_VALUES = 32
_MAX_KEY = (1 << 63) - 1

_SELECT = """
    SELECT record, tenant, attempt, head, numbering, holder, lost, registered, cancelling,
        requires, status, progress, started_at, ended_at, error, log_count, reuse,
        last_holder,
        created_at, key
    FROM executions JOIN records USING (key)
"""
_INSERT = """
    INSERT INTO executions (id, tenant, owner, workflow_id, created_at, priority, registered,
        requires, attempt, head, numbering, holder, lost, cancelling, status, ended, progress,
        started_at, ended_at, error, log_count)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    RETURNING key
"""
_SWEPT_EVENTS = """
    DELETE FROM events WHERE position IN
        (SELECT position FROM events WHERE position > ? AND position < ? LIMIT ?)
"""
_SWEPT_VALUES = """
    DELETE FROM large_values WHERE rowid IN
        (SELECT rowid FROM large_values WHERE key = ? LIMIT ?)
"""


def create(
    transaction: Transaction,
    execution: Execution,
    record: str,
    values: Mapping[str, bytes],
    *,
    idempotency_key: str | None,
    now: float,
) -> Execution:
    """Keep a new execution; or return the one that the idempotency key stands for.

    Args:
        record: the execution's record as JSON.
        now: seconds since 1970.

    Raises:
        Conflict: the id is used, or was.
    """
    if idempotency_key is not None:
        transaction.run("DELETE FROM idempotency WHERE used_at <= ?", now - IDEMPOTENCY_SECONDS)
        made = transaction.row(
            "SELECT key FROM idempotency WHERE tenant = ? AND name = ?",
            execution.tenant,
            idempotency_key,
        )
        if made is not None:
            return of_key(transaction, made[0])
    used = "SELECT id FROM executions WHERE id = ? UNION ALL SELECT id FROM deleted WHERE id = ?"
    if transaction.row(used, execution.id, execution.id) is not None:
        raise Conflict(f'the execution id "{execution.id}" is used already')
    row = transaction.rows(_INSERT, *_row(execution))[0]
    key = row[0]
    reuse = json.dumps(sorted(execution.reuse))
    transaction.run("INSERT INTO records (key, record, reuse) VALUES (?, ?, ?)", key, record, reuse)
    keep_values(transaction, key, values)
    if idempotency_key is not None:
        transaction.run(
            "INSERT INTO idempotency (tenant, name, key, used_at) VALUES (?, ?, ?, ?)",
            execution.tenant,
            idempotency_key,
            key,
            now,
        )
    return execution


def _row(execution: Execution) -> tuple[Any, ...]:
    record, summary = execution.record, execution.summary
    return (
        execution.id,
        execution.tenant,
        record.owner,
        record.workflow_id,
        record.created_at,
        record.priority,
        execution.registered,
        json.dumps(sorted(execution.requires)),
        execution.attempt,
        execution.head,
        execution.numbering,
        execution.holder,
        execution.lost,
        execution.cancelling,
        summary.status.value,
        summary.status in EXECUTION_TERMINAL,
        summary.progress,
        summary.started_at,
        summary.ended_at,
        summary.error,
        summary.log_count,
    )


def stored(row: tuple[Any, ...]) -> Execution:
    """An execution from a row of `select`."""
    return Execution(
        record=Record.model_validate_json(row[0]),
        tenant=row[1],
        attempt=row[2],
        head=row[3],
        numbering=row[4],
        holder=row[5],
        lost=row[6],
        registered=bool(row[7]),
        cancelling=bool(row[8]),
        requires=frozenset(json.loads(row[9])),
        summary=Summary(
            status=ExecutionStatus(row[10]),
            progress=row[11],
            started_at=row[12],
            ended_at=row[13],
            error=row[14],
            log_count=row[15],
        ),
        reuse=frozenset(json.loads(row[16])),
        last_holder=row[17],
    )


def of_ids(connection: sqlite3.Connection, execution_ids: Collection[str]) -> dict[str, Execution]:
    """Those of these executions that exist, by id."""
    chosen = "WHERE id IN (SELECT value FROM json_each(?))"
    rows = connection.execute(f"{_SELECT} {chosen}", (json.dumps(list(execution_ids)),))
    return {execution.id: execution for execution in map(stored, rows)}


def of_key(transaction: Transaction, key: int) -> Execution:
    """The execution that a key stands for; it exists."""
    return stored(transaction.rows(f"{_SELECT} WHERE key = ?", key)[0])


def page(
    connection: sqlite3.Connection,
    wanted: Mapping[str, str | None],
    limit: int,
    cursor: str | None,
) -> tuple[list[Execution], str | None]:
    """Newest first, those whose columns are as `wanted`, and the next page's cursor.

    The cursor names the last execution shown, not a number of them: it stays true while
    new ones are made and old ones deleted.
    """
    conditions = [f"{column} = ?" for column, value in wanted.items() if value is not None]
    values: list[Any] = [value for value in wanted.values() if value is not None]
    if cursor is not None:
        conditions.append("(created_at, key) < (?, ?)")
        values += _read_cursor(cursor)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.execute(
        f"{_SELECT} {where} ORDER BY created_at DESC, key DESC LIMIT ?", (*values, limit + 1)
    ).fetchall()
    shown = rows[:limit]
    following = _cursor(*shown[-1][-2:]) if len(rows) > len(shown) > 0 else None
    return [stored(row) for row in shown], following


def _cursor(created_at: str, key: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([created_at, key]).encode()).decode()


def _read_cursor(cursor: str) -> tuple[str, int]:
    try:
        found = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    match found:
        case [str(created_at), int(key)] if 0 < key <= _MAX_KEY and created_at.isascii():
            return created_at, key
    raise InvalidRequest("cursor: take it from nextCursor of the page before")


def unfinished(connection: sqlite3.Connection) -> list[Execution]:
    """Those that have not ended, oldest first."""
    rows = connection.execute(f"{_SELECT} WHERE ended = 0 ORDER BY created_at, key")
    return [stored(row) for row in rows.fetchall()]


def counts(connection: sqlite3.Connection, tenant: str | None) -> dict[ExecutionStatus, int]:
    """How many executions of a tenant, or of all, have each status."""
    where, values = ("", ()) if tenant is None else ("WHERE tenant = ?", (tenant,))
    rows = connection.execute(
        f"SELECT status, count(*) FROM executions {where} GROUP BY status", values
    )
    return {ExecutionStatus(status): number for status, number in rows.fetchall()}


def expired(connection: sqlite3.Connection, ended_before: str, limit: int) -> list[str]:
    """Ids of those that ended before that time, oldest first."""
    rows = connection.execute(
        "SELECT id FROM executions WHERE ended = 1 AND ended_at < ? ORDER BY ended_at, key LIMIT ?",
        (ended_before, limit),
    )
    return [row[0] for row in rows.fetchall()]


def delete(transaction: Transaction, execution_id: str) -> None:
    """Forget an execution; its events and values are out of reach, and `sweep` takes them."""
    found = transaction.row("SELECT key FROM executions WHERE id = ?", execution_id)
    if found is not None:
        transaction.run("DELETE FROM executions WHERE key = ?", found[0])
        transaction.run(
            "INSERT INTO deleted (id, key, swept) VALUES (?, ?, 0)", execution_id, found[0]
        )


def sweep(transaction: Transaction) -> bool:
    """Remove some of what deleted executions have left; whether there may be more."""
    found = transaction.row("SELECT key FROM deleted WHERE swept = 0 LIMIT 1")
    if found is None:
        return False
    key = found[0]
    base = key << SEQ_BITS
    events = transaction.run(_SWEPT_EVENTS, base, base + (1 << SEQ_BITS), SWEEP_EVENTS)
    values = transaction.run(_SWEPT_VALUES, key, SWEEP_VALUES)
    if events < SWEEP_EVENTS and values < SWEEP_VALUES:
        transaction.run("UPDATE deleted SET swept = 1 WHERE key = ? AND swept = 0", key)
    return True
