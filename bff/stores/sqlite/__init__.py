"""The embedded event store: one SQLite file, one server process."""

from bff.stores.sqlite.errors import CannotOpen, NewerSchema, StoreInUse
from bff.stores.sqlite.store import SqliteStore

__all__ = ["CannotOpen", "NewerSchema", "SqliteStore", "StoreInUse"]
