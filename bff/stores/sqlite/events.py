"""Events, large values and snapshots: how they are appended and read.

Payloads are stored and returned as the bytes they came as; only a log search looks inside,
with SQLite's own JSON functions. Columns for it would cost every append the parsing of
its payloads, and appends are many where searches are few.

A page is read as one row, its members concatenated: `sqlite3` gives the GIL away for every
row and has to win it back. Beside a busy event loop and with a core to spare, 700 rows took
0.9 s one by one and 16 ms as one row; the CPU time is about the same.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from itertools import accumulate
from typing import Any

from bff.stores.base import Append, Commit, LogFilter, Moved, StoredEvent, no_execution
from bff.stores.sqlite.schema import SEQ_BITS
from bff.stores.sqlite.transaction import Transaction
from contract.errors import NotFound
from contract.states import EXECUTION_TERMINAL

MAX_SEQ = (1 << SEQ_BITS) - 1

# As long as the status stays what it is, an append touches no index.
_ADVANCE = """
    UPDATE executions SET head = ?, numbering = ?, progress = ?, log_count = ?,
        started_at = ?, error = ?
    WHERE key = ? AND attempt = ? AND head = ? AND status = ?
"""
_MOVE = """
    UPDATE executions SET head = ?, numbering = ?, progress = ?, log_count = ?,
        started_at = ?, error = ?, status = ?, ended_at = ?, ended = ?,
        holder = iif(?, NULL, holder), cancelling = iif(?, 0, cancelling)
    WHERE key = ? AND attempt = ? AND head = ?
"""
_KEEP_VALUE = """
    INSERT INTO large_values (key, name, value) VALUES (?, ?, ?)
    ON CONFLICT (key, name) DO UPDATE SET value = excluded.value
"""
_KEEP_SNAPSHOT = """
    INSERT INTO snapshots (key, seq, state) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, state = excluded.state
    WHERE excluded.seq >= snapshots.seq
"""


def append(transaction: Transaction, append: Append) -> Commit:
    """Move the head and add the events; refuses before it has changed anything.

    Raises:
        NotFound: no such execution.
        Moved: its attempt or head is another.
    """
    key = transaction.key(append.execution_id)
    if key is None:
        raise no_execution(append.execution_id)
    after = append.summary
    head = append.head + len(append.events)
    values = (
        head,
        append.numbering,
        after.progress,
        after.log_count,
        after.started_at,
        after.error,
    )
    condition = (key, append.attempt, append.head)
    ended = after.status in EXECUTION_TERMINAL
    if ended or not transaction.run(_ADVANCE, *values, *condition, after.status.value):
        status = (after.status.value, after.ended_at, ended, ended, ended)
        if not transaction.run(_MOVE, *values, *status, *condition):
            raise _refused(transaction, append.execution_id)
    transaction.add_events(key << SEQ_BITS, append.events)
    keep_values(transaction, key, append.values)
    return Commit(append.execution_id, append.events)


def _refused(transaction: Transaction, execution_id: str) -> NotFound | Moved:
    found = transaction.row("SELECT attempt, head FROM executions WHERE id = ?", execution_id)
    return no_execution(execution_id) if found is None else Moved(*found)


def read(
    connection: sqlite3.Connection,
    execution_id: str,
    after: int,
    *,
    limit: int,
    max_bytes: int,
    types: Collection[str] | None,
) -> list[StoredEvent]:
    """A page of events: at most `limit`, and of `max_bytes` if that is more than one."""
    if limit < 1 or after >= MAX_SEQ:
        return []
    chosen = ""
    if types is not None:
        chosen = "AND type IN (SELECT value FROM json_each(:types))"
    page = {
        "id": execution_id,
        "after": max(after, 0),
        "limit": limit,
        "types": json.dumps(list(types or ())),
    }
    return _bounded(connection, chosen, page, max_bytes)


def _bounded(
    connection: sqlite3.Connection, conditions: str, page: dict[str, Any], max_bytes: int
) -> list[StoredEvent]:
    """The page without the events that would make it longer than `max_bytes`."""
    # `length` of a BLOB stands in the row's header: the payloads are not gathered yet.
    columns = "group_concat(length(payload)), group_concat(seq)"
    sizes, seqs = connection.execute(_page(columns, conditions), page).fetchone()
    if sizes is None:
        return []
    ends = list(accumulate(map(int, sizes.split(","))))
    count = max(1, bisect_right(ends, max_bytes))
    if conditions:  # they may be dear, and what they choose is known now
        page["chosen"] = f"[{','.join(seqs.split(',')[:count])}]"
        conditions = "AND position - base IN (SELECT value FROM json_each(:chosen))"
    page["limit"] = count
    return _split(connection.execute(_page(_MEMBERS, conditions), page).fetchone())


def read_logs(
    connection: sqlite3.Connection,
    execution_id: str,
    chosen: LogFilter,
    *,
    after: int,
    limit: int,
    max_bytes: int,
) -> list[StoredEvent]:
    """The `log` events that pass the filter: a page as `read` has it."""
    if limit < 1 or after >= MAX_SEQ:
        return []
    page: dict[str, Any] = {"id": execution_id, "after": max(after, 0), "limit": limit}
    conditions = "AND type = 'log'"
    if chosen.levels is not None:
        conditions += f" AND {_of_log('level')} IN (SELECT value FROM json_each(:levels))"
        page["levels"] = json.dumps(sorted(chosen.levels))
    if chosen.node_id is not None:
        conditions += f" AND {_of_log('nodeId')} = :node"
        page["node"] = chosen.node_id
    if chosen.text:
        # Not LIKE: `%` and `_` are text here, and LIKE folds the case of ASCII alone.
        conditions += f" AND instr(casefold({_of_log('message')}), :text) > 0"
        page["text"] = chosen.text.casefold()
    return _bounded(connection, conditions, page, max_bytes)


_MEMBERS = (
    "group_concat(seq), group_concat(type), group_concat(length(payload)),"
    " CAST(group_concat(payload, '') AS BLOB)"
)


def _page(columns: str, conditions: str) -> str:
    return f"""
        SELECT {columns} FROM (
            SELECT position & {MAX_SEQ} AS seq, type, payload
            FROM (SELECT key << {SEQ_BITS} AS base FROM executions WHERE id = :id)
            CROSS JOIN events ON position > base + :after AND position <= base + {MAX_SEQ}
            {conditions}
            ORDER BY position LIMIT :limit
        )
    """


def _of_log(member: str) -> str:
    return f"json_extract(CAST(payload AS TEXT), '$.log.{member}')"


def _split(row: tuple[str | None, str, str, bytes]) -> list[StoredEvent]:
    seqs, types, sizes, payloads = row
    if seqs is None:
        return []
    ends = list(accumulate(map(int, sizes.split(",")), initial=0))
    pieces = map(slice, ends, ends[1:])
    return [
        StoredEvent(int(seq), kind, payloads[piece])
        for seq, kind, piece in zip(seqs.split(","), types.split(","), pieces, strict=True)
    ]


def heads(connection: sqlite3.Connection, execution_ids: Iterable[str]) -> dict[str, int]:
    """The head of each execution that exists."""
    found: dict[str, int] = json.loads(
        connection.execute(
            "SELECT json_group_object(id, head) FROM executions"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(execution_ids)),),
        ).fetchone()[0]
    )
    return found


def value(connection: sqlite3.Connection, execution_id: str, name: str) -> bytes | None:
    """A large value, whole."""
    found = connection.execute(
        "SELECT value FROM executions JOIN large_values USING (key) WHERE id = ? AND name = ?",
        (execution_id, name),
    ).fetchone()
    return None if found is None else found[0]


def keep_values(transaction: Transaction, key: int, values: Mapping[str, bytes]) -> None:
    """Keep large values of the execution that the key stands for."""
    for name, content in values.items():
        transaction.run(_KEEP_VALUE, key, name, content)


def save_snapshot(transaction: Transaction, execution_id: str, seq: int, state: bytes) -> None:
    """Keep a state, unless a later one is there or the execution is not."""
    key = transaction.key(execution_id)
    exists = key and transaction.row("SELECT 1 FROM executions WHERE key = ?", key)
    if exists:
        transaction.run(_KEEP_SNAPSHOT, key, seq, state)


def load_snapshot(connection: sqlite3.Connection, execution_id: str) -> tuple[int, bytes] | None:
    """The latest state that is kept."""
    found: tuple[int, bytes] | None = connection.execute(
        "SELECT seq, state FROM executions JOIN snapshots USING (key) WHERE id = ?",
        (execution_id,),
    ).fetchone()
    return found
