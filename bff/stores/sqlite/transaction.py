"""What one group of writes puts into one commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from bff.stores.base import StoredEvent

ROWS_AT_ONCE = 128
_MAX_KEYS = 10_000
Row = tuple[Any, ...]


def insert_sql(rows: int) -> str:
    """The INSERT of so many events: the same text for the same number, so that it is
    prepared once.

    OR FAIL, since a failure undoes the whole group anyway: SQLite would keep a copy of each
    page that the statement changes, in a file beyond 64 KiB, to undo the statement alone
    (20 events of 20 executions: 210 µs with the copies, 43 µs without).
    """
    places = ",".join(["(?,?,?)"] * rows)
    return f"INSERT OR FAIL INTO events (position, type, payload) VALUES {places}"


_INSERTS = tuple(insert_sql(rows) for rows in range(1, ROWS_AT_ONCE + 1))


class Transaction:
    """The write connection between BEGIN and COMMIT.

    Events are collected and inserted many to a statement. `sqlite3` gives the GIL away for
    each statement's step and has to win it back, which takes up to 5 ms beside a busy event
    loop with a core to spare: there, 100 events took 250 ms row by row and 27 ms in one
    statement.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._keys: dict[str, int] = {}
        self._rows: list[Any] = []

    def run(self, sql: str, *values: Any) -> int:
        """Execute one statement; how many rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def row(self, sql: str, *values: Any) -> Row | None:
        """The first row of a query."""
        found: Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """All rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def key(self, execution_id: str) -> int | None:
        """The integer that stands for an execution in the other tables.

        It may be kept: neither ids nor keys are used a second time, so that of a deleted
        execution matches no row.
        """
        key = self._keys.get(execution_id)
        if key is None:
            found = self.row("SELECT key FROM executions WHERE id = ?", execution_id)
            if found is None:
                return None
            if len(self._keys) >= _MAX_KEYS:
                self._keys.clear()
            key = self._keys[execution_id] = found[0]
        return key

    def add_events(self, base: int, events: Sequence[StoredEvent]) -> None:
        """Have the events inserted at `base + seq`, by the next `flush` at the latest."""
        rows = self._rows
        for seq, kind, payload in events:
            rows += (base + seq, kind, payload)

    def flush(self) -> None:
        """Insert the events collected so far."""
        rows, step = self._rows, 3 * ROWS_AT_ONCE
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            self._connection.execute(_INSERTS[len(chunk) // 3 - 1], chunk)
        rows.clear()

    def touch(self) -> None:
        """Change nothing, but so that it has to be written."""
        (version,) = self.rows("PRAGMA user_version")[0]
        self.run(f"PRAGMA user_version = {version}")

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make everything since `begin` durable."""
        self.flush()
        self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """Undo everything since `begin`."""
        self._rows.clear()
        # an execution whose creation is undone gives its key to another one
        self._keys.clear()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()

    def finish(self) -> None:
        """Move the log into the database file and close it."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._connection.close()
