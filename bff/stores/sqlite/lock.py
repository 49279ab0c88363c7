"""The lock file that keeps a second server away from a database."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bff.stores.sqlite.errors import CannotOpen, StoreInUse

if sys.platform != "win32":
    import fcntl


class LockFile:
    """`<database>.lock`, held by the kernel for as long as this process lives.

    The file stays when the lock is given up: removing it would let two processes lock two
    files of the same name.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock; never waits.

        Raises:
            StoreInUse: somebody has it, in this process or in another.
            CannotOpen: this system has no such locks.
            OSError: the file cannot be made.
        """
        if sys.platform == "win32":
            raise CannotOpen("the SQLite store needs POSIX file locks, which Windows lacks")
        file = os.open(f"{self._database}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 20).strip()
            os.close(file)
            pid = int(holder) if holder.isdigit() else None
            raise StoreInUse(str(self._database), pid) from None
        except BaseException:
            os.close(file)
            raise
        self._file = file
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Give the lock up, if it is held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
