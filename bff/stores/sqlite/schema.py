"""The tables, their migrations by version, and how connections are opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from bff.stores.sqlite.errors import CannotOpen, NewerSchema

BUSY_SECONDS = 5.0
"""How long a write waits for another program's lock on the file."""
OLDEST_SQLITE = (3, 35)

SEQ_BITS = 32
"""An event's `position` is its execution's key, shifted by this, plus its seq."""

# Events are clustered by (execution, seq), and the pair is packed into the integer that
# SQLite uses as a table's own key: the cheapest key there is to compare and to append to.
# WITHOUT ROWID on (execution, seq) was measured beside it and is no faster, and it would move
# payloads above 1 KB to overflow pages, where this table keeps up to 4 KB in place.
#
# What an append changes stands in `executions`, what is written once in `records`: a graph
# of 2,000 nodes in the same row would be written again with every append.
_FIRST = (
    """
    CREATE TABLE executions (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        tenant TEXT NOT NULL,
        owner TEXT NOT NULL,
        workflow_id TEXT NOT NULL,
        created_at TEXT NOT NULL,
        priority INTEGER NOT NULL,
        registered INTEGER NOT NULL,
        requires TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        head INTEGER NOT NULL,
        numbering TEXT,
        holder TEXT,
        last_holder TEXT,
        lost INTEGER NOT NULL,
        cancelling INTEGER NOT NULL,
        status TEXT NOT NULL,
        ended INTEGER NOT NULL,
        progress INTEGER NOT NULL,
        started_at TEXT,
        ended_at TEXT,
        error TEXT,
        log_count INTEGER NOT NULL
    )
    """,
    "CREATE INDEX executions_by_age ON executions (created_at)",
    "CREATE INDEX executions_by_tenant ON executions (tenant, created_at)",
    "CREATE INDEX executions_by_workflow ON executions (workflow_id, created_at)",
    "CREATE INDEX executions_by_status ON executions (tenant, status, created_at)",
    "CREATE INDEX executions_unfinished ON executions (created_at) WHERE ended = 0",
    """
    CREATE INDEX executions_claimable ON executions (priority DESC, created_at)
    WHERE ended = 0 AND registered = 0 AND holder IS NULL
    """,
    "CREATE INDEX executions_ended ON executions (ended_at) WHERE ended = 1",
    """
    CREATE TABLE records (
        key INTEGER PRIMARY KEY REFERENCES executions (key) ON DELETE CASCADE,
        record TEXT NOT NULL,
        reuse TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE snapshots (
        key INTEGER PRIMARY KEY REFERENCES executions (key) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        state BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE idempotency (
        tenant TEXT NOT NULL,
        name TEXT NOT NULL,
        key INTEGER NOT NULL REFERENCES executions (key) ON DELETE CASCADE,
        used_at REAL NOT NULL,
        PRIMARY KEY (tenant, name)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX idempotency_by_age ON idempotency (used_at)",
    "CREATE INDEX idempotency_by_key ON idempotency (key)",
    # These two outlive their execution's row until a delete has swept them.
    "CREATE TABLE events (position INTEGER PRIMARY KEY, type TEXT NOT NULL, payload BLOB NOT NULL)",
    """
    CREATE TABLE large_values (
        key INTEGER NOT NULL,
        name TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (key, name)
    )
    """,
    "CREATE TABLE deleted (id TEXT PRIMARY KEY, key INTEGER NOT NULL, swept INTEGER NOT NULL)"
    " WITHOUT ROWID",
    "CREATE INDEX deleted_unswept ON deleted (key) WHERE swept = 0",
    """
    CREATE TABLE workflows (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        tenant TEXT NOT NULL,
        owner TEXT NOT NULL,
        workflow TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL
    )
    """,
    "CREATE INDEX workflows_by_age ON workflows (created_at)",
    "CREATE INDEX workflows_by_tenant ON workflows (tenant, created_at)",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)
"""The statements that lead from version n to n + 1. What is released never changes."""


def open_writer(path: Path, *, create: bool) -> sqlite3.Connection:
    """The one connection that writes, for the calling thread alone.

    Args:
        create: make the file if there is none. A writer that comes back after trouble does
            not: an empty database in the place of a lost one would hide the loss.

    Raises:
        CannotOpen: the file system or the SQLite library lacks what is needed.
        sqlite3.Error: the file cannot be opened, or is no database.
    """
    connection = _connect(path, "rwc" if create else "rw")
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise CannotOpen(f"the file system of {path} does not carry SQLite's WAL mode")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute("PRAGMA secure_delete = FAST")
        # Fewer, larger checkpoints: 16 MiB; a log that has grown beyond 64 MiB is cut back.
        connection.execute("PRAGMA wal_autocheckpoint = 4096")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection, for one thread at a time; it never waits for the writer."""
    connection = _connect(path, "ro", any_thread=True)
    connection.execute("PRAGMA cache_size = -4096")
    connection.create_function("casefold", 1, _casefold, deterministic=True)
    return connection


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables to the newest version, each step in one transaction.

    Raises:
        NewerSchema: the database has a version that this program does not know.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise NewerSchema(str(path), version, len(MIGRATIONS))
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _connect(path: Path, mode: str, *, any_thread: bool = False) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise CannotOpen(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or later is needed")
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=not any_thread,
        # every INSERT of up to `transaction.ROWS_AT_ONCE` events is a statement of its own
        cached_statements=256,
    )


def _casefold(text: object) -> str | None:
    return text.casefold() if isinstance(text, str) else None
