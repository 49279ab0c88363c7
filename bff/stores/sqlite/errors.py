"""What can be wrong with the database: at the start, and while it runs."""

from __future__ import annotations

import sqlite3

from contract.errors import ErrorCode, RunroomError, Unavailable


class CannotOpen(RunroomError):
    """The store cannot start on this file; one sentence says why."""

    code = ErrorCode.UNAVAILABLE


class StoreInUse(CannotOpen):
    """Another server has the file open; `pid` is its process, None if it is not known."""

    def __init__(self, path: str, pid: int | None) -> None:
        holder = "another server" if pid is None else f"process {pid}"
        super().__init__(
            f"the database {path} is in use by {holder}: SQLite belongs to one server process; "
            "stop that one, or give this one another file in BFF_STORE"
        )
        self.pid = pid


class NewerSchema(CannotOpen):
    """A later version of this program has written the file."""

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            f"the database {path} has schema version {found}, and this program knows versions "
            f"up to {known}: start the newer program that wrote it"
        )


_WORDS = {
    sqlite3.SQLITE_BUSY: "another program has locked the database",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_INTERRUPT: "it is closing",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_LOCKED: "the database is locked",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
    sqlite3.SQLITE_READONLY: "the database is read-only",
}
_OWN_FAULTS = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.NotSupportedError,
    sqlite3.ProgrammingError,
)


def is_trouble(error: BaseException) -> bool:
    """Whether the storage is to blame, and not what it was asked to do."""
    if isinstance(error, OSError | MemoryError | CannotOpen):
        return True
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _OWN_FAULTS)


def unavailable(error: BaseException) -> Unavailable:
    """The storage's trouble in the caller's words."""
    code = getattr(error, "sqlite_errorcode", None)
    words = _WORDS.get(code & 0xFF) if isinstance(code, int) else None
    said = str(error) or type(error).__name__
    return Unavailable(f"event store: {words} ({said})" if words else f"event store: {said}")


def closed() -> Unavailable:
    """The answer to whatever comes after the store's end, or before its beginning."""
    return Unavailable("event store: it is closed")
